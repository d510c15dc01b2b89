"""The real link as its unit runs it: a real systemd, all of the unit's hardening, a registry inside the same machine."""

import json
import time
from collections.abc import Callable
from typing import Final

import pytest

from tests.rig.own_systemd import REPOSITORY, OwnSystemd, why_impossible
from tests.rig.small_registry import HOST

_REASON = why_impossible()
pytestmark = [pytest.mark.skipif(_REASON is not None, reason=str(_REASON)), pytest.mark.timeout(180)]

NAME: Final = "viipe-link.service"
UNIT: Final = (REPOSITORY / "systemd" / NAME).read_text()
REPORT: Final = "/var/lib/viipe/link.json"
FILE: Final = f"""
[host]
name = "{HOST}"
timezone = "Europe/Tallinn"
state_dir = "/var/lib/viipe"

[registry]
url = "http://127.0.0.1:8440"
"""
# Serves on the port of the file above, and writes its one-time code where the test finds it.
REGISTRY: Final = """\
import pathlib, socket, threading
from tests.rig import small_registry

class Server(small_registry.ThreadingHTTPServer):
    def __init__(self, address, handler):
        super().__init__(("127.0.0.1", 8440), handler)

small_registry.ThreadingHTTPServer = Server
with small_registry.SmallRegistry() as registry:
    pathlib.Path("/tmp/code").write_text(registry.code.text)
    threading.Event().wait()
"""
REGISTRY_UNIT: Final = (
    "[Service]\nType=exec\nExecStart=/usr/bin/python3 /etc/registry.py\nWorkingDirectory=/opt/viipe/src\n"
)


def until(holds: Callable[[], bool], log: Callable[[], str]) -> None:
    """Wait until something holds."""
    until_s = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < until_s, log()[-3000:]
        time.sleep(0.1)


def told(manager: OwnSystemd) -> dict[str, object]:
    """Return what the link tells."""
    ran = manager.run("cat", REPORT, check=False).stdout
    return json.loads(ran) if ran else {}


def test_the_hardened_link_is_ready_enrolled_in_step_and_stopped() -> None:
    """Every call that it needs is allowed: sockets, locks, its files, TLS's and SQLite's own; and it ends when told."""
    with OwnSystemd() as manager:
        manager.install_application()
        manager.write("/etc/viipe/host.toml", FILE)
        manager.write("/etc/registry.py", REGISTRY)
        manager.run("ip", "link", "set", "lo", "up", check=False)
        manager.start(UNIT, NAME)
        assert manager.show(NAME, "ActiveState") == "active"
        until(lambda: "viipe enrol" in str(told(manager).get("fault")), lambda: manager.output(NAME))
        manager.start(REGISTRY_UNIT, "registry.service")
        code = manager.root / "tmp/code"
        until(lambda: code.exists() and bool(code.read_text()), lambda: manager.output("registry.service"))
        manager.run("/opt/viipe/venv/bin/viipe", "enrol", "http://127.0.0.1:8440", code.read_text())
        until(
            lambda: told(manager).get("held") == 1 and told(manager).get("fault") is None,
            lambda: f"{told(manager)}{manager.output(NAME)}",
        )
        until(lambda: manager.show(NAME, "StatusText") == "in step with the registry", lambda: manager.output(NAME))
        owners = manager.run("stat", "--format=%U", "/var/lib/viipe/current", "/var/lib/viipe/link.key").stdout.split()
        assert set(owners) == {"viipe"}
        manager.run("systemctl", "reload", NAME)
        until(lambda: told(manager).get("held") == 1, lambda: manager.output(NAME))
        begun_s = time.monotonic()
        manager.stop(NAME)
        assert time.monotonic() - begun_s < 8
        assert manager.show(NAME, "Result") == "success"
