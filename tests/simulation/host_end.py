"""One host of the simulated school: the parts that `daemon.host.Host` puts together, without threads, sockets and readers.

Its state lies in a folder of its own in memory. A crash leaves what was durable: the folder is copied as it is, with the journal's log
not written back, and the host comes up from the copy.
"""

import json
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from structlog.typing import FilteringBoundLogger

from config.host import ReaderConfig
from daemon.clock import HostClock, latest
from daemon.control import LINK
from daemon.fact_desk import FactDesk
from daemon.housekeeping import Housekeeping
from daemon.link_watch import LinkWatch
from daemon.marks import Marks
from daemon.neighbourhood import Neighbourhood
from daemon.noted import Noted
from daemon.tap_way import Settings, TapWay
from policy.calendar import Calendar
from policy.model import Decision, Direction
from policy.rule import Rule
from readers.reader import Presented
from sync import site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.journal import Journal
from sync.link import identity
from sync.link.faults import LinkFault
from sync.link.fetch import Fetcher, Means
from sync.link.neighbours.directory import Neighbour
from sync.link.neighbours.teller import Teller
from sync.link.registry_clock import RegistryClock
from sync.link.report import Report
from sync.link.upload import Uploader
from sync.servings import Boot
from sync.wire import canonical
from sync.wire.event import Event
from sync.wire.faults import WireFault
from sync.wire.quota import MAX_BYTES, PRICES, ClaimAnswer, ClaimRequest
from tests.simulation.clocks import HostTime, TrueTime
from tests.simulation.line import Serve, SimulatedTransport
from tests.simulation.neighbours_end import AskDaemon, NeighboursEnd, settled_by
from tests.simulation.network import Network
from tests.simulation.pause import Pause
from tests.simulation.registry_end import RegistryEnd
from tests.simulation.school import CANTEEN, COPIES, ZONE

SERVICES: Final = ("door", "canteen", "library", "cloakroom", "copies")
QUOTA_DEADLINE_MS: Final = 150
KEEP_DAYS: Final = 90
_CLAIM_MEMBERS: Final = ("tap_id", "service", "direction", "day", "card", "person", "kind")
TILL: Final = ReaderConfig(name="till", kind="pcsc", service=CANTEEN, match="*")
WAY_IN: Final = ReaderConfig(name="in", kind="pcsc", service="door", match="*", direction=Direction.IN)
WAY_OUT: Final = replace(WAY_IN, name="out", direction=Direction.OUT)
COPIER: Final = ReaderConfig(name="copier", kind="pcsc", service=COPIES, match="*")
HOOK: Final = ReaderConfig(name="hook", kind="pcsc", service="cloakroom", match="*")


class Crash(BaseException):
    """The power goes. No program may catch it."""


def silent_log() -> FilteringBoundLogger:
    """Return a log that says nothing."""
    log: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[], wrapper_class=structlog.make_filtering_bound_logger(50)
    )
    return log


class Wiring:
    """How a host's parts are made. The mutation tests put a broken part in the place of one of them."""

    def registry(self, folder: Path, now: Callable[[], datetime], school_text: str) -> RegistryEnd:
        """Make the registry."""
        return RegistryEnd(folder, now, school_text)

    def link(self, host: "HostEnd", boot: Boot) -> LinkWatch:
        """Make the deciding process's side of the link."""
        return LinkWatch(host.state_dir, boot, QUOTA_DEADLINE_MS, **host.of_the_link())

    def cache(self, host: "HostEnd") -> CardCache:
        """Make the card cache."""
        return CardCache(host.state_dir, site_key.load(host.state_dir, {}))

    def clock(self, host: "HostEnd", passed: datetime | None) -> HostClock:
        """Make the clock that decisions go by."""
        return HostClock(passed, wall=host.time.wall, vouched=host.time.synced, boot_ms=host.time.boot_ms)

    def started(self, host: "HostEnd") -> None:
        """Hear that a host has come up."""

    def fetches(self, host: "HostEnd") -> bool:  # noqa: ARG002  for those who do not
        """Whether a host takes what the registry publishes."""
        return True


class HostEnd:
    """One host. `start` after it was made; `crash` and `start` again whenever the power goes."""

    def __init__(  # noqa: PLR0917  what surrounds a host
        self,
        name: str,
        folder: Path,
        true: TrueTime,
        network: Network,
        serve: Serve,
        wiring: Wiring,
        neighbours: Mapping[str, Neighbour] | None = None,
        ask_daemon: AskDaemon | None = None,
        zone: ZoneInfo = ZONE,
    ) -> None:
        """Take a folder that holds the host's enrolment. `neighbours` are the site's other hosts, None where hosts do not speak.

        `zone` is what the host's own file says, rightly or wrongly: what the registry publishes goes before it.
        """
        self._own_zone = zone
        self._known = neighbours
        self._ask_daemon = ask_daemon
        self.name = name
        self.time = HostTime(true, name)
        self.runs = False
        self.crash_at = ""
        self.is_full = False  # the disk
        self.was_answered = False  # whether the registry answered the last question
        self.was_unsure = False  # whether it said that it does not know: a till that was promised it has fallen silent
        self._folder = folder
        self._network = network
        self._serve = serve
        self._wiring = wiring
        self._log = silent_log()
        self._lives = 0
        self.state_dir = folder / "life-0"

    def start(self) -> None:
        """Come up from what is on the disk."""
        state_dir, time = self.state_dir, self.time
        boot = Boot(time.boot_id, time.boot_ms)
        self.crash_at, self.is_full = "", False
        self.cache = self._wiring.cache(self)
        self.journal = Journal(state_dir, self.name, Boot(time.boot_id, self._boot_ms_in_commit), now=time.wall)
        self.facts = Facts()
        info = self.cache.info
        self.clock = self._wiring.clock(self, latest(self.journal.last_time, info.imported_at if info else None))
        self.neighbourhood = self._neighbourhood() if self._known is not None else None
        self.link = self._wiring.link(self, boot)
        if vouched := self.link.vouched():
            self.clock.vouch(*vouched)
        self.settings = Settings(
            zone=self._own_zone,
            calendar=Calendar(),
            rules={service: Rule(service, kinds=frozenset()) for service in SERVICES},
            outputs={},
            pulses_s={},
            lamps={each.name: self._lamp for each in (TILL, WAY_IN, WAY_OUT, HOOK, COPIER)},
        )
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=self.clock,
            settings=self.settings,
            log=self._log,
            link=self.link,
            facts=self.facts,
            now_ns=time.boot_ns,
        )
        self.noted = Noted(self.journal)
        self.desk = self._fact_desk()
        self.house = Housekeeping(
            journal=self.journal,
            cache=self.cache,
            clock=self.clock,
            state_dir=state_dir,
            keep_days=KEEP_DAYS,
            log=self._log,
            link=self.link,
            facts=self.facts,
            monotonic_s=self._monotonic_s,
            neighbours=self.neighbourhood,
        )
        self._start_link(boot)
        self.journal.finish_grants(self.clock.moment().at)
        self.noted.rebuild()
        self.facts.rebuild(self.journal.waiting_facts())
        self.runs = True
        self._network.wake(self.name)
        self._wiring.started(self)

    def _monotonic_s(self) -> float:
        return self.time.boot_ms() / 1000

    def of_the_link(self) -> dict[str, Any]:
        """Return what the deciding process's side of the link is made with, beside what it always has."""
        return {"ask": self.asked, "neighbours": self.neighbourhood, "monotonic_s": self._monotonic_s}

    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(
            self.journal,
            self.facts,
            lambda: self.clock.moment().at,
            monotonic_s=self._monotonic_s,
            wait=self._wait_for_a_neighbour,
        )

    def _wait_for_a_neighbour(self, _condition: threading.Condition, left_s: float) -> None:
        """A tap waits for what becomes of a lower reservation: nobody else acts meanwhile, so that the deadline passes."""
        self.time.true.pass_ms(int(left_s * 1000) + 1)

    def _fact_desk(self) -> FactDesk:
        marks = Marks(
            journal=self.journal,
            facts=self.facts,
            cache=self.cache,
            clock=self.clock,
            judge=self.way.judge,
            noted=self.noted,
            local=lambda: self.settings,
        )
        return FactDesk(self.journal, self.facts, self.clock, self._zone, noted=self.noted, marks=marks)

    def _zone(self) -> ZoneInfo:
        """Return the school's zone, as `daemon.host.Host` does."""
        told = self.cache.documents
        return (told.zone if told else None) or self._own_zone

    def _start_link(self, boot: Boot) -> None:
        """Put the networked half together: its two workers run to the point where each would wait, and end there."""
        who = identity.load(self.state_dir)
        ratchet = identity.load_ratchet(self.state_dir, who.enrolment)
        registry_clock = RegistryClock(boot.now_ms, wall=self.time.wall)
        self.report = Report(self.state_dir, boot, registry_clock, ratchet.trusted.issued_at if ratchet else None)
        self._pause = Pause()
        self._asks = SimulatedTransport(self._network, self.name, self._serve)
        self._means = Means(self.state_dir, who, boot, registry_clock, self.report, self._log, self._pause, _beat)
        self._uploader = Uploader(self._means, self._asks)
        self.neighbours: NeighboursEnd | None = None
        if self._known is not None and self._ask_daemon is not None:
            self.neighbours = NeighboursEnd(
                self.name,
                self._known,
                who,
                registry_clock,
                self._network,
                self._ask_daemon,
                lambda peer: Teller(
                    self.state_dir, peer, registry_clock, lambda: settled_by(self.report.table()["watermark"])
                ),
            )

    def tap(self, reader: ReaderConfig, uid: bytes) -> Decision:
        """Have a card tapped. Raises Crash where the power goes meanwhile."""
        decision = self.way.take(reader, Presented(uid, b"", self.time.boot_ns()))
        assert decision is not None, "a UID in its form is answered"
        return decision

    def note(self, **question: object) -> Mapping[str, Any]:
        """Enter a fact at this host; returns the desk's answer."""
        return self.desk.answer({"ask": "fact", **question})

    def fetch(self) -> None:
        """Take up what the registry has published. The fetcher begins anew each time, as after a start of the link."""
        if self._wiring.fetches(self):
            self._pause.clear()
            Fetcher(self._means, self._asks, self._asks).run()

    @property
    def has_news(self) -> bool:
        """Whether its journal has events that the registry has not acknowledged."""
        mark = self.report.table()["watermark"]
        return mark is None or self.journal.id_of(mark["epoch"], mark["seq"]) != self.journal.last_id or self.is_ill

    @property
    def version(self) -> int:
        """The version of the data that it decides on; 0 where it has none."""
        info = self.cache.info
        return info.version if info else 0

    def upload(self) -> None:
        """Send what the journal has. What the registry answered counts once the house is kept."""
        self._pause.clear()
        self._uploader.run()

    def look_round(self) -> None:
        """Keep house once, by what the link reports."""
        self.report.write_news()
        self.time.true.pass_ms(1100)  # the house is kept once a second
        self.house.look_round()

    def asked(self, _state_dir: Path, question: Mapping[str, Any], *, name: str, within_s: float) -> Mapping[str, Any]:
        """Answer the deciding process as `viipe link` does: a claim goes to the registry and to the neighbours."""
        assert name == LINK, "nobody else is asked"
        if question["ask"] == "release":
            if self.neighbours is not None:
                self.neighbours.release(question["tap_id"], was_served=question["served"])
            return {}
        assert question["ask"] == "claim", "nothing else is asked here"
        told = self._claimed(question, within_s)
        if self.neighbours is None or "reserve" not in question:
            return told
        return {**told, "neighbours": self.neighbours.reserve(question)}

    def _claimed(self, question: Mapping[str, Any], within_s: float) -> Mapping[str, Any]:
        told = {member: question[member] for member in (*_CLAIM_MEMBERS, *PRICES) if member in question}
        request = ClaimRequest.parse(canonical.encode(told))
        self.was_answered = self.was_unsure = False
        try:
            reply = self._asks.ask("POST", "/v1/claims", request.to_json(), total_s=within_s, most_bytes=MAX_BYTES)
            answer = ClaimAnswer.parse(reply.body)
        except (LinkFault, WireFault) as fault:
            return {"unknown": str(fault)}
        self.was_answered = not answer.is_unsure
        self.was_unsure = answer.is_unsure
        return answer.to_table()

    def answer_neighbour(self, host: str, word: str, body: bytes) -> Mapping[str, Any]:
        """Answer another host. Raises WireFault."""
        assert self.neighbourhood is not None, "asked of a host that speaks with none"
        return self.neighbourhood.answers()[word]({"host": host, "body": body.decode()})

    def crash(self) -> None:
        """Lose the power: what is not durable is gone, and nothing is written back."""
        self.runs = False
        self._network.silence(self.name)
        self._lives += 1
        after = self._folder / f"life-{self._lives}"
        shutil.copytree(self.state_dir, after, ignore=shutil.ignore_patterns("*-shm", "ballast"))
        self.cache.close()
        self.journal.close()
        shutil.rmtree(self.state_dir)
        self.state_dir = after

    def stop(self) -> None:
        """End for good."""
        if self.runs:
            self.cache.close()
            self.journal.close()

    def _boot_ms_in_commit(self) -> int:
        """Read the boot clock for the journal, which asks it in the midst of a commit."""
        if self.crash_at == "before commit":
            raise Crash
        return self.time.boot_ms()

    def _lamp(self, _granted: bool) -> None:  # noqa: FBT001  the lamps' own form
        """Show the answer, which is durable by now."""
        if self.crash_at == "after commit":
            raise Crash

    def last_event(self) -> Event:
        """Return the event of the tap that was just answered: it waits in memory where the disk refuses."""
        if waiting := self.journal.ring.waiting():
            return waiting[-1].event
        (body,) = self.journal.db.execute("SELECT event FROM events ORDER BY id DESC LIMIT 1").fetchone()
        event: Event = json.loads(body)
        return event

    def event_of(self, tap_id: str) -> Event:
        """Return one of the events that were noted just now."""
        for each in self.journal.ring.waiting():
            if each.event.get("tap_id") == tap_id:
                return each.event
        rows = self.journal.db.execute("SELECT event FROM events ORDER BY id DESC LIMIT 20").fetchall()
        return next(event for (body,) in rows if (event := json.loads(body)).get("tap_id") == tap_id)

    @property
    def is_ill(self) -> bool:
        """Whether its disk refuses."""
        return self.is_full or self.journal.fault is not None or len(self.journal.ring) > 0


def _beat() -> None:
    """No watchdog looks on."""
