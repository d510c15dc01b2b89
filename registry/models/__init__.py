"""The registry's tables. What may be done with them stands in the folders beside: cards, people, rules, publishing, events."""

from registry.models.audit import AuditEntry
from registry.models.card import Card, CardStep, Loan, LoanEnd
from registry.models.choices import (
    CardKind,
    CardState,
    CloseReason,
    EnrolmentKind,
    LibraryIdentifier,
    Role,
    Shows,
    Succession,
)
from registry.models.event import Claim, Event, Fact, Gap, SetAside
from registry.models.flag import EventFlag, Seen
from registry.models.host import DeskRequest, EnrolCode, Host, Nonce
from registry.models.ledger import AccountKind, Hold, LedgerAccount, TopUpFile, Transfer, TransferAct
from registry.models.month import Adjustment, Cause, ClosedMonth
from registry.models.person import Enrolment, Person
from registry.models.photo import Photo
from registry.models.publishing import PublishedRow, RootDocument, SiteState
from registry.models.roster import LeavingProposal, Rollover, RosterImport
from registry.models.school import CardProduct, Membership, School
from registry.models.service import CalendarVersion, ClassDay, RuleVersion, Service
from registry.models.worker import Worker

__all__ = [
    "AccountKind",
    "Adjustment",
    "AuditEntry",
    "CalendarVersion",
    "Card",
    "CardKind",
    "CardProduct",
    "CardState",
    "CardStep",
    "Cause",
    "Claim",
    "ClassDay",
    "CloseReason",
    "ClosedMonth",
    "DeskRequest",
    "EnrolCode",
    "Enrolment",
    "EnrolmentKind",
    "Event",
    "EventFlag",
    "Fact",
    "Gap",
    "Hold",
    "Host",
    "LeavingProposal",
    "LedgerAccount",
    "LibraryIdentifier",
    "Loan",
    "LoanEnd",
    "Membership",
    "Nonce",
    "Person",
    "Photo",
    "PublishedRow",
    "Role",
    "Rollover",
    "RootDocument",
    "RosterImport",
    "RuleVersion",
    "School",
    "Seen",
    "Service",
    "SetAside",
    "Shows",
    "SiteState",
    "Succession",
    "TopUpFile",
    "Transfer",
    "TransferAct",
    "Worker",
]
