"""The registry beside the host serves, takes commands meanwhile, and goes with the block."""

import socket
from pathlib import Path

import pytest

from daemon.tryout.fault import StartFault
from daemon.tryout.registry import serving


def test_a_registry_of_the_sample_schools_serves_and_ends(tmp_path: Path) -> None:
    """Its commands work while it serves; a wrong one says what the command said; nothing listens afterwards."""
    with serving(tmp_path / "registry") as registry:
        assert "THG-0001" in registry.command("card", "show", "THG-0001")
        with pytest.raises(StartFault, match="viipe-registry card: "):
            registry.command("card", "show", "no-such-card")
    with socket.socket() as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(("127.0.0.1", registry.port))


def test_a_taken_port_is_left_to_its_owner(tmp_path: Path) -> None:
    """Another free one serves."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path / "registry", port) as registry:
            assert registry.port != port
