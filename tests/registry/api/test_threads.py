"""Work on the database, off the event loop."""

import asyncio
import threading

import pytest
from django.db import DatabaseError, InterfaceError, connection

from registry.api.threads import DatabaseThreads, with_connection
from registry.models import School
from tests.rig import registered


@pytest.mark.django_db(transaction=True)
def test_work_is_done_in_a_fixed_number_of_threads() -> None:
    """Each with its own connection; what it raises is raised here."""
    registered.school()

    async def done() -> tuple[set[str], list[int]]:
        threads = DatabaseThreads("tests", 1)
        names: set[str] = set()

        def work() -> int:
            names.add(threading.current_thread().name)
            return School.objects.count()

        counted = await asyncio.gather(*(threads.run(work) for _ in range(20)))
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        await threads.run(lambda: connection.close())  # noqa: PLW0108  the connection is that of the thread
        threads.close()
        return names, counted

    names, counted = asyncio.run(done())
    assert len(names) == 1
    assert next(iter(names)).startswith("tests")
    assert counted == [1] * 20


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_is_not_kept() -> None:
    """The next work finds a whole one."""
    with pytest.raises(DatabaseError):
        with_connection(_ask_nonsense)
    assert with_connection(lambda: 1) == 1


@pytest.mark.django_db(transaction=True)
def test_an_interface_that_broke_is_not_kept_either() -> None:
    """A driver says so of a connection that is closed already; it is no DatabaseError."""
    if connection.vendor != "postgresql":
        pytest.skip("the tests' database in memory is never closed: it would be gone")
    with pytest.raises(InterfaceError):
        with_connection(_break)
    assert connection.connection is None


def _break() -> None:
    School.objects.count()
    raise InterfaceError("connection already closed")


def _ask_nonsense() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
