"""Workers and their PINs."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import AuditEntry, Host, Shows, Worker
from registry.people import workers
from registry.refusal import Refused
from sync.wire.pin import PinHash
from tests.rig import registered

pytestmark = pytest.mark.django_db


def refused(code: str, name: str = "Mall", pin: str = "2468") -> None:
    """Hold that a worker is not added, and why."""
    school = Worker.objects.first().school if Worker.objects.exists() else registered.school()  # type: ignore[union-attr]  # there is one
    with pytest.raises(Refused) as told:
        workers.add(school, name, pin, actor="it", now=registered.NOON)
    assert told.value.code == code
    assert pin not in str(told.value) or pin == ""


def kept(worker: Worker) -> PinHash:
    """Return what is kept of a PIN."""
    worker.refresh_from_db()
    return PinHash(bytes(worker.pin_salt), bytes(worker.pin_hash))


def test_a_pin_is_kept_by_nobody() -> None:
    """A salt and a hash stand for it; the audit has neither."""
    worker = workers.add(registered.school(), " Mall ", "2468", actor="it", now=registered.NOON)
    assert worker.name == "Mall"
    assert kept(worker).fits("2468")
    assert "2468" not in str(AuditEntry.objects.values_list("detail", "action"))


def test_two_active_workers_never_have_one_pin() -> None:
    """The PIN says who it is; that of one who was removed is free again, and another school's is its own."""
    school = registered.school()
    first = workers.add(school, "Mall", "2468", actor="it", now=registered.NOON)
    refused("pin_taken", "Malle")
    second = workers.add(school, "Malle", "1357", actor="it", now=registered.NOON)
    with pytest.raises(Refused):
        workers.change_pin(second, "2468", actor="it", now=registered.NOON)
    assert kept(second).fits("1357")
    workers.change_pin(first, "2468", actor="it", now=registered.NOON)
    workers.remove(first, actor="it", now=registered.NOON)
    workers.change_pin(second, "2468", actor="it", now=registered.NOON)
    assert kept(second).fits("2468")


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4"])
def test_what_is_no_pin_is_refused(pin: str) -> None:
    """Four to eight digits."""
    refused("bad_pin", pin=pin)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "Ma\nll"])
def test_a_worker_has_a_name(name: str) -> None:
    """It stands beside what they do."""
    refused("bad_text", name=name)


def test_a_worker_who_was_removed_has_no_pin_and_gets_none() -> None:
    """The row stays for the name's sake."""
    worker = workers.add(registered.school(), "Mall", "2468", actor="it", now=registered.NOON)
    workers.remove(worker, actor="it", now=registered.NOON)
    assert kept(worker) == PinHash(b"", b"")
    assert not worker.is_active
    with pytest.raises(Refused):
        workers.change_pin(worker, "1357", actor="it", now=registered.NOON)


def test_workers_are_bounded() -> None:
    """A PIN is tried against each."""
    school = registered.school()
    Worker.objects.bulk_create(
        Worker(school=school, name=str(n), added_at=registered.NOON) for n in range(workers.MAX_ACTIVE)
    )
    refused("too_many_workers")


def test_whoever_changes_a_worker_locks_in_one_order() -> None:
    """The school's state, then the worker: a PIN that is given while the worker is removed waits, and neither waits for the other."""
    host = registered.host(registered.school())
    Host.objects.filter(pk=host.pk).update(shows=Shows.CANTEEN)
    worker = workers.add(host.school, "Mall", "2468", actor="it", now=registered.NOON)
    for deed in (partial(workers.change_pin, worker, "1357"), partial(workers.remove, worker)):
        with CaptureQueriesContext(connection) as asked:
            deed(actor="it", now=registered.NOON)
        tables = [each["sql"].partition(" FROM ")[2] for each in asked.captured_queries]
        first = [name for told in tables for name in ("registry_sitestate", "registry_worker") if name in told[:40]]
        assert first[0] == "registry_sitestate"
