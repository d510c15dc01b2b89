"""A reader without hardware that does what a script says: raise, hang, be lost and come back, show cards."""

import threading
from collections.abc import Callable

from readers.reader import Listener, Presented

Act = Callable[[Listener], None]


class ScriptedReader:
    """Does its acts one after another when it is run, then waits for its end (see `readers.reader.Reader`)."""

    def __init__(self, *acts: Act) -> None:
        """Keep the script."""
        self.stopped = threading.Event()
        self._acts = acts

    def run(self, listener: Listener) -> None:
        """Play the script."""
        for act in self._acts:
            act(listener)
        self.stopped.wait()

    def stop(self) -> None:
        """Let `run` end."""
        self.stopped.set()


def show(uid: bytes) -> Act:
    """Show a card."""
    return lambda listener: listener.presented(Presented(uid, b"", 1))


def fail(error: Exception) -> Act:
    """Raise what a library might."""

    def act(_listener: Listener) -> None:
        raise error

    return act


def hang(until: threading.Event) -> Act:
    """Say nothing until the test says so."""

    def act(_listener: Listener) -> None:
        until.wait()

    return act


def signal(event: threading.Event) -> Act:
    """Tell the test that the script came so far."""
    return lambda _listener: event.set()
