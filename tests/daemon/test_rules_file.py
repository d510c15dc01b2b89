"""A file of rules to try."""

from pathlib import Path

import pytest

from config.finding import ConfigError
from daemon.rules_file import SIZE_MAX_BYTES, load


def written(folder: Path, text: str | bytes) -> Path:
    """Write a file of rules."""
    path = folder / "rules.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def findings(path: Path) -> list[str]:
    """Return what is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.path == path
    return [str(finding) for finding in caught.value.findings]


def test_a_hosts_file_will_do(tmp_path: Path) -> None:
    """Its services are read, with their own defaults; its other tables are nobody's business."""
    rules = load(written(tmp_path, '[host]\nname = 5\n[service.canteen]\nper_day = 2\n[service."door in"]\n'))
    assert {name: rule.per_day for name, rule in rules.items()} == {"canteen": 2, "door in": None}
    assert rules["canteen"].pool_card == "ask"


def test_all_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    """Also within a slot, which is a table of its own."""
    text = (
        '[service.canteen]\nper_day = -1\n[[service.canteen.slots]]\ngroups = ["7b"]\nschool_day = ["x"]\n'
        "[service.door]\nhour = 1\n"
    )
    told = findings(written(tmp_path, text))
    assert [line.split(": found")[0] for line in told] == [
        "line 2: service.canteen.per_day",
        "line 5: service.canteen.slots[1].school_day[1]",
        "line 7: service.door.hour",
    ]


def test_a_mistyped_key_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """As `viipe check-config` does, beside what else is wrong."""
    told = findings(written(tmp_path, "[service.canteen]\nperday = 1\nrepeat_s = -1\n"))
    assert told == [
        'line 2: service.canteen.perday: found an unknown key, expected "per_day", the nearest known key',
        "line 3: service.canteen.repeat_s: found -1, expected a whole number from 0 to 86400",
    ]


@pytest.mark.parametrize(
    "text",
    ["", "service = 5", "[service]", "[[service]]", "per_day = 1", "no toml", b"\xff", b"#" * (SIZE_MAX_BYTES + 1)],
    ids=["empty", "no table", "no service", "a list", "a rule alone", "no TOML", "no text", "too long"],
)
def test_what_holds_no_rules_is_refused(tmp_path: Path, text: str | bytes) -> None:
    """With one sentence."""
    assert len(findings(written(tmp_path, text))) == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """As a fault of the file itself."""
    assert findings(tmp_path / "none.toml") == ["found No such file or directory, expected a file that can be read"]
