"""From a tap to its answer: total, pure, and with a trail of every check (DESIGN.md §2.3).

The checks stand in `CHECKS` in the order in which they are asked. What a refusal comes to under the rule (denied, asked, served
and flagged) is told by `_meaning`. The first that denies ends the asking; a milder one does not, so that a till which asks about
old data never offers a closed card or a second lunch. So a reason has one place where it is found and one where it is softened.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from policy.hours import is_open
from policy.model import Card, Check, Circumstances, ClockTrust, Decision, Direction, State, Tap, Usage, Verdict
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
    """Answer `tap`. Never raises for any combination of its arguments; the same arguments give the same answer."""
    case = Case(tap, card, rule, usage, now)
    trail: list[Check] = []
    for check in CHECKS:
        step = check(case)
        trail.append(step)
        if step.refusal is not None and _meaning(rule, step.refusal) is Verdict.DENY:
            break
    return _settled(case, tuple(trail))


def _uid(case: Case) -> Check:
    """A random UID names no card (ISO/IEC 14443-3); DOMAIN.md §4."""
    if is_random(case.tap.uid):
        return Check("uid", "a random number", Reason.RANDOM_UID)
    return Check("uid", f"{len(case.tap.uid)} bytes")


def _known(case: Case) -> Check:
    if case.card is None:
        return Check("known", "no such card here", Reason.UNKNOWN)
    return Check("known", f"card {case.card.card}, data version {case.card.version}")


_REFUSED_STATES: Final = {
    State.CLOSED: Reason.CLOSED,  # T24, V4.1.1
    State.LEFT: Reason.LEFT,  # V3.4.1b
    State.POOL: Reason.POOL_CARD_NOT_LENT,  # T25
}


def _state(case: Case) -> Check:
    return Check("state", case.held.state, _REFUSED_STATES.get(case.held.state))


def _validity(case: Case) -> Check:
    """Both bounds are inclusive local days: the last day still works (V5.1, V5.3, DOMAIN.md trap 5)."""
    card, today = case.held, case.now.service_day
    saw = f"{card.valid_from or '…'} to {card.valid_until or '…'}, today {today}"
    if card.valid_until is not None and card.valid_until < today:
        return Check("validity", saw, Reason.EXPIRED)
    if card.valid_from is not None and today < card.valid_from and _clock_may_refuse(case):
        return Check("validity", saw, Reason.NOT_YET_VALID)
    return Check("validity", saw)


def _admitted(case: Case) -> Check:
    """Kinds and groups are and-ed, groups among themselves or-ed (DESIGN.md §7).

    A substitute that is lent to nobody has no groups yet: the one who is asked sees the pupil (DOMAIN.md trap 10).
    """
    card, rule = case.held, case.rule
    saw = f"kind {card.kind}, groups {', '.join(sorted(card.groups)) or 'none'}"
    kind_fits = rule.kinds is None or card.kind in rule.kinds
    group_fits = rule.groups is None or card.state is State.POOL or bool(card.groups & rule.groups)
    return Check("admitted", saw, None if kind_fits and group_fits else Reason.NOT_ADMITTED)


def _hours(case: Case) -> Check:
    rule, now = case.rule, case.now
    if rule.hours is None:
        return Check("hours", "always open")
    windows = rule.hours.get(now.day_type, ())
    saw = f"{now.day_type} {now.local:%H:%M}, open {', '.join(map(str, windows)) or 'never'}"
    if is_open(windows, now.local.time()) or not _clock_may_refuse(case):
        return Check("hours", saw)
    return Check("hours", saw, Reason.OUTSIDE_HOURS)


def _repeat(case: Case) -> Check:
    """One person's second tap right after the first is the same serving, at whichever reader (FAULTS.md, Readers)."""
    ago = case.usage.last_served_s_ago
    saw = "not served before" if ago is None else f"served {ago:.0f} s ago, repeat window {case.rule.repeat_s} s"
    just_now = ago is not None and 0 <= ago < case.rule.repeat_s
    return Check("repeat", saw, Reason.ALREADY_JUST_NOW if just_now else None)


def _per_day(case: Case) -> Check:
    """T28 and DOMAIN.md trap 2. A day that an impossible clock tells is no ground to refuse a lunch."""
    limit = case.rule.limit(case.held.kind)
    served = case.usage.served_today
    saw = f"served {served} times today, limit {'none' if limit is None else limit}"
    used_up = limit is not None and served >= limit and _clock_may_refuse(case)
    return Check("per_day", saw, Reason.ALREADY_TODAY if used_up else None)


def _clock(case: Case) -> Check:
    wrong = case.now.clock is ClockTrust.WRONG
    refuses = wrong and case.rule.when_clock_untrusted is not Fallback.SERVE_AND_FLAG
    return Check("clock", case.now.clock, Reason.CLOCK_UNTRUSTED if refuses else None)


def _freshness(case: Case) -> Check:
    if not _is_stale(case):
        return Check("freshness", "fresh enough")
    refuses = case.rule.when_stale is not Fallback.SERVE_AND_FLAG
    return Check("freshness", f"{case.now.data_age_h:.0f} h old", Reason.DATA_STALE if refuses else None)


def _disk(case: Case) -> Check:
    """Nobody is granted what is not on disk, unless the service says so (DESIGN.md §2.4)."""
    if case.now.disk_ok:
        return Check("disk", "whole")
    refuses = case.rule.when_disk_fails is not Fallback.SERVE_AND_FLAG
    return Check("disk", "not writable", Reason.DISK_FAILED if refuses else None)


CHECKS: Final[tuple[Callable[[Case], Check], ...]] = (
    _uid,
    _known,
    _state,
    _validity,
    _admitted,
    _hours,
    _clock,
    _freshness,
    _disk,
    _repeat,
    _per_day,
)


def _clock_may_refuse(case: Case) -> bool:
    """Whether the time of day is sure enough to refuse on: no wrong-day refusal ever (DESIGN.md §6)."""
    return case.now.clock is not ClockTrust.WRONG


def _is_stale(case: Case) -> bool:
    age_h, limit_h = case.now.data_age_h, case.rule.stale_after_h
    return age_h is not None and limit_h is not None and age_h > limit_h


def _settled(case: Case, trail: tuple[Check, ...]) -> Decision:
    """Turn the trail into the answer: the sternest refusal speaks, the first of them where several are as stern."""
    flags = _standing_flags(case)
    refusals = [step.refusal for step in trail if step.refusal is not None]
    if not refusals:
        return Decision(Verdict.GRANT, Reason.OK, flags, trail)
    reason = max(refusals, key=lambda refusal: _STERNNESS[_meaning(case.rule, refusal)])
    verdict = _meaning(case.rule, reason)
    if verdict is Verdict.GRANT:
        return Decision(verdict, reason, (_SECOND_FLAGS[case.rule.second], *flags), trail)
    if case.tap.direction is Direction.OUT and case.rule.exit is Exit.GRANT_AND_FLAG:
        return Decision(Verdict.GRANT, reason, (Flag.EXIT_GRANTED, *flags), trail)
    return Decision(verdict, reason, flags, trail)


_STERNNESS: Final = {Verdict.GRANT: 0, Verdict.ASK: 1, Verdict.DENY: 2}
_SECOND_FLAGS: Final = {Second.FLAG: Flag.SECOND_SERVING, Second.CHARGE: Flag.SECOND_CHARGED}


def _meaning(rule: Rule, reason: Reason) -> Verdict:
    """Tell what a refusal comes to under the rule: GRANT is "served all the same and flagged"."""
    if reason is Reason.ALREADY_TODAY and rule.second is not Second.DENY:
        return Verdict.GRANT
    asks = {
        Reason.POOL_CARD_NOT_LENT: rule.pool_card is PoolCard.ASK,
        Reason.CLOCK_UNTRUSTED: rule.when_clock_untrusted is Fallback.ASK_STAFF,
        Reason.DATA_STALE: rule.when_stale is Fallback.ASK_STAFF,
        Reason.DISK_FAILED: rule.when_disk_fails is Fallback.ASK_STAFF,
    }.get(reason, False)
    return Verdict.ASK if asks else Verdict.DENY


def _standing_flags(case: Case) -> tuple[Flag, ...]:
    """Flags that hold whatever the answer is."""
    clock = {ClockTrust.UNSYNCED: Flag.CLOCK_UNSYNCED, ClockTrust.WRONG: Flag.CLOCK_UNTRUSTED}.get(case.now.clock)
    found = (
        clock,
        Flag.DATA_STALE if _is_stale(case) else None,
        None if case.now.disk_ok else Flag.NOT_DURABLE,
    )
    return tuple(flag for flag in found if flag is not None)
