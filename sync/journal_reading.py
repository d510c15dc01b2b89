"""The journal as others read it: beside the daemon, or before it takes the file up. Nothing here writes."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sync import journal_file, salvage
from sync.faults import JournalFault
from sync.servings import Boot, Servings
from sync.wire.event import GENESIS, HEARD, Event, chained, from_utc_text, utc_text
from sync.wire.facts import is_on_paper, is_outlived, latest_by_card, told_in

NAME: Final = "journal.db"
READ_BACK: Final = (
    5000  # events read back for the servings, and all of the last day's; as many are held against their links
)
ROWS: Final = "SELECT id, event, link FROM events WHERE id >= ?"


FACTS_SETTLED: Final = "facts_settled"  # the id up to which what the registry publishes holds the facts noted here
_FACT_STARTS: Final = (b'{"kind":"loan"', b'{"kind":"mark"')  # an event's bytes begin with its kind
_FACT_BYTES: Final = 14
_HEARD_START: Final = b'{"kind":"system"'


class DamagedJournal(Exception):
    """The journal's events do not hang together. Met inside `sync` alone; others hear of a JournalFault."""


def verify_chain(rows: Iterable[tuple[int, bytes, bytes]]) -> int:
    """Hold events in order (id, event, link) against each other; the first is taken at its word, since what stood before it was pruned.

    Returns how many there were; raises DamagedJournal where one is missing or changed.
    """
    count, before_id, before_link = 0, 0, GENESIS
    for row_id, body, link in rows:
        if count:
            require(row_id == before_id + 1, f"found event {row_id} after {before_id}")
        require(isinstance(body, bytes) and isinstance(link, bytes), f"event {row_id}: its columns are not bytes")
        if count or row_id == 1:
            require(chained(before_link, body) == link, f"event {row_id}: its link does not fit")
        count, before_id, before_link = count + 1, row_id, link
    return count


def read_events(path: Path, *, after_id: int = 0, at_once: int = 500) -> Iterator[tuple[int, bytes]]:
    """Give (id, canonical bytes) of the events after `after_id`, in order, beside a running daemon.

    Read in small steps, each a transaction of its own: a long one would keep the writer from starting its log anew. Raises JournalFault.
    """
    try:
        with closing(journal_file.connect_reading(path)) as db:
            for row_id, body, _ in _in_steps(db, after_id, at_once):
                yield row_id, body
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise JournalFault(f"{path}: {error}") from error


def _in_steps(db: sqlite3.Connection, after_id: int, at_once: int = 500) -> Iterator[tuple[int, bytes, bytes]]:
    while True:
        rows = db.execute(f"{ROWS} ORDER BY id LIMIT ?", (after_id + 1, at_once)).fetchall()
        yield from rows
        if len(rows) < at_once:
            return
        after_id = rows[-1][0]


def read_servings(path: Path, boot: Boot, *, until: datetime | None = None) -> tuple[Servings, datetime | None]:
    """Read, beside a running daemon, what holders were served up to `until`, and when the last event was. Raises JournalFault."""
    try:
        with closing(journal_file.connect_reading(path)) as db:
            return served(db, boot, until=until)
    except sqlite3.Error as error:
        raise JournalFault(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise JournalFault(f"{path}: an event cannot be read ({type(error).__name__})") from error


def served(db: sqlite3.Connection, boot: Boot, *, until: datetime | None = None) -> tuple[Servings, datetime | None]:
    """Read back servings from the latest events: of the last 5,000, and of all of the newest one's day."""
    events: list[Event] = []
    newest_day: object = None
    bound = utc_text(until) if until else None
    for (body,) in db.execute("SELECT event FROM events ORDER BY id DESC"):
        event = json.loads(body)
        if bound is not None and event["time"] > bound:
            continue
        day = None if is_on_paper(event) else event["service_day"]  # nor has what happens to a reader or the host
        newest_day = newest_day or day
        if len(events) >= READ_BACK and day not in {None, newest_day}:
            break
        events.append(event)
    servings = Servings(boot)
    for event in reversed(events):
        servings.add(event)
    return servings, from_utc_text(str(events[0]["time"])) if events else None


def waiting_facts(db: sqlite3.Connection) -> list[tuple[int, Event]]:
    """Return the facts not settled yet (id, event), in order. SQLite passes over other events, which are a thousand times as many."""
    rows = db.execute(
        "SELECT id, event FROM events WHERE id > coalesce((SELECT value FROM meta WHERE name = ?), 0)"
        " AND substr(event, 1, ?) IN (?, ?) ORDER BY id",
        (FACTS_SETTLED, _FACT_BYTES, *_FACT_STARTS),
    )
    own = [(row_id, json.loads(body)) for row_id, body in rows]
    return sorted([*own, *_waiting_heard(db)], key=lambda each: each[0])


def _waiting_heard(db: sqlite3.Connection) -> list[tuple[int, Event]]:
    """Return the facts that other hosts told and did not tell to be settled, but for those that settled ones outlived (`sync.facts`)."""
    marks = dict(db.execute("SELECT name, value FROM meta"))
    waiting: list[tuple[int, Event]] = []
    settled: list[Event] = []
    for row_id, event in _heard_facts(db):
        if row_id > marks.get(facts_settled(event[HEARD]["host"]), 0):
            waiting.append((row_id, event))
        else:
            settled.append(event)
    if not waiting:
        return []
    own = db.execute(
        "SELECT event FROM events WHERE id BETWEEN ? AND ? AND substr(event, 1, ?) IN (?, ?)",
        (waiting[0][0], marks.get(FACTS_SETTLED, 0), _FACT_BYTES, *_FACT_STARTS),
    )
    settled += [json.loads(body) for (body,) in own]
    latest = latest_by_card(told for event in settled if (told := told_in(event)))
    return [
        (row_id, event) for row_id, event in waiting if not ((told := told_in(event)) and is_outlived(told, latest))
    ]


def _heard_facts(db: sqlite3.Connection) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = db.execute(
        "SELECT id, event FROM events WHERE substr(event, 1, ?) = ? AND instr(event, ?) AND instr(event, ?) ORDER BY id",
        (len(_HEARD_START), _HEARD_START, b'"heard":{', b'"fact":{'),
    )
    return ((row_id, json.loads(body)) for row_id, body in rows)


def facts_settled(host: str) -> str:
    """Return the name of the mark up to which the facts of another host are settled; of this host's own for an empty name."""
    return f"{FACTS_SETTLED} {host}".rstrip()


def heard_place(path: Path, host: str) -> tuple[int, int]:
    """Read, beside a running daemon, how far another host was heard: epoch and number of its last event, zeros for none.

    Raises JournalFault.
    """
    try:
        with closing(journal_file.connect_reading(path)) as db:
            row = db.execute(
                "SELECT event FROM events WHERE substr(event, 1, ?) = ? AND instr(event, ?) ORDER BY id DESC LIMIT 1",
                (len(_HEARD_START), _HEARD_START, f'"heard":{{"host":{json.dumps(host)},'.encode()),
            ).fetchone()
            heard = json.loads(row[0])[HEARD] if row else {"epoch": 0, "seq": 0}
            return int(heard["epoch"]), int(heard["seq"])
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        raise JournalFault(f"{path}: {error}") from error


def read_facts(path: Path) -> list[tuple[int, Event]]:
    """Read, beside a running daemon, the facts not settled yet, with their ids. Raises JournalFault."""
    try:
        with closing(journal_file.connect_reading(path)) as db:
            return waiting_facts(db)
    except (sqlite3.Error, ValueError) as error:
        raise JournalFault(f"{path}: {error}") from error


def last_event_time(path: Path) -> datetime | None:
    """Return when the last event was; None where there is none, or none that can be read."""
    try:
        with closing(journal_file.connect_reading(path)) as db:
            row = db.execute("SELECT event FROM events ORDER BY id DESC LIMIT 1").fetchone()
            return from_utc_text(time_of(row[0])) if row else None
    except (sqlite3.Error, UnicodeDecodeError, ValueError):
        return None


def verify(path: Path) -> int:
    """Hold the whole journal against SQLite's check and its own chain; returns the number of events. Raises JournalFault."""
    try:
        with closing(journal_file.connect_reading(path)) as db:
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            require(found == "ok", found)
            return verify_chain(_in_steps(db, sound_from(db) - 1))
    except (sqlite3.Error, DamagedJournal, ValueError) as error:
        raise JournalFault(f"{path}: {error}") from error


def sound_from(db: sqlite3.Connection) -> int:
    """Return the first id whose events hang together: of those before it, a salvage may have lost some."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (salvage.SOUND_FROM,)).fetchone()
    return int(row[0]) if row else 0


def require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  read as a sentence
    """Raise DamagedJournal, which says `otherwise`, unless it `holds`."""
    if not holds:
        raise DamagedJournal(otherwise)


def time_of(body: bytes) -> str:
    """Return an event's time; one that cannot be read goes with those beside it."""
    try:
        return str(json.loads(body)["time"])
    except (ValueError, KeyError, TypeError):
        return ""
