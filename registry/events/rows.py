"""Events written in bulk: one statement on SQLite, COPY on PostgreSQL, since a row at a time through the model costs ten times as much."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db import connection

from registry.events.body import Told
from registry.models import Event, Host

_Value = str | int | bytes | datetime | date | None


class Row(NamedTuple):
    """An event with its place, its bytes, and the school's rows that it names; None where the school has no such row."""

    seq: int
    body: bytes
    link: bytes
    told: Told
    card_id: int | None
    person_id: int | None


_COLUMNS: Final = (
    "host_id",
    "school_id",
    "epoch",
    "seq",
    "branch",
    "body",
    "link",
    "kind",
    "tap_id",
    "time",
    "service_day",
    "reader",
    "service",
    "direction",
    "verdict",
    "reason",
    "flags",
    "outcome",
    "card_id",
    "person_id",
    "holder",
    "how",
    "price_cents",
    "received_at",
)


def insert(host: Host, epoch: int, branch: int, rows: Iterable[Row], received_at: datetime) -> None:
    """Write the rows. A row whose place is taken breaks the transaction: places are given under the host's lock."""
    table = Event._meta.db_table  # noqa: SLF001  Django documents _meta as an interface
    columns = ", ".join(connection.ops.quote_name(column) for column in _COLUMNS)
    received = connection.ops.adapt_datetimefield_value(received_at)
    values = [_values(host, epoch, branch, row, received) for row in rows]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for each in values:
                    copy.write_row(each)
            return
        marks = ", ".join(["%s"] * len(_COLUMNS))
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608  our own names


def _values(host: Host, epoch: int, branch: int, row: Row, received_at: datetime | str | None) -> tuple[_Value, ...]:
    told, ops = row.told, connection.ops
    return (
        host.pk,
        host.school_id,
        epoch,
        row.seq,
        branch,
        row.body,
        row.link,
        told.kind,
        told.tap_id,
        ops.adapt_datetimefield_value(told.time),
        ops.adapt_datefield_value(told.service_day),
        told.reader,
        told.service,
        told.direction,
        told.verdict,
        told.reason,
        json.dumps(told.flags) if told.flags else "[]",
        told.outcome,
        row.card_id,
        row.person_id,
        told.holder,
        told.how,
        told.price_cents,
        received_at,
    )
