"""A process that reads a PC/SC reader and shows its lamps, as a host does: `python -m tests.rig.feedback_child JSON`.

libpcsclite reads PCSCLITE_CSOCK_NAME once in a process's life, so a test with a pcscd of its own needs a process of its
own. It says a line of JSON for each card, and for each line on standard input (`granted` or `refused`), which it shows.
"""

import json
import os
import sys
import threading
import time
from fnmatch import fnmatchcase

from outputs.pcsc_feedback import ACR122U, Lamps, PcscFeedback, Signal, Way
from readers.pcsc import PcscChoice, PcscReader
from readers.reader import Presented


def say(event: str, **facts: object) -> None:
    """Write one event."""
    os.write(1, (json.dumps({"event": event, **facts}) + "\n").encode())


class Showing:
    """A reader's listener that shows each card's lamp, as a tap's way does."""

    def __init__(self, feedback: PcscFeedback) -> None:
        """Keep the lamps."""
        self._feedback = feedback

    def presented(self, presented: Presented) -> None:
        """Show it and say it."""
        began_s = time.monotonic()
        is_shown = self._feedback.show(Signal.GRANTED)
        say("presented", uid=presented.uid.hex(), shown=is_shown, took_s=time.monotonic() - began_s)

    def unreadable(self, why: str) -> None:
        """Say it."""
        say("unreadable", why=why)

    def lost(self, why: str) -> None:
        """Say it."""
        say("lost", why=why)

    def back(self) -> None:
        """Say it."""
        say("back")

    def alive(self) -> None:
        """Nothing to say."""

    def progress(self) -> None:
        """Say how the lamps are."""
        say("progress", fault=self._feedback.fault)


def main(way: str, match: str) -> None:
    """Run until standard input ends."""
    lamps = Lamps(ACR122U.granted, ACR122U.refused, Way(way))
    feedback = PcscFeedback(lamps, lambda names: next((name for name in names if fnmatchcase(name, match)), None))
    reader = PcscReader(PcscChoice(match))
    worker = threading.Thread(target=reader.run, args=(Showing(feedback),), daemon=True)
    worker.start()
    for line in sys.stdin:
        began_s = time.monotonic()
        is_shown = feedback.show(Signal(line.strip()))
        say("asked", shown=is_shown, took_s=time.monotonic() - began_s)
    reader.stop()
    feedback.stop(1)
    say("stopped", fault=feedback.fault)
    os._exit(0)  # a driver that hangs holds its thread


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
