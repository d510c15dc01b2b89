"""A keyboard in memory, behind the worker that a real one has: what was typed, and faults on demand."""

import threading
from typing import Final

from outputs.output import Command, OutputFault
from outputs.worker import OutputWorker

WAIT_S: Final = 20.0


class TypedKeyboard:
    """Keeps the texts it was told to type; `fault`, while it is set, is why it types nothing. `gate` holds it back."""

    def __init__(self) -> None:
        """Be there, and type nothing."""
        self.texts: list[str] = []
        self.fault: str | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._more = threading.Semaphore(0)

    def worker(self) -> OutputWorker:
        """Return its worker, as the screen's process has one."""
        return OutputWorker("desk keyboard", lambda: self)

    def move(self, command: Command) -> None:
        """Type."""
        assert self.gate.wait(WAIT_S)
        if self.fault is not None:
            raise OutputFault(self.fault)
        self.texts.append(command.text)
        self._more.release()

    def close(self) -> None:
        """Be let go of."""

    def wait(self, count: int = 1) -> None:
        """Wait until so many more texts were typed."""
        for _ in range(count):
            assert self._more.acquire(timeout=WAIT_S), f"typed {self.texts}"
