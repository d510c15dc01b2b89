"""The pages served for a test, on a port of their own, with a people store, a daemon and a feed that the test holds.

    with ScreenRig() as screen:
        screen.daemon.answers["fact"] = {"noted": {}}
        screen.tell({"kind": "tap", "reader": "till-1", …})
        status, told = screen.post("/api/shift/serve", {"person": "1"})

`screen.url` is for a browser. `client` speaks as a browser's script on our own page does, and keeps cookies.
"""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import anyio._backends._asyncio  # noqa: F401  pytest rewrites it when it is first imported; in two threads at once Python 3.11 fails at that

from config.host import HostConfig, parse
from config.screen_table import Address
from outputs.screen.app import app
from outputs.screen.desk import listening as desk_listening
from outputs.screen.desk_hand import DeskHand
from outputs.screen.feed import Feed, Streams
from outputs.screen.guard import Guard, Listener
from outputs.screen.parts import Event, NoDaemon, Parts
from outputs.screen.server import Pages, Served, listening
from outputs.screen.sessions import Sessions
from outputs.worker import OutputWorker
from sync.people import Person, Worker, natural

NOON: Final = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday, in Tallinn
WITHIN_S: Final = 20.0
HOST_FILE: Final = """
[host]
name = "canteen"
timezone = "Europe/Tallinn"
state_dir = "/nowhere"

[[reader]]
name = "till-1"
kind = "pcsc"
match = "*1"
service = "canteen"

[[reader]]
name = "desk-1"
kind = "pcsc"
match = "*2"
service = "library"

[service.canteen]
kinds = ["personal", "substitute"]
per_day = 1

[service.library]
kinds = ["personal"]
"""
PEOPLE: Final = (
    Person("T-1001", "Mari", "Mari Maasikas", "7A", has_photo=False, identifiers={"card": "THG-0001"}),
    Person("T-1002", "Jaan", "Jaan Kask", "7A", has_photo=True, identifiers={"card": "THG-0002", "library": "123"}),
    Person("T-1003", "Anna-Liisa", "Anna-Liisa Õunapuu", "7B", has_photo=False, identifiers={}),
)
WORKERS: Final = {"4711": Worker("w-1", "Tiiu Tamm")}
PHOTO: Final = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


class HeldPeople:
    """A people store in memory."""

    def __init__(self, people: Sequence[Person] = PEOPLE, workers: Mapping[str, Worker] = WORKERS) -> None:
        """Hold them; workers by their PIN."""
        self.version = 1
        self.hands_over: str | None = None
        self.people = {each.id: each for each in people}
        self.workers = dict(workers)
        self.photos = {each.id: PHOTO for each in people if each.has_photo}

    def person(self, id: str) -> Person | None:  # noqa: A002  as in the protocol
        """Return somebody."""
        return self.people.get(id)

    def photo(self, id: str) -> bytes | None:  # noqa: A002  as above
        """Return somebody's photo."""
        return self.photos.get(id)

    def classes(self) -> Mapping[str, int]:
        """Count them by class."""
        names = [each.class_name for each in self.people.values()]
        return {name: names.count(name) for name in sorted(set(names), key=natural)}

    def of_class(self, class_name: str) -> Sequence[Person]:
        """Return a class."""
        return [each for each in self.people.values() if each.class_name == class_name]

    def find(self, text: str, limit: int = 20) -> Sequence[Person]:
        """Find by a part of the name."""
        found = [each for each in self.people.values() if text.casefold() in each.name.casefold()]
        return found[:limit]

    def worker(self, id: str) -> Worker | None:  # noqa: A002  as above
        """Return a worker; without names there is none."""
        return next((each for each in self.workers.values() if each.id == id and self.version), None)

    def check_pin(self, pin: str) -> Worker | None:
        """Return whose PIN it is."""
        return self.workers.get(pin)


class ToldDaemon:
    """A daemon that answers each question word as the test says; a callable is called with the question. `asked` keeps them all."""

    def __init__(self) -> None:
        """Know nothing: whatever is asked is answered by NoDaemon."""
        self.answers: dict[str, Any] = {}
        self.asked: list[Mapping[str, object]] = []

    def ask(self, question: Mapping[str, object], within_s: float = 2.0) -> Mapping[str, object]:  # noqa: ARG002  at once
        """Answer."""
        self.asked.append(question)
        answer = self.answers.get(str(question["ask"]))
        if answer is None:
            raise NoDaemon(f"nobody answers {question['ask']}")
        told: Mapping[str, object] = answer(question) if callable(answer) else answer
        return told


class ScreenRig:
    """The pages at `url`. Set up `people`, `daemon` and `text` (the host's file) before entering, or change what they hold later."""

    def __init__(self, text: str = HOST_FILE, keyboard: OutputWorker | None = None) -> None:
        """Lay out the parts; nothing is served before the block is entered. `keyboard` types what a [desk] hands over."""
        self.people = HeldPeople()
        self.daemon = ToldDaemon()
        self.now = NOON
        sock = listening(Address("127.0.0.1", 0))
        self.port = int(sock.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = _with_screen(text, self.port)
        self.feed = Feed(self._never)
        self.parts = Parts(
            config=self.config,
            people=self.people,
            daemon=self.daemon,
            answers=self.feed,
            sessions=Sessions(),
            now=lambda: self.now,
        )
        desk = self.config.desk
        hand = DeskHand(desk, self.people, keyboard) if desk else None
        guarded = Guard(app(self.parts, hand), Listener(self.port, listening=desk_listening(self.config)))
        self.pages = Pages([Served(guarded, sock)], self.feed, [partial(hand.run, self.feed)] if hand else [])
        self._thread = threading.Thread(target=self.pages.run, daemon=True)
        self.client = Client(self.port)

    async def _never(self) -> Streams:
        await asyncio.Event().wait()  # the test tells
        raise OSError("never")

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        until_s = time.monotonic() + WITHIN_S
        while not self.pages.is_serving:
            assert time.monotonic() < until_s, "the pages are not served"
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.pages.stop()
        self._thread.join(WITHIN_S)

    def tell(self, event: Event) -> None:
        """Let something happen at a reader."""
        self.pages.call(lambda: self.feed.tell(event))

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Get a path; returns status and body."""
        status, _, body = self.client.request("GET", path, headers=headers)
        return status, body

    def post(self, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Post JSON as a script of our own page; returns status and answer."""
        status, _, told = self.client.request("POST", path, json.dumps(body or {}), headers)
        return status, json.loads(told) if told.startswith(b"{") else {"text": told.decode()}


class Client:
    """A browser without a window: keeps cookies and says where it comes from. A header given as "" is left out."""

    def __init__(self, port: int) -> None:
        """Speak with the pages at a port of this machine."""
        self.port = port
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask; `headers` go with `_` for `-`. Returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)
        own = {"host": f"127.0.0.1:{self.port}", "sec-fetch-site": "same-origin"}
        if method == "POST":
            own |= {"content-type": "application/json", "origin": f"http://127.0.0.1:{self.port}"}
        if self.cookies:
            own["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        own |= {name.replace("_", "-").lower(): value for name, value in (headers or {}).items()}
        try:
            connection.request(method, path, body, {name: value for name, value in own.items() if value})
            response = connection.getresponse()
            told = response.read()
        finally:
            connection.close()
        for cookie in response.headers.get_all("set-cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response.status, response.headers, told


def _with_screen(text: str, port: int) -> HostConfig:
    table = "" if "[screen]" in text else f'\n[screen]\nlisten = "127.0.0.1:{port}"\n'
    return parse(text + table)
