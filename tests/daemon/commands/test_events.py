"""`viipe events`, as a user types it."""

import collections
import json
import signal
import subprocess
import threading
import time
from datetime import datetime, timedelta
from queue import Queue

import pytest

from tests.rig.host_rig import CLOSED, GOOD, UNKNOWN, VIIPE, HostRig, door_and_till
from tests.rig.ifd import EventIfd

# DESIGN.md §7: "have at least".
FIXED = {
    "kind",
    "host",
    "epoch",
    "seq",
    "tap_id",
    "time",
    "service_day",
    "reader",
    "service",
    "direction",
    "verdict",
    "reason",
    "flags",
    "outcome",
    "card",
    "person",
    "latency_ms",
}
WAIT_S = 15.0


@pytest.fixture(scope="module")
def tapped(host: HostRig, ifd: EventIfd) -> HostRig:
    """Give a host with a grant and its outcome, a refusal, and a reader that went away and came back."""
    host.tap(lambda: ifd.insert(0, GOOD))
    host.wait_event("outcome")
    host.tap(lambda: ifd.insert(0, CLOSED))
    ifd.kill()
    host.wait_event("reader_lost", 2)
    ifd.start()
    host.wait_event("reader_back", 2)
    host.wait_until(host.reads, "the readers")
    return host


def events(host: HostRig, *options: str) -> list[dict[str, object]]:
    """Return the lines of the command."""
    told = host.viipe("events", "--json", *options)
    assert (told.returncode, told.stderr) == (0, "")
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_every_line_has_all_fields(tapped: HostRig) -> None:
    """Whatever the kind, the fields that the specification fixes are there, the sequence has no gap."""
    told = events(tapped)
    assert {event["kind"] for event in told} >= {"tap", "outcome", "reader_lost", "reader_back"}
    assert all(set(event) >= FIXED for event in told)
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert {event["host"] for event in told} == {"trial"}
    assert all(isinstance(event["flags"], list) for event in told)


def test_verdicts_stand_on_taps_and_outcomes_on_outcomes(tapped: HostRig) -> None:
    """Each field belongs to its kind."""
    told = events(tapped)
    assert {bool(event["verdict"]) == (event["kind"] == "tap") for event in told} == {True}
    assert {bool(event["outcome"]) == (event["kind"] == "outcome") for event in told} == {True}
    tap, outcome = (next(event for event in told if event["kind"] == kind) for kind in ("tap", "outcome"))
    assert (tap["card"], tap["person"], tap["direction"]) == ("THG-0001", "T-1001", "in")
    assert outcome["tap_id"] == tap["tap_id"]


def test_times_are_utc(tapped: HostRig) -> None:
    """ISO 8601, UTC, and the service day is a day."""
    for event in events(tapped):
        at = datetime.fromisoformat(str(event["time"]))
        assert at.utcoffset() == timedelta(0)
        assert len(str(event["service_day"])) == 10


def test_a_loss_says_which_reader_and_why(tapped: HostRig) -> None:
    """Both readers were lost and are back; why is told."""
    lost = [event for event in events(tapped) if event["kind"] == "reader_lost"]
    assert {event["reader"] for event in lost} == {"front-in", "till-1"}
    assert all(event["detail"] for event in lost)


def test_since_cuts(tapped: HostRig) -> None:
    """Only events from the moment on; a moment without an offset is the school's."""
    told = events(tapped)
    middle = str(told[2]["time"])
    assert events(tapped, "--since", middle) == [event for event in told if str(event["time"]) >= middle]
    assert events(tapped, "--since", "2999-01-01T00:00") == []
    assert events(tapped, "--since", "2000-01-01") == told


@pytest.mark.parametrize("since", ["yesterday", "0001-01-01T00:00+14:00"])
def test_a_moment_that_is_none(tapped: HostRig, since: str) -> None:
    """What is no moment ends with 64."""
    told = tapped.viipe("events", "--since", since)
    assert (told.returncode, told.stdout) == (64, "")
    assert "--since" in told.stderr


def test_a_person_reads_words(tapped: HostRig) -> None:
    """Without --json a line says what happened, and holds no UID."""
    told = tapped.viipe("events").stdout
    assert "tap front-in door in: grant ok" in told
    assert "tap front-in door in: deny closed" in told
    assert "reader_back till-1 canteen" in told
    assert "ebf2ce70" not in told.lower()


def test_following_sees_a_tap_within_a_second(tapped: HostRig, ifd: EventIfd) -> None:
    """What comes is shown as it comes, until Ctrl-C."""
    lines: Queue[str] = Queue()
    with subprocess.Popen(
        [VIIPE, "events", "--json", "--follow", "--since", "2000-01-01", "--config", tapped.config],
        env=tapped.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        stream = following.stdout
        assert stream is not None
        thread = threading.Thread(target=collections.deque, args=(map(lines.put, stream), 0))
        thread.start()
        while json.loads(lines.get(timeout=WAIT_S))["seq"] < len(tapped.events()):
            pass
        tapped.tap(lambda: ifd.insert(0, UNKNOWN))
        recorded = time.monotonic()
        while json.loads(lines.get(timeout=WAIT_S))["reason"] != "unknown":
            pass
        assert time.monotonic() - recorded < 1
        following.send_signal(signal.SIGINT)
        assert following.wait(WAIT_S) == 130
        thread.join()


def test_a_host_without_a_journal_has_no_events(idle: HostRig, ifd: EventIfd) -> None:
    """Before the first run there is nothing, and that is no fault."""
    idle.write(door_and_till(ifd.names))
    told = idle.viipe("events")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_a_damaged_journal_is_a_sentence(idle: HostRig) -> None:
    """What is no database is said, without a trace."""
    (idle.state_dir / "journal.db").write_bytes(b"garbage " * 1000)
    told = idle.viipe("events")
    assert (told.returncode, told.stdout) == (1, "")
    assert "Traceback" not in told.stderr
    assert "journal.db" in told.stderr
