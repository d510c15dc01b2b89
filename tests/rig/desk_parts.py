"""A fact desk made of real parts, for tests that ask it without a daemon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from daemon.basis import Local
from daemon.clock import HostClock
from daemon.fact_desk import FactDesk
from daemon.judge import Judge
from daemon.marks import Marks
from daemon.noted import Noted
from policy.calendar import Calendar
from policy.rule import Rule, parse_rule
from sync.cache import CardCache
from sync.facts import Facts
from sync.journal import Journal
from sync.wire.event import Event


def fact_desk(
    journal: Journal,
    facts: Facts,
    clock: HostClock,
    cache: CardCache,
    local: Callable[[], Local],
    *,
    judge: Judge | None = None,
    tell: Callable[[Event], object] = lambda _event: None,
) -> FactDesk:
    """Return a desk that has read what stands in its journal; `judge` is that of a host without a registry unless given."""
    noted = Noted(journal)
    noted.rebuild()
    marks = Marks(
        journal=journal,
        facts=facts,
        cache=cache,
        clock=clock,
        judge=judge or Judge(journal, clock, None),
        noted=noted,
        local=local,
    )
    return FactDesk(journal, facts, clock, lambda: ZoneInfo("Europe/Tallinn"), noted=noted, marks=marks, tell=tell)


@dataclass(frozen=True)
class OneSchool:
    """What a small school's host file says: a canteen with one lunch a day, a library, a cloakroom that counts each card's visits."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Tallinn"))
    calendar: Calendar = field(default_factory=Calendar)
    rules: Mapping[str, Rule] = field(
        default_factory=lambda: {
            "canteen": parse_rule({"kinds": ["personal", "substitute"], "per_day": 1}, service="canteen"),
            "library": parse_rule({}, service="library"),
            "cloakroom": parse_rule({"per": "card", "per_day": 1}, service="cloakroom"),
        }
    )
