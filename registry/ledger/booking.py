"""Money moved: each act is one transfer, booked once however often it is asked for, and taken back only by another.

Whoever books locks the person's account first, so that of two who ask at once the second sees what the first has done.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.utils.translation import gettext as _

from registry import audit
from registry.ledger import accounts
from registry.ledger.amounts import euros
from registry.models import AccountKind, LedgerAccount, Person, School, Transfer, TransferAct
from registry.refusal import Refused
from registry.transactions import deed

MOST_CENTS: Final = 50_000
"""What may be moved by hand or by a line of a file at once: a slip of the comma goes no further."""

WAYS: Final = (AccountKind.CASH, AccountKind.TRANSFERS)
MAX_REFERENCE: Final = 80


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be moved, by whom and when, in cents.

    `key` is what it is known by within the school: the token of a form, the operator's reference. `day` is the school's own.
    """

    cents: int
    key: str
    day: date
    actor: str
    now: datetime
    reference: str = ""


def top_up(school: School, person: Person, order: Order, way: AccountKind) -> Transfer:
    """Put money on a person's account; the same key again gives the transfer that it was. Raises Refused."""
    return _by_hand(school, person, order, way, TransferAct.TOP_UP)


def pay_out(school: School, person: Person, order: Order, way: AccountKind) -> Transfer:
    """Give money back, never more than is left. Raises Refused."""
    return _by_hand(school, person, order, way, TransferAct.PAY_OUT)


def correct(school: School, person: Person, order: Order, *, is_in_favour: bool) -> Transfer:
    """Put right what no reversal does, such as a copy that the machine spoilt long ago; the reference says why. Raises Refused."""
    if not order.reference.strip():
        raise Refused("no_reference", _("reference"), _("nothing"), _("why it is corrected"))
    return _by_hand(school, person, order, AccountKind.CORRECTIONS, TransferAct.CORRECTION, is_out=not is_in_favour)


@deed
def reverse(transfer: Transfer, *, actor: str, now: datetime, may_owe: bool = False, why: str = "") -> Transfer:
    """Take a transfer back by its opposite; a second time gives the reversal that it was.

    Raises Refused for a reversal, and for a top-up of which too much is spent already unless the person `may_owe`.
    """
    if transfer.act == TransferAct.REVERSAL:
        raise Refused("is_reversal", _told(transfer), _("a reversal"), _("what is not a reversal itself"))
    accounts.lock(_persons(transfer))
    before = Transfer.objects.filter(reverses=transfer).first()
    if before is not None:
        return before
    if transfer.target.kind == AccountKind.PREPAID and not may_owe:
        _require(transfer.target, transfer.cents, now)
    made = Transfer.objects.create(
        school=transfer.school,
        act=TransferAct.REVERSAL,
        source=transfer.target,
        target=transfer.source,
        cents=transfer.cents,
        key=f"reversal {transfer.pk}",
        day=transfer.day,
        happened_at=now,
        booked_at=now,
        actor=actor,
        reference=why[:MAX_REFERENCE],
        service=transfer.service,
        place=transfer.place,
        reverses=transfer,
    )
    audit.record(actor, "prepaid reversed", transfer.school, made, at=now, cents=made.cents, transfer=transfer.pk)
    return made


def write(transfer: Transfer) -> tuple[Transfer, bool]:
    """Write a transfer, or find the one of the same key; says whether it is new. Raises Refused where that one is another."""
    told = {
        name: getattr(transfer, name)
        for name in (
            "act",
            "source",
            "target",
            "cents",
            "day",
            "happened_at",
            "booked_at",
            "actor",
            "reference",
            "service",
            "place",
            "is_offline",
        )
    }
    found, is_new = Transfer.objects.get_or_create(school=transfer.school, key=transfer.key, defaults=told)
    same = ("act", "source_id", "target_id", "cents")
    if not is_new and any(getattr(found, name) != getattr(transfer, name) for name in same):
        raise Refused("key_used", transfer.key, _("another transfer of this reference"), _("a reference used once"))
    return found, is_new


@deed
def _by_hand(  # noqa: PLR0913  what is moved, between whom, and why
    school: School, person: Person, order: Order, way: AccountKind, act: TransferAct, *, is_out: bool | None = None
) -> Transfer:
    if not 0 < order.cents <= MOST_CENTS:
        bounds = _("an amount from 0,01 to %(most)s") % {"most": euros(MOST_CENTS)}
        raise Refused("amount", _("amount"), euros(order.cents), bounds)
    if act is not TransferAct.CORRECTION and way not in WAYS:
        raise Refused("way", _("way"), str(way), ", ".join(WAYS))
    account = accounts.of_person(school, person)
    accounts.lock([account])
    other = accounts.of_school(school, way)
    takes = act is TransferAct.PAY_OUT if is_out is None else is_out
    is_known = Transfer.objects.filter(school=school, key=order.key).exists()
    if takes and not is_known:
        _require(account, order.cents, order.now)
    transfer = Transfer(
        school=school,
        act=act,
        source=account if takes else other,
        target=other if takes else account,
        cents=order.cents,
        key=order.key,
        day=order.day,
        happened_at=order.now,
        booked_at=order.now,
        actor=order.actor,
        reference=order.reference[:MAX_REFERENCE],
    )
    made, is_new = write(transfer)
    if is_new:
        name = f"prepaid {act.value.replace('_', ' ')}"
        audit.record(order.actor, name, school, made, at=order.now, cents=order.cents, person=person.pk, way=str(way))
    return made


def _require(account: LedgerAccount, cents: int, now: datetime) -> None:
    """Raise Refused where less than this may be spent."""
    left = accounts.available_cents(account, now)
    if left < cents:
        raise Refused("too_little", _("account"), euros(left), _("at least %(sum)s") % {"sum": euros(cents)})


def _persons(transfer: Transfer) -> list[LedgerAccount]:
    return [side for side in (transfer.source, transfer.target) if side.kind == AccountKind.PREPAID]


def _told(transfer: Transfer) -> str:
    return f"{transfer.get_act_display()} {transfer.pk}"
