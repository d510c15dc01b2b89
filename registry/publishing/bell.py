"""The bell: how the serving process hears that something was committed, whichever process did it.

On PostgreSQL it is NOTIFY, delivered when the transaction is committed and heard by LISTEN. SQLite has none: there the listener
asks `PRAGMA data_version` every few milliseconds, which costs microseconds and changes with every other connection's commit.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from django.db import connection

CHANNEL: Final = "viipe"
_POLL_S: Final = 0.01
_PATIENCE_S: Final = 0.5  # how long a listener that is to end may take to see it
_POSTGRESQL: Final = "postgresql"


def ring(what: str) -> None:
    """Ring when the running transaction is committed. `what` is for whoever reads the log of a database."""
    if connection.vendor == _POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, what])


def heard(is_over: Callable[[], bool]) -> Iterator[None]:
    """Give something each time that the bell may have rung, at the beginning and every half second besides, until `is_over`.

    Holds this thread's connection. Rings that come together are given once: whoever listens looks for himself what is new.
    Raises django.db.Error when the connection breaks.
    """
    yield from (_notified(is_over) if connection.vendor == _POSTGRESQL else _polled(is_over))


def _notified(is_over: Callable[[], bool]) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    yield
    raw = connection.connection
    while not is_over():
        with connection.wrap_database_errors:  # it asks the driver itself, whose errors are not Django's
            for _ in raw.notifies(timeout=_PATIENCE_S, stop_after=1):
                pass
        yield  # also when nothing was heard: what was not rung for is found all the same


def _polled(is_over: Callable[[], bool]) -> Iterator[None]:
    before: object = None
    with connection.cursor() as cursor:
        while not is_over():
            (now,) = cursor.execute("PRAGMA data_version").fetchone()
            if now != before:
                before = now
                yield
            time.sleep(_POLL_S)
