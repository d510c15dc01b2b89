"""The host's file that the tryout writes."""

from pathlib import Path

import pytest

from config.host import parse
from daemon.tryout.host import DOOR_TABLE, HOST_FILE, PAGES_TABLE, TILL_TABLE, is_running, pattern


@pytest.mark.parametrize("name", ["Virtual PCD 00 00", "ACS ACR122U [CCID] 00 00", 'odd "name" \\ 00'])
def test_the_tryouts_file_can_serve(name: str, tmp_path: Path) -> None:
    """The file is a good one, whatever the readers are called."""
    head = HOST_FILE.format(name="tryout", state_dir=tmp_path, url="http://127.0.0.1:8440")
    door = DOOR_TABLE.format(match=pattern(name), state_dir=tmp_path)
    till = TILL_TABLE.format(name="till-1", match=pattern(name + "x"))
    pages = PAGES_TABLE.format(till="till-1", port=8480, neighbours_port=8441)
    config = parse(head + door + till + pages)
    assert len(config.readers) == 2
    assert config.screen is not None
    assert config.screen.readers == ("till-1",)
    assert config.neighbours is not None
    assert len(parse(head + door).readers) == 1


def test_nothing_runs_in_an_empty_folder(tmp_path: Path) -> None:
    """A second tryout is refused only while the first one answers."""
    (tmp_path / "host").mkdir()
    assert not is_running(tmp_path)
    assert not is_running(tmp_path / "nowhere")
