"""A deed that the database broke off for another's sake is done once more."""

from threading import Barrier, Thread

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction

from registry.models import School
from registry.transactions import deed
from tests.rig import registered

pytestmark = pytest.mark.django_db(transaction=True)


def broken_off() -> OperationalError:
    """Return what Django raises for the victim of a deadlock."""
    error = OperationalError("deadlock detected")
    error.__cause__ = psycopg.errors.DeadlockDetected("deadlock detected")
    return error


class Deed:
    """A deed that adds a school and is broken off as many times as a test wants."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.calls = 0

    def __call__(self) -> int:
        """Do it."""
        self.calls += 1
        registered.school(f"school-{self.calls}")
        if self.faults:
            raise self.faults.pop(0)
        return self.calls


def test_a_deadlocks_victim_is_done_once_more() -> None:
    """Nothing of the first time is left."""
    given = Deed(broken_off())
    assert deed(given)() == 2
    assert list(School.objects.values_list("code", flat=True)) == ["school-2"]


def test_it_is_done_no_third_time() -> None:
    """Whoever waits is told then."""
    given = Deed(broken_off(), broken_off())
    with pytest.raises(OperationalError):
        deed(given)()
    assert given.calls == 2
    assert not School.objects.exists()


@pytest.mark.parametrize("fault", [OperationalError("the server is gone"), ValueError("ours")])
def test_another_fault_is_told_at_once(fault: Exception) -> None:
    """To do it again would not help."""
    given = Deed(fault)
    with pytest.raises(type(fault)):
        deed(given)()
    assert given.calls == 1


def test_a_part_of_another_transaction_is_not_done_alone() -> None:
    """What that had done before is gone as well: it alone can be done again, as a whole."""
    given = Deed(broken_off())
    with pytest.raises(OperationalError), transaction.atomic():
        deed(given)()
    assert given.calls == 1


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="on SQLite one writes at a time: nobody waits for another who waits"
)
def test_two_deeds_that_wait_for_each_other_both_come_about() -> None:
    """The database ends one of them, which is done again."""
    schools = [registered.school("one"), registered.school("two")]
    both_hold = Barrier(2)

    def rename(first: School, second: School) -> None:
        School.objects.filter(pk=first.pk).update(name=f"{first.code} first")
        if first.code not in met:
            met.append(first.code)
            both_hold.wait(10)
        School.objects.filter(pk=second.pk).update(name=f"{second.code} second")

    def worker(first: School, second: School) -> None:
        try:
            deed(rename)(first, second)
            done.append(first.code)
        finally:
            connections.close_all()

    met: list[str] = []
    done: list[str] = []
    threads = [Thread(target=worker, args=pair) for pair in (schools, schools[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == ["one", "two"]
