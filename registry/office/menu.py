"""What the back office offers, in one list: the daily pages stand in each page's head, the others behind "More"."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from registry.office.permissions import Deed
from registry.office.visit import Visit


@dataclass(frozen=True, slots=True)
class Entry:
    """One page: the name of its address, its title, one sentence about it, who may open it."""

    address: str
    title: str | Promise
    about: str | Promise
    deed: Deed
    is_daily: bool = False
    is_superusers: bool = False


ENTRIES: Final = (
    Entry("find", _("Find"), _("A person or a card."), Deed.FIND, is_daily=True),
    Entry("tap", _("Tap a card"), _("See whose a card is, or enter it."), Deed.TAP, is_daily=True),
    Entry("substitutes", _("Substitutes"), _("Which are free, who has the others."), Deed.LEND, is_daily=True),
    Entry(
        "own_class", _("Class"), _("Who of a class has eaten, and who has a substitute."), Deed.OWN_CLASS, is_daily=True
    ),
    Entry("provisional", _("Loans to confirm"), _("Substitutes that a till lent: was it this pupil?"), Deed.LEND),
    Entry("live", _("Live"), _("What is tapped, as it happens."), Deed.EVENTS, is_daily=True),
    Entry("roster", _("Import"), _("Bring in persons and cards from a file, seen before it is done."), Deed.ROSTER),
    Entry("leavings", _("Proposed leavings"), _("Who is missing from the last import: you decide."), Deed.ROSTER),
    Entry("rollover", _("Rollover"), _("Move all classes up for the new school year."), Deed.ROLLOVER),
    Entry("class_days", _("Class days"), _("A trip or an exam of one class."), Deed.CLASS_DAYS),
    Entry(
        "workers", _("Workers of canteen and library"), _("Who opens a shift at a till's page, by a PIN."), Deed.WORKERS
    ),
    Entry("reports", _("Reports"), _("How many were served, by day, class and payer; as a file too."), Deed.REPORTS),
    Entry("report_months", _("Closed months"), _("Close a month; what became known after."), Deed.REPORTS),
    Entry("report_missing", _("Who does not eat"), _("Pupils who have not eaten for some days."), Deed.REPORT_PERSONS),
    Entry("report_loans", _("Unreturned substitutes"), _("Lent for longer than some school days."), Deed.LEND),
    Entry("report_flags", _("Flagged"), _("A second lunch, a card too many, a card at two places."), Deed.CARD_EVENTS),
    Entry("accounts", _("Prepaid accounts"), _("Pay in, see a statement, who owes."), Deed.MONEY_SEEN),
    Entry(
        "topups",
        _("Payments from a file"),
        _("Book what the operating company was paid, seen before it is done."),
        Deed.MONEY,
    ),
    Entry("rules", _("Rules"), _("Who is served where, when and how often."), Deed.RULES),
    Entry("calendar", _("Calendar"), _("School days, breaks and special days."), Deed.CALENDAR),
    Entry("hosts", _("Hosts"), _("The computers beside the readers: are they well, enrol, revoke."), Deed.HOSTS_SEEN),
    Entry("audit", _("Audit"), _("Who did or looked at what."), Deed.AUDIT),
    Entry("backup", _("Backup"), _("How to keep a copy, and how to come back from it."), Deed.HOSTS),
    Entry(
        "admin:registry_school_changelist",
        _("Schools"),
        _("Name, who may close a card, how long events are kept."),
        Deed.SETTINGS,
    ),
    Entry(
        "admin:registry_cardproduct_changelist",
        _("Card products"),
        _("Kinds of card and how long they are valid."),
        Deed.SETTINGS,
    ),
    Entry("admin:registry_service_changelist", _("Services"), _("Door, canteen, library and others."), Deed.SETTINGS),
    Entry(
        "admin:registry_membership_changelist", _("Staff roles"), _("Who serves which school as what."), Deed.SETTINGS
    ),
    Entry(
        "admin:auth_user_changelist",
        _("Users"),
        _("Logins and passwords."),
        Deed.SETTINGS,
        is_superusers=True,
    ),
)


def menu(visit: Visit) -> list[Entry]:
    """Return the pages that this user may open, in order."""
    return list(_open(visit))


def _open(visit: Visit) -> Iterator[Entry]:
    for entry in ENTRIES:
        if visit.user.is_superuser or (visit.may(entry.deed) and not entry.is_superusers):
            yield entry
