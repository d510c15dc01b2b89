"""A GPIO chip without hardware, and what its pins did: `with GpioChip(tmp_path) as chip:`.

gpiod's own library runs against it: gpiochip.c, built here with gcc, answers its calls to the kernel in the process that
holds a line, and asks this end. The pins are kept here, as in the hardware: a line that is let go of, by a kill too,
stays as it was (`keeps`, as on a Raspberry Pi) or falls back to low.
"""

import contextlib
import errno
import hashlib
import os
import socket
import struct
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SOURCE: Final = Path(__file__).with_name("gpiochip.c")
LINES: Final = 8
WAIT_S: Final = 20.0
_MESSAGE: Final = struct.Struct("=IIQQ")
_ANSWER: Final = struct.Struct("=i")
_REQUEST, _SET = 0, 1
_ACTIVE_LOW: Final = 1 << 1  # GPIO_V2_LINE_FLAG_ACTIVE_LOW
_OUTPUT: Final = 1 << 3  # GPIO_V2_LINE_FLAG_OUTPUT


def build() -> Path:
    """Build the library, once per version of its source and user, and return its path."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"viipe-gpiochip-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    library = folder / f"{digest}.so"
    if not library.exists():
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".so", delete=False) as made:
            flags = ["-std=gnu11", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
            subprocess.run(["gcc", *flags, str(SOURCE), "-o", made.name, "-ldl"], check=True)
        Path(made.name).rename(library)  # whole or not at all: others build at the same time
    return library


@dataclass(slots=True)
class Pin:
    """A pin: its level, each level that it took, whether somebody holds its line, and how often one was given it."""

    is_high: bool = False
    is_held: bool = False
    requests: int = 0
    levels: list[bool] = field(default_factory=list)

    def take(self, *, is_high: bool) -> None:
        """Take a level."""
        if is_high != self.is_high:
            self.levels.append(is_high)
        self.is_high = is_high

    @property
    def pulses(self) -> int:
        """How often it went high."""
        return sum(self.levels)


class GpioChip:
    """A chip at `path`; processes with `environ()` see it."""

    def __init__(self, folder: Path, *, keeps: bool = True) -> None:
        """Lay out the chip; `keeps`: a pin that nobody holds any more stays as it was."""
        self.path = str(folder / "gpiochip0")
        Path(self.path).symlink_to("/dev/null")
        self.pins = [Pin() for _ in range(LINES)]
        self._keeps = keeps
        self._changed = threading.Condition()
        self._server = socket.socket(socket.AF_UNIX)
        self._folder = tempfile.TemporaryDirectory(prefix="viipe-gpio-")  # a socket's path must be short
        self._socket = str(Path(self._folder.name) / "s")
        self._server.bind(self._socket)
        self._server.listen(LINES)
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Switch it on."""
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Switch it off."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.vanish()
        for thread in self._threads:
            thread.join(WAIT_S)
        self._folder.cleanup()

    def vanish(self) -> None:
        """Let every held line fail from now on, as a chip on USB does that is pulled."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def environ(self) -> dict[str, str]:
        """Return what a process needs to see the chip."""
        return {"LD_PRELOAD": str(build()), "GPIOCHIP": self.path, "GPIOCHIP_SOCKET": self._socket}

    def wait(self, line: int, *, is_high: bool) -> None:
        """Wait until a pin has a level."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.pins[line].is_high is is_high, WAIT_S), f"{self.pins[line]}"

    def wait_held(self, line: int, *, is_held: bool) -> None:
        """Wait until a line is held, or let go of."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.pins[line].is_held is is_held, WAIT_S), f"{self.pins[line]}"

    def _begin(self, serve: object, *arguments: object) -> None:
        assert callable(serve)
        thread = threading.Thread(target=serve, args=arguments, name="gpiochip")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._connections.append(connection)
                self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        pin: Pin | None = None
        is_active_low = False
        with contextlib.suppress(OSError), connection:
            while len(data := connection.recv(_MESSAGE.size, socket.MSG_WAITALL)) == _MESSAGE.size:
                kind, offset, flags, value = _MESSAGE.unpack(data)
                with self._changed:
                    code = 0
                    if kind == _REQUEST:
                        is_active_low = bool(flags & _ACTIVE_LOW)
                        code = errno.EBUSY if self.pins[offset].is_held else 0
                        assert flags & _OUTPUT, "a line is requested as an output"
                        pin = pin if code else self.pins[offset]
                    if pin is not None and not code:
                        pin.requests += kind == _REQUEST
                        pin.is_held = True
                        pin.take(is_high=bool(value) != is_active_low)
                    self._changed.notify_all()
                connection.sendall(_ANSWER.pack(code))
        if pin is not None:
            with self._changed:
                pin.is_held = False
                if not self._keeps:
                    pin.take(is_high=False)
                self._changed.notify_all()
