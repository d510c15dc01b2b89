"""The bell: whoever listens hears that something was committed, by whichever connection."""

import threading
import time

import pytest
from django.db import Error, connection, transaction

from registry.publishing import bell
from tests.rig import registered

WAIT_S = 10


class Listener:
    """Counts what is heard, in a thread of its own."""

    def __init__(self) -> None:
        self.heard = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        for _ in bell.heard(self.is_over.is_set):
            self.heard += 1
        connection.close()

    def after(self, count: int) -> bool:
        """Wait until more than so much was heard."""
        until = time.monotonic() + WAIT_S
        while self.heard <= count and time.monotonic() < until:
            time.sleep(0.005)
        return self.heard > count

    def end(self) -> bool:
        """End it; tells whether it did."""
        self.is_over.set()
        self.thread.join(WAIT_S)
        return not self.thread.is_alive()


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_elsewhere_is_heard() -> None:
    """At the beginning once, then after a commit; and it ends when it is told to."""
    listener = Listener()
    try:
        assert listener.after(0)
        before = listener.heard
        with transaction.atomic():
            registered.school()
            bell.ring("1 1")
        assert listener.after(before)
    finally:
        assert listener.end()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_cut_is_told_as_djangos_fault() -> None:
    """Whoever listens need not know the driver's own errors. SQLite has no connection that could be cut."""
    if connection.vendor != "postgresql":
        pytest.skip("a file is not cut off")
    found: list[BaseException] = []
    begun = threading.Event()

    def listen() -> None:
        try:
            for _ in bell.heard(lambda: False):
                begun.set()
        except Error as error:
            found.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(WAIT_S)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN viipe'")
    thread.join(WAIT_S)
    assert len(found) == 1
