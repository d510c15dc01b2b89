"""The whole host when things break, change and end: what happens to the door then."""

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.rig.host_rig import (
    CLOSED,
    GOOD,
    GOOD_7_BYTES,
    STRIKE,
    SUBSTITUTE,
    UNKNOWN,
    HostRig,
    door,
    door_and_till,
    till,
)
from tests.rig.host_rig import RULES as USUAL_RULES
from tests.rig.ifd import EventIfd

STAFF_ONLY = '[service.door]\nkinds = ["staff"]\n[service.canteen]\nper_day = 1\n'
RECOVERED_WITHIN_S = 2.0  # FAULTS.md, Readers
ENDS_WITHIN_S = 5.0
HUNG_S = 3.5  # two proofs of a healthy reader


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd with two readers."""
    with EventIfd(readers=2) as rig:
        yield rig


@pytest.fixture(autouse=True)
def _cleared(ifd: EventIfd) -> Iterator[None]:
    """Take all cards off afterwards."""
    yield
    for place in range(2):
        ifd.remove(place)


@pytest.fixture
def host(ifd: EventIfd) -> Iterator[HostRig]:
    """Give a fed host at work, of the test's own."""
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as rig:
        rig.feed()
        rig.start()
        yield rig


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Freeze a process."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def failing_disk(pid: int) -> Iterator[None]:
    """Let every write of a process to a file fail, as a disk with errors does (EFBIG, which SQLite calls an I/O error)."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


# Readers come and go


def test_pcscd_killed_and_started_again(host: HostRig, ifd: EventIfd) -> None:
    """Both readers are lost and back, told as events, and cards are read again within two seconds; nothing moves."""
    ifd.kill()
    host.wait_event("reader_lost", 2)
    assert host.status()["headline"].startswith("0 of 2 readers reading")
    ifd.start()
    started = time.monotonic()
    host.wait_event("reader_back", 2)
    assert time.monotonic() - started < RECOVERED_WITHIN_S
    assert {event["reader"] for event in host.events("reader_back")} == {"front-in", "till-1"}
    assert host.strikes() == 0
    assert host.tap(lambda: ifd.insert(0, GOOD))["verdict"] == "grant"


def test_a_card_that_lies_through_the_fault_is_one_tap(host: HostRig, ifd: EventIfd) -> None:
    """The same card on the reader when it is back is the same presentation."""
    host.tap(lambda: ifd.insert(0, GOOD))
    ifd.kill()
    host.wait_event("reader_lost", 2)
    ifd.start()
    host.wait_event("reader_back", 2)
    host.tap(lambda: ifd.insert(1, CLOSED))
    assert [event["reader"] for event in host.events("tap")] == ["front-in", "till-1"]
    assert host.strikes() == 1


def test_one_reader_unplugged_and_plugged_in(host: HostRig, ifd: EventIfd) -> None:
    """Its loss and return are events; the other reader never notices."""
    ifd.unplug(0)
    lost = host.wait_event("reader_lost")
    assert lost["reader"] == "front-in"
    assert host.tap(lambda: ifd.insert(1, SUBSTITUTE))["verdict"] == "grant"
    ifd.replug(0)
    assert host.wait_event("reader_back")["reader"] == "front-in"
    assert host.tap(lambda: ifd.insert(0, GOOD))["verdict"] == "grant"
    assert len(host.events("reader_lost")) == 1


def test_a_host_may_start_before_its_readers(ifd: EventIfd) -> None:
    """Without pcscd the host is ready all the same, says what is missing, and reads when it comes."""
    ifd.kill()
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as host:
        host.feed()
        host.start(readers=False)
        host.wait_event("reader_lost", 2)
        ifd.start()
        host.wait_event("reader_back", 2)
        assert host.tap(lambda: ifd.insert(0, GOOD))["verdict"] == "grant"


def test_a_card_that_lies_there_at_the_start_moves_nothing(ifd: EventIfd) -> None:
    """It is no tap; taken off and held again it is one."""
    ifd.insert(0, GOOD)
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as host:
        host.feed()
        host.start()
        host.tap(lambda: ifd.insert(1, CLOSED))
        assert (len(host.events("tap")), host.strikes()) == (1, 0)
        host.tap(lambda: ifd.insert(0, UNKNOWN))
        assert host.tap(lambda: ifd.insert(0, GOOD))["verdict"] == "grant"


# The watchdog


def test_the_watchdog_is_fed_by_progress(host: HostRig, ifd: EventIfd) -> None:
    """While readers prove that they can read it is fed; when pcscd freezes under them it is not; then again."""
    host.manager.wait("WATCHDOG=1", 3)
    with stopped(ifd.pcscd.pid):
        time.sleep(HUNG_S / 2)  # a proof that was under way may still come
        fed = host.manager.count("WATCHDOG=1")
        time.sleep(HUNG_S)
        assert host.manager.count("WATCHDOG=1") == fed
    host.manager.wait("WATCHDOG=1", fed + 2)


def test_the_watchdog_is_fed_while_readers_are_away(host: HostRig, ifd: EventIfd) -> None:
    """A host without its readers is no deadlock: nothing would be won by a restart."""
    ifd.kill()
    host.wait_event("reader_lost", 2)
    host.manager.wait("WATCHDOG=1", host.manager.count("WATCHDOG=1") + 2)
    ifd.start()


# Ends


def ends(host: HostRig) -> None:
    """Ask the daemon to end: in time, in order, with exit code 0."""
    asked = time.monotonic()
    assert host.stop() == 0
    assert time.monotonic() - asked < ENDS_WITHIN_S
    assert '"event": "stopped"' in host.log()
    assert "Traceback" not in host.log()


def test_an_end_while_nothing_happens(host: HostRig) -> None:
    """Idle, it ends; nothing is left in the state directory but what it keeps."""
    ends(host)
    assert not (host.state_dir / "control.sock").exists()
    assert [event["kind"] for event in host.events()] == []


def test_an_end_while_pupils_tap(host: HostRig, ifd: EventIfd) -> None:
    """Each grant that was recorded has its outcome, and the journal is whole."""
    going = threading.Event()
    done = threading.Event()

    def tap_on() -> None:
        while not done.is_set():
            for uid in (GOOD, GOOD_7_BYTES):
                ifd.insert(0, uid)
            if len(host.events("tap")) > 5:
                going.set()

    thread = threading.Thread(target=tap_on)
    thread.start()
    assert going.wait(20)
    ends(host)
    done.set()
    thread.join()
    granted = {event["tap_id"] for event in host.events("tap") if event["verdict"] == "grant"}
    assert {event["tap_id"] for event in host.events("outcome")} == granted
    assert host.strikes() == len(granted)


def test_an_end_while_pcscd_is_dead(host: HostRig, ifd: EventIfd) -> None:
    """Readers that are looked for end, too."""
    ifd.kill()
    host.wait_event("reader_lost", 2)
    ends(host)
    ifd.start()


def test_an_end_while_pcscd_hangs(host: HostRig, ifd: EventIfd) -> None:
    """Readers that sit in a call that never returns are left behind; it is said which."""
    with stopped(ifd.pcscd.pid):
        ends(host)
    assert host.log().count("reader does not end") == 2


def test_an_end_while_a_card_lies_there(host: HostRig, ifd: EventIfd) -> None:
    """The card that lies there opens nothing at the end, nor at the next start."""
    host.tap(lambda: ifd.insert(0, GOOD))
    host.wait_event("outcome")
    ends(host)
    host.start()
    host.tap(lambda: ifd.insert(1, CLOSED))
    ends(host)
    assert host.strikes() == 1


def test_starts_and_stops_move_nothing(ifd: EventIfd) -> None:
    """Whatever lies on the reader: not one pulse."""
    ifd.insert(0, GOOD)
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as host:
        host.feed()
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            host.start()
            host.stop(number)
        assert host.strikes() == 0


# Memory over a restart


def test_a_restart_remembers_the_lunch(host: HostRig, ifd: EventIfd) -> None:
    """Who ate has eaten, after an end in order and after a kill."""
    assert host.tap(lambda: ifd.insert(1, SUBSTITUTE))["reason"] == "ok"
    for number in (signal.SIGTERM, signal.SIGKILL):
        host.stop(number)
        host.start()
        host.tap(lambda: ifd.insert(1, UNKNOWN))
        assert host.tap(lambda: ifd.insert(1, SUBSTITUTE))["reason"] == "already_today"


# Reloads


def test_a_reload_changes_the_rules(host: HostRig, ifd: EventIfd) -> None:
    """From the next tap on the new rule holds; the process is the same, and it is told to the service manager."""
    pid = host.status()["pid"]
    assert host.tap(lambda: ifd.insert(0, GOOD))["reason"] == "ok"
    host.reload(door_and_till(ifd.names, STAFF_ONLY))
    assert host.tap(lambda: ifd.insert(0, GOOD_7_BYTES))["reason"] == "not_admitted"
    assert host.status()["pid"] == pid
    told = [message for _, message in host.manager.heard]
    reloading = next(place for place, message in enumerate(told) if message.startswith("RELOADING=1\nMONOTONIC_USEC="))
    assert "READY=1" in told[reloading:]


def test_a_reload_brings_and_takes_readers(host: HostRig, ifd: EventIfd) -> None:
    """A reader that leaves the file reads no more, one that comes does; neither is a loss."""
    host.reload(till(ifd.names[1]) + STRIKE + USUAL_RULES)
    host.wait_until(host.reads, "the readers")
    assert [each["name"] for each in host.status()["readers"]] == ["till-1"]
    ifd.insert(0, GOOD)
    host.tap(lambda: ifd.insert(1, CLOSED))
    assert [event["reader"] for event in host.events("tap")] == ["till-1"]
    host.reload(door_and_till(ifd.names))
    host.wait_until(host.reads, "the readers")
    host.tap(lambda: ifd.insert(0, UNKNOWN))
    assert host.tap(lambda: ifd.insert(0, GOOD))["verdict"] == "grant"
    assert host.events("reader_lost") == host.events("reader_back") == []


def test_a_reload_changes_a_reader(host: HostRig, ifd: EventIfd) -> None:
    """A door's reader that becomes one that leads out does so at once."""
    host.reload(door(ifd.names[0], direction="out") + till(ifd.names[1]) + STRIKE + USUAL_RULES)
    host.wait_until(host.reads, "the readers")
    assert host.tap(lambda: ifd.insert(0, CLOSED))["verdict"] == "grant"


def test_five_and_twenty_reloads_move_nothing(host: HostRig, ifd: EventIfd) -> None:
    """With a card on the reader and outputs kept: no tap, no pulse, no loss, no thread more than before."""
    host.tap(lambda: ifd.insert(0, GOOD))
    host.wait_event("outcome")
    assert host.process is not None
    threads = len(os.listdir(f"/proc/{host.process.pid}/task"))  # noqa: PTH208  their number alone
    for number in range(25):
        host.reload(door_and_till(ifd.names, USUAL_RULES if number % 2 else STAFF_ONLY))
    host.tap(lambda: ifd.insert(1, CLOSED))
    assert (len(host.events("tap")), host.strikes(), host.events("reader_lost")) == (2, 1, [])
    assert len(os.listdir(f"/proc/{host.process.pid}/task")) <= threads  # noqa: PTH208  their number alone


@pytest.mark.parametrize("text", ["[[reader]\n", '[[reader]]\nname = "x"\n'], ids=["no TOML", "faults"])
def test_a_bad_file_changes_nothing(host: HostRig, ifd: EventIfd, text: str) -> None:
    """The former settings serve; status, log and service manager say so; the next good file is taken."""
    host.reload(text)
    assert host.tap(lambda: ifd.insert(0, GOOD))["reason"] == "ok"
    told = host.status()
    assert "the former settings serve" in told["config_fault"]
    assert "the former settings serve" in told["headline"]
    host.manager.wait("STATUS=2 of 2 readers reading; 10 cards; " + str(host.config))
    host.wait_until(lambda: '"event": "not reloaded"' in host.log(), "the log to say so")
    assert host.viipe("status").returncode == 78  # the command reads the same file, and tells all that is wrong in it
    host.reload(door_and_till(ifd.names))
    assert host.status()["config_fault"] is None


# Cards change


def test_an_import_is_seen_whole(host: HostRig, ifd: EventIfd) -> None:
    """While taps go on each is decided on the old cards or the new: versions never go back, answers fit their version."""
    odd = "AA000001,A,P-A,personal,active,,,\nAA000002,B,P-B,personal,closed,,,\n"
    even = "AA000001,A,P-A,personal,closed,,,\nAA000002,B,P-B,personal,active,,,\n"
    uids = [bytes.fromhex("AA000001"), bytes.fromhex("AA000002")]
    host.feed(odd + "".join(f"BB{n:06X},N-{n},,personal,active,,,\n" for n in range(3000)))
    first = host.status()["cards"]["version"]
    done = threading.Event()

    def tap_on() -> None:
        while not done.is_set():
            for uid in uids:
                host.tap(lambda uid=uid: ifd.insert(0, uid))  # type: ignore[misc]  # bound at once

    thread = threading.Thread(target=tap_on)
    thread.start()
    try:
        for rows in (even, odd, even):
            host.feed(rows + "".join(f"BB{n:06X},N-{n},,personal,active,,,\n" for n in range(3000)))
            seen = len(host.events("tap"))
            host.wait_event("tap", seen + 2)
    finally:
        done.set()
        thread.join()
    taps = host.events("tap")
    versions = [event["card_version"] for event in taps]
    assert versions == sorted(versions)
    assert set(versions) >= {first + 1, first + 2, first + 3}
    open_card = {event["card_version"]: "AB"[(event["card_version"] - 2) % 2] for event in taps}
    assert all((event["reason"] == "ok") == (event["card"] == open_card[event["card_version"]]) for event in taps)


# Disks


def test_a_disk_that_fails_and_comes_back(host: HostRig, ifd: EventIfd) -> None:
    """The till serves and flags, the door denies; when the disk is back what waited is appended in order, in a new epoch."""
    host.tap(lambda: ifd.insert(1, SUBSTITUTE))
    assert host.process is not None
    with failing_disk(host.process.pid):
        ifd.insert(1, GOOD)
        host.wait_until(lambda: host.status()["journal"]["waiting_in_memory"] == 1, "the lunch in memory")
        ifd.insert(0, GOOD)
        host.wait_until(lambda: host.status()["journal"]["waiting_in_memory"] == 2, "the door's refusal in memory")
        assert host.status()["journal"]["fault"] is not None
        assert host.viipe("status").returncode == 1
    taps = [host.wait_event("tap", count) for count in (1, 2, 3)]
    assert [(event["reader"], event["verdict"], event["reason"]) for event in taps] == [
        ("till-1", "grant", "ok"),
        ("till-1", "grant", "ok"),
        ("front-in", "deny", "disk_failed"),
    ]
    assert ["not_durable" in event["flags"] for event in taps] == [False, True, True]
    assert taps[2]["epoch"] == taps[1]["epoch"] > taps[0]["epoch"]
    host.wait_until(lambda: host.status()["journal"]["fault"] is None, "the journal")
    assert host.strikes() == 0
    host.tap(lambda: ifd.insert(1, UNKNOWN))
    assert host.tap(lambda: ifd.insert(1, GOOD))["reason"] == "already_today"


def test_a_log_that_nobody_reads_stops_nobody(ifd: EventIfd) -> None:
    """With standard error a full pipe, taps are answered and the end comes in order."""
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as host:
        host.feed()
        reading, writing = os.pipe()
        host.process = subprocess.Popen(
            ["viipe", "run", "--config", host.config],
            executable=host.viipe("--help").args[0],
            env={**host.environ, "NOTIFY_SOCKET": str(host.folder / "notify")},
            stderr=writing,
        )
        host.manager.wait("READY=1")
        os.set_blocking(writing, False)
        os.close(writing)
        host.wait_until(host.reads, "the readers")
        for uid in (GOOD, GOOD_7_BYTES) * 10:
            assert host.tap(lambda uid=uid: ifd.insert(0, uid))["verdict"] == "grant"  # type: ignore[misc]  # bound at once
        assert host.stop() == 0
        os.close(reading)
