"""Private PC/SC daemons: started, restarted, side by side, and without root."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from readers.private_pcscd import PcscdFailed, PrivatePcscd
from readers.virtual_card import VirtualCard
from tests.rig.others import needs_another_user
from tests.rig.reader_process import Event, ReaderProcess

UID = bytes.fromhex("EBF2CE70")
NOBODY = 65_534


def readers_of(pcscd: PrivatePcscd) -> list[Event]:
    """Return what a client of this daemon sees."""
    return ReaderProcess(pcscd.environ(), list="/sys").end()


def test_a_daemon_has_the_readers_that_were_asked_for() -> None:
    """Eight readers, named as `names` says, each on its own port: a card shows on its reader alone."""
    with PrivatePcscd(readers=8) as pcscd:
        assert [one["name"] for one in readers_of(pcscd)] == list(pcscd.names)
        assert pcscd.names[:2] == ("Virtual PCD 00 00", "Virtual PCD 00 01")
        with ReaderProcess(pcscd.environ(), run=[{"match": name} for name in pcscd.names]) as readers:
            for number in range(8):
                readers.wait("progress", reader=number)
            for number in (5, 0):
                with VirtualCard(bytes([0, 0, 0, number]), port=pcscd.ports[number]):
                    assert readers.wait("presented", reader=number)["uid"] == f"000000{number:02x}"
            assert len([one for one in readers.events if one["event"] == "presented"]) == 2


def test_an_odd_number_of_readers_is_rounded_up() -> None:
    """Virtual readers come in pairs."""
    with PrivatePcscd(readers=3) as pcscd:
        assert len(pcscd.ports) == len(pcscd.names) == len(readers_of(pcscd)) == 4


@pytest.mark.parametrize("readers", [0, 17])
def test_more_readers_than_one_daemon_can_hold_are_refused(readers: int) -> None:
    """The limits are PC/SC's own."""
    with pytest.raises(ValueError, match=f"found {readers}, expected 1 to 16"):
        PrivatePcscd(readers=readers)


def test_daemons_live_side_by_side() -> None:
    """A card at one daemon's reader is not seen at another's."""
    with PrivatePcscd() as one, PrivatePcscd() as other, VirtualCard(UID, port=one.ports[0]):
        with ReaderProcess(one.environ(), run=[{"match": "*00 00", "tap_on_start": True}]) as reader:
            reader.wait("presented")
        assert not any(reader["card_present"] for reader in readers_of(other))


def test_a_daemon_comes_back_at_the_same_socket_and_ports() -> None:
    """Stop and kill end it; start brings it back where its clients know it."""
    with PrivatePcscd() as pcscd:
        socket_path, ports, first = pcscd.socket_path, pcscd.ports, pcscd.pid
        for end in (pcscd.kill, pcscd.stop):
            end()
            assert readers_of(pcscd)[0]["kind"] == "PcscdUnreachable"
            with pytest.raises(PcscdFailed, match="does not run"):
                _ = pcscd.pid
            pcscd.start()
            assert len(readers_of(pcscd)) == 2
        assert (pcscd.socket_path, pcscd.ports) == (socket_path, ports)
        assert pcscd.pid != first


def test_nothing_is_left_behind() -> None:
    """After the block there is neither process nor file."""
    with PrivatePcscd() as pcscd:
        pid, folder = pcscd.pid, pcscd.folder
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_ports_that_are_taken_are_a_fault_in_words() -> None:
    """A given port that another program has is told, with the ports that were asked for."""
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PcscdFailed, match=f"ports {port} to {port + 1} "), PrivatePcscd(first_port=port):
            pass


def test_a_daemon_ends_when_its_starter_is_killed() -> None:
    """No daemon is left over, however hard the program that started it ends."""
    program = "import time; from readers.private_pcscd import PrivatePcscd; p = PrivatePcscd(); p.start()"
    program += "; print(p.pid, p.folder, flush=True); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid, folder = starter.stdout.readline().split()
    starter.kill()
    starter.communicate()
    shutil.rmtree(folder)
    deadline_s = time.monotonic() + 5
    while (alive := Path(f"/proc/{pid}/exe").exists()) and time.monotonic() < deadline_s:  # a zombie has no exe
        time.sleep(0.02)
    if alive:
        os.kill(int(pid), signal.SIGKILL)
    assert not alive


def test_a_long_temporary_folder_hinders_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket's path has room for 107 bytes: where the user's folder is longer, /tmp serves."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with PrivatePcscd() as pcscd:
        assert len(readers_of(pcscd)) == 2
    assert list(long.iterdir()) == []


@needs_another_user
def test_a_daemon_needs_no_root(tmp_path: Path) -> None:
    """Any user can have one."""
    as_nobody = (
        ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"] if os.getuid() == 0 else []
    )
    folder = tmp_path / "nobody"
    folder.mkdir()
    if as_nobody:
        os.chown(folder, NOBODY, NOBODY)
        for above in (folder, *folder.parents)[:4]:
            above.chmod(above.stat().st_mode | 0o011)
    program = "from readers.private_pcscd import PrivatePcscd\nwith PrivatePcscd(): print('up')"
    environ = {**os.environ, "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*as_nobody, sys.executable, "-c", program]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("up\n", "")
