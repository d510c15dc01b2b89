"""The event stream: what is published reaches every connected host of the school at once, made and signed once for all of them.

One task looks when the bell rings, tells each school's hosts what is new, and repeats the time every 15 s. A connected host costs a
queue of bounded length and no connection to the database. A host that does not keep up is dropped: it comes back and catches up by
`changes`. A host that was revoked is dropped too.
"""

import asyncio
import contextlib
import logging
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from registry.api.threads import DatabaseThreads
from registry.models import DeskRequest, Host, RootDocument, School, Shows
from registry.publishing import bell, timestamps
from registry.publishing.deltas import DeltaStore, SnapshotNeeded
from registry.publishing.state import state_of
from sync.wire.keys import SigningKey
from sync.wire.stream import (
    HEARTBEAT_S,
    MAX_DELTA_BYTES,
    DeltaLine,
    DeskLine,
    PeopleLine,
    RootLine,
    TimestampLine,
    VersionLine,
    to_line,
)

_LOG: Final = logging.getLogger("registry.stream")
_QUEUED: Final = 64  # lines that a host may be behind: some minutes of heartbeats, or a burst of changes
_GREETING_LIFE: Final = timedelta(seconds=1)
_PAUSE_S: Final = (
    0.01  # between two looks: what is published in a burst, or while many hosts come back, is told together
)
_AGAIN_S: Final = 1.0  # after a fault, such as that the database is gone


class Subscriber:
    """One host's stream: its lines wait here.

    Before it `is_greeted` it is told nothing: the greeting tells of all that was published up to then. It ends `is_orderly` unless it
    was too slow.
    """

    def __init__(self, host: int, name: str, school: int) -> None:
        """Begin with nothing to tell."""
        self.host = host
        self.name = name
        self.school = school
        self.is_orderly = False
        self.is_greeted = False
        self._lines: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED)
        self._end: Callable[[], object] | None = None
        self._has_ended = False

    async def next_line(self) -> bytes:
        """Return the next line, when there is one."""
        return await self._lines.get()

    def tell(self, line: bytes) -> None:
        """Let a line be sent; a host that is too far behind is dropped."""
        if not self.is_greeted or self._has_ended:
            return
        try:
            self._lines.put_nowait(line)
        except asyncio.QueueFull:
            _LOG.warning("%s: dropped: it is %d lines behind", self.name, _QUEUED)
            self.end()

    @property
    def has_all(self) -> bool:
        """Whether nothing waits."""
        return self._lines.empty()

    def on_end(self, end: Callable[[], object]) -> None:
        """Say what ends the sending."""
        self._end = end
        if self._has_ended:
            end()

    def end(self, *, orderly: bool = False) -> None:
        """End the stream."""
        self._has_ended, self.is_orderly = True, orderly
        if self._end is not None:
            self._end()


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """What was told to a school's connected hosts last."""

    generation: int
    version: int


@dataclass(frozen=True, slots=True)
class _Greeting:
    """What a host of a school is told first, and what it is told by it. A thousand that come back at once share it."""

    told: Told
    line: bytes
    root: int
    at: datetime


@dataclass(slots=True)
class _News:
    """What a look found: lines for all hosts of a school, lines for one host, hosts that were revoked, and what was told by it."""

    lines: defaultdict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    desk_lines: list[tuple[int, int, bytes]] = field(default_factory=list)
    revoked: frozenset[int] = frozenset()
    told: dict[int, Told] = field(default_factory=dict)
    root: int = 0
    people: dict[int, int] = field(default_factory=dict)  # by host that shows names: the version of its people document


class Hub:
    """All streams of this process. Its methods are of the event loop's thread; the database is asked in `threads`."""

    def __init__(
        self,
        threads: DatabaseThreads,
        deltas: DeltaStore,
        signer: SigningKey,
        *,
        now: Callable[[], datetime] = timezone.now,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        """Begin without streams; `run` keeps them going."""
        self._threads = threads
        self._deltas = deltas
        self._signer = signer
        self._now = now
        self._heartbeat_s = heartbeat_s
        self._subscribers: dict[int, dict[int, Subscriber]] = {}
        self._told: dict[int, Told] = {}
        self._greetings: dict[int, _Greeting] = {}
        self._desks_told: dict[int, int] = {}  # request: host
        self._people_told: dict[int, int] = {}  # host: the version of its people document, 0 where it shows no names
        self._root = 0
        self._rung = asyncio.Event()
        self._in_order = (
            asyncio.Lock()
        )  # no line may tell of an older state than one before it: hosts would take it for a rollback
        self._is_closed = False

    @contextlib.asynccontextmanager
    async def subscribed(self, subscriber: Subscriber) -> AsyncIterator[None]:
        """Let a host hear while this lasts. It is told the time and the newest version first. Its former stream ends."""
        hosts = self._subscribers.setdefault(subscriber.school, {})
        if (former := hosts.get(subscriber.host)) is not None:
            former.end(orderly=True)
        hosts[subscriber.host] = subscriber
        try:
            await self._greet(subscriber)
            if self._is_closed:
                subscriber.end(orderly=True)
            self._rung.set()  # something may have been published since the greeting, when nobody of the school was listening
            yield
        finally:
            if hosts.get(subscriber.host) is subscriber:
                del hosts[subscriber.host]
                self._people_told.pop(subscriber.host, None)
            if not hosts and self._subscribers.get(subscriber.school) is hosts:
                del self._subscribers[subscriber.school]
                self._told.pop(subscriber.school, None)

    async def _greet(self, subscriber: Subscriber) -> None:
        """Tell a host the newest state. If something newer was told to the others while it was read, it is read again."""
        school = subscriber.school
        while True:
            greeting = self._greetings.get(school)
            if greeting is None or self._now() - greeting.at > _GREETING_LIFE:
                greeting = await self._threads.run(partial(self._greeting, school))
                self._greetings[school] = greeting
            others = self._told.setdefault(school, greeting.told)
            if others <= greeting.told:
                break
            self._greetings.pop(school, None)
        self._root = self._root or greeting.root
        # What waits at this desk was told to its former stream, perhaps in vain: the look that comes next tells it again.
        self._desks_told = {request: host for request, host in self._desks_told.items() if host != subscriber.host}
        self._people_told.pop(subscriber.host, None)  # the same: the next look tells it
        subscriber.is_greeted = True
        subscriber.tell(greeting.line)

    async def run(self) -> None:
        """Tell what is new each time that the bell rings, and the time at each heartbeat; until cancelled."""
        listener = _Listener(asyncio.get_running_loop(), self._rung.set)
        try:
            # If one ends by a fault, so does the other, and whoever waits for us hears it.
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hear())
                both.create_task(self._beat())
        finally:
            listener.close()

    def close(self) -> None:
        """End all streams in good order, and those that come after."""
        self._is_closed = True
        for subscriber in self._all():
            subscriber.end(orderly=True)

    @property
    def count(self) -> int:
        """How many hosts are connected."""
        return sum(len(hosts) for hosts in self._subscribers.values())

    def _all(self) -> list[Subscriber]:
        return [subscriber for hosts in self._subscribers.values() for subscriber in hosts.values()]

    def _to_school(self, school: int, line: bytes) -> None:
        for subscriber in list(self._subscribers.get(school, {}).values()):
            subscriber.tell(line)

    async def _hear(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            if self._subscribers:
                await self._guarded(self._look)
                await asyncio.sleep(_PAUSE_S)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Go on after a fault, as when the database is gone for a while: hosts are told what they missed when it is back."""
        try:
            async with self._in_order:
                await work()
        except Exception:  # noqa: BLE001  whatever it is: hosts that hear nothing more are the worst of all
            _LOG.exception("hosts cannot be told what is new; it is tried again")
            await asyncio.sleep(_AGAIN_S)
            self._rung.set()

    async def _look(self) -> None:
        hosts = {subscriber.host: subscriber for subscriber in self._all()}
        news = await self._threads.run(
            partial(self._news, dict(self._told), frozenset(hosts), self._root, frozenset(self._desks_told))
        )
        for school, lines in news.lines.items():
            for line in lines:
                self._to_school(school, line)
        for request, host, line in news.desk_lines:
            if hosts[host].is_greeted:
                self._desks_told[request] = host
                hosts[host].tell(line)
        for host, subscriber in hosts.items():
            version = news.people.get(host, 0)
            if subscriber.is_greeted and self._people_told.get(host) != version:
                self._people_told[host] = version
                subscriber.tell(to_line(PeopleLine(version)))
        for host in news.revoked:
            hosts[host].end(orderly=True)
        for school, told in news.told.items():
            if school in self._told:
                self._told[school] = told
        self._root = news.root

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            if self._subscribers:
                await self._guarded(self._look)  # whatever the bell has not rung for
                await self._guarded(self._tell_time)

    async def _tell_time(self) -> None:
        schools = list(self._subscribers)
        caught_up = [
            (subscriber.host, self._told[subscriber.school].version)
            for subscriber in self._all()
            if subscriber.has_all and subscriber.school in self._told
        ]
        self._desks_told.clear()  # an open request is told anew: a desk's line may have been lost
        for school, line in (await self._threads.run(partial(self._times, schools, caught_up))).items():
            self._to_school(school, line)

    # What follows asks the database, in a thread of its own.

    def _greeting(self, school_id: int) -> _Greeting:
        school, now = School.objects.get(pk=school_id), self._now()
        state = state_of(school)
        line = to_line(TimestampLine(timestamps.make(school, self._signer, now)))
        return _Greeting(Told(state.generation, state.version), line, _newest_root(), now)

    def _news(self, told: Mapping[int, Told], hosts: Collection[int], root: int, desks_told: Collection[int]) -> _News:
        news = _News(root=_newest_root())
        for school in School.objects.filter(pk__in=told):
            if root and news.root != root:
                news.lines[school.pk].append(to_line(RootLine(news.root)))
            self._tell_school(school, told[school.pk], news)
        news.desk_lines = self._desk_lines(hosts, desks_told)
        showing = Host.objects.filter(school__in=told).exclude(shows=Shows.NONE)
        news.people = {
            host: version or 1 for host, version in showing.values_list("pk", "school__state__people_version")
        }
        revoked = Host.objects.filter(revoked_at__isnull=False, school__in=told).values_list("pk", flat=True)
        news.revoked = frozenset(hosts) & set(revoked)
        return news

    def _tell_school(self, school: School, told: Told, news: _News) -> None:
        try:
            delta = self._deltas.since(school, told.generation, told.version)
        except SnapshotNeeded:
            state = state_of(school)
            news.lines[school.pk].append(to_line(VersionLine(state.version, state.generation)))
            news.told[school.pk] = Told(state.generation, state.version)
            return
        if delta is None:
            return
        is_small = len(delta.document) <= MAX_DELTA_BYTES
        line = DeltaLine(delta.document) if is_small else VersionLine(delta.version, told.generation)
        news.lines[school.pk].append(to_line(line))
        news.told[school.pk] = Told(told.generation, delta.version)

    def _desk_lines(self, hosts: Collection[int], told: Collection[int]) -> list[tuple[int, int, bytes]]:
        """Return the requests that wait for a card at one of these hosts: request, host, line."""
        waiting = DeskRequest.objects.filter(
            tapped_at__isnull=True, used_at__isnull=True, expires_at__gt=self._now()
        ).order_by("pk")
        return [
            (request, host, to_line(DeskLine(request, expires_at)))
            for request, host, expires_at in waiting.values_list("pk", "host", "expires_at")
            if host in hosts and request not in told
        ]

    def _times(self, schools: Collection[int], caught_up: Collection[tuple[int, int]]) -> dict[int, bytes]:
        """Sign the time for each school, and write down that its hosts were heard and what they hold: a stream is a sign of life."""
        now = self._now()
        held: defaultdict[int, list[int]] = defaultdict(list)
        for host, version in caught_up:
            held[version].append(host)
        for version, hosts in held.items():
            Host.objects.filter(pk__in=hosts).update(last_heard_at=now, held_version=version)
        return {
            school.pk: to_line(TimestampLine(timestamps.make(school, self._signer, now)))
            for school in School.objects.filter(pk__in=schools)
        }


def _newest_root() -> int:
    return RootDocument.objects.aggregate(newest=Max("version"))["newest"] or 0


class _Listener:
    """The thread that hears the bell. When the database is gone it tries again, and rings once when it is back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()

    def _listen(self) -> None:
        while not self._is_over.is_set():
            try:
                self._hear()
            except Exception:  # noqa: BLE001  whatever it is: nobody else hears the bell
                if self._loop.is_closed():  # the process ends
                    return
                _LOG.exception("the bell cannot be heard; it is tried again")
            self._is_over.wait(_AGAIN_S)

    def _hear(self) -> None:
        try:
            for _ in bell.heard(self._is_over.is_set):
                self._loop.call_soon_threadsafe(self._ring)
        finally:
            connection.close()
