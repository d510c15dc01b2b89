"""A shift is opened by a PIN and ends by itself; without an open one no route names anybody."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from outputs.screen.app import app
from outputs.screen.shift import IDLE
from outputs.screen.shift_deeds import services_of
from outputs.screen.words import words
from policy.phrases import LANGUAGES
from tests.rig.screen import HOST_FILE, NOON, Client, ScreenRig
from tests.rig.shift_school import OTHER_PIN, PIN, ShiftSchool

ID = "ab" * 16
BODY: dict[str, Any] = {
    "person": "mari",
    "class": "7A",
    "text": "Maasikas",
    "how": "class",
    "persons": ["mari"],
    "marks": [ID],
    "id": ID,
    "touched": True,
    "service": "canteen",
}


@pytest.fixture
def school(tmp_path: Path) -> Iterator[ShiftSchool]:
    """Give a canteen whose pages are served."""
    with ShiftSchool(tmp_path) as made:
        yield made


def opened(school: ShiftSchool, pin: str = PIN) -> None:
    """Open a shift."""
    status, _ = school.screen.post("/api/shift/open", {"pin": pin})
    assert status == 200


def is_open(school: ShiftSchool) -> bool:
    """Tell whether the browser's shift is open, without touching it."""
    return bool(school.screen.post("/api/shift/state")[1]["open"])


def routes_of_shift(screen: ScreenRig) -> list[str]:
    """Return the paths of all deeds of the shift."""
    paths = [each.path for each in app(screen.parts).routes if isinstance(each, Route)]
    return [path for path in paths if path.startswith("/api/shift/")]


def test_T14_a_pin_opens_a_shift(school: ShiftSchool) -> None:
    """Its worker is told; the state then holds classes and what can be undone."""
    assert school.screen.post("/api/shift/open", {"pin": PIN}) == (200, {"worker": "Tiiu Tamm"})
    status, told = school.screen.post("/api/shift/state")
    assert (status, told["open"], told["worker"], told["today"]) == (200, True, "Tiiu Tamm", "2026-11-23")
    assert {"name": "7A", "count": 17, "eaten": 0} in told["classes"]


@pytest.mark.parametrize("state", ["never opened", "closed", "idle", "another browser's", "of yesterday", "removed"])
def test_without_an_open_shift_nobody_is_named(school: ShiftSchool, state: str) -> None:
    """Every route: no name, no class and no person's id goes out, and nothing reaches the daemon."""
    if state != "never opened":
        opened(school)
    if state == "closed":
        school.screen.post("/api/shift/close")
    elif state == "idle":
        school.screen.now = NOON + IDLE
    elif state == "of yesterday":
        school.screen.now = NOON + timedelta(hours=12)
    elif state == "removed":
        del school.screen.people.workers[PIN]
    elif state == "another browser's":
        school.screen.client = Client(school.screen.port)
    paths = routes_of_shift(school.screen)
    assert len(paths) == 8
    told = [school.screen.post(path, BODY) for path in paths if path != "/api/shift/open"]
    told.append(school.screen.post("/api/shift/open", {**BODY, "pin": "0000"}))
    page = school.screen.get("/shift")[1].decode()
    for text in [json.dumps(told, ensure_ascii=False), page]:
        assert "Maasikas" not in text
        assert "7A" not in text
        assert '"mari"' not in text
    assert [status for status, _ in told].count(403) == len(paths) - 2
    assert [each["ask"] for each in school.screen.daemon.asked] == []


def test_a_deed_is_a_touch_and_asking_is_none(school: ShiftSchool) -> None:
    """Half an hour after the last touch it is over, however often the page asks for the state meanwhile."""
    opened(school)
    school.screen.now = NOON + IDLE - timedelta(seconds=1)
    assert school.screen.post("/api/shift/class", {"class": "7A"})[0] == 200
    school.screen.now += IDLE - timedelta(seconds=1)
    assert is_open(school)
    assert school.screen.post("/api/shift/state", {"touched": True})[1]["open"]
    school.screen.now += IDLE - timedelta(seconds=1)
    assert is_open(school)
    school.screen.now += timedelta(seconds=1)
    assert not is_open(school)
    school.screen.now -= IDLE
    assert not is_open(school)  # what has ended stays so, whatever the clock says next


def test_it_ends_at_the_schools_midnight(school: ShiftSchool) -> None:
    """Who works late opens a new one: the day of the marks is another."""
    school.screen.now = NOON + timedelta(hours=11, minutes=50)
    opened(school)
    school.screen.now += timedelta(minutes=9)
    assert is_open(school)
    school.screen.now += timedelta(minutes=2)
    assert not is_open(school)


def test_wrong_pins_are_bounded(school: ShiftSchool) -> None:
    """Five, each told how many are left; then a wait, in which the right one does not open either; a new browser is no way around."""
    answers = [school.screen.post("/api/shift/open", {"pin": "0000"}) for _ in range(5)]
    assert [(status, told["values"]["left"]) for status, told in answers] == [(403, left) for left in (4, 3, 2, 1, 0)]
    school.screen.client = Client(school.screen.port)
    status, told = school.screen.post("/api/shift/open", {"pin": PIN})
    assert (status, told["refused"], told["values"]["seconds"]) == (429, "shift.wait", 31)
    school.screen.now += timedelta(seconds=30)
    opened(school)


@pytest.mark.parametrize("body", [{}, {"pin": ""}, {"pin": 4711}, {"pin": "4" * 17}, {"pin": None}])
def test_what_is_no_pin_is_no_attempt(school: ShiftSchool, body: dict[str, Any]) -> None:
    """It is refused as malformed, and takes none of the five."""
    for _ in range(6):
        assert school.screen.post("/api/shift/open", body)[0] == 400
    opened(school)


def test_two_browsers_have_two_shifts(school: ShiftSchool) -> None:
    """Each its own worker; one that ends leaves the other open."""
    opened(school)
    first = school.screen.client
    school.screen.client = Client(school.screen.port)
    opened(school, OTHER_PIN)
    assert school.screen.post("/api/shift/state")[1]["worker"] == "Olga Petrova"
    school.screen.post("/api/shift/close")
    assert not is_open(school)
    school.screen.client = first
    assert school.screen.post("/api/shift/state")[1]["worker"] == "Tiiu Tamm"


def test_without_names_there_is_no_shift(school: ShiftSchool) -> None:
    """A host that may show nobody opens none; one that is open ends when the names are taken away."""
    opened(school)
    school.screen.people.version = 0
    assert school.screen.post("/api/shift/state")[1] == {"open": False, "has_names": False}
    assert school.screen.post("/api/shift/open", {"pin": PIN})[1]["refused"] == "shift.no_names"


@pytest.mark.parametrize(
    "headers", [{"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}, {"host": "evil.example"}]
)
def test_a_page_from_elsewhere_marks_nobody(school: ShiftSchool, headers: dict[str, str]) -> None:
    """The guard stands before every route of the shift, also with the worker's own cookie."""
    opened(school)
    for path in routes_of_shift(school.screen):
        assert school.screen.post(path, BODY, **headers)[0] == 403
    assert school.events() == []


def test_no_deed_is_a_link(school: ShiftSchool) -> None:
    """Nothing is done by GET: a picture in a mail marks nobody."""
    opened(school)
    assert {school.screen.get(path)[0] for path in routes_of_shift(school.screen)} == {405}


def test_the_services_are_those_of_readers_without_a_door() -> None:
    """The canteen first; a door's readers are none, nor are readers that these pages do not show."""
    door = (
        '\n[[reader]]\nname = "in"\nkind = "pcsc"\nmatch = "*3"\nservice = "door"\ndirection = "in"\n[service.door]\n'
    )
    with ScreenRig(HOST_FILE + door) as screen:
        assert services_of(screen.parts) == ["canteen", "library"]
    shown = HOST_FILE + '\n[screen]\nlisten = "127.0.0.1:8480"\nreaders = ["desk-1"]\n'
    with ScreenRig(shown) as screen:
        assert services_of(screen.parts) == ["library"]


def test_every_word_of_the_page_is_there_in_each_language() -> None:
    """The script asks for words by their names: each exists, and no language has one more."""
    folder = Path(__file__).parents[3] / "outputs" / "screen"
    script = (folder / "static" / "shift.js").read_text() + (folder / "pages" / "shift.html").read_text()
    asked = set(re.findall(r"\b(shift\.[a-z_0-9]+)\b", script)) - {"shift.js", "shift.css", "shift.open"}
    for language in LANGUAGES:
        own = {key for key in words(language) if key.startswith("shift.")}
        assert own == {key for key in words("et") if key.startswith("shift.")}
        fields = {
            "asking",
            "classes",
            "services",
            "undoable",
            "worker",
            "today",
        }  # of the state that the script calls `shift`
        assert {each for each in asked if each.removeprefix("shift.") not in fields} - {"shift.service_"} <= own
