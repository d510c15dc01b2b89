"""What the daemon tells systemd, read back from a real datagram socket."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.notify import SEND_TIMEOUT_S, Notifier, watchdog_interval_s


class Manager:
    """The other end: a datagram socket that stands for systemd."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.bind(address)

    def heard(self) -> dict[str, str]:
        """Return the next message's assignments."""
        lines = self.socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the manager listens."""
    return tmp_path / "notify"


@pytest.fixture
def manager(path: Path) -> Iterator[Manager]:
    """Give a manager that listens at `path`."""
    end = Manager(str(path))
    yield end
    end.socket.close()


@pytest.fixture
def notifier(manager: Manager, path: Path) -> Iterator[Notifier]:
    """Give a notifier that the manager can hear, with a clock that stands."""
    assert manager.socket.fileno() >= 0
    teller = Notifier({"NOTIFY_SOCKET": str(path)}, monotonic_ns=lambda: 1_234_567_890)
    yield teller
    teller.close()


def test_each_message_is_the_protocols(manager: Manager, notifier: Notifier) -> None:
    """Ready, reloading, stopping and the watchdog's feed go out as sd_notify(3) words them."""
    assert notifier.ready()
    assert manager.heard() == {"READY": "1"}
    assert notifier.reloading()
    assert manager.heard() == {"RELOADING": "1", "MONOTONIC_USEC": "1234567"}
    assert notifier.stopping()
    assert manager.heard() == {"STOPPING": "1"}
    assert notifier.watchdog()
    assert manager.heard() == {"WATCHDOG": "1"}


def test_a_status_stays_one_line(manager: Manager, notifier: Notifier) -> None:
    """A line end in a status cannot smuggle in a message of its own, and text that is no UTF-8 goes out, too."""
    assert notifier.status("2 readers\nMAINPID=1")
    assert manager.heard() == {"STATUS": "2 readers MAINPID=1"}
    assert notifier.status("lugeja \udcff")
    assert manager.heard() == {"STATUS": "lugeja ?"}


def test_an_abstract_socket_is_reached() -> None:
    """A leading @ names the abstract namespace."""
    name = f"viipe-test-{os.getpid()}-{threading.get_ident()}"
    end = Manager("\0" + name)
    teller = Notifier({"NOTIFY_SOCKET": "@" + name})
    assert teller.ready()
    assert end.heard() == {"READY": "1"}
    teller.close()
    end.socket.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "@"}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_is_said(environ: dict[str, str]) -> None:
    """No socket, or one of a kind that is none of ours: every message is quietly undelivered."""
    teller = Notifier(environ)
    said = [teller.ready(), teller.status("x"), teller.reloading(), teller.stopping(), teller.watchdog()]
    assert not any(said)
    teller.close()


def test_a_manager_that_is_gone_is_no_error(manager: Manager, path: Path, notifier: Notifier) -> None:
    """Nobody listens, or the socket's file is gone: a no, no more; when the manager is back, it hears again."""
    manager.socket.close()
    assert not notifier.watchdog()
    path.unlink()
    assert not notifier.watchdog()
    returned = Manager(str(path))
    assert notifier.watchdog()
    assert returned.heard() == {"WATCHDOG": "1"}
    returned.socket.close()


def test_a_path_too_long_for_a_socket_is_no_error() -> None:
    """An address that unix(7) cannot hold is a no, too."""
    teller = Notifier({"NOTIFY_SOCKET": "/" + "x" * 200})
    assert not teller.ready()
    teller.close()


def test_a_manager_that_does_not_read_delays_for_a_bounded_time(manager: Manager, notifier: Notifier) -> None:
    """With the queue full, a message is given up after the send timeout instead of hanging the door."""
    while notifier.watchdog():  # the kernel's queue holds some ten or some hundred datagrams
        pass
    begun = time.monotonic()
    assert not notifier.watchdog()
    assert time.monotonic() - begun < 20 * SEND_TIMEOUT_S
    assert manager.heard() == {"WATCHDOG": "1"}


def test_after_close_nothing_is_said(notifier: Notifier) -> None:
    """A closed notifier stays silent and can be closed again."""
    notifier.close()
    assert not notifier.stopping()
    notifier.close()


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "77"}, 4.0),
        ({"WATCHDOG_USEC": "8000000"}, 4.0),
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "78"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_time(environ: dict[str, str], interval_s: float | None) -> None:
    """Half of WATCHDOG_USEC, in seconds, for the process that is meant; nothing for others and for nonsense."""
    assert watchdog_interval_s(environ, pid=77) == interval_s
