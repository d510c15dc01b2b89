"""All the pages together: each answers, each file that a page names is there, nothing comes from elsewhere."""

import re
from pathlib import Path

import pytest

import outputs.screen
from tests.rig.screen import HOST_FILE, ScreenRig

FOLDER = Path(outputs.screen.__file__).parent
ELSEWHERE = re.compile(rb"https?://(?!www\.w3\.org/2000/svg)")  # that one is a name, and nobody asks it


@pytest.mark.parametrize("path", ["/", "/till/till-1", "/shift", "/static/common.js", "/static/icon.svg"])
def test_each_page_answers(path: str) -> None:
    """On this machine's own listener, to anybody who sits at it."""
    with ScreenRig() as screen:
        assert screen.get(path)[0] == 200


def test_the_desk_is_there_where_the_file_has_one_and_tablets_too() -> None:
    """A canteen's host has no library desk, nor one without tablets their list."""
    with ScreenRig() as screen:
        assert (screen.get("/desk")[0], screen.get("/tablets")[0]) == (404, 404)
    with ScreenRig(HOST_FILE + "\n[desk]\n") as screen:
        assert screen.get("/desk")[0] == 200


def test_each_file_that_a_page_names_is_there() -> None:
    """A style or script that was renamed is found here, not at a till."""
    with ScreenRig(HOST_FILE + "\n[desk]\n") as screen:
        for path in ("/", "/till/till-1", "/shift", "/desk"):
            page = screen.get(path)[1].decode()
            named = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page))
            assert len(named) >= 3
            assert [name for name in named if screen.get(name)[0] != 200] == []


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_inline() -> None:
    """No CDN, no font, no script or style in a page: the policy would refuse it, and there is no internet."""
    for file in [*(FOLDER / "static").iterdir(), *(FOLDER / "pages").iterdir()]:
        content = file.read_bytes()
        assert not ELSEWHERE.search(content), file
        if file.suffix == ".html":
            assert not re.search(rb"<script|<style|\sstyle=|\son[a-z]+=", content), file


def test_no_way_leads_out_of_the_static_files() -> None:
    """Neither dots nor their codes."""
    with ScreenRig() as screen:
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/photo/../../etc/passwd"):
            assert screen.get(path)[0] in {403, 404}
