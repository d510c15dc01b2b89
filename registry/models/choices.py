"""The closed lists that stand in the registry's tables. A value is never renamed: hosts and journals know it by its code."""

from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class CardKind(TextChoices):
    """What sort of card it is; the same codes as `policy.model.Kind`."""

    PERSONAL = "personal", _("Personal card")
    SUBSTITUTE = "substitute", _("Substitute card")
    STAFF = "staff", _("Staff card")
    VISITOR = "visitor", _("Visitor card")


class CardState(TextChoices):
    """Where a card stands in its life (DOMAIN.md §2). The first block is a personal card's, POOL and LENT a substitute's."""

    REQUESTED = "requested", _("Requested")
    SENT_BACK = "sent_back", _("Sent back")
    APPROVED = "approved", _("Approved")
    ORDERED = "ordered", _("Ordered")
    ARRIVED = "arrived", _("Arrived")
    ACTIVE = "active", _("Active")
    CLOSED = "closed", _("Closed")
    EXPIRED = "expired", _("Expired")
    RETURNED = "returned", _("Returned")
    POOL = "pool", _("In the pool")
    LENT = "lent", _("Lent")


class CloseReason(TextChoices):
    """Why a card was closed (V3.4.1b, V4.*). Only loss and theft close at once (DOMAIN.md, trap 9)."""

    LOST = "lost", _("Lost")
    STOLEN = "stolen", _("Stolen")
    UNUSABLE = "unusable", _("Unusable")
    DATA_CHANGE = "data_change", _("Data changed")
    RENEWED = "renewed", _("Renewed")
    LEFT = "left", _("Left the school")


class Succession(TextChoices):
    """What a card is to the one before it (V3.4.2): a replacement inherits its validity, an extension begins anew."""

    FIRST = "first", _("First card")
    REPLACEMENT = "replacement", _("Replacement card")
    EXTENSION = "extension", _("Extension card")


class EnrolmentKind(TextChoices):
    """As what a person belongs to a school."""

    PUPIL = "pupil", _("Pupil")
    EXCHANGE = "exchange", _("Exchange pupil")
    STAFF = "staff", _("Staff")


class Role(TextChoices):
    """What a user of the back office does at a school; who may do what is a table in `registry.office.permissions`."""

    IT = "it", _("IT worker")
    SECRETARY = "secretary", _("Secretary")
    GUARD = "guard", _("Guard")
    CANTEEN = "canteen", _("Canteen worker")
    LIBRARIAN = "librarian", _("Librarian")
    AUDITOR = "auditor", _("Auditor")
    CLASS_TEACHER = "class_teacher", _("Class teacher")


CLOSERS: Final = tuple(role for role in Role if role is not Role.CLASS_TEACHER)
"""Whom a school may let close a card: whoever sees the own class alone closes none of another's."""


class Shows(TextChoices):
    """Whom a host may show by name on its page (DESIGN.md §3): most show nobody."""

    NONE = "none", _("Shows no names")
    CANTEEN = "canteen", _("Shows names at a canteen till")
    LIBRARY = "library", _("Shows names at a library desk")


class LibraryIdentifier(TextChoices):
    """What of a reader is handed over to the library's program (T11)."""

    LIBRARY_NUMBER = "library_number", _("The library's number of the reader")
    CARD_NUMBER = "card_number", _("The number of the card")
    EXTERNAL_ID = "external_id", _("The external id")
    PERSONAL_CODE = "personal_code", _("The personal code")
