"""An output's own thread: a reader hands a command over and goes on; a slow or dead output delays nobody's tap."""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from outputs.output import Command, Output, OutputFault, Watched

MOST_WAITING: Final = 16
TOO_LATE_S: Final = 5.0  # a strike that moves later than that opens for nobody
FIRST_AGAIN_S: Final = 1.0
LONGEST_AGAIN_S: Final = 30.0
Told = Callable[[str | None], None]  # None: done; else why it failed


class OutputWorker:
    """Moves one output, command by command, and tells what became of each.

    An output that fails is opened anew at the next command, and while there is none, after a pause that doubles up to a cap.
    """

    def __init__(
        self, name: str, make: Callable[[], Output], *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the thread, which opens the output by `make` (raises OutputFault where it cannot)."""
        self._monotonic_s = monotonic_s
        self._fault: str | None = None
        self._make = make
        self._output: Output | None = None
        self._commands: queue.Queue[tuple[Command, Told, float] | None] = queue.Queue(
            MOST_WAITING + 1
        )  # and the word to stop
        self._handing = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name=f"output {name}", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str | None:
        """Why it did not move when it was last asked to or opened, or would not now; None when it is in order."""
        output = self._output
        return self._fault or (output.trouble() if isinstance(output, Watched) else None)

    def hand_over(self, command: Command, told: Told) -> bool:
        """Hand a command over without waiting; `told` is called once, on the output's thread, when it is done or has failed.

        False where too many wait already, or the output stops: that one is not carried out.
        """
        with self._handing:
            if self._stopping or self._commands.qsize() >= MOST_WAITING:
                return False
            self._commands.put_nowait((command, told, self._monotonic_s()))
        return True

    def stop(self, timeout_s: float) -> None:
        """Carry out what was handed over, as far as the time goes, and close the output."""
        with self._handing:
            if not self._stopping:
                self._stopping = True
                self._commands.put_nowait(None)  # nothing comes behind it: what was accepted is carried out
        self._thread.join(timeout_s)

    def _work(self) -> None:
        self._try(lambda _output: None)
        pause_s = FIRST_AGAIN_S
        while True:
            try:
                taken = self._commands.get(timeout=None if self._output is not None else pause_s)
            except queue.Empty:
                pause_s = min(2 * pause_s, LONGEST_AGAIN_S)
                self._try(lambda _output: None)
                continue
            if taken is None:
                break
            pause_s = FIRST_AGAIN_S
            command, told, given_s = taken
            if self._monotonic_s() - given_s > TOO_LATE_S:
                told(f"not carried out: it had waited for more than {TOO_LATE_S:.0f} s")
                continue
            self._try(lambda output, command=command: output.move(command))  # type: ignore[misc]
            told(self._fault)
        self._close()

    def _try(self, act: Callable[[Output], None]) -> None:
        """Act on the output, opened where it is not; `_fault` says afterwards why that failed, or None."""
        try:
            if self._output is None:
                self._output = self._make()
            act(self._output)
        except OutputFault as fault:
            self._fault = str(fault)
            self._close()
        except Exception as error:  # noqa: BLE001  a thread that died would take commands and tell nobody what became of them
            self._fault = f"a fault in the output itself: {type(error).__name__}: {error}"
            self._close()
        else:
            self._fault = None

    def _close(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            with suppress(Exception):  # pulled out, it cannot even be let go of; termios.error is no OSError
                output.close()
