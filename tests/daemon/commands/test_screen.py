"""`viipe screen`: the pages as a program of their own, and tablets by the command line."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig.host_rig import VIIPE, HostRig
from tests.rig.till_screen import free_port

WITHIN_S = 20.0


@pytest.fixture
def ports() -> tuple[int, int]:
    """Give two ports that nobody has."""
    return free_port(), free_port()


@pytest.fixture
def host(ports: tuple[int, int]) -> Iterator[HostRig]:
    """Give a host's file with pages and tablets; nothing runs."""
    table = f'[screen]\nlisten = "127.0.0.1:{ports[0]}"\ntablets = "127.0.0.1:{ports[1]}"\n'
    with HostRig({}, f"\n[service.canteen]\n{table}") as rig:
        yield rig


@contextmanager
def serving(host: HostRig) -> "Iterator[subprocess.Popen[bytes]]":
    """Run the pages until they say that they are ready."""
    before = host.manager.count("READY=1")
    environ = {**host.environ, "NOTIFY_SOCKET": str(host.folder / "notify"), "WATCHDOG_USEC": "1000000"}
    with host.log_path.open("ab") as log:
        process = subprocess.Popen([VIIPE, "screen", "--config", host.config], env=environ, stderr=log)
    try:
        host.manager.wait("READY=1", before + 1, WITHIN_S)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def got(port: int, path: str = "/", *, tls: bool = False) -> int:
    """Return the status of a page."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=WITHIN_S)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    )
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_it_serves_both_listeners_feeds_the_watchdog_and_ends_in_order(host: HostRig, ports: tuple[int, int]) -> None:
    """Ready once all is served, also while no daemon runs; SIGTERM ends it with 0."""
    with serving(host) as process:
        assert got(ports[0], "/shift") == 200
        host.wait_until(lambda: _lets_tablets_in(ports[1]), "tablets to come in", WITHIN_S)
        host.manager.wait("WATCHDOG=1", 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0
    assert host.manager.count("STOPPING=1") == 1
    assert '"screen running"' in host.log()
    assert "Traceback" not in host.log()


def test_a_port_that_is_taken_is_said_and_ends_it(host: HostRig, ports: tuple[int, int]) -> None:
    """Whoever supervises tries again."""
    with serving(host):
        told = host.viipe("screen")
    assert (told.returncode, f"127.0.0.1:{ports[0]}: Address already in use" in told.stderr) == (1, True)


def test_tablets_come_in_once_their_port_is_free(host: HostRig, ports: tuple[int, int]) -> None:
    """Their port is another program's: that is said, the till's own page is there all the same, and nobody has to start anything anew."""
    with contextlib.ExitStack() as stack:
        taken = stack.enter_context(socket.socket())
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", ports[1]))
        taken.listen()
        stack.enter_context(serving(host))
        assert got(ports[0], "/shift") == 200
        host.wait_until(lambda: f"127.0.0.1:{ports[1]}: Address already in use" in host.log(), "the word", WITHIN_S)
        (found,) = _doctor(host, "tablets")
        assert (found["level"], "try again by themselves" in found["mend"]) == ("warning", True)
        taken.close()
        host.wait_until(lambda: _lets_tablets_in(ports[1]), "tablets to come in", 2 * WITHIN_S)
        assert [each["level"] for each in (*_doctor(host, "tablets"), *_doctor(host, "pages"))] == ["ok", "ok"]


def _doctor(host: HostRig, check: str) -> list[dict[str, str]]:
    told = [json.loads(line) for line in host.viipe("doctor", "--json").stdout.splitlines()]
    return [each for each in told if each["check"] == check]


def _lets_tablets_in(port: int) -> bool:
    try:
        return got(port, tls=True) == 303
    except OSError:
        return False


def test_a_file_without_pages_is_said(host: HostRig) -> None:
    """Exit code 78: starting again mends nothing."""
    host.write("\n[service.canteen]\n")
    told = host.viipe("screen")
    assert (told.returncode, "found no [screen]" in told.stderr) == (78, True)
    host.write("\n[service.canteen]\n[screen]\n")
    told = host.viipe("screen", "pair")
    assert (told.returncode, "found no screen.tablets" in told.stderr) == (78, True)


def test_a_tablet_is_paired_listed_and_revoked_by_the_command_line(host: HostRig, ports: tuple[int, int]) -> None:
    """The code works in the serving process; what is told is what the tablet's browser shows."""
    with serving(host):
        told = host.viipe("screen", "pair").stdout
        code = re.search(r"Code: +(\w{4} \w{4}) ", told)
        assert code is not None
        assert f"https://127.0.0.1:{ports[1]}/" in told
        assert re.search(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", told)
        host.wait_until(lambda: _lets_tablets_in(ports[1]), "tablets to come in", WITHIN_S)
        assert _pair(ports[1], code[1]) == 200
        assert _pair(ports[1], code[1]) == 403
    listed = host.viipe("screen", "tablets").stdout
    assert "söökla 2" in listed
    id_ = listed.split()[0]
    wrong = host.viipe("screen", "revoke", "nobody")
    assert (wrong.returncode, id_ in wrong.stderr) == (1, True)
    assert host.viipe("screen", "revoke", id_).returncode == 0
    assert host.viipe("screen", "tablets").stdout == ""


def _pair(port: int, code: str) -> int:
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusting, timeout=WITHIN_S)
    headers = {"content-type": "application/json", "origin": f"https://127.0.0.1:{port}"}
    connection.request("POST", "/api/pair", f'{{"code": "{code}", "name": "söökla 2"}}'.encode(), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_without_a_service_manager_the_host_keeps_it(host: HostRig, ports: tuple[int, int]) -> None:
    """`viipe run` begins the pages, begins them anew when they are killed, and ends them with itself."""
    environ = {name: value for name, value in host.environ.items() if name != "NOTIFY_SOCKET"}
    with host.log_path.open("ab") as log:
        run = subprocess.Popen([VIIPE, "run", "--config", host.config], env=environ, stderr=log)
    try:
        first = _screens(host)
        os.kill(first, signal.SIGKILL)
        host.wait_until(lambda: _alive(host) not in {None, first}, "other pages", WITHIN_S)
        host.wait_until(lambda: _serves(ports[0]), "the pages to be served", WITHIN_S)
        run.send_signal(signal.SIGTERM)
        assert run.wait(WITHIN_S) == 0
        assert _alive(host) is None
    finally:
        if run.poll() is None:
            run.kill()
            run.wait()


def _screens(host: HostRig) -> int:
    host.wait_until(lambda: _alive(host) is not None, "the pages' process", WITHIN_S)
    found = _alive(host)
    assert found is not None
    return found


def _alive(host: HostRig) -> int | None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"daemon.cli screen --config {host.config}" in line and "setpriv" not in line:
                return int(path.parent.name)
    return None


def _serves(port: int) -> bool:
    try:
        return got(port, "/shift") == 200
    except OSError:
        time.sleep(0.05)
        return False
