"""A deed as one transaction, done once more when the database broke it off for another's sake.

PostgreSQL ends one of two transactions that wait for each other (a deadlock), or that cannot both have been first. Nothing of the ended
one is left, and it succeeds when it is done again: whoever closes a lost card must not be told of a fault of the server.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")
_BROKEN_OFF: Final = frozenset({"40P01", "40001"})  # deadlock_detected, serialization_failure (PostgreSQL, appendix A)


def deed(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function one transaction. It is called a second time when the first was broken off, so it must read anew what it changes.

    Within another transaction it is a part of that, which alone can be done again as a whole.
    """

    @wraps(function)
    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        is_part = connection.in_atomic_block
        try:
            with transaction.atomic():
                return function(*args, **kwargs)
        except OperationalError as error:
            if is_part or not was_broken_off(error):
                raise
        with transaction.atomic():
            return function(*args, **kwargs)

    return done


def was_broken_off(error: BaseException) -> bool:
    """Tell whether the database ended the transaction for the sake of another."""
    return getattr(error.__cause__, "sqlstate", None) in _BROKEN_OFF
