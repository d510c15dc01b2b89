"""What the deciding process knows of the site's other tills: servings reserved among them, and what they tell (DESIGN.md §4, §5).

It has no network: the link brings what neighbours ask and tell over the control socket, verified and with the name of who signed it. What
they tell is journalled once, by its host, epoch and number; it is counted as used, and its facts are in force here.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from policy.model import Quota
from sync.asking import Answer
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.journal_reading import heard_place
from sync.reservations import Reply, Reservation, Reservations
from sync.wire.event import Event, Serving, heard_event
from sync.wire.faults import Malformed
from sync.wire.neighbour import Heard, Held, Release, Reserve, ReserveAnswer, Settled, Tell, TellAnswer

MOST_HOSTS: Final = 64
Place = tuple[int, int]


class Wanted(NamedTuple):
    """A serving that others are asked about: within which limit, and when by the believed clock (aware)."""

    serving: Serving
    limit: int
    at: datetime


class Neighbourhood:
    """The reservations and what was heard. May be used from any thread."""

    def __init__(  # noqa: PLR0913  what hearing is made of
        self,
        journal: Journal,
        facts: Facts,
        now: Callable[[], datetime],
        *,
        tell: Callable[[Event], object] = lambda _event: None,
        monotonic_s: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        """Take the parts; `now` gives the believed time. `tell` is told each event that was heard, after it was recorded."""
        self._journal = journal
        self._facts = facts
        self._now = now
        self._tell_on = tell
        self._monotonic_s = monotonic_s
        self._wait = wait
        self._change = threading.Condition()
        self._book = Reservations(journal.host, journal.boot.now_ms())
        self._hearing = threading.Lock()
        self._places: dict[str, Place] = {}  # how far each host was heard; of those heard in this run
        self._heard_at: dict[str, datetime] = {}
        self._settled: dict[str, Settled] = {}

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers the link's questions: each has `host`, who signed it, and `body`, as it came."""
        return {"reserve": self._reserved, "release": self._released, "tell": self._told}

    @property
    def heard_at(self) -> Mapping[str, datetime]:
        """Return when each host told something last, of those that did in this run."""
        return dict(self._heard_at)

    # This till's own taps

    def begin(self, tap_id: str, wanted: Wanted) -> Reservation:
        """Reserve before others are asked. To be ended, whatever came of it."""
        with self._change:
            return self._book.begin(tap_id, wanted.serving, wanted.at, self._now_ms())

    def quota(self, own: Reservation, limit: int, told: Mapping[str, Any], until_s: float) -> Quota:
        """Judge what registry and neighbours said, as the link gives it; waits for a lower reservation until `until_s` at most."""
        granted = granted_told(told)
        replies = _replies(told.get("neighbours", ()), own.serving)
        with self._change:
            while True:
                left_s = until_s - self._monotonic_s()
                served = self._served(own.serving)
                found = self._book.quota(own, limit, served, replies, granted, self._now_ms(), is_last=left_s <= 0)
                if found is not None:  # where the registry is unsure, a neighbour's silence on it makes nobody sure
                    return Quota.UNKNOWN if found is Quota.FREE and told.get("unsure") else found
                self._wait(self._change, left_s)

    def end(self, tap_id: str) -> bool:
        """The tap is recorded, or there is none: what it served is counted by itself from now on. Says whether there was a reservation."""
        with self._change:
            had_any = self._book.end(tap_id)
            self._change.notify_all()
        return had_any

    def settle(self, version: Place | None) -> None:
        """Let go of others' facts that the registry's data (generation, version) hold, as their own hosts say. Raises JournalFault."""
        if version is None:
            return
        for host, told in list(self._settled.items()):
            if version >= (told.generation, told.version):
                row_id = self._facts.drop_heard(host, told.epoch, told.seq)
                if row_id:
                    self._journal.settle_facts(row_id, host)
                self._settled.pop(host, None)

    # What others ask and tell

    def _reserved(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        asked = Reserve.parse(_body(question))
        reservation = Reservation(_host(question), asked.tap_id, asked.at, asked.serving)
        with self._change:
            reply = self._book.reply(reservation, self._served(asked.serving), self._now_ms())
        held = tuple(Held(each.host, each.tap_id, each.at) for each in reply.held)
        return ReserveAnswer(reply.served, held).to_table()

    def _released(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        told = Release.parse(_body(question))
        reservation = Reservation(_host(question), told.tap_id, told.at, told.serving)
        with self._change:
            self._book.settle(reservation, was_served=told.was_served, now_ms=self._now_ms())
            self._change.notify_all()
        return {}

    def _told(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Journal what is new, and say how far the host was heard; `{"error"}` while the disk refuses: it is told again later."""
        host, told = _host(question), Tell.parse(_body(question))
        if any(each.host != host for each in told.events):
            raise Malformed(f"tell: found events of another host, expected {host}'s own")
        with self._hearing:
            try:
                place = self._place_of(host)
                fresh = sorted((each for each in told.events if each.place > place), key=lambda each: each.place)
                if fresh:
                    self._record(fresh)
            except JournalFault as fault:
                self._places.pop(host, None)  # what of it reached the disk is read anew
                return {"error": str(fault)}
            if fresh:
                place = self._places[host] = fresh[-1].place
            self._heard_at[host] = self._now()
            if told.settled is not None and (host in self._settled or len(self._settled) < MOST_HOSTS):
                self._settled[host] = told.settled
        return TellAnswer(*place).to_table()

    def _place_of(self, host: str) -> Place:
        if host not in self._places:
            if len(self._places) >= MOST_HOSTS:
                self._places.clear()
            if self._journal.fault is not None:
                raise JournalFault(self._journal.fault)
            self._places[host] = heard_place(self._journal.path, host)
        return self._places[host]

    def _record(self, fresh: Sequence[Heard]) -> None:
        """Make it durable; then it counts, is in force, and takes the place of its reservation. Raises JournalFault."""
        events = [heard_event(each.to_table(), at=self._now()) for each in fresh]
        noted: list[Event] = []

        def append(transaction: Transaction) -> None:
            for event in events:
                transaction.append(event)
            noted[:] = transaction.appended[-len(events) :]

        self._journal.transact(append)
        with self._change:
            for each in fresh:
                if each.serving is not None:
                    self._book.heard(each.tap_id)
            self._change.notify_all()
        for each, event in zip(fresh, noted, strict=True):
            if each.fact is not None:
                row_id = self._journal.id_of(int(str(event["epoch"])), int(str(event["seq"])))
                assert row_id is not None, "an event that was just appended has its place"  # noqa: S101  an invariant
                self._facts.add(row_id, event)
            self._tell_on(event)

    def _served(self, serving: Serving) -> Mapping[str, int]:
        """Return the holder's servings by host, those included that wait for a failing disk."""
        counts = self._journal.servings.by_host(serving, self._journal.host)
        waiting = self._journal.ring.usage(serving, self._now()).served_today - sum(counts.values())
        return {**counts, self._journal.host: counts[self._journal.host] + max(0, waiting)}

    def _now_ms(self) -> int:
        return self._journal.boot.now_ms()


def granted_told(told: Mapping[str, Any]) -> bool | None:
    """Return what the registry says of the day's limit, None where it said nothing, or is unsure (`sync.wire.quota`)."""
    granted = told.get("granted")
    return granted if isinstance(granted, bool) and not told.get("unsure") else None


def _host(question: Mapping[str, Any]) -> str:
    host = question["host"]
    if not isinstance(host, str):
        raise Malformed("host: expected the name of who signed")
    return host


def _body(question: Mapping[str, Any]) -> bytes:
    body = question["body"]
    if not isinstance(body, str):
        raise Malformed("body: expected a text")
    return body.encode()


def _replies(told: object, serving: Serving) -> list[Reply]:
    """Read what neighbours answered, as the link passes it on: each with its `host`. One that cannot be read is as one that is silent."""
    replies = []
    for each in told if isinstance(told, Sequence) else ():
        try:
            answer = ReserveAnswer.from_table({name: each[name] for name in ("served", "held")})
            held = tuple(Reservation(one.host, one.tap_id, one.at, serving) for one in answer.held)
            replies.append(Reply(str(each["host"]), answer.served, held))
        except (Malformed, KeyError, TypeError):
            continue
    return replies
