"""The service manager's notify protocol: what the daemon tells systemd (sd_notify(3)), one datagram a message.

Telling never hurts the teller: without a manager nothing is sent, a manager that is gone or does not read is a `False`.
"""

import socket
import time
from collections.abc import Callable, Mapping

SEND_TIMEOUT_S = 1.0


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return how often the watchdog is to be fed: half of what systemd allows, as sd_watchdog_enabled(3) advises.

    None where no watchdog watches process `pid`, or where the environment says something that cannot be a time.
    """
    allowed_us = _positive(environ.get("WATCHDOG_USEC", ""))
    if allowed_us is None or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return allowed_us / 2 / 1_000_000


class Notifier:
    """Holds the way to the service manager that `NOTIFY_SOCKET` of `environ` names, if any.

    Every message returns whether it was delivered. May be used by several threads at once: a datagram is whole.
    """

    __slots__ = ("_address", "_monotonic_ns", "_socket")

    def __init__(self, environ: Mapping[str, str], monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Open the socket; `monotonic_ns` reads CLOCK_MONOTONIC, the clock systemd compares with."""
        self._monotonic_ns = monotonic_ns
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if self._address is not None else None
        if self._socket is not None:
            self._socket.settimeout(SEND_TIMEOUT_S)  # a manager that hangs must not hang the door

    def ready(self) -> bool:
        """Say that start-up, or a reload, is done: the unit becomes active."""
        return self._send("READY=1")

    def status(self, text: str) -> bool:
        """Show one line in `systemctl status`; line ends become spaces, for a line is a message of its own."""
        return self._send("STATUS=" + " ".join(text.splitlines()))

    def reloading(self) -> bool:
        """Say that a reload has begun, and when (systemd 253 on compares the time); `ready()` ends it."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self) -> bool:
        """Say that the daemon is ending on purpose."""
        return self._send("STOPPING=1")

    def watchdog(self) -> bool:
        """Feed the watchdog, on progress alone: its hunger restarts a deadlocked door (FAULTS.md, "deadlock")."""
        return self._send("WATCHDOG=1")

    def close(self) -> None:
        """Let go of the socket; what is said afterwards goes nowhere."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        notify_socket = self._socket  # read once: another thread may be closing
        if notify_socket is None or self._address is None:
            return False
        try:
            notify_socket.sendto(message.encode(errors="replace"), self._address)
        except OSError:  # the manager is gone, restarting, or not reading
            return False
        return True


def _address(text: str) -> str | None:
    """Turn NOTIFY_SOCKET into an address (unix(7)): a path, or `@name` for an abstract one; None for others."""
    if text.startswith("/"):
        return text
    if text.startswith("@") and len(text) > 1:
        return "\0" + text[1:]
    return None


def _positive(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None
