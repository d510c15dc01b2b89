"""The database itself lets nobody change what is booked."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from registry.ledger import booking, guard
from registry.models import AccountKind, Transfer, TransferAct
from tests.rig import registered
from tests.rig.ledger import order

pytestmark = pytest.mark.django_db


def test_no_statement_changes_a_transfer() -> None:
    """SQLite fails it, PostgreSQL does nothing; the amount stays what it was."""
    school = registered.school()
    booking.top_up(school, registered.person(school), order(500), AccountKind.CASH)
    with suppress(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE registry_transfer SET cents = 5")
    with suppress(IntegrityError), transaction.atomic():
        Transfer.objects.update(cents=7)
    assert Transfer.objects.get().cents == 500


def test_a_transfer_moves_something_between_two_accounts() -> None:
    """What would not add up cannot be written: nothing, to itself, or a reversal of nothing."""
    school = registered.school()
    made = booking.top_up(school, registered.person(school), order(500), AccountKind.CASH)
    told = {
        "school": school,
        "act": TransferAct.TOP_UP,
        "source": made.source,
        "target": made.target,
        "cents": 5,
        "day": made.day,
        "happened_at": made.happened_at,
        "booked_at": made.booked_at,
        "actor": "it",
    }
    wrong: list[dict[str, Any]] = [
        {"cents": 0},
        {"target": made.source},
        {"act": TransferAct.REVERSAL},
        {"reverses": made},
    ]
    for number, more in enumerate(wrong):
        with pytest.raises(IntegrityError), transaction.atomic():
            Transfer.objects.create(**{**told, "key": str(number), **more})
    with pytest.raises(IntegrityError), transaction.atomic():
        Transfer.objects.create(**told, key=made.key)


def test_laying_it_again_is_harmless() -> None:
    """It is laid after every migration."""
    guard.lay()
    guard.lay()
