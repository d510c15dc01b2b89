import threading
from itertools import pairwise
from pathlib import Path

import pytest

from sync import current
from sync.current import Current
from sync.faults import CacheFault


def test_a_host_that_was_never_fed_has_none(tmp_path: Path) -> None:
    """Without the file nothing serves and the last version is 0."""
    assert current.read(tmp_path) == Current(None, None, 0)
    assert current.stamp(tmp_path) is None


def test_switching_changes_the_stamp_and_keeps_the_former(tmp_path: Path) -> None:
    """Each switch is seen by its stamp; the former file stays, older ones go."""
    stamps = [current.stamp(tmp_path)]
    for version in (1, 2, 3):
        (tmp_path / f"cache-{version}.db").touch()
        current.switch(tmp_path, f"cache-{version}.db", version)
        stamps.append(current.stamp(tmp_path))
    assert all(earlier != later for earlier, later in pairwise(stamps))
    assert current.read(tmp_path) == Current("cache-3.db", "cache-2.db", 3)
    assert sorted(path.name for path in tmp_path.glob("cache-*")) == ["cache-2.db", "cache-3.db"]


def test_stepping_back_is_done_once(tmp_path: Path) -> None:
    """The damaged file is set aside and the version kept; who comes later with the same finding changes nothing."""
    for version in (1, 2):
        (tmp_path / f"cache-{version}.db").touch()
        current.switch(tmp_path, f"cache-{version}.db", version)
    assert current.step_back(tmp_path, "cache-2.db") == Current("cache-1.db", None, 2)
    assert current.step_back(tmp_path, "cache-2.db") == Current("cache-1.db", None, 2)
    assert (tmp_path / "damaged-cache-2.db").exists()


def test_rebuilding_takes_the_newest_by_number(tmp_path: Path) -> None:
    """Version 10 is newer than 9; one set aside as damaged does not serve, and its version is not given again."""
    for name in ("cache-9.db", "cache-10.db", "cache-8.db", "damaged-cache-11.db"):
        (tmp_path / name).touch()
    (tmp_path / "current").write_bytes(b"damaged")
    with pytest.raises(CacheFault):
        current.read(tmp_path)
    expected = Current("cache-10.db", "cache-9.db", 11)
    assert current.look(tmp_path) == expected
    with pytest.raises(CacheFault):
        current.read(tmp_path)  # looking wrote nothing
    assert current.rebuild(tmp_path) == expected
    assert current.read(tmp_path) == expected


def test_only_one_changes_it_at_a_time(tmp_path: Path) -> None:
    """The second waits until the first lets go; an import's lock is another one."""
    order: list[str] = []

    def second() -> None:
        with current.changing(tmp_path):
            order.append("second")

    with current.importing(tmp_path), current.changing(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.05)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_version_is_never_given_twice_even_when_current_was_lost(tmp_path: Path) -> None:
    """The next one follows the last that any file bears, one set aside included."""
    (tmp_path / "cache-4.db").touch()
    (tmp_path / "damaged-cache-6.db").touch()
    (tmp_path / "current").write_text("no JSON")
    assert current.next_version(tmp_path) == 7
