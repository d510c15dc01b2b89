"""The feed of answers: told at once to whoever listens, and nobody who listens badly is waited for."""

import json
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from daemon.answer_feed import MOST_LISTENERS, NAME, SEND_BYTES, AnswerFeed
from daemon.short_path import short_path
from tests.rig.parts import Entry, heard_log

WITHIN_S = 10.0
FINE: dict[str, object] = {"fine": True}
TAP = {"kind": "tap", "reader": "till-1", "verdict": "grant"}


@pytest.fixture
def logged() -> list[Entry]:
    """Give what the feed logs."""
    return []


@pytest.fixture
def feed(tmp_path: Path, logged: list[Entry]) -> Iterator[AnswerFeed]:
    """Give a feed whose state is a count of how often it was asked."""
    log, entries = heard_log()
    asked = iter(range(1000))
    made = AnswerFeed(tmp_path, lambda: {"asked": next(asked)}, log)
    yield made
    made.close()
    logged.extend(entries)


def listener(folder: Path) -> socket.socket:
    """Connect as the pages do."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(WITHIN_S)
    with short_path(folder / NAME) as name:
        made.connect(name)
    return made


def line(file: TextIO) -> dict[str, Any]:
    """Read one line."""
    told: dict[str, Any] = json.loads(file.readline())
    return told


def next_event(file: TextIO) -> dict[str, Any]:
    """Read on to the next event: on a slow machine a sign of how things are may come before it."""
    while "state" in (told := line(file)):
        pass
    return told


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_listener_hears_the_state_and_then_each_event(feed: AnswerFeed, tmp_path: Path) -> None:
    """How things are comes first; an event is told as it is, with the boot clock's time beside it."""
    with listener(tmp_path) as sock, sock.makefile() as file:
        assert line(file) == {"state": {"asked": 0}}
        before_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        feed.tell(TAP)
        told = next_event(file)
    assert 0 <= told.pop("told_ms") - before_ms < WITHIN_S * 1000
    assert told == TAP


def test_no_event_falls_between_the_first_state_and_the_next(feed: AnswerFeed, tmp_path: Path) -> None:
    """Whoever has read how things are hears all that comes after, however soon it comes."""
    for _ in range(50):
        with listener(tmp_path) as sock, sock.makefile() as file:
            assert "state" in line(file)
            feed.tell(TAP)
            assert next_event(file)["kind"] == "tap"


def test_the_state_is_told_again_and_again(feed: AnswerFeed, tmp_path: Path) -> None:  # noqa: ARG001  it tells by itself
    """So a listener knows silence from nothing to say."""
    with listener(tmp_path) as sock, sock.makefile() as file:
        assert [line(file)["state"]["asked"] for _ in range(3)] == [0, 1, 2]


def test_one_who_takes_nothing_is_let_go_and_no_teller_waits(feed: AnswerFeed, tmp_path: Path) -> None:
    """Thousands of events pass in no time beside a listener that sleeps; another one hears them all, and the sleeper may come back."""
    with listener(tmp_path) as asleep, listener(tmp_path) as awake, awake.makefile() as file:
        assert "state" in line(file)
        heard: list[dict[str, Any]] = []
        count = 3 * SEND_BYTES // 100

        def hear() -> None:
            while len(heard) < count:
                told = line(file)
                if "kind" in told:
                    heard.append(told)

        hearing = threading.Thread(target=hear)
        hearing.start()
        slowest_s = 0.0
        for number in range(count):
            began_s = time.monotonic()
            feed.tell({**TAP, "tap_id": f"{number:032x}"})
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            until(lambda at=number: len(heard) > at - 100)  # type: ignore[misc]  # as fast as the awake one hears
        hearing.join(WITHIN_S)
        assert [int(each["tap_id"], 16) for each in heard] == list(range(count))
        assert slowest_s < WITHIN_S / 5
        with asleep.makefile() as slept:
            assert len(slept.read()) < count * 100, "it was not let go"
    with listener(tmp_path) as again, again.makefile() as file:
        assert "state" in line(file)


def test_so_many_may_listen_and_no_more(feed: AnswerFeed, tmp_path: Path, logged: list[Entry]) -> None:
    """One more is turned away, and it is said; the others hear on."""
    listeners = [listener(tmp_path) for _ in range(MOST_LISTENERS)]
    for each in listeners:
        assert each.recv(100).startswith(b'{"state"')
    with listener(tmp_path) as more:
        assert more.recv(100) == b""
    feed.tell(TAP)
    assert all(b'"tap"' in each.recv(1000) for each in listeners)
    for each in listeners:
        each.close()
    feed.close()
    assert logged == []


def test_its_owner_alone_may_listen_and_its_end_is_heard(feed: AnswerFeed, tmp_path: Path) -> None:
    """The socket is nobody else's; when the daemon ends, whoever listens knows at once, and the socket is gone."""
    path = tmp_path / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with listener(tmp_path) as sock, sock.makefile() as file:
        assert "state" in line(file)
        feed.close()
        assert file.readline() == ""
    assert not path.exists()
    feed.tell(TAP)  # nobody is there: nothing happens


def test_a_socket_that_a_killed_daemon_left_is_taken_over(tmp_path: Path) -> None:
    """A restart after a crash listens where the former one did."""
    (tmp_path / NAME).write_text("left behind")
    made = AnswerFeed(tmp_path, dict, heard_log()[0])
    with listener(tmp_path) as sock, sock.makefile() as file:
        assert line(file) == {"state": {}}
    made.close()


def test_a_state_that_cannot_be_told_silences_no_answer(tmp_path: Path) -> None:
    """A file that cannot be read costs the signs, not the answers nor the daemon: it is said once, and the state comes back by itself."""
    log, entries = heard_log()
    states: Iterator[OSError | dict[str, object]] = iter(
        [OSError("cannot be read"), OSError("cannot be read"), {"fine": True}]
    )

    def state() -> dict[str, object]:
        told = next(states, FINE)
        if isinstance(told, OSError):
            raise told
        return told

    feed = AnswerFeed(tmp_path, state, log)
    try:
        with listener(tmp_path) as sock, sock.makefile() as file:
            told = [line(file)]
            feed.tell(TAP)
            while told[-1] != {"state": FINE}:
                told.append(line(file))
            assert [each["state"] for each in told if "state" in each] == [{}, {}, FINE]
            assert [each["kind"] for each in told if "kind" in each] == ["tap"]
    finally:
        feed.close()
    assert len([each for each in entries if "how the host is" in str(each)]) == 1
