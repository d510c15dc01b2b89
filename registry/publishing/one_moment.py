"""Several questions answered from one moment of the database, without keeping anybody from writing meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import Error, connection
from django.db.backends.utils import CursorWrapper

# SQLite: a transaction that only reads sees the state of its first question, beside writers (WAL). Django's own `atomic` would ask for
# the right to write at once (`registry.data_dir.database`).
_BEGIN: Final = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "sqlite": "BEGIN",
}


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all questions within see the same moment. Within a transaction of the caller's it is that transaction's."""
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN[connection.vendor])
        try:
            yield
        except BaseException:
            _end(cursor)
            raise
        cursor.execute("COMMIT")


def _end(cursor: CursorWrapper) -> None:
    """End it after a fault; a connection that broke is opened anew by the next question."""
    try:
        cursor.execute("ROLLBACK")
    except Error:
        connection.close()
