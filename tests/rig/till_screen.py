"""A till with its display: a real daemon with readers that a test moves, its pages as a process of their own, names, and a browser.

with TillScreen(browser) as till:
    page = till.open()
    till.tap(GOOD)
    expect(page.locator(".name")).to_have_text("Mari")
"""

import contextlib
import hashlib
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.rig.host_rig import RULES, SAMPLES, VIIPE, WITHIN_S, HostRig, till
from tests.rig.ifd import EventIfd
from tests.rig.people import lay_people, some_people

CHROMIUM: Final = "/usr/bin/chromium"
KIOSK: Final = {"width": 1280, "height": 800}
PHONE: Final = {"width": 390, "height": 844}
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",  # as a kiosk is started
)
# Nobody real: id, given name, family name, class.
NAMES: Final = (
    ("T-1001", "Mari", "Maasikas", "7a"),
    ("T-1002", "Joosep-Kristjan", "Õunapuu", "9b"),
    ("T-1003", "Žanna", "Čerepanova", "7a"),
    ("T-1004", "Kalle", "Kask", "12c"),
    *((f"Q-{n:02}", f"Õpilane{n:02}", "Järjekord", "5a") for n in range(1, 26)),
    *((f"R-{n:02}", f"Laps{n:02}", "Teine", f"{n % 9 + 1}{'abc'[n % 3]}") for n in range(1, 60)),
)
QUEUE: Final = tuple(bytes([0xAA, 0, 0, n]) for n in range(1, 26))
ROWS: Final = "".join(f"{uid.hex()},Q-{n},Q-{n:02},personal,active,,,5a\n" for n, uid in enumerate(QUEUE, 1))
REPEAT_RULES: Final = RULES + "repeat_s = 60\n"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, which fetches nothing by itself."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


def free_port() -> int:
    """Return a port that nobody has at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class TillScreen:
    """The whole of it; `screen` are further lines of the host's [screen]."""

    browser: Browser
    screen: str = ""
    photos: Mapping[str, bytes] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)  # what the pages asked of anybody but the host

    def __enter__(self) -> Self:
        """Start all but the browser's pages."""
        self._stack = contextlib.ExitStack()
        self.ifd = self._stack.enter_context(EventIfd(readers=1))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        table = f'\n[screen]\nlisten = "127.0.0.1:{self.port}"\n{self.screen}'
        self.host = self._stack.enter_context(
            HostRig(self.ifd.environ(), till(self.ifd.names[0]) + REPEAT_RULES + table)
        )
        self.host.feed(SAMPLES.read_text().partition("\n")[2] + ROWS)
        self.lay_people()
        self.host.start()
        self.process: subprocess.Popen[bytes] | None = None
        self.start_screen()
        self.context = self._new_context()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all."""
        self.context.close()
        self.kill_screen()
        self._stack.close()

    def lay_people(self) -> None:
        """Give the host names, and the photos there are."""
        people, photos = some_people(names=NAMES, photos=())
        if self.photos:
            hashes = {id_: hashlib.sha256(photo).hexdigest() for id_, photo in self.photos.items()}
            people = replace(people, persons=tuple(replace(each, photo=hashes.get(each.id)) for each in people.persons))
            photos = {hashes[id_]: photo for id_, photo in self.photos.items()}
        lay_people(self.host.state_dir, people=people, photos=photos)

    def start_screen(self) -> None:
        """Run the pages' process until it serves."""
        environ = {name: value for name, value in self.host.environ.items() if name != "NOTIFY_SOCKET"}
        with (self.host.folder / "screen.log").open("ab") as log:
            self.process = subprocess.Popen([VIIPE, "screen", "--config", self.host.config], env=environ, stderr=log)
        self.host.wait_until(self._serves, "the pages to be served")

    def kill_screen(self) -> None:
        """Kill the pages' process."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def kill_daemon(self) -> None:
        """Kill the daemon."""
        assert self.host.process is not None
        self.host.process.send_signal(signal.SIGKILL)
        self.host.process.wait(WITHIN_S)
        self.host.process = None

    def log(self) -> str:
        """Return what the pages' process has logged."""
        return (self.host.folder / "screen.log").read_text()

    def open(
        self, path: str = "/", size: Mapping[str, int] = KIOSK, language: str = "et", *, waits: bool = True
    ) -> Page:
        """Open a page, and wait for the till's display to hear the host unless told otherwise."""
        page = self.context.new_page()
        page.set_viewport_size(size)  # type: ignore[arg-type]  # width and height
        page.goto(self.url + path)
        if language != "et":
            page.locator(f'[data-language="{language}"]').click()
            page.wait_for_selector(f'html[lang="{language}"]')
        if waits:
            page.wait_for_selector('#answer:not([data-look="starting"]):not([data-look="no_connection"])')
        return page

    def put(self, uid: bytes) -> None:
        """Hold a card to the reader and take it away."""
        self.ifd.insert(0, uid)
        time.sleep(0.06)
        self.ifd.remove(0)

    def tap(self, uid: bytes) -> dict[str, Any]:
        """Hold a card to the reader, take it away, and return the tap."""
        event = self.host.tap(lambda: self.ifd.insert(0, uid))
        self.ifd.remove(0)
        time.sleep(0.12)  # absent for longer than the reader's absent_ms
        return event

    def _new_context(self) -> BrowserContext:
        made = self.browser.new_context()
        made.set_default_timeout(15_000)
        made.on("request", self._note)
        return made

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.strangers.append(request.url)

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as response:  # noqa: S310  our own address
                return bool(response.status == 200)
        except OSError:
            return False
