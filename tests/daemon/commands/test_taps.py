"""`viipe taps`, as a user types it, with cards held to real readers of a pcscd."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from queue import Empty, Queue

import pytest

from policy.uid import all_forms
from tests.rig.host_rig import GOOD, GOOD_7_BYTES, POOL, RANDOM, UNKNOWN, VIIPE, HostRig
from tests.rig.ifd import EventIfd

WAIT_S = 15.0


class Watching:
    """A running `viipe taps`, whose lines come as they are written."""

    def __init__(self, host: HostRig, ifd: EventIfd, *options: str) -> None:
        """Start it, and hold a first card to it until it sees cards: one that lay there before is none to it."""
        self.ifd = ifd
        self.lines: Queue[str] = Queue()
        self.process = subprocess.Popen(
            [VIIPE, "taps", *options, "--config", host.config],
            env=host.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def wake(self) -> None:
        """Show two cards in turn until one is seen: what lay there at the start is none, and neither is the same again."""
        for uid in (UNKNOWN, POOL) * 25:
            self.ifd.insert(0, uid)
            try:
                self.lines.get(timeout=0.3)
            except Empty:
                continue
            self.rest()
            return
        raise AssertionError("no card was seen")

    def rest(self) -> None:
        """Take what was written of the card that was just seen."""
        while True:
            try:
                self.lines.get(timeout=0.2)
            except Empty:
                return

    def line(self) -> str:
        """Return the next line."""
        return self.lines.get(timeout=WAIT_S)

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(WAIT_S)
        self._thread.join()
        return code

    def said(self) -> str:
        """Return what stands on standard error, after the end."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def close(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait()
        self._thread.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def started(ifd: EventIfd) -> Iterator[list[Watching]]:
    """Give a place for what is to be ended with the test."""
    running: list[Watching] = []
    yield running
    for each in running:
        each.close()
    ifd.remove(0)


def watch(started: list[Watching], host: HostRig, ifd: EventIfd, *options: str) -> Watching:
    """Start the command, awake."""
    made = Watching(host, ifd, *options)
    started.append(made)
    made.wake()
    return made


def test_every_form_of_each_card(started: list[Watching], host: HostRig, ifd: EventIfd) -> None:
    """4 and 7 bytes are written in every form, beside a daemon that goes on answering; Ctrl-C ends it with 130."""
    watching = watch(started, host, ifd, "--json")
    for uid in (GOOD, GOOD_7_BYTES):
        taps = len(host.events("tap"))
        ifd.insert(0, uid)
        told = json.loads(watching.line())
        assert (told["reader"], told["as_read"], told["random"]) == ("front-in", uid.hex().upper(), False)
        assert told["forms"] == all_forms(uid)
        assert told["atr"].startswith("3B8F80")
        host.wait_event("tap", taps + 1)
    assert watching.end() == 130


def test_a_random_uid_is_explained(started: list[Watching], host: HostRig, ifd: EventIfd) -> None:
    """A card that makes its number up is said to."""
    watching = watch(started, host, ifd)
    ifd.insert(0, RANDOM)
    lines = [watching.line() for _ in range(len(all_forms(RANDOM)) + 2)]
    assert lines[0].startswith("front-in: 081A2B3C (ATR 3B8F80")
    assert lines[-1].strip().startswith("a random UID: it changes at every tap")


def test_a_count_ends_it(started: list[Watching], host: HostRig, ifd: EventIfd) -> None:
    """After so many cards it ends by itself, with 0."""
    watching = Watching(host, ifd, "--json", "--count", "2")
    started.append(watching)
    watching.wake()
    ifd.insert(0, GOOD)
    assert json.loads(watching.line())["as_read"] == GOOD.hex().upper()
    assert watching.process.wait(WAIT_S) == 0
    watching.end()
    assert "hold a card to front-in, till-1" in watching.said()


def test_a_card_that_is_no_card_is_said(started: list[Watching], host: HostRig, ifd: EventIfd) -> None:
    """A card that answers with something else than a UID is told on standard error."""
    watching = watch(started, host, ifd, "--json")
    ifd.remove(0)
    time.sleep(0.3)  # or it would count as the card that lay there a moment ago
    ifd.insert(0, answer=bytes.fromhex("6A81"))
    assert watching.process.stderr is not None
    assert "hold a card" in watching.process.stderr.readline()
    assert "answered 6A81" in watching.process.stderr.readline()
    watching.end()


def test_without_a_host_file_all_readers_are_looked_at(started: list[Watching], idle: HostRig, ifd: EventIfd) -> None:
    """Readers are shown under their own names."""
    idle.config.unlink()
    watching = watch(started, idle, ifd, "--json")
    ifd.insert(0, GOOD)
    assert json.loads(watching.line())["reader"] == ifd.names[0]
    watching.end()


def test_without_a_reader_there_is_nothing_to_wait_for(idle: HostRig, ifd: EventIfd) -> None:
    """No pcscd, and no reader at all, end with 1 and a sentence."""
    idle.config.unlink()
    idle.environ["PCSCLITE_CSOCK_NAME"] = str(ifd.pcscd.folder / "none")
    told = idle.viipe("taps", "--count", "1")
    assert told.returncode == 1
    assert "install pcscd" in told.stderr
