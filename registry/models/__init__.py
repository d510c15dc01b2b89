"""The registry's tables. What may be done with them stands in the folders beside: cards, people, rules, publishing, events."""

from registry.models.audit import AuditEntry
from registry.models.card import Card, CardStep, Loan, LoanEnd
from registry.models.choices import CardKind, CardState, CloseReason, EnrolmentKind, Role, Succession
from registry.models.event import Claim, Event, Fact, Gap, SetAside
from registry.models.host import DeskRequest, EnrolCode, Host, Nonce
from registry.models.person import Enrolment, Person
from registry.models.publishing import PublishedRow, RootDocument, SiteState
from registry.models.roster import LeavingProposal, Rollover, RosterImport
from registry.models.school import CardProduct, Membership, School
from registry.models.service import CalendarVersion, ClassDay, RuleVersion, Service

__all__ = [
    "AuditEntry",
    "CalendarVersion",
    "Card",
    "CardKind",
    "CardProduct",
    "CardState",
    "CardStep",
    "Claim",
    "ClassDay",
    "CloseReason",
    "DeskRequest",
    "EnrolCode",
    "Enrolment",
    "EnrolmentKind",
    "Event",
    "Fact",
    "Gap",
    "Host",
    "LeavingProposal",
    "Loan",
    "LoanEnd",
    "Membership",
    "Nonce",
    "Person",
    "PublishedRow",
    "Role",
    "Rollover",
    "RootDocument",
    "RosterImport",
    "RuleVersion",
    "School",
    "Service",
    "SetAside",
    "SiteState",
    "Succession",
]
