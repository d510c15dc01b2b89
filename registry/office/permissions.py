"""Who sees and may do what in the back office: one table of roles, held per school by `Membership`.

A superuser may do everything at every school. Closing and reopening a card is for the roles that each school names itself
(`School.roles_that_close`; T24 the IT worker, V4.1.1 the office); all else is `ALLOWED`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from registry.models.choices import CLOSERS, Role


class Deed(StrEnum):
    """One thing that is seen or done. The first block only looks."""

    FIND = "find"
    """Names, classes, and which cards a person has."""
    CONTACT = "contact"
    """The personal code and the e-mail address."""
    CARD_EVENTS = "card_events"
    """Where a card was used."""
    EVENTS = "events"
    """What is tapped at the school, as it happens."""
    AUDIT = "audit"
    """Who did or looked at what."""
    HOSTS_SEEN = "hosts_seen"
    """How the reader hosts are."""

    REPORTS = "reports"
    """How many were served: numbers, of no person."""
    REPORT_PERSONS = "report_persons"
    """Who was served how often, and who has not eaten."""

    OWN_CLASS = "own_class"
    """Who of a class has eaten, and which substitutes it has: of the own classes, for a class teacher."""

    MONEY_SEEN = "money_seen"
    """What is on prepaid accounts, and a person's statement."""

    TAP = "tap"
    """Have a card read at a desk, to find it."""
    LEND = "lend"
    TAKE_BACK = "take_back"
    DECLARE_LOST = "declare_lost"
    """A substitute that is gone (T30)."""
    FEE = "fee"
    """Note that the fee for a lost substitute was paid (T31)."""
    CLOSE = "close"
    REOPEN = "reopen"
    ACTIVATE = "activate"
    EXTEND = "extend"
    HAND_OVER = "hand_over"
    RETURN = "return"
    ARRIVE = "arrive"
    APPLICATIONS = "applications"
    """Approve, send back, order."""
    ENTER = "enter"
    """A new card, and the chip that belongs to a card, read at a desk."""

    CLOSE_MONTH = "close_month"
    """Close a month of a service for good."""

    MONEY = "money"
    """Pay in, pay out and correct prepaid accounts, book the operator's files, take back."""

    ROSTER = "roster"
    """Imports, and the leavings that they propose."""
    ROLLOVER = "rollover"
    CLASS_DAYS = "class_days"
    PHOTOS = "photos"
    """See, give and remove photos of persons."""
    WORKERS = "workers"
    """Who opens a shift at a till's page, and by which PIN."""
    RULES = "rules"
    CALENDAR = "calendar"
    HOSTS = "hosts"
    SETTINGS = "settings"
    """The school, its card products and services, and who serves it."""


BY_SCHOOL: Final = frozenset({Deed.CLOSE, Deed.REOPEN})

_LENDING: Final = frozenset({Deed.FIND, Deed.TAP, Deed.LEND, Deed.TAKE_BACK, Deed.DECLARE_LOST})
_OFFICE: Final = _LENDING | {
    Deed.REPORTS,
    Deed.REPORT_PERSONS,
    Deed.OWN_CLASS,
    Deed.CLOSE_MONTH,
    Deed.CONTACT,
    Deed.CARD_EVENTS,
    Deed.FEE,
    Deed.ACTIVATE,
    Deed.EXTEND,
    Deed.HAND_OVER,
    Deed.RETURN,
    Deed.ARRIVE,
    Deed.APPLICATIONS,
    Deed.ENTER,
    Deed.ROSTER,
    Deed.ROLLOVER,
    Deed.CLASS_DAYS,
    Deed.MONEY_SEEN,
    Deed.MONEY,
    Deed.PHOTOS,
    Deed.WORKERS,
}

ALLOWED: Final[Mapping[Role, frozenset[Deed]]] = MappingProxyType(
    {
        Role.IT: frozenset(Deed) - BY_SCHOOL,
        Role.SECRETARY: _OFFICE,
        Role.GUARD: _LENDING | {Deed.EVENTS},
        Role.CANTEEN: frozenset({Deed.FIND, Deed.REPORTS}),
        Role.LIBRARIAN: frozenset({Deed.FIND}),
        Role.AUDITOR: frozenset(
            {Deed.FIND, Deed.CARD_EVENTS, Deed.EVENTS, Deed.AUDIT, Deed.HOSTS_SEEN, Deed.REPORTS, Deed.MONEY_SEEN}
        ),
        Role.CLASS_TEACHER: frozenset({Deed.OWN_CLASS}),
    }
)


def allowed(role: str, deed: Deed, roles_that_close: list[str]) -> bool:
    """Tell whether a role may do this at a school whose cards are closed by `roles_that_close`."""
    if deed in BY_SCHOOL:
        return role in CLOSERS and role in roles_that_close
    return deed in ALLOWED.get(Role(role), frozenset())
