"""Amounts set aside: what a claim promises to a tap stays promised until the tap's event comes, or its time is over (V6.5)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from registry.events.many import among, listed
from registry.ledger import accounts
from registry.models import AccountKind, Hold, Host, LedgerAccount, Transfer
from sync.wire.quota import Funds

HELD_FOR: Final = timedelta(hours=1)
"""An event comes within seconds of its tap. A host that is cut off for longer than this is out of contact, and charges what it charged."""


def tap_key(tap_id: str) -> str:
    """Return what the charge for a tap is known by."""
    return f"tap {tap_id}"


def account_of(host: Host, person: str | None) -> LedgerAccount | None:
    """Return the account of a person as hosts name them, None where there is none."""
    if person is None or not (person.isascii() and person.isdigit() and len(person) < 19):  # noqa: PLR2004  2⁶³ has 19 digits
        return None
    found = LedgerAccount.objects.filter(school=host.school_id, kind=AccountKind.PREPAID, person=int(person))
    return found.first()


@transaction.atomic
def hold(account: LedgerAccount, host: Host, tap_id: str, cents: int, now: datetime) -> tuple[Funds, int]:
    """Set an amount aside for a tap if it is there; returns whether, and what is left then. Asked again it is the same answer.

    The account must be locked: what two taps are promised together is never more than there is.
    """
    left = accounts.available_cents(account, now)
    held = Hold.objects.filter(tap_id=tap_id).first()
    if held is not None:
        is_ours = held.host_id == host.pk and held.account_id == account.pk
        left += held.cents if is_ours and held.expires_at > now else 0
        if not is_ours or left < cents:
            return Funds.TOO_LITTLE, left
        held.cents, held.expires_at = cents, now + HELD_FOR
        held.save(update_fields=["cents", "expires_at"])
        return Funds.HELD, left - cents
    if Transfer.objects.filter(school=account.school_id, key=tap_key(tap_id)).exists():
        return Funds.HELD, left  # booked already: the question came late
    if left < cents:
        return Funds.TOO_LITTLE, left
    Hold.objects.create(account=account, host=host, tap_id=tap_id, cents=cents, at=now, expires_at=now + HELD_FOR)
    return Funds.HELD, left - cents


_LET_GO: Final = "DELETE FROM registry_hold WHERE host_id = %s AND {taps}"  # nothing else hangs on a hold


def let_go(tap_ids: Iterable[str], host: Host) -> None:
    """Let go of what was set aside for taps whose events have come. Each batch does, and hardly ever is there one: in plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO.format(taps=among("tap_id", "text")), [host.pk, listed(tap_ids)])


def forget_old(now: datetime) -> int:
    """Take away what is over; returns how many there were."""
    return Hold.objects.filter(expires_at__lte=now).delete()[0]
