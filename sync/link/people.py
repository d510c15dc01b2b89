"""The names that this host may show, fetched and kept encrypted; gone at once when it may show them no more (DESIGN.md §3).

A thread and a connection of its own, so that no card waits for a photo. It asks at the start, when the stream tells of another version,
and every 15 minutes besides. Whatever is wrong with a document leaves what is held as it was, is said, and is tried again.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from sync import people_report
from sync.faults import KeyFault, StoreFault
from sync.link.backoff import Backoff
from sync.link.faults import CertificateFault, Refusal, TooSlow, Unreachable
from sync.link.fetch import UNAUTHORISED, Means
from sync.link.transport import Transport
from sync.people_box import BoxFault, HeldPeople, PeopleBox
from sync.people_report import PeopleReport
from sync.wire import people as wire
from sync.wire.root import Root

ASK_EVERY_S: Final = 900.0
BEAT_EVERY_S: Final = 20.0
PEOPLE_S: Final = 60.0
PHOTO_S: Final = 30.0
NOT_FOUND: Final = 404
NO_CONTENT: Final = 204
_ENDS: Final = frozenset({"shows_nothing", "revoked"})
"""What a registry says to a host that may hold no names: all of them are removed."""


class PeopleFetcher:
    """Keeps the people store equal with the registry. `run` is a thread's target; `told` and `cut` come from others."""

    def __init__(self, means: Means, asks: Transport, root: Callable[[], Root | None]) -> None:
        """`root` gives the root that the link believes in, once it does."""
        self._means = means
        self._asks = asks
        self._root = root
        self._box = PeopleBox(means.state_dir)
        self._backoff = Backoff(first_s=2.0)
        self._wake = threading.Event()
        self._needs_all = True  # nothing is held, or nothing that can be read
        self._report = PeopleReport()
        self._written: PeopleReport | None = None  # None: what stands on the disk is not known

    def told(self, version: int) -> None:
        """The stream tells of a version; 0 is that this host shows no names."""
        shows = self._report.shows != people_report.NONE
        if version != self._report.version or not shows if version else shows:
            self._wake.set()

    def cut(self) -> None:
        """End what is under way."""
        self._asks.cut()
        self._wake.set()

    def run(self) -> None:
        """Work until stopped."""
        self._report = self._taken_up()
        try:
            while not self._means.stopping.is_set():
                self._wake.clear()
                self._wait(self._turn())
        finally:
            self._asks.close()

    def _taken_up(self) -> PeopleReport:
        """Begin from what a former run held; names of another enrolment are none of ours."""
        enrolment = self._means.who.enrolment
        audience = wire.audience(enrolment.site, enrolment.host)
        report = people_report.read(self._means.state_dir)
        if report.audience != audience:
            self._box.forget()
            return PeopleReport(audience)
        try:
            self._needs_all = self._box.read() is None
            self._box.keep_photos(frozenset(filter(self._can_be_read, self._box.photos())))
        except StoreFault as fault:
            self._lose(fault)
        return report

    def _can_be_read(self, sha256: str) -> bool:
        try:
            return self._box.read_photo(sha256) is not None
        except BoxFault:
            return False

    def _lose(self, fault: StoreFault) -> None:
        """Let go of what cannot be read; it is fetched again as a whole."""
        self._means.log.warning("names cannot be read, and are fetched again", why=str(fault))
        self._needs_all = True
        with suppress(OSError):  # what cannot be removed is written over, or told by that
            self._box.forget()

    def _turn(self) -> float:
        """Ask once; returns how many seconds to wait."""
        if self._root() is None:
            return 1.0  # the link has not met the registry yet
        try:
            self._ask()
            self._backoff.succeeded()
            self._say(None)
        except Refusal as refusal:
            if refusal.code in _ENDS:
                return self._forget(refusal.code)
            if refusal.status != NOT_FOUND:  # which a registry says that knows of no names yet
                return self._took_ill(refusal)
        except (StoreFault, OSError) as fault:
            return self._took_ill(fault)
        return ASK_EVERY_S

    def _wait(self, wait_s: float) -> None:
        """Wait, and show meanwhile that we have not hung."""
        while wait_s > 0 and not self._means.stopping.is_set():
            self._means.beat()
            if self._wake.wait(min(wait_s, BEAT_EVERY_S)):
                return
            wait_s -= BEAT_EVERY_S
        self._means.beat()

    def _ask(self) -> None:
        report = self._report
        path = f"/v1/people?after={0 if self._needs_all else report.version}&generation={report.generation}"
        reply = self._asks.ask("GET", path, total_s=PEOPLE_S, most_bytes=wire.MAX_DOCUMENT_BYTES)
        people = self._still_held() if reply.status == NO_CONTENT else self._take(reply.body)
        self._fetch_photos(frozenset(person.photo for person in people.persons if person.photo is not None))

    def _still_held(self) -> wire.People:
        held = self._box.read()
        if held is None:
            raise BoxFault("people.box: it is gone; it is fetched again")
        self._keep(replace(self._report, asked_at=self._means.clock.now()))
        return wire.parse(held.content)

    def _take(self, sealed: bytes) -> wire.People:
        root, who = self._root(), self._means.who
        if root is None:
            raise BoxFault("people: no root is held yet")
        header, raw = wire.open_sealed(
            sealed,
            box=who.box,
            root=root,
            site=who.enrolment.site,
            host=who.enrolment.host,
            held=(self._report.generation, self._report.version),
            now=self._means.clock.now(),
        )
        people = wire.parse(raw)
        self._box.write(HeldPeople(header.generation, header.version, raw))
        self._needs_all = False
        self._keep(
            replace(
                self._report,
                generation=header.generation,
                version=header.version,
                shows=people.shows,
                persons=len(people.persons),
                asked_at=self._means.clock.now(),
            )
        )
        self._means.log.info("people taken", version=header.version, persons=len(people.persons))
        return people

    def _fetch_photos(self, wanted: frozenset[str]) -> None:
        """Fetch what is missing, one at a time, and remove what is no more named. One that is gone meanwhile is left out."""
        self._box.keep_photos(wanted)
        for sha256 in sorted(wanted - self._box.photos()):
            if self._means.stopping.is_set():
                return
            try:
                path = f"/v1/photos/{sha256}"
                reply = self._asks.ask("GET", path, total_s=PHOTO_S, most_bytes=wire.MAX_PHOTO_BOX_BYTES)
            except Refusal as refusal:
                if refusal.status != NOT_FOUND:
                    raise
                continue
            self._box.write_photo(sha256, wire.open_photo(reply.body, self._means.who.box, sha256))
            self._means.beat()
        self._keep(replace(self._report, photos=len(self._box.photos())))

    def _forget(self, why: str) -> float:
        """Remove every name, photo and the key; the version stays, so that nothing older is ever taken. Returns how long to wait."""
        self._needs_all = True
        try:
            had = self._box.forget()
        except OSError as error:  # it is tried again, and said until it is done
            self._say(f"names cannot be removed: {error.strerror}")
            return self._backoff.next_s()
        self._keep(
            replace(self._report, shows=people_report.NONE, persons=0, photos=0, asked_at=self._means.clock.now())
        )
        self._backoff.succeeded()
        self._say(None)
        if had:
            self._means.log.warning("names removed: this host may show none", why=why)
        return ASK_EVERY_S

    def _took_ill(self, fault: Exception) -> float:
        if self._means.stopping.is_set():
            return 0.0
        if isinstance(fault, BoxFault | KeyFault):
            self._lose(fault)
        is_told = isinstance(fault, Unreachable | TooSlow | CertificateFault)  # by the part that fetches the cards
        if not is_told and not (isinstance(fault, Refusal) and fault.status == UNAUTHORISED):
            self._say(str(fault) if isinstance(fault, StoreFault) else type(fault).__name__)
        return self._backoff.next_s()

    def _say(self, fault: str | None) -> None:
        """Tell what is wrong, or that nothing is any more."""
        if self._means.report.fault("people", fault) and fault is not None:
            self._means.log.warning("names are not in step with the registry", why=fault)
        if fault != self._report.fault:
            self._keep(replace(self._report, fault=fault))

    def _keep(self, report: PeopleReport) -> None:
        """Know it from now on, and have others know it. A disk that refuses a report keeps no name from being removed."""
        if report != self._report:
            self._report = report
        if report != self._written:
            try:
                report.write(self._means.state_dir)
                self._written = report
            except OSError as error:
                self._means.log.warning("the report on names cannot be written", why=str(error))
