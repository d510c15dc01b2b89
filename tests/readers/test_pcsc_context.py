"""The shell over PC/SC: codes in words, and why a daemon cannot be reached."""

import os
import socket
from pathlib import Path

import pytest
from smartcard import scard

from readers.pcsc_context import WORDS, in_words
from tests.rig.others import needs_another_user
from tests.rig.reader_process import Event, ReaderProcess

NOBODY = 65_534


def test_every_code_is_put_into_words_of_its_own() -> None:
    """Codes read as sentences that tell them apart, with the number for those who look it up."""
    assert in_words(scard.SCARD_W_REMOVED_CARD) == "the card was taken away (0x80100069)"
    assert in_words(0x8010FFFF) == "an answer that PC/SC does not define here (0x8010FFFF)"
    assert len(set(WORDS.values())) == len(WORDS)


def ask(path: Path, prefix: tuple[str, ...] = ()) -> Event:
    """Ask a daemon at this socket for its readers, and return the one fault that comes."""
    (fault,) = ReaderProcess({"PCSCLITE_CSOCK_NAME": str(path)}, prefix=prefix, list="/sys").end()
    assert fault["kind"] == "PcscdUnreachable"
    return fault


def test_a_missing_socket_is_said(tmp_path: Path) -> None:
    """Without a socket pcscd is not installed or not enabled."""
    assert f"its socket {tmp_path / 'none'} is missing: install pcscd" in ask(tmp_path / "none")["why"]


def test_a_socket_where_nobody_listens_is_said(tmp_path: Path) -> None:
    """A socket that a dead daemon left behind."""
    path = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert f"nobody listens on its socket {path}" in ask(path)["why"]


@needs_another_user
def test_a_socket_that_this_user_may_not_use_is_said(tmp_path: Path) -> None:
    """A daemon that runs, behind a socket without rights for us."""
    path = tmp_path / "closed"
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(path))
        closed.listen()
        path.chmod(0)
        as_nobody = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        fault = ask(path, as_nobody if os.getuid() == 0 else ())
    assert f"this user may not use its socket {path}" in fault["why"]


@pytest.mark.parametrize("pattern", ["*", "Some reader"])
def test_a_reader_without_a_daemon_is_lost_with_the_same_words(tmp_path: Path, pattern: str) -> None:
    """A PcscReader tells the reason too, once, and goes on trying."""
    environ = {"PCSCLITE_CSOCK_NAME": str(tmp_path / "none")}
    with ReaderProcess(environ, run=[{"match": pattern}]) as reader:
        assert "is missing: install pcscd" in reader.wait("lost")["why"]
