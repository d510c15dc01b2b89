"""A socket deep in the tree is bound and found all the same."""

import socket
from pathlib import Path

import pytest

from daemon.short_path import short_path


def test_a_socket_deep_in_the_tree_is_bound_and_found(tmp_path: Path) -> None:
    """The path is longer than an address may be; its short name is not."""
    path = tmp_path / ("deep" * 40) / "control.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        with short_path(path) as name:
            listener.bind(name)
        listener.listen(1)
        with short_path(path) as name:
            caller.connect(name)
        assert path.is_socket()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As any other missing file."""
    with pytest.raises(FileNotFoundError), short_path(tmp_path / "gone" / "control.sock"):
        pass
