"""`viipe readers`, as a user types it."""

import json

from tests.rig.host_rig import GOOD, HostRig, door, till
from tests.rig.ifd import EventIfd


def test_each_reader_and_what_it_is_here(idle: HostRig, ifd: EventIfd) -> None:
    """Every reader of the machine is told, with the name that the host's file gives it."""
    told = idle.viipe("readers")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [f"{ifd.names[0]}: front-in", f"{ifd.names[1]}: till-1"]


def test_a_machine_reads_json(idle: HostRig, ifd: EventIfd) -> None:
    """One object a line, with what lies on the reader."""
    ifd.insert(1, GOOD)
    rows = [json.loads(line) for line in idle.viipe("readers", "--json").stdout.splitlines()]
    ifd.remove(1)
    assert [(row["name"], row["readers"]) for row in rows] == [(ifd.names[0], ["front-in"]), (ifd.names[1], ["till-1"])]
    assert [row["card_present"] for row in rows] == [False, True]
    assert rows[1]["atr"].startswith("3b8f80")


def test_a_reader_that_is_missing_is_told(ifd: EventIfd) -> None:
    """One of the file that is not plugged in is named, and the exit code is 1; a reader that is nobody's is told so."""
    with HostRig(ifd.environ(), door("Other*") + till(ifd.names[1]) + "[service.door]\n[service.canteen]\n") as host:
        host.write(host.config.read_text().split("\n", 4)[4].replace('outputs = ["strike"]\n', ""))
        told = host.viipe("readers")
    assert told.returncode == 1
    assert told.stderr == "not found: front-in\n"
    assert f"{ifd.names[0]}: not in the host file" in told.stdout


def test_readers_can_be_looked_at_before_there_is_a_file(idle: HostRig, ifd: EventIfd) -> None:
    """With a faulty file they are listed all the same, and the fault is told."""
    idle.config.write_text("[host]\n")
    told = idle.viipe("readers")
    assert [line.split(":")[0] for line in told.stdout.splitlines()] == list(ifd.names)
    assert "expected" in told.stderr


def test_no_pcscd_is_a_sentence(idle: HostRig) -> None:
    """Without a PC/SC daemon it is said what to install and start."""
    idle.environ["PCSCLITE_CSOCK_NAME"] = str(idle.folder / "none")
    told = idle.viipe("readers")
    assert (told.returncode, told.stdout) == (1, "")
    assert "install pcscd" in told.stderr
    assert len(told.stderr.splitlines()) == 1
