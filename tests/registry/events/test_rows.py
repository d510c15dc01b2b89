"""Rows written in bulk are the rows that the model reads."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, transaction

from registry.events import rows
from registry.events.body import Told
from registry.events.rows import Row
from registry.models import Event
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
TIME = datetime(2026, 11, 23, 9, 0, 0, 120_000, tzinfo=UTC)


def row(seq: int, **given: object) -> Row:
    """A row of an event with every column."""
    told = Told(
        "tap",
        "ab" * 16,
        TIME,
        date(2026, 11, 23),
        "Väljapääs\t\\N",
        "door",
        "in",
        "grant",
        "ok",
        ["a", "õ"],
        "",
        "",
        "",
        "",
        None,
    )
    return Row(seq, b"\x00\xff\\body\n", bytes(32), told._replace(**given), None, None)  # type: ignore[arg-type]


def test_all_columns_come_back_as_they_were_given() -> None:
    """Bytes, letters beyond ASCII, what would mean something to COPY, times, days and lists."""
    host = registered.host(registered.school())
    rows.insert(host, 7, 2, [row(1), row(2, service_day=None, flags=[])], NOON)
    event = Event.objects.get(seq=1)
    assert (bytes(event.body), bytes(event.link), event.time, event.service_day) == (
        b"\x00\xff\\body\n",
        bytes(32),
        TIME,
        date(2026, 11, 23),
    )
    assert (event.reader, event.flags, event.epoch, event.branch) == ("Väljapääs\t\\N", ["a", "õ"], 7, 2)
    assert (event.received_at, event.school, event.host) == (NOON, host.school, host)
    assert Event.objects.filter(seq=2, service_day=None, flags=[]).exists()


def test_a_place_is_given_once() -> None:
    """Each event exactly once is the table's own law."""
    host = registered.host(registered.school())
    rows.insert(host, 1, 0, [row(1)], NOON)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert(host, 1, 0, [row(1)], NOON)


def test_nothing_is_nothing() -> None:
    """A batch that was known whole writes no row."""
    rows.insert(registered.host(registered.school()), 1, 0, [], NOON)
    assert not Event.objects.exists()
