"""`viipe cards import`, as a user types it."""

import json
import os
import pty
import re
import subprocess
import threading
from pathlib import Path

import pytest

from tests.rig.host_rig import HEADER, SAMPLES, UNKNOWN, VIIPE, HostRig
from tests.rig.ifd import EventIfd

NEW = "01020304,NEW-1,N-1,personal,active,,,\n"


def held(host: HostRig) -> list[str]:
    """Return the names of the cache files."""
    return sorted(path.name for path in host.state_dir.glob("cache-*.db"))


def test_good_cards_are_in_force(idle: HostRig) -> None:
    """How many there are, and which version, is told; each import is the next version, the former is kept."""
    for version in (1, 2, 3):
        told = idle.viipe("cards", "import", SAMPLES)
        assert (told.returncode, told.stdout) == (0, f"10 cards are in force (version {version})\n")
    assert held(idle) == ["cache-2.db", "cache-3.db"]


def test_cards_that_a_reader_would_mix_up_are_counted(tmp_path: Path) -> None:
    """For each reader that may lose bits: how many look alike to it; a reader of whole UIDs says nothing."""
    head = f'[[reader]]\nname = "gate"\nkind = "serial"\nport = "{tmp_path}/gate"\nservice = "door"\nformat = "line"\n'
    whole = head + 'notation = "text"\nuid_form = "wiegand_34"\n[service.door]\n'
    alike = "EBF2CE70,A,,personal,active,,,\n01F2CE70,B,,personal,active,,,\n"
    with HostRig({}, whole.replace("34", "26").replace("[service", "lossy = true\n[service")) as host:
        file = host.folder / "alike.csv"
        file.write_text(HEADER + alike + NEW)
        told = host.viipe("cards", "import", file)
        assert told.returncode == 0
        assert "2 of them look like another to gate" in told.stderr
        host.write(whole)
        assert "look like another" not in host.viipe("cards", "import", file).stderr


def test_bad_rows_change_nothing(idle: HostRig) -> None:
    """Every bad row is told with its line and what is expected; 65, and the former cards stay in force."""
    idle.feed()
    file = idle.folder / "bad.csv"
    rows = "EBF2CE7,A,,personal,active,,,\n01020304,B,,wizard,active,,,\n0A0B0C0D,C,,personal,active,soon,,\n"
    file.write_text(HEADER + NEW + rows + NEW)
    told = idle.viipe("cards", "import", file)
    assert (told.returncode, told.stdout) == (65, "")
    lines = [line for line in told.stderr.splitlines() if line.startswith(str(file))]
    assert [line.split(": ")[1].split(":")[0] for line in lines[:-1]] == ["line 3", "line 4", "line 5", "line 6"]
    assert lines[-1] == f"{file}: 4 bad rows; nothing was imported"
    assert held(idle) == ["cache-1.db"]


def test_the_next_tap_sees_them(host: HostRig, ifd: EventIfd) -> None:
    """While the daemon runs: unknown before, admitted after, refused again after the next import; nothing is restarted."""
    pid = host.status()["pid"]
    other = bytes.fromhex("0A0A0A0A")
    assert host.tap(lambda: ifd.insert(0, UNKNOWN))["reason"] == "unknown"
    host.feed(NEW)
    host.tap(lambda: ifd.insert(0, other))
    granted = host.tap(lambda: ifd.insert(0, UNKNOWN))
    assert (granted["reason"], granted["card"]) == ("ok", "NEW-1")
    host.feed()
    host.tap(lambda: ifd.insert(0, other))
    assert host.tap(lambda: ifd.insert(0, UNKNOWN))["reason"] == "unknown"
    assert host.status()["pid"] == pid


@pytest.mark.timeout(200)
def test_a_hundred_thousand_cards(idle: HostRig) -> None:
    """A big list is taken, and each of its cards is known."""
    idle.feed(
        "".join(f"{number:08X},C-{number},P-{number},personal,active,,,\n" for number in range(0x10000000, 0x100186A0))
    )
    told = idle.viipe("explain", "--reader", "front-in", "--uid", "100186 9F", "--json")
    assert json.loads(told.stdout)["reason"] == "ok"


def test_a_terminal_shows_how_far_it_is(idle: HostRig) -> None:
    """On a terminal a bar grows; elsewhere standard error stays short."""
    file = idle.folder / "many.csv"
    file.write_text(
        HEADER + "".join(f"{number:08X},C-{number},,personal,active,,,\n" for number in range(0x10000000, 0x10004000))
    )
    ours, theirs = pty.openpty()
    child = subprocess.Popen([VIIPE, "cards", "import", file, "--config", idle.config], stderr=theirs, stdout=-3)
    os.close(theirs)
    seen = b""
    reader = threading.Thread(target=child.wait)
    reader.start()
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the other end was closed: Linux says EIO
        pass
    reader.join()
    os.close(ours)
    assert child.returncode == 0
    assert len(set(re.findall(rb"\d+%", seen))) > 2
    assert b"100%" in seen
    assert "%" not in idle.viipe("cards", "import", SAMPLES).stderr


def test_a_file_that_is_none(idle: HostRig) -> None:
    """A missing file is one sentence, and makes nothing."""
    told = idle.viipe("cards", "import", Path("/not/there.csv"))
    assert (told.returncode, told.stdout) == (1, "")
    assert "/not/there.csv" in told.stderr
    assert held(idle) == []


def test_the_key_is_the_owners_alone(idle: HostRig) -> None:
    """The first import makes the site's key, which nobody else may read; so may the cards."""
    idle.feed()
    assert {path.name: path.stat().st_mode & 0o077 for path in idle.state_dir.iterdir()}.items() >= {
        "site.key": 0,
        "cache-1.db": 0,
    }.items()
