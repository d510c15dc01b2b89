"""What a tap is decided on, beside its holder's usage: the card, the rule and the calendar, all of one version (DESIGN.md §2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from policy.calendar import Calendar
from policy.model import Card, Credit, Quota
from policy.rule import Rule
from sync.cache_file import Gathered
from sync.facts import Facts


class Local(Protocol):
    """What the host's own file says; it speaks where the registry says nothing."""

    @property
    def zone(self) -> ZoneInfo:
        """The school's time zone."""

    @property
    def calendar(self) -> Calendar:
        """The school's year."""

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rule of each service that a reader serves."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Gathered for one tap. `issued_at` is when the registry issued it, None for what was fed by hand."""

    card: Card | None
    rule: Rule
    zone: ZoneInfo
    calendar: Calendar
    issued_at: datetime | None = None
    quota: Quota = Quota.NOT_ASKED
    credit: Credit = Credit.NOT_ASKED


def basis(gathered: Gathered, service: str, local: Local, facts: Facts) -> Basis:
    """Lay out what was gathered; the registry's rules go before the host's own, and facts noted here before its card's row."""
    card, told, info = facts.overlay(gathered.card), gathered.documents, gathered.info
    if told is None:
        return Basis(card, local.rules[service], local.zone, local.calendar)
    return Basis(
        card=card,
        rule=told.rules.get(service) or local.rules[service],
        zone=told.zone or local.zone,
        calendar=told.calendar or local.calendar,
        issued_at=info.imported_at if info else None,
    )
