"""The real pages as their unit runs them: a real systemd, all of the unit's hardening, the daemon's unit beside."""

import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.rig.own_systemd import REPOSITORY, OwnSystemd, why_impossible

_REASON = why_impossible()
pytestmark = [pytest.mark.skipif(_REASON is not None, reason=str(_REASON)), pytest.mark.timeout(180)]

NAME: Final = "viipe-screen.service"
HOST: Final = "viipe.service"
UNITS: Final = {name: (REPOSITORY / "systemd" / name).read_text() for name in (NAME, HOST)}
FILE: Final = """
[host]
name = "till"
timezone = "Europe/Tallinn"
state_dir = "/var/lib/viipe"

[screen]
tablets = "127.0.0.1:8443"
"""
# What a browser on the host does; prints the status, and what the stream says first.
ASK: Final = """
import http.client, ssl, sys
own = http.client.HTTPConnection("127.0.0.1", 8480, timeout=10)
own.request("GET", "/shift")
print(own.getresponse().status)
trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
tablet = http.client.HTTPSConnection("127.0.0.1", 8443, context=trusting, timeout=10)
tablet.request("GET", "/")
print(tablet.getresponse().status)
stream = http.client.HTTPConnection("127.0.0.1", 8480, timeout=10)
stream.request("GET", "/api/stream")
heard = stream.getresponse()
print(heard.readline().decode().strip())
"""


def until(holds: Callable[[], bool], log: Callable[[], str]) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < until_s, log()[-3000:]
        time.sleep(0.2)


def test_the_hardened_pages_are_ready_hear_the_daemon_and_are_stopped() -> None:
    """Every call that they need is allowed: both listeners, the daemon's sockets, the certificate; and they end when told."""
    with OwnSystemd() as manager:
        manager.install_application()
        manager.write("/etc/viipe/host.toml", FILE)
        manager.write("/etc/ask.py", ASK)
        manager.run("ip", "link", "set", "lo", "up", check=False)
        manager.start(UNITS[NAME], NAME)
        assert manager.show(NAME, "ActiveState") == "active"

        def asked() -> list[str]:
            return manager.run("/usr/bin/python3", "/etc/ask.py", check=False).stdout.split("\n")[:3]

        until(lambda: asked() == ["200", "303", "event: away"], lambda: manager.output(NAME))
        manager.start(UNITS[HOST], HOST)
        until(lambda: asked() == ["200", "303", "event: state"], lambda: manager.output(NAME))
        owners = manager.run("stat", "--format=%U %a", "/var/lib/viipe/screen-tls.pem").stdout.split()
        assert owners == ["viipe", "600"]
        begun_s = time.monotonic()
        manager.stop(NAME)
        assert time.monotonic() - begun_s < 8
        assert manager.show(NAME, "Result") == "success"
        assert "Traceback" not in manager.output(NAME)
