"""A relay board on a pseudo-terminal: `with RelayBoard(path) as board:`; it speaks both protocols of outputs.serial_relay.

Its relays hold what they were told last, also while the line is pulled: the board has a supply of its own.
"""

import contextlib
import os
import pty
import re
import select
import threading
import tty
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Final, Self

WAIT_S: Final = 20.0
_FRAME: Final = re.compile(rb"\xa0([\x01-\x10])([\x00\x01])(.)|AT\+CH([0-9]{1,2})=([01])\r\n", re.DOTALL)


class RelayBoard:
    """A board at `path`, a link that is moved to another pseudo-terminal at each plugging in.

    `levels` are the changes of each channel, `frames` all that was understood, `noise` what was not.
    """

    def __init__(self, path: Path) -> None:
        """Be unplugged, all relays off."""
        self.path = path
        self.levels: defaultdict[int, list[bool]] = defaultdict(list)
        self.frames: list[bytes] = []
        self.noise = b""
        self._changed = threading.Condition()
        self._master = self._slave = -1
        self._thread: threading.Thread | None = None
        self._end, self._ended = os.pipe()

    def __enter__(self) -> Self:
        """Plug it in."""
        self.plug()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull it."""
        self.unplug()
        os.close(self._end)
        os.close(self._ended)

    def is_on(self, channel: int = 1) -> bool:
        """Whether a relay is on."""
        return bool(self.levels[channel]) and self.levels[channel][-1]

    def pulses(self, channel: int = 1) -> int:
        """How often it was switched on."""
        return sum(self.levels[channel])

    def wait(self, *, is_on: bool, channel: int = 1) -> None:
        """Wait until a relay is on, or off."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.is_on(channel) is is_on, WAIT_S), f"{self.levels}"

    def wait_pulses(self, count: int, channel: int = 1) -> None:
        """Wait until a relay was switched on so often, even if it is off again."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.pulses(channel) >= count, WAIT_S), f"{self.levels}"

    def wait_frames(self, count: int) -> None:
        """Wait until so many frames were understood."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.frames) >= count, WAIT_S), f"{self.frames}"

    def plug(self) -> None:
        """Appear on a new pseudo-terminal."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        link = self.path.with_suffix(".new")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._slave))
        link.rename(self.path)
        self._thread = threading.Thread(target=self._serve, args=(self._master,), name="relay board")
        self._thread.start()

    def unplug(self) -> None:
        """Vanish; a second call does nothing."""
        if self._thread is None:
            return
        os.write(self._ended, b"x")
        self._thread.join()
        os.read(self._end, 1)
        self._thread = None
        self.path.unlink()
        os.close(self._master)
        os.close(self._slave)

    def _serve(self, master: int) -> None:
        begun = b""
        while True:
            ready, _, _ = select.select([master, self._end], [], [])
            if self._end in ready:
                return
            with contextlib.suppress(OSError):
                begun += os.read(master, 4_096)
            with self._changed:
                while (frame := _FRAME.search(begun)) is not None:
                    self.noise += begun[: frame.start()]
                    begun = begun[frame.end() :]
                    self._take(frame)
                self._changed.notify_all()

    def _take(self, frame: re.Match[bytes]) -> None:
        if frame[1] and sum(frame[0][:3]) & 0xFF != frame[0][3]:
            self.noise += frame[0]
            return
        channel = frame[1][0] if frame[1] else int(frame[4])
        is_on = bool(frame[2][0]) if frame[1] else frame[5] == b"1"
        self.frames.append(frame[0])
        if is_on != self.is_on(channel):
            self.levels[channel].append(is_on)
