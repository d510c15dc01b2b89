"""A host's folder after a crash, reopened by the real code: what the journal and the cards tell, and what is wrong with them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sync import cache_file, current, site_key
from sync.cache import CardCache
from sync.faults import StoreFault
from sync.journal import Journal
from sync.journal_reading import NAME, read_events, verify
from sync.servings import Boot
from sync.wire.event import EventKind

BOOT: Final = Boot("the-boot-after", lambda: 1)
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JournalFound:
    """A reopened journal: its events before anything was added, all that is wrong, and whether it was taken for damaged."""

    bodies: Sequence[bytes] = ()
    wrong: Sequence[str] = ()
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class CardsFound:
    """Reopened cards: the version that serves (0: none), and all that is wrong."""

    version: int = 0
    wrong: Sequence[str] = ()


def reopen_journal(folder: Path, host: str) -> JournalFound:
    """Open the journal as a daemon does that starts, finish what a crash left open, and look at all of it."""
    try:
        journal = Journal(folder, host, BOOT)
    except (StoreFault, OSError) as fault:
        return JournalFound(wrong=[f"the journal does not open: {fault}"])
    try:
        if journal.fault is not None:
            return JournalFound(wrong=[f"the journal does not open: {journal.fault}"])
        bodies = [body for _, body in read_events(folder / NAME)]
        journal.finish_grants(datetime.now(UTC))
        set_aside = bool(journal.take_mended())
        verify(folder / NAME)
        added = [body for _, body in read_events(folder / NAME, after_id=len(bodies))]
        wrong = list(faults_of_events([_event(body) for body in (*bodies, *added)]))
    except StoreFault as fault:
        return JournalFound(wrong=[f"the journal opens, and then: {fault}"])
    finally:
        journal.close()
    return JournalFound(bodies, wrong, set_aside)


def reopen_cards(folder: Path, known_uid: bytes) -> CardsFound:
    """Open the cards as a daemon does that starts, and look at all of them. `known_uid` is a card of every import."""
    try:
        cards = CardCache(folder, site_key.load_or_make(folder))
    except (StoreFault, OSError) as fault:
        return CardsFound(wrong=[f"the cards do not open: {fault}"])
    try:
        wrong = [f"a crash is no damage: {fault}" for fault in cards.take_faults()]
        if cards.info is None:
            return CardsFound(0, wrong)
        cache_file.verify(folder / cards.info.name)
        if cards.find(known_uid) is None:
            wrong.append(f"{cards.info.name}: a card that each import brought is not found")
        wrong += [f"a crash is no damage: {fault}" for fault in cards.take_faults()]
        if current.read(folder).serving != cards.info.name:
            wrong.append(f"{cards.info.name} serves, and `current` does not say so")
        return CardsFound(cards.info.version, wrong)
    except StoreFault as fault:
        return CardsFound(wrong=[f"the cards open, and then: {fault}"])
    finally:
        cards.close()


@lru_cache(10_000)
def _event(body: bytes) -> Event:
    """Read an event; thousands of crash states hold the same ones."""
    event: Event = json.loads(body)
    return event


def faults_of_events(events: Iterable[Event]) -> Iterator[str]:
    """Say what is wrong with a host's events: gaps, doubles, and commands without exactly one outcome."""
    seqs: dict[int, list[int]] = defaultdict(list)
    taps: Counter[str] = Counter()
    commands: Counter[tuple[str, str]] = Counter()
    outcomes: Counter[tuple[str, str]] = Counter()
    for event in events:
        seqs[event["epoch"]].append(event["seq"])
        if event["kind"] == EventKind.TAP:
            taps[event["tap_id"]] += 1
            commands.update((event["tap_id"], output) for output in event["outputs"])
        elif event["kind"] == EventKind.OUTCOME:
            outcomes.update((event["tap_id"], output) for output in event["outputs"])
    for epoch, found in seqs.items():
        if found != list(range(1, len(found) + 1)):
            yield f"epoch {epoch}: the numbers of its events are not 1, 2, 3 …"
    yield from (f"tap {tap_id} stands {count} times" for tap_id, count in taps.items() if count > 1)
    yield from (
        f"tap {tap} at {out} has {outcomes[tap, out]} outcomes" for tap, out in commands if outcomes[tap, out] != 1
    )
    yield from (f"an outcome of tap {tap} at {out} was never commanded" for tap, out in outcomes - commands)
