"""The host's file that the tryout writes."""

from pathlib import Path

import pytest

from config.host import parse
from daemon.tryout.host import HOST_FILE, TILL_TABLE, is_running, pattern


@pytest.mark.parametrize("name", ["Virtual PCD 00 00", "ACS ACR122U [CCID] 00 00", 'odd "name" \\ 00'])
def test_the_tryouts_file_can_serve(name: str, tmp_path: Path) -> None:
    """The file is a good one, whatever the readers are called."""
    till = TILL_TABLE.format(till=pattern(name + "x"))
    told = {"name": "tryout", "state_dir": tmp_path, "url": "http://127.0.0.1:8440", "door": pattern(name)}
    config = parse(HOST_FILE.format(**told, till=till))
    assert len(config.readers) == 2


def test_nothing_runs_in_an_empty_folder(tmp_path: Path) -> None:
    """A second tryout is refused only while the first one answers."""
    (tmp_path / "host").mkdir()
    assert not is_running(tmp_path)
    assert not is_running(tmp_path / "nowhere")
