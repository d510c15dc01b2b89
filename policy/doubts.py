"""What a rule says that comes to nothing: no fault, since it serves, but hardly what whoever wrote it meant."""

from collections.abc import Iterator

from policy.fault import Fault
from policy.hours import Window
from policy.rule import Fallback, Rule, Second


def doubts(rule: Rule) -> Iterator[Fault]:
    """Give each part of a rule that has no effect, or lets nobody in, with its key and what would give it one."""
    if rule.hours is not None and not any(rule.hours.values()):
        yield Fault(
            ("hours",), "no window: it is never open", 'such as { school_day = ["07:30-17:30"] }, or no hours at all'
        )
    yield from _of_limits(rule)
    yield from _of_prices(rule)
    yield from _of_slots(rule)
    if rule.when_stale is not Fallback.SERVE_AND_FLAG and rule.stale_after_h is None:
        found = f'"{rule.when_stale}", and data that are never too old'
        yield Fault(("when_stale",), found, "stale_after_h beside it, such as 72")


def _of_limits(rule: Rule) -> Iterator[Fault]:
    if rule.per_day == 0 and not any(rule.per_day_by_kind.values()):
        yield Fault(("per_day",), "0: nobody is served", "1 or more, or no per_day where there is no limit")
    if rule.second is not Second.DENY and rule.per_day is None and not rule.per_day_by_kind:
        yield Fault(("second",), f'"{rule.second}", and no limit that a second serving is beyond', "per_day beside it")
    if rule.kinds is not None:
        for kind in sorted(rule.per_day_by_kind.keys() - rule.kinds):
            yield Fault(("per_day_by_kind", kind), "a kind that is not served here", f'"{kind}" among the kinds')


def _of_prices(rule: Rule) -> Iterator[Fault]:
    costs = bool(rule.price_cents or any(rule.price_cents_by_group.values()))
    if rule.second_price_cents is not None and rule.second is not Second.CHARGE:
        expected = f'second = "{Second.CHARGE}" beside it'
        yield Fault(("second_price_cents",), f'a price, and second = "{rule.second}"', expected)
    if rule.second is Second.CHARGE and not (costs or rule.second_price_cents):
        yield Fault(("second",), f'"{Second.CHARGE}", and no price', "second_price_cents or price_cents beside it")
    if rule.prepaid and not (costs or rule.second_price_cents):
        yield Fault(("prepaid",), "an account that pays, and no price", "price_cents beside it")
    if rule.offline_allowance_cents and not rule.prepaid:
        yield Fault(("offline_allowance_cents",), "an allowance, and no account", "prepaid = true beside it")


def _of_slots(rule: Rule) -> Iterator[Fault]:
    if rule.outside_slot is not Fallback.SERVE_AND_FLAG and not rule.slots:
        yield Fault(("outside_slot",), f'"{rule.outside_slot}", and no slots', "slots beside it")
    if rule.hours is None or not any(rule.hours.values()):
        return
    for group, windows_of in sorted(rule.slots.items()):
        for day_type, windows in windows_of.items():
            open_at = rule.hours.get(day_type, ())
            for window in windows:
                if not any(_meet(window, other) for other in open_at):
                    found = f'"{group}" at {window} on a {day_type}, when the service is closed'
                    yield Fault(("slots",), found, f"a window within {', '.join(map(str, open_at)) or 'its hours'}")


def _meet(one: Window, other: Window) -> bool:
    return one.start_minute < other.end_minute and other.start_minute < one.end_minute
