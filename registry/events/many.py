"""Hundreds of values asked for in one question: as one value, which costs a tenth of as many places in the statement."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db import connection

Value = str | int | date | datetime | None


def among(column: str, kind: str) -> str:
    """Return the condition "one of these" for a column; `kind` is its type in PostgreSQL. Its value is made by `listed`."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s::{kind}[])"
    return f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608  a column of ours, no value


def listed(values: Iterable[Value]) -> list[Value] | str:
    """Return values, adapted for the database, as one."""
    return list(values) if connection.vendor == "postgresql" else json.dumps(list(values))


def asked(sql: str, *values: Value | list[Value]) -> list[tuple[Any, ...]]:
    """Return the rows that answer a question."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def as_day(value: object) -> date:
    """Return a day as a plain question gives it: SQLite knows it as a text."""
    return value if isinstance(value, date) else date.fromisoformat(str(value))
