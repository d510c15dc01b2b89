"""`viipe enrol`, as a person calls it."""

from pathlib import Path

import pytest

from daemon.cli import main
from sync.link import identity
from tests.rig.certificates import Authority
from tests.rig.small_registry import HOST, SmallRegistry


def write(tmp_path: Path, registry: str = "") -> Path:
    """Write a host's file."""
    path = tmp_path / "host.toml"
    head = f'[host]\nname = "{HOST}"\ntimezone = "Europe/Tallinn"\nstate_dir = "{tmp_path}/state"\n'
    path.write_text(head + registry)
    return path


def test_a_host_is_enrolled_and_told_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The site's name, and the restart that takes up its key."""
    with SmallRegistry() as registry:
        path = write(tmp_path, f'[registry]\nurl = "{registry.url}"\n')
        assert main(["--config", str(path), "enrol", registry.url + "/", registry.code.text]) == 0
        told = capsys.readouterr()
        assert f'enrolled: "{HOST}" is a host of site "thg"' in told.out
        assert "systemctl restart viipe" in told.out
        assert told.err == ""
        assert identity.load(tmp_path / "state").enrolment.host == HOST


def test_a_file_that_names_no_or_another_registry_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is to be written into the host's file stands there to be copied; --ca is part of it."""
    authority = Authority(tmp_path)
    with SmallRegistry(authority.server()) as registry:
        path = write(tmp_path)
        command = ["--config", str(path), "enrol", registry.url, registry.code.text, "--ca", str(authority.path)]
        assert main(command) == 0
        told = capsys.readouterr().err
        assert "found no [registry]" in told
        assert f'[registry]\nurl = "{registry.url}"\nca = "{authority.path}"' in told


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("ftp://x", "", "URL: "),
        ("", "ABCD", "code: expected 56 letters"),
        ("http://127.0.0.1:1", "", "nobody answers there"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, code: str, said: str
) -> None:
    """Exit code 1, no trace, nothing written."""
    with SmallRegistry() as registry:
        assert main(["--config", str(write(tmp_path)), "enrol", url or registry.url, code or registry.code.text]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not list((tmp_path / "state").glob("*")) if (tmp_path / "state").exists() else True
