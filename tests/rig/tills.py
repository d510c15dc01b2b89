"""Tills of one site, each with its real link and its real deciding parts in this process, and whatever registry a test gives them.

    with Tills(tmp_path, 2) as (one, two):
        one.tap()                       # the same pupil's card
        two.close_port()                # nobody reaches it

Their cards, rules and list of hosts are laid as a registry has published them; without a registry's address nobody listens there.
"""

import json
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from config.neighbours_table import NeighboursSection
from config.reader_table import ReaderConfig
from daemon.clock import HostClock, boot
from daemon.commands.link import asked_daemon
from daemon.control import LINK, ControlServer, listening
from daemon.link_watch import LinkWatch
from daemon.neighbourhood import Neighbourhood
from daemon.tap_way import Settings, TapWay
from policy.calendar import Calendar
from policy.model import Card, Decision, Kind, State
from policy.rule import Rule
from readers.reader import Presented
from sync import site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.journal import Journal
from sync.journal_reading import NAME, read_events
from sync.link import identity
from sync.link.identity import Enrolment, Identity
from sync.link.link import Link, Speaks
from sync.link.neighbours.neighbours import Told
from sync.wire.keys import BoxKey, SigningKey
from tests.rig.linked import until
from tests.rig.parts import Entry, heard_log
from tests.rig.published_site import DOCUMENTS, PublishedSite

DEADLINE_MS: Final = 2000  # long, since the tests' machine is busy: what is silent is tested with a short one
ZONE: Final = "Etc/GMT-2"
PUPIL: Final = bytes.fromhex("EBF2CE70")
OTHER: Final = bytes.fromhex("04A1B2C3D4E5F6")
SUBSTITUTE: Final = bytes.fromhex("6611AA03")
CARDS: Final = {
    PUPIL: Card("7", "1", Kind.PERSONAL, State.ACTIVE),
    OTHER: Card("9", "2", Kind.PERSONAL, State.ACTIVE),
    SUBSTITUTE: Card("8", None, Kind.SUBSTITUTE, State.POOL),
}
READER: Final = ReaderConfig(name="till", kind="pcsc", service="canteen", match="*")
CANTEEN: Final = {"kinds": ["personal", "substitute"], "per_day": 1, "pool_card": "deny"}
STRICT: Final = {**CANTEEN, "when_quota_unknown": "deny"}
Event = dict[str, Any]


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def pupil(number: int) -> tuple[bytes, Card]:
    """Return a further pupil's card and its UID."""
    return (0x20000000 + number).to_bytes(4, "big"), Card(
        f"{1000 + number}", f"{1000 + number}", Kind.PERSONAL, State.ACTIVE
    )


class Till:
    """One till. `start` and `stop` as often as a test likes; its folder stays."""

    def __init__(self, folder: Path, name: str, registry_url: str, deadline_ms: int) -> None:
        """Lay the folder of an enrolled host."""
        self.name = name
        self.port = free_port()
        self.state_dir = folder / name
        self.state_dir.mkdir(mode=0o700)
        self.registry_url = registry_url
        self.deadline_ms = deadline_ms
        self.logged: list[Entry] = []
        key, box = SigningKey.generate(), BoxKey.generate()
        self.site_key = site_key.load_or_make(self.state_dir)
        enrolment = Enrolment(name, "site", registry_url, "00" * 32, self.site_key.fingerprint, key.id)
        identity.write_key(self.state_dir / identity.KEY_NAME, key, box)
        identity.write_enrolment(self.state_dir / identity.ENROLMENT_NAME, enrolment)
        self.who = Identity(enrolment, key, box)
        self._stack = ExitStack()

    def publish(self, hosts: list[dict[str, object]], rule: Mapping[str, object], cards: Mapping[bytes, Card]) -> None:
        """Lay what a registry has published."""
        documents = {**DOCUMENTS, "rules": {"canteen": rule, "door": {}}, "hosts": hosts}
        documents["school"] = {"code": "trial", "timezone": ZONE}
        self.site = PublishedSite(
            self.state_dir, self.site_key, cards, documents=documents, issued_at=datetime.now(UTC)
        )

    @property
    def listed(self) -> dict[str, object]:
        """How the registry lists it."""
        address = f"127.0.0.1:{self.port}"
        return {
            "name": self.name,
            "public_key": self.who.key.public.hex(),
            "address": address,
            "services": ["canteen"],
        }

    def start(self) -> None:
        """Bring both halves up."""
        log, self.logged = heard_log()
        self.journal = Journal(self.state_dir, self.name, boot())
        self.cache = CardCache(self.state_dir, self.site_key)
        self.facts = Facts()
        self.facts.rebuild(self.journal.waiting_facts())
        self.clock = HostClock(None, vouched=lambda: True)
        self.neighbourhood = Neighbourhood(self.journal, self.facts, lambda: self.clock.moment().at)
        self.watch = LinkWatch(self.state_dir, boot(), self.deadline_ms, neighbours=self.neighbourhood)
        self.way = TapWay(
            cache=self.cache,
            journal=self.journal,
            clock=self.clock,
            settings=Settings(ZoneInfo(ZONE), Calendar(), {"canteen": Rule("canteen", kinds=frozenset())}, {}, {}),
            log=log,
            link=self.watch,
            facts=self.facts,
        )
        answers = {**self.neighbourhood.answers(), "status": lambda _question: {"host": self.name}}
        self.control = ControlServer(self.state_dir, answers)
        self._stack.callback(self.journal.close)
        self._stack.callback(self.cache.close)
        self._stack.callback(self.control.close)
        self.start_link()

    def start_link(self) -> None:
        """Bring up the networked half."""
        log, _ = heard_log()
        listener = listening(self.state_dir / LINK)
        told = Told(NeighboursSection("127.0.0.1", self.port), ("canteen",), self.registry_url)
        ask_daemon = partial(asked_daemon, self.state_dir)
        self.link = Link(
            self.state_dir,
            self.registry_url,
            ca=None,
            host=self.name,
            quota_deadline_ms=self.deadline_ms,
            boot=boot(),
            listening=listener,
            log=log,
            neighbours=Speaks(told, ask_daemon),
        )
        self.link.start()

    def stop(self) -> None:
        """Bring both down."""
        self.link.stop()
        self._stack.close()

    def tap(self, uid: bytes = PUPIL) -> Decision:
        """Hold a card to it."""
        decision = self.way.take(READER, Presented(uid, b"", 0))
        assert decision is not None
        return decision

    def note(self, **fact: object) -> Mapping[str, Any]:
        """Note a fact as somebody enters it here."""
        return note(self, **fact)

    def neighbours(self) -> dict[str, dict[str, Any]]:
        """Return how it sees the others."""
        return {each["name"]: each for each in self.link.report.table()["neighbours"]}

    def sees(self, *others: "Till") -> bool:
        """Tell whether it reaches these."""
        seen = self.link.neighbours._peers if self.link.neighbours else {}
        return all(other.name in seen and not seen[other.name].is_away for other in others)

    def close_port(self) -> None:
        """Let nobody reach it from now on; what it asks itself still goes out."""
        assert self.link.neighbours is not None
        listens = self.link.neighbours
        listens._listen = lambda: None  # type: ignore[method-assign]  # the next look would open it again
        assert listens._server is not None
        listens._server.close()

    def open_port(self) -> None:
        """Let others reach it again."""
        assert self.link.neighbours is not None
        self.link.neighbours._server = None
        del self.link.neighbours._listen

    def events(self, kind: str | None = None) -> list[Event]:
        """Return what its journal has, of one kind or all."""
        events = [json.loads(body) for _, body in read_events(self.state_dir / NAME)]
        return [event for event in events if kind in {None, event["kind"]}]

    def heard(self) -> list[Event]:
        """Return what it heard, as its journal has it."""
        return [event["heard"] for event in self.events("system") if "heard" in event]

    def grants(self) -> int:
        """Return how often it served."""
        return sum(event["verdict"] == "grant" for event in self.events("tap"))


def note(till: Till, **fact: object) -> Mapping[str, Any]:
    """Make a fact durable at a till, as its desk does."""
    event = {
        "kind": "mark" if fact["act"] in {"serve", "undo"} else "loan",
        "tap_id": secrets.token_hex(16),
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "service_day": till.clock.moment().at.astimezone(ZoneInfo(ZONE)).date().isoformat(),
        "service": "canteen" if fact["act"] in {"serve", "undo"} else None,
        "card": fact.get("card"),
        "person": fact.get("person"),
        "holder": f"person {fact['person']}" if fact["act"] == "serve" else None,
        "fact": {"card": None, "person": None, **fact},
    }
    noted: list[Mapping[str, Any]] = []

    def append(transaction: Any) -> None:  # noqa: ANN401  the journal's
        transaction.append(event)
        noted[:] = transaction.appended[-1:]

    till.journal.transact(append)
    row_id = till.journal.id_of(noted[0]["epoch"], noted[0]["seq"])
    assert row_id is not None
    till.facts.add(row_id, noted[0])
    return noted[0]


class Tills:
    """Some tills of one site, up and seeing each other when the block begins."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *,
        registry_url: str | None = None,
        rule: Mapping[str, object] = CANTEEN,
        deadline_ms: int = DEADLINE_MS,
        more_cards: Mapping[bytes, Card] | None = None,
    ) -> None:
        """Lay their folders."""
        url = registry_url or f"http://127.0.0.1:{free_port()}"
        self.tills = [Till(folder, f"till-{number}", url, deadline_ms) for number in range(1, count + 1)]
        listed: list[dict[str, object]] = [each.listed for each in self.tills]
        for each in self.tills:
            each.publish(listed, rule, {**CARDS, **(more_cards or {})})

    def __enter__(self) -> Self:
        """Start them all, and wait until each sees each."""
        for each in self.tills:
            each.start()
        self.await_contact()
        return self

    def __iter__(self) -> Iterator[Till]:
        """Give the tills."""
        return iter(self.tills)

    def await_contact(self) -> None:
        """Wait until each sees each."""
        until(
            lambda: all(each.sees(*(other for other in self.tills if other is not each)) for each in self.tills),
            str([each.link.report.faults for each in self.tills]),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        for each in self.tills:
            each.stop()


def at_once(*works: Any) -> list[Any]:  # noqa: ANN401  what they do and return is the test's
    """Do all of it at the same moment, each on a thread of its own; returns what each returned."""
    gate, results = threading.Barrier(len(works)), [None] * len(works)

    def run(place: int) -> None:
        gate.wait(20)
        results[place] = works[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
