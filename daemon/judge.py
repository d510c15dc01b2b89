"""The judgement of a serving, the same for a tap and for a hand mark: others are asked first, then what was used (DESIGN.md §2.2, §5)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from daemon.basis import Basis
from daemon.clock import HostClock, circumstances
from daemon.link_watch import LinkWatch
from daemon.neighbourhood import Wanted
from daemon.tap_record import serving_of
from policy.calendar import day_type
from policy.clock import Moment
from policy.decide import Prices, asks_quota, decide, prices_asked
from policy.model import Circumstances, Credit, Decision, Quota, Tap, Usage
from sync.journal import Journal
from sync.wire.event import Serving

UsageOf = Callable[[Serving, datetime], Usage]


class Judged(NamedTuple):
    """A decision, and what it was taken on. `serving` is what it would count as, None for an unknown card."""

    moment: Moment
    now: Circumstances
    serving: Serving | None
    usage: Usage
    decision: Decision


class _Asked(NamedTuple):
    """What is asked about a serving: on which day (ISO), and for which prices where an account is to pay."""

    day: str
    prices: Prices | None
    wanted: Wanted | None = None  # of neighbours: they know of no account


class Judge:
    """Decides on what was gathered and used; records nothing. May be asked from any thread."""

    def __init__(self, journal: Journal, clock: HostClock, link: LinkWatch | None) -> None:
        """Take the parts; `link` is None for a host without a registry."""
        self._journal = journal
        self._clock = clock
        self._link = link

    def with_quota(self, tap: Tap, given: Basis) -> Basis:
        """Ask the registry about other tills, where this would be one of so many servings a day, and about the account that is to pay.

        Waits until the deadline at most. A host without a registry knows of no account (V6.5).

        To be done before the transaction, on the asker's own thread: no reader waits for another's question.
        """
        asked = self._asks_on(tap, given)
        if asked is None or given.card is None:
            return given
        if self._link is None or given.issued_at is None:
            return replace(given, credit=Credit.UNKNOWN)
        if asked.prices is None:
            return replace(given, quota=self._link.claim(tap, given.card, asked.day, asked.wanted))
        quota, credit = self._link.claim_paid(tap, given.card, asked.day, asked.prices, asked.wanted)
        return replace(given, quota=quota, credit=credit)

    def settle(self, tap: Tap, *, was_served: bool) -> None:
        """Tell what came of a serving that was asked about, once it is recorded or refused: a neighbour may wait for it."""
        if self._link is not None:
            self._link.settle(tap.tap_id.hex(), was_served=was_served)

    def without_asking(self, tap: Tap, given: Basis) -> Basis:
        """Go on as if nobody had answered: for the last of many that wait, where a question each would take too long."""
        asked = self._asks_on(tap, given)
        if asked is None:
            return given
        return replace(given, quota=Quota.UNKNOWN, credit=Credit.UNKNOWN if asked.prices else given.credit)

    def _asks_on(self, tap: Tap, given: Basis) -> _Asked | None:
        """Return what others are to be asked, None where nobody is."""
        card, rule = given.card, given.rule
        is_shared = self._link is not None and given.issued_at is not None
        if card is None or not (rule.prepaid or (is_shared and rule.limit(card.kind) is not None)):
            return None
        judged = self.judged(tap, given, self._journal.ring.usage)
        if not asks_quota(judged.decision, card, rule, judged.now):
            return None
        prices = prices_asked(judged.decision, card, rule)
        limit, serving = rule.limit(card.kind), judged.serving
        wanted = Wanted(serving, limit, judged.moment.at) if is_shared and serving and limit is not None else None
        return _Asked(judged.now.service_day.isoformat(), prices, wanted) if is_shared or prices else None

    def judged(
        self, tap: Tap, given: Basis, usage_of: UsageOf, *, disk_ok: bool = True, day: date | None = None
    ) -> Judged:
        """Decide on what was gathered and used; `day` is the one that a paper list is of: its servings count, and not today's."""
        moment = self._clock.moment()
        now = circumstances(
            moment,
            given.zone,
            given.calendar,
            groups=given.card.groups if given.card else (),
            disk_ok=disk_ok,
            data_age_h=self._link.data_age_h(moment.at, given.issued_at) if self._link else None,
            quota=given.quota,
            credit=given.credit,
        )
        if day is not None:
            groups = given.card.groups if given.card else ()
            now = replace(now, service_day=day, day_type=day_type(given.calendar, day, groups))
        serving = serving_of(tap, given.card, given.rule, now.service_day)
        usage = usage_of(serving, moment.at) if serving and given.rule.counts else Usage()
        return Judged(moment, now, serving, usage, decide(tap, given.card, given.rule, usage, now))
