"""`viipe check-config`, as a user types it."""

import subprocess
from pathlib import Path

import pytest

from sync import site_key
from tests.rig.host_rig import VIIPE
from tests.rig.published_site import PublishedSite

GOOD = """\
[host]
name = "main-hall"
timezone = "Europe/Tallinn"
state_dir = "/var/lib/viipe"

[[reader]]
name = "front-in"
kind = "pcsc"
match = "*"
service = "door"

[service.door]
kinds = ["staff"]
"""
REGISTRY = '[registry]\nurl = "http://127.0.0.1:8440"\n'
TWELVE_FAULTS = """\
[host]
name = ""
timezone = "Europe/Nowhere"
state_dir = "relative"
colour = "red"

[[reader]]
name = "front-in"
kind = "telepathy"
match = "*"
service = "pool"
direction = "sideways"
absent_ms = 1

[[output]]
name = "strike"
kind = "record"
path = "strike.log"
pulse_s = 99

[service.door]
kinds = ["wizard"]
per_day = -1
"""


def check(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    return subprocess.run([VIIPE, "check-config", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a good host's file."""
    path = tmp_path / "host.toml"
    path.write_text(GOOD)
    return path


def test_a_good_file_can_serve(file: Path) -> None:
    """It says what the file holds, ends with 0, and has nothing to complain of."""
    checked = check(file)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == f"{file}: 1 readers, 0 outputs, 1 services: can serve\n"


def test_the_file_may_be_named_by_config(file: Path) -> None:
    """By its place and by --config it is the same."""
    assert check("--config", file).stdout == check(file).stdout


def test_a_doubt_stops_nothing(file: Path) -> None:
    """Local services beside a registry are a warning, with its line, and the exit code stays 0."""
    file.write_text(GOOD + REGISTRY)
    checked = check(file)
    assert checked.returncode == 0
    assert checked.stderr.startswith(f"{file}: line 12: service: ")
    assert checked.stderr.endswith(" (a warning)\n")


def test_all_faults_at_once(file: Path) -> None:
    """Twelve faults are twelve lines in order, each with line, key, what was found and what is expected; exit code 78."""
    file.write_text(TWELVE_FAULTS)
    checked = check(file)
    lines = checked.stderr.splitlines()
    assert (checked.returncode, checked.stdout, len(lines)) == (78, "", 12)
    numbers = [int(line.split(": line ")[1].split(":")[0]) for line in lines]
    assert numbers == sorted(numbers)
    assert {2, 3, 4, 5, 9, 11, 12, 13, 18, 19, 22, 23} >= set(numbers)
    assert all("found" in line and "expected" in line for line in lines)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A missing file, a folder and text that is no TOML are 78."""
    (tmp_path / "bad.toml").write_text("[host\n")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bad.toml"):
        checked = check(path)
        assert (checked.returncode, checked.stdout) == (78, "")
        assert str(path) in checked.stderr


def test_it_says_whose_rules_serve(tmp_path: Path) -> None:
    """With a registry: this file's until the first snapshot, then the registry's, of which version."""
    file = tmp_path / "host.toml"
    file.write_text(GOOD.replace("/var/lib/viipe", str(tmp_path)) + REGISTRY)
    told = check(file)
    assert told.returncode == 0
    assert "the rules of this file serve until the registry's first snapshot" in told.stdout
    PublishedSite(tmp_path, site_key.load_or_make(tmp_path), {}).close()
    assert "the registry's rules serve, of version 1" in check(file).stdout
    (tmp_path / "cache-1.db").write_bytes(b"no database")
    told = check(file)
    assert (told.returncode, "cannot be told" in told.stdout) == (0, True)
