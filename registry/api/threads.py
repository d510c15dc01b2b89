"""Work on the database, off the event loop: a fixed number of threads, each with its own connection that stays open between calls."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import Error, close_old_connections, connection

T = TypeVar("T")

QUICK: Final = 8  # more would wait for each other: SQLite has one writer, and Python one interpreter lock


class DatabaseThreads:
    """`count` threads; calls beyond that wait their turn. The number of calls is bounded by that of the connections to the server."""

    def __init__(self, name: str, count: int = QUICK) -> None:
        """Start no thread yet: each is started when it is first needed."""
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do the work in one of the threads and return what it returns, or raise what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, with_connection, work)

    def close(self) -> None:
        """Begin nothing more. What runs is left to end by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def with_connection(work: Callable[[], T]) -> T:
    """Do the work with this thread's connection to the database, which is opened anew when it broke."""
    if connection.vendor != "sqlite":  # a file does not go away, and to open it costs more than most questions
        close_old_connections()
    try:
        return work()
    except Error:  # also InterfaceError, which is no DatabaseError
        connection.close()
        raise
