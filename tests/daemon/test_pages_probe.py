"""Whether the pages are served: looked at over the network, with a fault and what mends it for each listener."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from config.host import HostConfig, parse
from daemon import pages_probe
from outputs.screen import certificate
from tests.rig.screen import HOST_FILE, ScreenRig
from tests.rig.till_screen import free_port


@contextmanager
def another(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Let another program have a port; with a certificate of its own where it speaks TLS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def host(folder: Path, own: int, tablets: int | None = None) -> HostConfig:
    """Return a host whose pages are where they are said to be."""
    table = f'\n[screen]\nlisten = "127.0.0.1:{own}"\n' + (f'tablets = "0.0.0.0:{tablets}"\n' if tablets else "")
    return parse(HOST_FILE.replace("/nowhere", str(folder)) + table)


def test_a_host_without_pages_is_not_looked_at() -> None:
    """There is nothing to find, and nothing to mend."""
    assert list(pages_probe.look(parse(HOST_FILE))) == []


def test_pages_that_are_served_are_in_order(tmp_path: Path) -> None:
    """Asked as a browser asks."""
    with ScreenRig() as screen:
        (seen,) = pages_probe.look(host(tmp_path, screen.port))
    assert seen == ("pages", f"127.0.0.1:{screen.port}: served", "")


def test_what_is_not_served_is_said_with_what_mends_it(tmp_path: Path) -> None:
    """Nobody is there; or somebody who is not us."""
    (seen,) = pages_probe.look(host(tmp_path, free_port()))
    assert ("refused" in seen.found, "viipe-screen" in seen.mend) == (True, True)
    with another() as port:
        (seen,) = pages_probe.look(host(tmp_path, port))
    assert ("another program" in seen.found, seen.mend != "") == (True, True)


def test_tablets_are_held_against_the_hosts_own_certificate(tmp_path: Path) -> None:
    """In order where it is shown; said where nobody answers, and where another program does."""
    now = datetime.now(UTC)
    ours = certificate.context(certificate.ensure(tmp_path, "canteen", now))
    (tmp_path / "other").mkdir()
    theirs = certificate.context(certificate.ensure(tmp_path / "other", "other", now))
    seen: list[str] = []
    with another(ours) as ours_port, another(theirs) as theirs_port:
        for port in (ours_port, theirs_port, free_port()):
            _, tablets = pages_probe.look(host(tmp_path, free_port(), port))
            seen.append(f"{tablets.found} {tablets.mend}")
    assert seen[0] == f"0.0.0.0:{ours_port}: can come in "
    assert "another program answers" in seen[1]
    assert "tablets cannot come in" in seen[2]
    assert all("screen.tablets" in each for each in seen[1:])
