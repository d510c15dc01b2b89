"""`viipe link`, as a process that is watched, reloaded and stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.link import enrolling
from tests.rig.linked import held, until
from tests.rig.small_registry import HOST, SmallRegistry

ROOT = Path(__file__).parents[3]
HOST_FILE = """\
[host]
name = "{host}"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"
"""


def write(tmp_path: Path, url: str | None, *, host: str = HOST) -> Path:
    """Write a host's file."""
    path = tmp_path / "host.toml"
    registry = f'[registry]\nurl = "{url}"\n' if url else ""
    path.write_text(HOST_FILE.format(host=host, state_dir=tmp_path / "state") + registry)
    return path


@contextmanager
def linking(path: Path, notify: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """Run the command under a manager that hears what it tells."""
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(0.05)
        environ = {**os.environ, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "2000000"}
        command = [sys.executable, "-m", "daemon.cli", "link", "--config", str(path)]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)

        class Heard(list[str]):
            """Reads what came, whenever it is looked into."""

            def __contains__(self, what: object) -> bool:
                while True:
                    try:
                        heard.append(manager.recv(4096).decode())
                    except TimeoutError:
                        return any(str(what) in each for each in heard)

        try:
            yield process, Heard()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def report(tmp_path: Path) -> dict[str, object]:
    """Return what the link tells."""
    try:
        told: dict[str, object] = json.loads((tmp_path / "state" / "link.json").read_text())
    except (OSError, ValueError):
        return {}
    return told


def test_it_says_that_it_is_ready_feeds_the_watchdog_and_ends_when_told(tmp_path: Path) -> None:
    """As systemd expects of Type=notify; a new enrolment, and SIGHUP's new address, are taken up while it runs."""
    with SmallRegistry() as registry:
        path = write(tmp_path, "http://127.0.0.1:1")
        with linking(path, tmp_path / "notify") as (process, heard):
            until(lambda: "READY=1" in heard, "ready though not enrolled")
            until(lambda: "viipe enrol" in str(report(tmp_path).get("fault")), "it says what to do")
            enrolling.enrol(tmp_path / "state", registry.url, registry.code.text, HOST, ca=None)
            until(lambda: "nobody answers there" in str(report(tmp_path).get("fault")), "the enrolment was taken up")
            write(tmp_path, registry.url)
            process.send_signal(signal.SIGHUP)
            until(lambda: held(tmp_path / "state") == (1, 1), "the new address was taken up")
            until(lambda: report(tmp_path).get("fault") is None and report(tmp_path).get("held") == 1)
            until(lambda: "RELOADING=1" in heard and "WATCHDOG=1" in heard and "in step" in heard)
            path.write_text("nonsense")
            process.send_signal(signal.SIGHUP)
            until(lambda: report(tmp_path).get("held") == 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert "STOPPING=1" in heard


def test_a_host_without_a_registry_needs_no_link(tmp_path: Path) -> None:
    """Exit code 78: starting again would mend nothing."""
    command = [sys.executable, "-m", "daemon.cli", "link", "--config", str(write(tmp_path, None))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == os.EX_CONFIG
    assert "found no [registry]" in ended.stderr


def test_a_second_link_is_refused(tmp_path: Path) -> None:
    """One a state directory."""
    path = write(tmp_path, "http://127.0.0.1:1")
    with linking(path, tmp_path / "notify") as (_, heard):
        until(lambda: "READY=1" in heard)
        command = [sys.executable, "-m", "daemon.cli", "link", "--config", str(path)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 1
        assert "another link works in" in ended.stderr


def test_what_it_imports_is_little() -> None:
    """A host has 65 MB for both of its processes: no web framework, no library of the daemon's log, none of the import's."""
    code = "import sys, daemon.commands.link; print(*sorted(name.split('.')[0] for name in sys.modules))"
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"structlog", "sqlite_utils", "django", "starlette", "asyncio", "smartcard", "rich", "registry"}
    assert heavy.isdisjoint(modules.stdout.split())
