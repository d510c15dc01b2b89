"""A reader at work: whatever it does, its worker goes on, tells, and never lies to the watchdog."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.host import ReaderConfig
from daemon.reader_worker import FIRST_RESTART_S, HUNG_AFTER_S, LONGEST_RESTART_S, ReaderState, ReaderWorker
from readers.reader import Listener, Presented, Reader
from tests.rig.parts import Entry, heard_log
from tests.rig.scripted_reader import ScriptedReader, fail, hang, show, signal

CONFIG = ReaderConfig(name="front-in", kind="pcsc", service="door", match="*")
UID = bytes.fromhex("EBF2CE70")
WAIT_S = 10.0
NS = 1_000_000_000


class Heard:
    """A host that writes down what it is told; with `breaks`, each call is a broken invariant."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.breaks: Exception | None = None
        self._changed = threading.Condition()

    def presented(self, _reader: ReaderConfig, presented: Presented) -> None:
        """Hear of a card."""
        self._note("presented", presented.uid)

    def lost(self, _reader: ReaderConfig, why: str) -> None:
        """Hear of a loss."""
        self._note("lost", why)

    def back(self, reader: ReaderConfig) -> None:
        """Hear of a return."""
        self._note("back", reader.name)

    def failed(self, error: BaseException) -> None:
        """Hear of a broken invariant."""
        self.breaks = None
        self._note("failed", error)

    def wait(self, what: str) -> object:
        """Wait until something was told; return what was told with it."""
        with self._changed:
            assert self._changed.wait_for(lambda: what in dict(self.told), WAIT_S), self.told
        return dict(self.told)[what]

    def _note(self, what: str, about: object) -> None:
        if self.breaks is not None:
            raise self.breaks
        with self._changed:
            self.told.append((what, about))
            self._changed.notify_all()


class Bench:
    """A worker, what it told, what it logged, and its clock."""

    def __init__(self) -> None:
        self.host = Heard()
        self.now_ns = 0
        self.log, self.logged = heard_log()
        self.workers: list[ReaderWorker] = []

    def worker(self, *readers: Reader) -> ReaderWorker:
        """Start a worker that makes these readers, one after another."""
        left = iter(readers)
        made = ReaderWorker(CONFIG, lambda _config: next(left), self.host, self.log, clock_ns=lambda: self.now_ns)
        self.workers.append(made)
        made.start()
        return made


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Give a bench whose workers end with the test."""
    made = Bench()
    yield made
    for worker in made.workers:
        worker.stop()
        assert worker.join(WAIT_S)


def failures(logged: list[Entry]) -> list[Any]:
    """Return after how long each failed reader was said to be begun anew."""
    return [entry["again_in_s"] for entry in logged if entry["event"] == "reader failed"]


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    pause = threading.Event()
    for _ in range(int(WAIT_S * 100)):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("waited in vain")


def test_a_card_goes_to_the_host(bench: Bench) -> None:
    """A presentation is handed on, is progress, and its time is kept for the status."""
    bench.now_ns = 5
    worker = bench.worker(ScriptedReader(show(UID)))
    assert bench.host.wait("presented") == UID
    until(lambda: worker.state is ReaderState.READING)
    assert (worker.last_tap_ns, worker.last_progress_ns) == (1, 5)


def test_a_library_that_raises_is_begun_anew(bench: Bench) -> None:
    """Whatever it throws is told and logged, the next reader works, and the pause grows from one failure to the next."""
    worker = bench.worker(
        ScriptedReader(fail(ZeroDivisionError("inside"))),
        ScriptedReader(fail(OSError(5, "gone"))),
        ScriptedReader(show(UID)),
    )
    until(lambda: worker.state is ReaderState.FAULTY)
    assert worker.why == "ZeroDivisionError: inside"
    bench.host.wait("presented")
    assert failures(bench.logged) == [FIRST_RESTART_S, 2 * FIRST_RESTART_S]
    until(lambda: worker.state is ReaderState.READING and worker.why is None)


def test_a_reader_that_cannot_be_made_is_tried_again(bench: Bench) -> None:
    """A library that fails at its opening is as one that fails later."""
    attempts = iter([OSError("busy")])
    good = ScriptedReader(show(UID))

    def make(_config: ReaderConfig) -> Reader:
        for error in attempts:
            raise error
        return good

    worker = ReaderWorker(CONFIG, make, bench.host, bench.log)
    bench.workers.append(worker)
    worker.start()
    bench.host.wait("presented")


def test_the_pause_starts_again_after_a_long_good_time(bench: Bench) -> None:
    """A failure after hours is no further one of a series."""

    def run_long(_listener: Listener) -> None:
        bench.now_ns += int((LONGEST_RESTART_S + 1) * NS)

    bench.worker(
        ScriptedReader(fail(OSError("1"))), ScriptedReader(run_long, fail(OSError("2"))), ScriptedReader(show(UID))
    )
    bench.host.wait("presented")
    assert failures(bench.logged) == [FIRST_RESTART_S, FIRST_RESTART_S]


def test_lost_and_back_are_told(bench: Bench) -> None:
    """A reader that goes away and returns is told of twice, and its state follows."""
    away, returning = threading.Event(), threading.Event()
    worker = bench.worker(
        ScriptedReader(
            lambda listener: listener.lost("unplugged"), signal(away), hang(returning), lambda listener: listener.back()
        )
    )
    assert away.wait(WAIT_S)
    assert (worker.state, worker.why) == (ReaderState.LOST, "unplugged")
    returning.set()
    assert bench.host.wait("back") == "front-in"
    assert (worker.state, worker.why) == (ReaderState.READING, None)
    assert bench.host.told[0] == ("lost", "unplugged")


def test_a_library_that_raised_is_lost_and_back(bench: Bench) -> None:
    """A failure is told as a loss, once however often it fails, and the next card as its end, before the card."""
    bench.worker(
        ScriptedReader(lambda listener: listener.lost("unplugged"), fail(OSError("1"))),
        ScriptedReader(fail(OSError("2"))),
        ScriptedReader(show(UID)),
    )
    bench.host.wait("presented")
    assert [what for what, _ in bench.host.told] == ["lost", "back", "presented"]


def test_a_reader_that_was_never_lost_is_not_back(bench: Bench) -> None:
    """What begins to read tells no return."""
    bench.worker(ScriptedReader(lambda listener: listener.back(), show(UID)))
    bench.host.wait("presented")
    assert [what for what, _ in bench.host.told] == ["presented"]


def test_silence_is_a_hang(bench: Bench) -> None:
    """A reader that stops saying that it can read hangs; one that said so lately does not."""
    so_far, released = threading.Event(), threading.Event()
    worker = bench.worker(ScriptedReader(lambda listener: listener.progress(), signal(so_far), hang(released)))
    assert so_far.wait(WAIT_S)
    bench.now_ns = int(HUNG_AFTER_S * NS)
    assert not worker.hangs()
    bench.now_ns += 1
    assert worker.hangs()
    released.set()


def test_a_reader_that_never_begins_hangs(bench: Bench) -> None:
    """One that freezes before it said anything is missed, too."""
    released = threading.Event()
    worker = bench.worker(ScriptedReader(hang(released)))
    bench.now_ns = int(HUNG_AFTER_S * NS) + 1
    assert worker.hangs()
    released.set()


def test_a_reader_that_hangs_at_its_restart_is_missed(bench: Bench) -> None:
    """After a failure the reader is begun anew; when that one freezes, the watchdog must hear of it."""
    begun, released = threading.Event(), threading.Event()
    worker = bench.worker(ScriptedReader(fail(OSError("once"))), ScriptedReader(signal(begun), hang(released)))
    assert begun.wait(WAIT_S)
    assert worker.must_progress()
    bench.now_ns = int(HUNG_AFTER_S * NS) + 1
    assert worker.hangs()
    released.set()


def test_a_reader_that_waits_for_its_restart_hangs_nobody(bench: Bench) -> None:
    """A library that keeps failing is no deadlock: restarting the daemon would not mend it."""
    pauses = [fail(OSError("broken")) for _ in range(3)]
    worker = bench.worker(*(ScriptedReader(each) for each in pauses), ScriptedReader())
    until(lambda: failures(bench.logged) == [FIRST_RESTART_S, 2 * FIRST_RESTART_S])  # the next pause is a second long
    bench.now_ns = int(1000 * NS)
    assert not worker.must_progress()
    assert not worker.hangs()


def test_a_lost_reader_that_falls_silent_hangs(bench: Bench) -> None:
    """One that is away must still say that it is looked for."""
    away = threading.Event()
    worker = bench.worker(ScriptedReader(lambda listener: listener.lost("unplugged"), signal(away)))
    assert away.wait(WAIT_S)
    assert not worker.hangs()
    bench.now_ns = int(HUNG_AFTER_S * NS) + 1
    assert worker.hangs()


@pytest.mark.parametrize(
    "act",
    [show(UID), lambda listener: listener.lost("x")],
    ids=["presented", "lost"],
)
def test_a_broken_invariant_reaches_the_host(bench: Bench, act: Callable[[Listener], None]) -> None:
    """What the host throws at a report is its own break, told as such, and no failure of the reader's."""
    broken = AssertionError("invariant")
    bench.host.breaks = broken
    worker = bench.worker(ScriptedReader(act))
    assert bench.host.wait("failed") is broken
    assert failures(bench.logged) == []
    worker.stop()


def test_a_card_that_does_not_tell_its_uid_is_logged(bench: Bench) -> None:
    """It is said with the reader's name, and is progress, but no tap."""
    said = threading.Event()
    bench.worker(ScriptedReader(lambda listener: listener.unreadable("mute"), signal(said)))
    assert said.wait(WAIT_S)
    assert [(each["event"], each["reader"], each["why"]) for each in bench.logged] == [
        ("card unreadable", "front-in", "mute")
    ]
    assert bench.host.told == []


def test_what_a_stopped_reader_says_is_no_tap(bench: Bench) -> None:
    """A reader that hung through its own end and thaws afterwards opens no door."""
    begun, released = threading.Event(), threading.Event()
    worker = bench.worker(ScriptedReader(signal(begun), hang(released), show(UID)))
    assert begun.wait(WAIT_S)
    worker.stop()
    assert not worker.join(0.01)
    released.set()
    assert worker.join(WAIT_S)
    assert bench.host.told == []


def test_a_stop_that_comes_before_the_reader_is_made_counts(bench: Bench) -> None:
    """However early it is said, no reader is left running."""
    reader = ScriptedReader(show(UID))
    making, go_on = threading.Event(), threading.Event()

    def make(_config: ReaderConfig) -> Reader:
        making.set()
        go_on.wait(WAIT_S)
        return reader

    worker = ReaderWorker(CONFIG, make, bench.host, bench.log)
    worker.start()
    assert making.wait(WAIT_S)
    worker.stop()
    go_on.set()
    assert worker.join(WAIT_S)
    assert bench.host.told == []


def test_a_stop_ends_a_pause(bench: Bench) -> None:
    """A worker that waits for a restart ends at once."""
    worker = bench.worker(ScriptedReader(fail(OSError("broken"))))
    until(lambda: worker.state is ReaderState.FAULTY)
    worker.stop()
    assert worker.join(FIRST_RESTART_S * 10)
