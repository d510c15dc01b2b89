"""What the registry says and this host does not hold yet: roots, the time, a snapshot or what changed since, then the event stream.

One thread works here. Each document is verified, admitted by the ratchet and only then opened (`sync.wire.document`, `sync.wire.trust`);
whatever is wrong with one leaves all as it was, is said, and is tried again after a while.
"""

import contextlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Final, Protocol

from sync.faults import CacheFault, StoreFault
from sync.link import identity
from sync.link.backoff import Backoff
from sync.link.faults import LinkFault, Odd, Refusal
from sync.link.identity import Identity, Ratchet
from sync.link.registry_clock import RegistryClock
from sync.link.report import Report
from sync.link.snapshot_file import SnapshotFile
from sync.link.transport import Transport
from sync.published import FETCHED, DamagedCache, PublishedCache
from sync.servings import Boot
from sync.wire import canonical, delta, stream, times
from sync.wire.document import (
    DELTA,
    MAX_BODY_BYTES,
    MAX_ENVELOPE_BYTES,
    SNAPSHOT,
    Header,
    open_body,
    open_bytes,
    read_envelope,
    verified,
)
from sync.wire.enrolment import MAX_ANSWER_BYTES, MAX_ROOTS
from sync.wire.faults import Malformed, Mixed, Rollback, WireFault
from sync.wire.pace import Paced
from sync.wire.root import Root, next_root
from sync.wire.stream import DeltaLine, DeskLine, LineReader, PeopleLine, RootLine, TimestampLine, VersionLine
from sync.wire.trust import admit, adopt, is_overtaken

STREAM_SILENCE_S: Final = 2.5 * stream.HEARTBEAT_S
SNAPSHOT_S: Final = 3600.0  # of the slowest line that is of use: 4 KiB a second and more (`sync.wire.pace`)
CHANGES_S: Final = 60.0
NO_CONTENT: Final = 204
UNAUTHORISED: Final = 401
GONE: Final = 410
MAX_DELTA_DOCUMENT_BYTES: Final = 4 + MAX_ENVELOPE_BYTES + MAX_BODY_BYTES[DELTA]


class Log(Protocol):
    """What the link needs of a log: structlog's loggers have it."""

    def info(self, event: str, **what: object) -> object:
        """Tell of what went well."""

    def warning(self, event: str, **what: object) -> object:
        """Tell of what somebody should know."""

    def error(self, event: str, **what: object) -> object:
        """Tell of what somebody must mend."""


@dataclass(frozen=True, slots=True)
class Means:
    """What both workers of the link work with. `beat` is called on progress; `stopping` ends all waits."""

    state_dir: Path
    who: Identity
    boot: Boot
    clock: RegistryClock
    report: Report
    log: Log
    stopping: threading.Event
    beat: Callable[[], None]


class Fetcher:
    """Keeps the cache file equal with the registry. `run` is a thread's target; `cut` ends it from another."""

    def __init__(
        self,
        means: Means,
        asks: Transport,
        streams: Transport,
        on_people: Callable[[int], object] = lambda _version: None,
    ) -> None:
        """Work with two connections, since the stream takes one for itself.

        `on_people` hears which version of names the stream tells of, 0 when this host may show none (any more).
        """
        self._on_people = on_people
        self._means = means
        self._asks = asks
        self._streams = streams
        self._cache = PublishedCache(means.state_dir)
        self._backoff = Backoff()
        self._ratchet: Ratchet | None = None
        self._persisted: tuple[int, ...] = ()
        self._needs_snapshot = False

    def run(self) -> None:
        """Work until stopped."""
        means = self._means
        try:
            while not means.stopping.is_set():
                means.beat()
                try:
                    self._session()
                except (LinkFault, WireFault, CacheFault, OSError) as fault:
                    self._took_ill(fault)
                    means.stopping.wait(self._backoff.next_s())
        finally:
            self._cache.close()
            self._asks.close()
            self._streams.close()

    def cut(self) -> None:
        """End what is under way."""
        self._asks.cut()
        self._streams.cut()

    @property
    def root(self) -> Root | None:
        """The root that is believed in, once one is held."""
        ratchet = self._ratchet
        return ratchet.trusted.root if ratchet else None

    @property
    def root_box_key(self) -> bytes | None:
        """The registry's X25519 key, once a root is held."""
        ratchet = self._ratchet
        return ratchet.trusted.root.box_key if ratchet else None

    def _took_ill(self, fault: Exception) -> None:
        if self._means.stopping.is_set():
            return
        if isinstance(fault, DamagedCache):
            self._needs_snapshot = True
            with contextlib.suppress(OSError):
                self._cache.set_aside()
        if isinstance(fault, Refusal) and fault.code == "revoked":
            self._on_people(0)
        if self._means.report.fault("registry", _told(fault)):
            self._means.log.error("not in step with the registry", why=_told(fault))

    # One connection's life

    def _session(self) -> None:
        self._take_up()
        self._adopt_roots()
        self._learn_time()
        self._catch_up()
        self._follow()

    def _take_up(self) -> None:
        """Begin from what the files say: the ratchet's own, and in it what the cache file holds."""
        changed = self._cache.take_up()
        ratchet = self._ratchet
        if ratchet is None:
            enrolment = self._means.who.enrolment
            ratchet = identity.load_ratchet(self._means.state_dir, enrolment) or self._first_ratchet()
        held = self._cache.held
        meta = held.meta if held else None
        if meta is not None and meta.site_key != self._means.who.enrolment.site_key:
            meta, self._needs_snapshot = None, True  # of an enrolment before this one: of no use any more
        if changed or self._ratchet is None:
            ratchet = ratchet.over(meta)
        self._ratchet = ratchet
        self._means.report.tell(held=meta.version if meta else None)

    def _first_ratchet(self) -> Ratchet:
        """The ratchet is lost: the code's fingerprint still tells the roots, the cache file what was held."""
        enrolment = self._means.who.enrolment
        self._means.log.warning("trust.json is lost or damaged: the roots are fetched anew")
        documents = self._roots_after(0)
        path = self._means.state_dir / identity.TRUST_NAME
        return identity.begin_ratchet(path, enrolment.site, documents, enrolment.fingerprint)

    @property
    def _trusting(self) -> Ratchet:
        if self._ratchet is None:
            raise Odd("no root is held")
        return self._ratchet

    def _roots_after(self, version: int) -> tuple[bytes, ...]:
        reply = self._asks.ask("GET", f"/v1/root?after={version}", most_bytes=MAX_ANSWER_BYTES)
        listed = canonical.decode(reply.body, "roots", MAX_ANSWER_BYTES)
        if not isinstance(listed, list) or len(listed) > MAX_ROOTS:
            raise Malformed(f"roots: expected a list of at most {MAX_ROOTS}")
        return tuple(canonical.from_base64(each, "roots") for each in listed)

    def _adopt_roots(self) -> None:
        ratchet = self._trusting
        for document in self._roots_after(ratchet.trusted.root.version):
            root = next_root(ratchet.trusted.root, document)
            ratchet = replace(ratchet, documents=(*ratchet.documents, document), trusted=adopt(ratchet.trusted, root))
        if ratchet is not self._ratchet:
            self._ratchet = ratchet
            self._persist()
            self._means.log.info(
                "root adopted", version=ratchet.trusted.root.version, generation=ratchet.trusted.root.generation
            )

    def _learn_time(self) -> None:
        """Ask the time with a nonce: an answer that nobody can have kept back vouches for it (DESIGN.md §6)."""
        try:
            self._ask_time()
        except Refusal as refusal:
            if refusal.status != UNAUTHORISED or not self._borrow_time(refusal.date):
                raise
            self._ask_time()

    def _borrow_time(self, date: str | None) -> bool:
        """Sign by the time that a refusal bears, if our own clock is too far off: believed for nothing else, vouching for nothing."""
        clock = self._means.clock
        if date is None or clock.vouched_until_boot_ms is not None:
            return False
        try:
            clock.learn(parsedate_to_datetime(date), self._means.boot.now_ms(), vouched=False)
        except (ValueError, TypeError):
            return False
        return True

    def _ask_time(self) -> None:
        nonce = secrets.token_hex(16)
        asked_ms = self._means.boot.now_ms()
        reply = self._asks.ask("GET", f"/v1/timestamp?nonce={nonce}", total_s=15, most_bytes=MAX_ENVELOPE_BYTES)
        ratchet = self._trusting
        header, _ = open_bytes(reply.body, ratchet.trusted.root)
        trusted = admit(ratchet.trusted, header, self._means.clock.now(), nonce=nonce)
        self._means.clock.learn(header.issued_at, asked_ms, vouched=True)
        self._ratchet = replace(ratchet, trusted=trusted)
        self._heard(header)

    def _heard(self, header: Header) -> None:
        """The registry spoke, and was believed. It vouches for what is held only where nothing newer is still to be fetched."""
        if not self._trusting.trusted.is_behind:
            self._means.report.heard(header.issued_at)
            self._means.report.fault("registry", None)
            self._backoff.succeeded()
        self._means.beat()

    # Snapshots and deltas that are asked for

    def _catch_up(self) -> None:
        """Fetch until what is held is the newest that the registry told of."""
        while not self._means.stopping.is_set() and (self._needs_snapshot or self._trusting.trusted.is_behind):
            trusted = self._trusting.trusted
            is_fresh = self._cache.held is None or trusted.generation != trusted.root.generation
            if self._needs_snapshot or is_fresh or not self._fetch_changes():
                self._fetch_snapshot()
            self._means.beat()
        self._persist()

    def _fetch_changes(self) -> bool:
        """Take what changed since; False where only a snapshot helps."""
        trusted = self._trusting.trusted
        path = f"/v1/changes?after={trusted.version}&generation={trusted.generation}"
        try:
            reply = self._asks.ask("GET", path, total_s=CHANGES_S, most_bytes=MAX_DELTA_DOCUMENT_BYTES)
        except Refusal as refusal:
            if refusal.status == GONE:
                return False
            raise
        if reply.status == NO_CONTENT:
            raise Odd(f"registry: tells of version {trusted.newest}, but has nothing newer than {trusted.version}")
        self._apply(reply.body)
        return True

    def _apply(self, document: bytes) -> None:
        """Take a delta: verified, admitted, opened, and laid into the file in one transaction with what it makes of the state."""
        ratchet = self._trusting
        source = BytesIO(document)
        header = verified(read_envelope(source.read), ratchet.trusted.root)
        if header.kind != DELTA:
            raise Mixed(f"changes: found a {header.kind}, expected a delta")
        trusted = admit(ratchet.trusted, header, self._means.clock.now())
        raw = BytesIO()
        open_body(header, source.read, raw.write)
        try:
            held = self._cache.apply(header, delta.decode(raw.getvalue()))
        except Mixed:
            self._needs_snapshot = True  # what is held is not what it should be: only the whole mends that
            raise
        self._ratchet = replace(ratchet, trusted=trusted)
        self._means.report.tell(held=held.meta.version)
        self._heard(header)

    def _fetch_snapshot(self) -> None:
        ratchet = self._trusting
        raw = self._means.state_dir / FETCHED
        with self._asks.open("GET", "/v1/snapshot", total_s=SNAPSHOT_S) as download:
            read = Paced(lambda size: self._progressing(download.read(size)))
            header = verified(read_envelope(read), ratchet.trusted.root)
            if header.kind != SNAPSHOT:
                raise Mixed(f"snapshot: found a {header.kind}, expected a snapshot")
            trusted = admit(ratchet.trusted, header, self._means.clock.now())
            if header.version < ratchet.trusted.newest:
                raise Rollback(
                    f"snapshot: found version {header.version}, expected {ratchet.trusted.newest}, which the registry told of"
                )
            with SnapshotFile(raw, header.raw_bytes) as file:
                open_body(header, read, file.write)
                file.finish()
                ready = replace(ratchet, trusted=trusted)
                held = self._cache.install(raw, header, self._means.who.enrolment.site_key, ready.persist)
        self._ratchet = ready
        self._needs_snapshot = False
        self._means.report.tell(held=held.meta.version)
        self._means.log.info(
            "snapshot taken", version=header.version, generation=header.generation, cards=held.meta.cards
        )
        self._heard(header)

    def _progressing(self, piece: bytes) -> bytes:
        self._means.beat()
        return piece

    def _persist(self) -> None:
        """Keep the ratchet. What a delta brought stands in the cache file already; this outlives a cache file that is lost."""
        ratchet = self._trusting
        trusted = ratchet.trusted
        tenth_minute = (
            int(trusted.issued_at.timestamp()) // 600
        )  # a time alone is not worth a sync of the disk every 15 s
        told = (trusted.root.version, trusted.generation, trusted.version, trusted.newest, tenth_minute)
        if told != self._persisted:
            ratchet.persist()
            self._persisted = told

    # The stream

    def _follow(self) -> None:
        with self._streams.open("GET", "/v1/stream", total_s=None, silence_s=STREAM_SILENCE_S) as download:
            reader = LineReader()
            while not self._means.stopping.is_set() and (piece := download.read()):
                for line in reader.feed(piece):
                    self._take_line(line)
                self._take_up_changes()
        if not self._means.stopping.is_set():
            self._means.stopping.wait(
                self._backoff.next_s()
            )  # the registry ended it, as when it restarts: no fault yet

    def _take_line(self, content: bytes) -> None:
        match stream.parse_line(content):
            case TimestampLine(document):
                self._take_timestamp(document)
            case DeltaLine(document):
                self._take_delta(document)
            case VersionLine(version, generation):
                self._told_of(version, generation)
            case PeopleLine(version):
                self._on_people(version)
            case DeskLine(request, expires_at):
                self._means.report.tell(desk={"request": request, "expires_at": times.to_text(expires_at)})
            case RootLine(version):
                if version > self._trusting.trusted.root.version:
                    self._adopt_roots()
                    self._catch_up()
            case None:
                pass  # of a later registry
        self._means.beat()

    def _take_timestamp(self, document: bytes) -> None:
        ratchet = self._trusting
        header, _ = open_bytes(document, ratchet.trusted.root)
        if is_overtaken(ratchet.trusted, header):
            return
        trusted = admit(ratchet.trusted, header, self._means.clock.now())
        self._ratchet = replace(ratchet, trusted=trusted)
        self._heard(header)
        if self._means.clock.wants_renewal:
            self._ask_time()
        if trusted.is_behind:
            self._catch_up()
        else:
            self._cache.tend()  # the registry has nothing to say: now nobody waits for the disk
            self._persist()

    def _take_delta(self, document: bytes) -> None:
        """Apply a delta that was sent unasked, if it goes on from what is held; catching up may have overtaken it."""
        trusted = self._trusting.trusted
        header = verified(read_envelope(BytesIO(document).read), trusted.root)
        if header.generation == trusted.generation and header.version <= trusted.version:
            return
        if header.from_version == trusted.version and header.generation == trusted.generation:
            self._apply(document)
        else:
            self._ask_time()
            self._catch_up()

    def _told_of(self, version: int, generation: int) -> None:
        """There is something newer, says a line that nobody signed: a signed timestamp tells whether it is true."""
        trusted = self._trusting.trusted
        if (generation, version) > (trusted.generation, trusted.version):
            if generation > trusted.root.generation:
                self._adopt_roots()
            self._ask_time()
            self._catch_up()

    def _take_up_changes(self) -> None:
        """Somebody else changed what serves: the tap process found the file damaged, or cards were imported by hand."""
        if self._cache.take_up():
            held = self._cache.held
            self._ratchet = self._trusting.over(held.meta if held else None)
            self._means.log.warning("what serves was changed by another; the registry's cards are fetched again")
            self._needs_snapshot = True
            self._catch_up()


def _told(fault: Exception) -> str:
    """Say it in words that name who refused: a file of the disk, the way there, or a document."""
    if isinstance(fault, Refusal) and fault.status == UNAUTHORISED:
        return f"{fault} (this host is revoked or not known there; enrol it anew if it should be)"
    if isinstance(fault, StoreFault):
        return str(fault)
    if isinstance(fault, OSError):
        return f"{fault.filename or 'disk'}: {fault.strerror or fault}"
    return type(fault).__name__
