"""From a tap to its answer: total, pure, and with a trail of every check (DESIGN.md §2.3).

The checks stand in `CHECKS` in the order in which they are asked. What a refusal comes to under the rule (denied, asked, served
and flagged) is told by `_meaning`. The first that denies ends the asking; a milder one does not, so that a till which asks about
old data never offers a closed card or a second lunch. So a reason has one place where it is found and one where it is softened.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from policy.hours import Window, is_open
from policy.model import (
    Card,
    Check,
    Circumstances,
    ClockTrust,
    Credit,
    Decision,
    Direction,
    Quota,
    State,
    Tap,
    Usage,
    Verdict,
)
from policy.reasons import Flag, Reason
from policy.rule import Exit, Fallback, PoolCard, Rule, Second
from policy.uid import is_random


class Case(NamedTuple):
    """All that is known when a tap is decided."""

    tap: Tap
    card: Card | None
    rule: Rule
    usage: Usage
    now: Circumstances

    @property
    def held(self) -> Card:
        """The card's row, for the checks that come after the one that refuses an unknown card."""
        assert self.card is not None, "asked of an unknown card"  # noqa: S101  an invariant: a break must crash, not refuse
        return self.card


def decide(tap: Tap, card: Card | None, rule: Rule, usage: Usage, now: Circumstances) -> Decision:
    """Answer `tap`. Never raises for any combination of its arguments; the same arguments give the same answer.

    The decision's trail is told when somebody asks for it: a tap has no time for sentences that nobody reads.
    """
    case = Case(tap, card, rule, usage, now)
    return _settled(case, [refusal for _, refusal in _asked(case) if refusal is not None])


def _asked(case: Case) -> Iterator[tuple["Question", Reason | None]]:
    """Ask the checks in their order, until one denies."""
    for question in CHECKS:
        refusal = question.refuses(case)
        yield question, refusal
        if refusal is not None and _meaning(case.rule, refusal) is Verdict.DENY:
            return


def asks_quota(decision: Decision, card: Card | None, rule: Rule, now: Circumstances) -> bool:
    """Whether the registry is to be asked before this answer stands: it would be a serving within a limit of so many a day.

    Whoever is refused anyway, or was served beyond the limit here already, costs no question; neither does a day that is not sure.
    But whatever is to be paid from an account is asked about, on whichever day (V6.5).
    """
    if rule.prepaid and decision.price_cents:
        return True
    is_limited = card is not None and rule.limit(card.kind) is not None
    return is_limited and decision.reason is Reason.OK and now.clock is not ClockTrust.WRONG


class Prices(NamedTuple):
    """What is to be held on the holder's account: within the day's limit, and beyond it. None: it cannot come to that."""

    cents: int | None
    second_cents: int | None


def prices_asked(decision: Decision, card: Card, rule: Rule) -> Prices | None:
    """Return the prices of a serving that `asks_quota` says is to be asked about; None where nothing is paid from an account (V6.5)."""
    first = None if decision.reason is Reason.ALREADY_TODAY else rule.price(card.groups)
    is_charged_second = rule.second is Second.CHARGE
    second = None if rule.second is Second.DENY else rule.price(card.groups, is_charged_second=is_charged_second)
    return Prices(first, second) if rule.prepaid and (first or second) else None


def _trail(case: Case) -> tuple[Check, ...]:
    return tuple(Check(question.name, question.saw(case), refusal) for question, refusal in _asked(case))


class Question(NamedTuple):
    """One check: its name, the refusal that it leads to or None, and what it saw, in words."""

    name: str
    refuses: Callable[[Case], Reason | None]
    saw: Callable[[Case], str]


def _uid_refusal(case: Case) -> Reason | None:
    """A random UID names no card (ISO/IEC 14443-3); DOMAIN.md §4."""
    return Reason.RANDOM_UID if is_random(case.tap.uid) else None


def _uid_seen(case: Case) -> str:
    return "a random number" if is_random(case.tap.uid) else f"{len(case.tap.uid)} bytes"


def _known_refusal(case: Case) -> Reason | None:
    return Reason.UNKNOWN if case.card is None else None


def _known_seen(case: Case) -> str:
    card = case.card
    return "no such card here" if card is None else f"card {card.card}, data version {card.version}"


_REFUSED_STATES: Final = {
    State.CLOSED: Reason.CLOSED,  # T24, V4.1.1
    State.LEFT: Reason.LEFT,  # V3.4.1b
    State.POOL: Reason.POOL_CARD_NOT_LENT,  # T25
}


def _state_refusal(case: Case) -> Reason | None:
    return _REFUSED_STATES.get(case.held.state)


def _state_seen(case: Case) -> str:
    return case.held.state


def _validity_refusal(case: Case) -> Reason | None:
    """Both bounds are inclusive local days: the last day still works (V5.1, V5.3, DOMAIN.md trap 5)."""
    card, today = case.held, case.now.service_day
    if card.valid_until is not None and card.valid_until < today:
        return Reason.EXPIRED
    if card.valid_from is not None and today < card.valid_from and _clock_may_refuse(case):
        return Reason.NOT_YET_VALID
    return None


def _validity_seen(case: Case) -> str:
    card = case.held
    return f"{card.valid_from or '…'} to {card.valid_until or '…'}, today {case.now.service_day}"


def _admitted_refusal(case: Case) -> Reason | None:
    """Kinds and groups are and-ed, groups among themselves or-ed (DESIGN.md §7).

    A substitute that is lent to nobody has no groups yet: the one who is asked sees the pupil (DOMAIN.md trap 10).
    """
    card, rule = case.held, case.rule
    kind_fits = rule.kinds is None or card.kind in rule.kinds
    group_fits = rule.groups is None or card.state is State.POOL or bool(card.groups & rule.groups)
    return None if kind_fits and group_fits else Reason.NOT_ADMITTED


def _admitted_seen(case: Case) -> str:
    return f"kind {case.held.kind}, groups {', '.join(sorted(case.held.groups)) or 'none'}"


def _hours_refusal(case: Case) -> Reason | None:
    rule, now = case.rule, case.now
    if rule.hours is None or is_open(rule.hours.get(now.day_type, ()), now.local.time()):
        return None
    return Reason.OUTSIDE_HOURS if _clock_may_refuse(case) else None


def _hours_seen(case: Case) -> str:
    rule, now = case.rule, case.now
    if rule.hours is None:
        return "always open"
    windows = rule.hours.get(now.day_type, ())
    return f"{now.day_type} {now.local:%H:%M}, open {', '.join(map(str, windows)) or 'never'}"


def _slot_refusal(case: Case) -> Reason | None:
    """A class that eats at its own time. By default a pupil who comes at another is served and flagged: no child goes hungry for it."""
    refuses = case.rule.outside_slot is not Fallback.SERVE_AND_FLAG and _is_outside_slot(case)
    return Reason.OUTSIDE_SLOT if refuses else None


def _slot_seen(case: Case) -> str:
    windows = _slot_of(case)
    if windows is None:
        return "no slot of its own"
    return f"{case.now.local:%H:%M}, slot {', '.join(map(str, windows))}"


def _clock_refusal(case: Case) -> Reason | None:
    wrong = case.now.clock is ClockTrust.WRONG
    return Reason.CLOCK_UNTRUSTED if wrong and case.rule.when_clock_untrusted is not Fallback.SERVE_AND_FLAG else None


def _clock_seen(case: Case) -> str:
    return case.now.clock


def _freshness_refusal(case: Case) -> Reason | None:
    return Reason.DATA_STALE if _is_stale(case) and case.rule.when_stale is not Fallback.SERVE_AND_FLAG else None


def _freshness_seen(case: Case) -> str:
    return f"{case.now.data_age_h:.0f} h old" if _is_stale(case) else "fresh enough"


def _disk_refusal(case: Case) -> Reason | None:
    """Nobody is granted what is not on disk, unless the service says so (DESIGN.md §2.4)."""
    refuses = not case.now.disk_ok and case.rule.when_disk_fails is not Fallback.SERVE_AND_FLAG
    return Reason.DISK_FAILED if refuses else None


def _disk_seen(case: Case) -> str:
    return "whole" if case.now.disk_ok else "not writable"


def _repeat_refusal(case: Case) -> Reason | None:
    """One person's second tap right after the first is the same serving, at whichever reader (FAULTS.md, Readers)."""
    ago = case.usage.last_served_s_ago
    return Reason.ALREADY_JUST_NOW if ago is not None and 0 <= ago < case.rule.repeat_s else None


def _repeat_seen(case: Case) -> str:
    ago = case.usage.last_served_s_ago
    return "not served before" if ago is None else f"served {ago:.0f} s ago, repeat window {case.rule.repeat_s} s"


def _per_day_refusal(case: Case) -> Reason | None:
    """T28 and DOMAIN.md trap 2. A day that an impossible clock tells is no ground to refuse a lunch."""
    limit = case.rule.limit(case.held.kind)
    used_up = limit is not None and case.usage.served_today >= limit
    return Reason.ALREADY_TODAY if used_up and _clock_may_refuse(case) else None


def _per_day_seen(case: Case) -> str:
    limit = case.rule.limit(case.held.kind)
    return f"served {case.usage.served_today} times today, limit {'none' if limit is None else limit}"


def _quota_refusal(case: Case) -> Reason | None:
    """What was served at tills elsewhere, of which the journal here knows nothing. Never refuse a child for a network, by default."""
    if case.now.quota is Quota.USED_UP:
        return Reason.ALREADY_TODAY if _clock_may_refuse(case) else None
    is_unknown = case.now.quota is Quota.UNKNOWN
    return Reason.QUOTA_UNKNOWN if is_unknown and case.rule.when_quota_unknown is not Fallback.SERVE_AND_FLAG else None


def _quota_seen(case: Case) -> str:
    return case.now.quota


def _credit_refusal(case: Case) -> Reason | None:
    """V6.5: never below zero while the registry can be asked; else within what the host may charge by itself.

    A substitute that is lent to nobody has no account yet: the one who is asked sees the pupil (DOMAIN.md trap 10). Beyond the allowance
    nobody is told that the account is empty, which is not known.
    """
    price_cents = _price_cents(case)
    if not (case.rule.prepaid and price_cents) or case.held.state is State.POOL:
        return None
    if case.now.credit is Credit.UNKNOWN:
        spent_cents = case.usage.spent_today_cents + price_cents
        return Reason.QUOTA_UNKNOWN if spent_cents > case.rule.offline_allowance_cents else None
    return None if _is_held(case, price_cents) else Reason.NO_CREDIT


def _is_held(case: Case, price_cents: int) -> bool:
    """Whether the price is set aside for this serving. An answer that was not asked for yet refuses nobody who can have an account.

    Where another tap at this host has used up the day since the registry was asked, what is held is the first serving's price.
    """
    credit, rule = case.now.credit, case.rule
    if case.held.person is None or credit is Credit.TOO_LITTLE:
        return False
    is_charged_second = rule.second is Second.CHARGE and case.now.quota is Quota.USED_UP
    held_cents = rule.price(case.held.groups, is_charged_second=is_charged_second)
    return credit is Credit.NOT_ASKED or price_cents <= held_cents


def _credit_seen(case: Case) -> str:
    rule, credit = case.rule, case.now.credit
    if not rule.prepaid:
        return "paid by no account"
    price = f"price {_price_cents(case)} cents"
    if case.held.person is None:
        return f"{price}, no person with an account"
    if credit in {Credit.HELD, Credit.TOO_LITTLE}:
        return f"{price}, account {credit}"
    spent = f"{case.usage.spent_today_cents} of {rule.offline_allowance_cents} cents"
    return f"{price}, account {credit}, charged today without the registry {spent}"


CHECKS: Final = (
    Question("uid", _uid_refusal, _uid_seen),
    Question("known", _known_refusal, _known_seen),
    Question("state", _state_refusal, _state_seen),
    Question("validity", _validity_refusal, _validity_seen),
    Question("admitted", _admitted_refusal, _admitted_seen),
    Question("hours", _hours_refusal, _hours_seen),
    Question("slot", _slot_refusal, _slot_seen),
    Question("clock", _clock_refusal, _clock_seen),
    Question("freshness", _freshness_refusal, _freshness_seen),
    Question("disk", _disk_refusal, _disk_seen),
    Question("repeat", _repeat_refusal, _repeat_seen),
    Question("per_day", _per_day_refusal, _per_day_seen),
    Question("quota", _quota_refusal, _quota_seen),
    Question("credit", _credit_refusal, _credit_seen),
)


def _clock_may_refuse(case: Case) -> bool:
    """Whether the time of day is sure enough to refuse on: no wrong-day refusal ever (DESIGN.md §6)."""
    return case.now.clock is not ClockTrust.WRONG


def _slot_of(case: Case) -> tuple[Window, ...] | None:
    """Return the windows of the holder's groups on this type of day; None where none of them has a slot."""
    slots, day_type = case.rule.slots, case.now.day_type
    if not slots or case.card is None:
        return None
    windows = {window for group in case.card.groups & slots.keys() for window in slots[group].get(day_type, ())}
    return tuple(sorted(windows)) or None


def _is_outside_slot(case: Case) -> bool:
    windows = _slot_of(case)
    return windows is not None and _clock_may_refuse(case) and not is_open(windows, case.now.local.time())


def _is_stale(case: Case) -> bool:
    age_h, limit_h = case.now.data_age_h, case.rule.stale_after_h
    return age_h is not None and limit_h is not None and age_h > limit_h


def _settled(case: Case, refusals: list[Reason]) -> Decision:
    """Turn the refusals into the answer: the sternest speaks, the first of them where several are as stern."""
    flags, trail = _standing_flags(case), partial(_trail, case)
    if not refusals:
        return Decision(Verdict.GRANT, Reason.OK, (*flags, *_charging_flags(case)), trail, _price_cents(case))
    reason = max(refusals, key=lambda refusal: _STERNNESS[_meaning(case.rule, refusal)])
    verdict = _meaning(case.rule, reason)
    if verdict is Verdict.GRANT:
        flags = (_SECOND_FLAGS[case.rule.second], *flags, *_charging_flags(case))
        return Decision(verdict, reason, flags, trail, _price_cents(case))
    if case.tap.direction is Direction.OUT and case.rule.exit is Exit.GRANT_AND_FLAG:
        return Decision(Verdict.GRANT, reason, (Flag.EXIT_GRANTED, *flags), trail)
    return Decision(verdict, reason, flags, trail)


def _price_cents(case: Case) -> int:
    """Tell what the serving costs: within the limit, or beyond it where that is charged."""
    is_second = _per_day_refusal(case) is not None or _quota_refusal(case) is Reason.ALREADY_TODAY
    return case.rule.price(case.held.groups, is_charged_second=is_second and case.rule.second is Second.CHARGE)


def _charging_flags(case: Case) -> tuple[Flag, ...]:
    """Say where an account was charged that nobody could be asked about: it may be below zero now (V6.5)."""
    is_offline = case.rule.prepaid and case.now.credit is Credit.UNKNOWN and _price_cents(case) > 0
    return (Flag.CHARGED_OFFLINE,) if is_offline else ()


_STERNNESS: Final = {Verdict.GRANT: 0, Verdict.ASK: 1, Verdict.DENY: 2}
_SECOND_FLAGS: Final = {Second.FLAG: Flag.SECOND_SERVING, Second.CHARGE: Flag.SECOND_CHARGED}


def _meaning(rule: Rule, reason: Reason) -> Verdict:
    """Tell what a refusal comes to under the rule: GRANT is "served all the same and flagged"."""
    if reason is Reason.ALREADY_TODAY and rule.second is not Second.DENY:
        return Verdict.GRANT
    asks = {
        Reason.POOL_CARD_NOT_LENT: rule.pool_card is PoolCard.ASK,
        Reason.OUTSIDE_SLOT: rule.outside_slot is Fallback.ASK_STAFF,
        Reason.CLOCK_UNTRUSTED: rule.when_clock_untrusted is Fallback.ASK_STAFF,
        Reason.DATA_STALE: rule.when_stale is Fallback.ASK_STAFF,
        Reason.QUOTA_UNKNOWN: rule.when_quota_unknown is Fallback.ASK_STAFF,
        Reason.DISK_FAILED: rule.when_disk_fails is Fallback.ASK_STAFF,
    }.get(reason, False)
    return Verdict.ASK if asks else Verdict.DENY


def _standing_flags(case: Case) -> tuple[Flag, ...]:
    """Flags that hold whatever the answer is."""
    flags = _CLOCK_FLAGS[case.now.clock]
    if _is_outside_slot(case):
        flags = (Flag.OUTSIDE_SLOT, *flags)
    if _is_stale(case):
        flags = (*flags, Flag.DATA_STALE)
    if case.now.quota is Quota.UNKNOWN:
        flags = (*flags, Flag.QUOTA_UNKNOWN)
    return flags if case.now.disk_ok else (*flags, Flag.NOT_DURABLE)


_CLOCK_FLAGS: Final[dict[ClockTrust, tuple[Flag, ...]]] = {
    ClockTrust.VOUCHED: (),
    ClockTrust.UNSYNCED: (Flag.CLOCK_UNSYNCED,),
    ClockTrust.WRONG: (Flag.CLOCK_UNTRUSTED,),
}
