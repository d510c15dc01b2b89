"""A library's desk whole: a real daemon with a reader, its pages as a process of their own, and a FIFO where the other machine's USB is.

with LibraryDesk() as desk:
    desk.tap(GOOD)
    desk.typed()  # what the librarian's own machine has heard since
"""

import contextlib
import os
import signal
import subprocess
import time
import urllib.request
from types import TracebackType
from typing import Any, Final, Self

from outputs.keyboard_reports import REPORT_BYTES
from outputs.keystrokes import LAYOUTS, Stroke
from tests.rig.host_rig import VIIPE, HostRig, reader
from tests.rig.ifd import EventIfd
from tests.rig.people import lay_people, some_people
from tests.rig.till_screen import NAMES, free_port

RULES: Final = '\n[service.library]\nkinds = ["personal"]\n'
WITHIN_S: Final = 15.0
QUIET_S: Final = 0.4


class LibraryDesk:
    """The whole of it; `more` are further lines of the host's [desk]."""

    def __init__(self, more: str = "", rules: str = RULES) -> None:
        """Lay nothing out before the block is entered."""
        self._more, self._rules = more, rules
        self.screen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start all."""
        self._stack = contextlib.ExitStack()
        self.ifd = self._stack.enter_context(EventIfd(readers=1))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        tables = (
            f'\n[screen]\nlisten = "127.0.0.1:{self.port}"\n[desk]\ntypes = "gadget"\ndevice = "{{folder}}/hidg0"\n'
            f"key_ms = 2\n{self._more}{self._rules}"
        )
        text = reader("library-desk", self.ifd.names[0], "library") + tables
        self.host = self._stack.enter_context(HostRig(self.ifd.environ(), text))
        self.device = self.host.folder / "hidg0"
        os.mkfifo(self.device)
        self._end = os.open(self.device, os.O_RDONLY | os.O_NONBLOCK)
        self.host.feed()
        people, photos = some_people(shows="library", names=NAMES, photos=())
        lay_people(self.host.state_dir, people=people, photos=photos)
        self.host.start()
        self.start_screen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all."""
        self.stop_screen(signal.SIGKILL)
        os.close(self._end)
        self._stack.close()

    def start_screen(self) -> None:
        """Run the pages' process until it serves and hears the daemon."""
        environ = {name: value for name, value in self.host.environ.items() if name != "NOTIFY_SOCKET"}
        with (self.host.folder / "screen.log").open("ab") as log:
            self.screen = subprocess.Popen([VIIPE, "screen", "--config", self.host.config], env=environ, stderr=log)
        self.await_hearing()

    def await_hearing(self) -> None:
        """Wait until the pages are served and hear the daemon."""
        self.host.wait_until(self._hears, "the pages to hear the daemon", 2 * WITHIN_S)

    def stop_screen(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the pages' process."""
        if self.screen is not None and self.screen.poll() is None:
            self.screen.send_signal(signal.SIGCONT)
            self.screen.send_signal(number)
            self.screen.wait(WITHIN_S)

    def tap(self, uid: bytes) -> dict[str, Any]:
        """Hold a card to the reader, take it away, and return the tap."""
        event = self.host.tap(lambda: self.ifd.insert(0, uid))
        self.ifd.remove(0)
        time.sleep(0.12)  # absent for longer than the reader's absent_ms
        return event

    def typed(self, count: int = 0, layout: str = "et") -> str:
        """Return what was typed since: once there are `count` signs, or, for none, when nothing has come for a while."""
        until_s = time.monotonic() + (WITHIN_S if count else QUIET_S)
        heard, text = b"", ""
        while time.monotonic() < until_s and (not count or len(text) < count):
            with contextlib.suppress(BlockingIOError):
                heard += os.read(self._end, 4096)
            text = _signs(heard, layout)
            time.sleep(0.01)
        return text

    def log(self) -> str:
        """Return what the pages' process has logged."""
        return (self.host.folder / "screen.log").read_text()

    def _hears(self) -> bool:
        """Ask the stream of answers, whose first word is how things are."""
        try:
            with urllib.request.urlopen(self.url + "/api/stream", timeout=5) as response:  # noqa: S310  our own address
                return bool(response.readline() == b"event: state\n")
        except OSError:
            return False


def _signs(reports: bytes, layout: str) -> str:
    """Read reports as the other machine does; Enter is a line's end, Tab a tab."""
    signs = {stroke: sign for sign, stroke in LAYOUTS[layout].items()} | {Stroke(0x28): "\n", Stroke(0x2B): "\t"}
    pressed = [reports[at : at + REPORT_BYTES] for at in range(0, len(reports), REPORT_BYTES)]
    return "".join(signs[Stroke(each[2], shift=each[0] == 2)] for each in pressed if each[2])
