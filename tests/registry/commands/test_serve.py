"""`viipe-registry serve`: begins by itself, says where, and ends when it is told to, whoever is connected."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from registry.asgi import Registry
from registry.commands.serve import STOP_S, Server, listening
from registry.publishing import keys
from tests.rig import laid_tables
from tests.rig.protocol_host import ProtocolHost, ask
from tests.rig.registry_process import ROOT, RegistryProcess, a_school


def test_a_first_start_needs_no_other_step() -> None:
    """Tables and keys are made, the recovery key is shown this once, and it says what to do next."""
    with RegistryProcess(is_laid=False) as registry:
        assert "recovery key" in registry.said
        assert sorted(path.name for path in (registry.data / "keys").iterdir()) == [
            "box.key",
            "root.key",
            "signing.key",
        ]
        assert asyncio.run(ask(registry.port, "GET", "/", {})).status == 302
        assert b"--primary" in asyncio.run(ask(registry.port, "GET", "/static/admin/css/base.css", {})).body
        code, errors, took_s = registry.stop()
        assert (code, errors) == (0, "")
        assert took_s < 5
        said = registry.start()
        assert "create-admin" in said
        assert "recovery" not in said
        registry.command("create-admin", "admin", "--password-stdin", said="a-long-pass-phrase\n")
        registry.stop(signal.SIGINT)
        assert "create-admin" not in registry.start()


def test_it_ends_in_time_with_streams_open() -> None:
    """Hosts are let go in good order; they come back when it does."""
    with RegistryProcess() as registry:
        registry.do(a_school())
        host = ProtocolHost(registry.port, "main-hall")
        assert asyncio.run(host.enrol(registry.command("enrol-code", "main-hall").splitlines()[0])).status == 200

        async def held() -> tuple[int, str, float]:
            async with host.stream() as stream:
                lines = stream.lines()
                await anext(lines)
                stopping = asyncio.create_task(asyncio.to_thread(registry.stop))
                async for _ in lines:
                    pass
                return await stopping

        code, errors, took_s = asyncio.run(held())
        assert (code, errors) == (0, "")
        assert took_s < 5
        registry.start()
        asyncio.run(host.catch_up())
        assert len(host.cards) == 3


def test_a_port_that_another_has_is_a_fault(tmp_path: Path) -> None:
    """It is said which."""
    laid_tables.lay(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "registry.cli", "serve", "--data", str(tmp_path), "--port", str(port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"127.0.0.1 port {port}" in done.stderr


def test_a_client_that_takes_nothing_is_cut_off_by_the_kernel() -> None:
    """The socket bounds what waits for it and for how long; each connection takes that over."""
    with listening("127.0.0.1", 0) as sock:
        sock.listen()
        with socket.create_connection(sock.getsockname()):
            sock.setblocking(True)  # noqa: FBT003  the standard library's form
            accepted, _ = sock.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 1 << 20


@pytest.mark.django_db(transaction=True)
def test_a_server_whose_streams_end_ends_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never serves by halves: whoever started it starts it anew, since it says that it failed."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    keys.ensure(timezone.now())
    registry = Registry()

    async def served() -> None:
        with listening("127.0.0.1", 0) as sock:
            serving = asyncio.create_task(Server(registry, has_administrator=True).serve(sockets=[sock]))
            async with asyncio.timeout(STOP_S):
                while not (streams := [task for task in asyncio.all_tasks() if task.get_name() == "streams"]):  # noqa: ASYNC110  it has no event to wait for
                    await asyncio.sleep(0.01)
                assert not registry.has_failed
                await registry._slow.run(lambda: connection.close())  # noqa: PLW0108  that of the chores' thread
                streams[0].cancel()
                await serving

    asyncio.run(served())
    for thread in threading.enumerate():
        if thread.name == "bell":
            thread.join(STOP_S)
    assert registry.has_failed


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_families_are_served(host: str) -> None:
    """An address with colons is of the newer one."""
    with listening(host, 0) as sock:
        assert sock.getsockname()[0] == host
