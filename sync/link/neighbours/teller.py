"""Tells one neighbour what this host serves and notes, in the order of the journal, from where the neighbour stands (DESIGN.md §4).

The neighbour is asked first how far it has heard, and believed before any memory of ours: a lost answer costs nothing but telling again.
What is read and sent at once is bounded, however long it was away.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sync.faults import JournalFault
from sync.journal_reading import NAME as JOURNAL_NAME
from sync.link.backoff import Backoff
from sync.link.faults import LinkFault
from sync.link.journal_tail import JournalTail
from sync.link.neighbours.peer import Peer
from sync.link.registry_clock import RegistryClock
from sync.wire.event import EventKind
from sync.wire.faults import Malformed, WireFault
from sync.wire.neighbour import MOST_EVENTS, Heard, Settled, Tell, TellAnswer

POLL_S: Final = 0.1
PROBE_S: Final = 5.0  # so often a neighbour is asked whether it is there, though there is nothing to tell
FIRST_WAIT_S: Final = 0.25
MOST_WAIT_S: Final = 5.0
MOST_READ: Final = 500
MOST_BYTES: Final = 64 << 10  # of heard events, far below what a question may have
_PAST: Final = timedelta(days=2)  # servings of days before are of no use to anybody's limit


class Teller:
    """One neighbour's thread. `run` is its target; the peer's `cut` ends it from another."""

    def __init__(
        self,
        state_dir: Path,
        peer: Peer,
        clock: RegistryClock,
        settled: Callable[[], Settled | None],
    ) -> None:
        """`settled` gives how far the registry has this host's events, None where that is not known."""
        self._peer = peer
        self._clock = clock
        self._settled = settled
        self._tail = JournalTail(state_dir / JOURNAL_NAME)
        self._backoff = Backoff(first_s=FIRST_WAIT_S, most_s=MOST_WAIT_S)
        self._told_settled: Settled | None = None
        self._last_fact = (0, 0)  # the last fact that the neighbour has of us and may still hold
        self._has_old = False
        self._passed: tuple[object, int] = (None, 0)  # where it stood, and up to which row nothing was worth telling

    def run(self) -> None:
        """Work until stopped."""
        try:
            while not self._peer.gone.is_set():
                # The peer says what keeps it away; of a journal that cannot be read the uploader tells.
                with suppress(LinkFault, WireFault, JournalFault, OSError):
                    self._session()
                self._wait(self._backoff.next_s())
        finally:
            self._tail.close()
            self._peer.close()

    def _session(self) -> None:
        """Tell from where the neighbour stands until it goes away, or the journal is another."""
        self._told_settled, self._has_old = None, False
        answer = self._tell(())
        self._last_fact = max(self._last_fact, (answer.epoch, answer.seq))
        self._backoff.succeeded()
        self._tail.has_changed()
        file, row_id = self._tail.file, self._behind(answer)
        if self._passed[0] == self._standing(
            answer
        ):  # a door's whole journal may have nothing for a till: it is not read again
            row_id = max(row_id, self._passed[1])
        probed_s = time.monotonic()
        while not self._peer.gone.is_set() and self._tail.file == file:
            told = self._told_from(row_id)
            if told is None:
                is_due = time.monotonic() - probed_s >= PROBE_S or self._peer.is_away
                if is_due or self._has_settled():
                    self._tell(())
                    probed_s = time.monotonic()
                self._pause()
                continue
            row_id, events = told
            if events:
                answer = self._tell(events)
                probed_s = time.monotonic()
            elif not self._has_old:
                self._passed = (self._standing(answer), row_id)

    def _pause(self) -> None:
        """Wait until something was committed, some moments at the most: the journal's file is looked at, which costs one page of memory."""
        if not self._tail.has_changed():
            self._wait(POLL_S)

    def _wait(self, seconds: float) -> None:
        self._peer.wake.wait(seconds)
        if not self._peer.gone.is_set():
            self._peer.wake.clear()

    def _behind(self, answer: TellAnswer) -> int:
        """Return the number in the journal of the last event that the neighbour has, or of the one before the first that it may lack."""
        if answer.epoch == 0:
            return 0
        place = self._tail.place_of(answer.epoch, answer.seq)
        return self._tail.first_after(answer.epoch) if place is None else place.row_id

    def _standing(self, answer: TellAnswer) -> object:
        """Return what must be as it was for the events that were passed over to be of no use to the neighbour."""
        return answer.epoch, answer.seq, self._tail.file, self._tail.newest_epoch(), self._peer.neighbour.services

    def _told_from(self, row_id: int) -> tuple[int, tuple[Heard, ...]] | None:
        """Return what to tell next, and the number of the last event looked at; None where there is no more."""
        run = self._tail.after(row_id, MOST_READ, MOST_BYTES)
        if run is None:
            return None
        events: list[Heard] = []
        for number, body in enumerate(run.events, run.first.row_id):
            heard = self._worth_telling(json.loads(body))
            if heard is not None:
                events.append(heard)
            if len(events) == MOST_EVENTS:
                return number, tuple(events)
        return run.last.row_id, tuple(events)

    def _worth_telling(self, event: Mapping[str, Any]) -> Heard | None:
        """Return what an event tells this neighbour: each fact, and what was served lately at a service that it has, too."""
        if event["kind"] not in {EventKind.TAP, EventKind.MARK, EventKind.LOAN}:
            return None
        try:
            heard = Heard.from_event(event)
        except Malformed:
            return None  # of a form that no neighbour takes: the registry says what is wrong with it
        if heard is None or heard.fact is not None:
            return heard
        if heard.service not in self._peer.neighbour.services:
            return None
        is_old = heard.service_day < (self._clock.now() - _PAST).date()
        self._has_old |= is_old  # by a clock that may be set right: it is looked at again
        return None if is_old else heard

    def _tell(self, events: tuple[Heard, ...]) -> TellAnswer:
        settled = self._settled()
        answer = self._peer.tell(Tell(self._peer.name, events, settled))
        self._told_settled = settled
        facts = [each.place for each in events if each.fact is not None]
        self._last_fact = max([self._last_fact, *facts])
        return answer

    def _has_settled(self) -> bool:
        """Whether the registry has taken facts since that the neighbour holds: it may let them go."""
        told, settled = self._told_settled, self._settled()
        if settled is None or settled == told or (settled.epoch, settled.seq) < self._last_fact:
            return False
        return told is None or (told.epoch, told.seq) < self._last_fact
