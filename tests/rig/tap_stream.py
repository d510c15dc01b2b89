"""Pupils without end: cards are held to the readers of an event IFD, one after another, until told to stop."""

import itertools
import threading
import time
from types import TracebackType
from typing import Final, Self

from tests.rig import school
from tests.rig.ifd import EventIfd

BETWEEN_TAPS_S: Final = 0.005
PUPILS: Final = 50  # the others are left to whoever wants to tap a card that was not used


class TapStream:
    """`with TapStream(ifd):` taps at all readers in turn, whether a host reads them or not."""

    def __init__(self, ifd: EventIfd, between_s: float = BETWEEN_TAPS_S) -> None:
        """Keep the readers; nobody taps before the `with`."""
        self.taps = 0
        self._ifd = ifd
        self._between_s = between_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="taps")

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the last pupil pass."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        readers = len(self._ifd.names)
        for number in itertools.count():
            if self._ended.is_set():
                return
            self._ifd.insert(number % readers, school.uid(number // readers % PUPILS))
            self.taps += 1
            time.sleep(self._between_s)
