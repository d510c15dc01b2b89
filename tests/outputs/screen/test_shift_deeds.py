"""The deeds of an open shift, over a real fact desk: whom a class has, who ate, marks, refusals as answers, undoing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outputs.screen import photos
from policy.model import Verdict
from tests.rig.shift_school import PIN, POOL, ShiftSchool

ID, OTHER_ID = "ab" * 16, "cd" * 16


@pytest.fixture
def school(tmp_path: Path) -> Iterator[ShiftSchool]:
    """Give a canteen with an open shift."""
    with ShiftSchool(tmp_path) as made:
        made.screen.post("/api/shift/open", {"pin": PIN})
        yield made


def done(school: ShiftSchool, deed: str, **body: object) -> dict[str, Any]:
    """Do a deed that is answered."""
    status, told = school.screen.post(f"/api/shift/{deed}", body)
    assert status == 200, told
    return told


def test_a_class_shows_who_has_eaten(school: ShiftSchool) -> None:
    """Name, class and photo's address of each; whoever tapped or was marked has eaten; the class counts them."""
    school.tap()
    pupils = {each["person"]: each for each in done(school, "class", **{"class": "7A"})["pupils"]}
    assert len(pupils) == 17
    assert pupils["mari"] == {
        "person": "mari",
        "name": "Mari Maasikas",
        "class": "7A",
        "photo": photos.address_of(school.screen.people.person("mari")),
        "eaten": True,
    }
    assert [each["eaten"] for each in pupils.values()].count(True) == 1
    assert {"name": "7A", "count": 17, "eaten": 1} in done(school, "state")["classes"]
    assert done(school, "class", **{"class": "12C"})["pupils"] == []


def test_a_forgotten_card_is_found_by_name(school: ShiftSchool) -> None:
    """By a part of it; an empty search finds nobody."""
    assert [each["person"] for each in done(school, "find", text="Maasi")["pupils"]] == ["mari"]
    assert done(school, "find", text=" ")["pupils"] == []


def test_serving_by_name_is_a_mark_of_the_worker(school: ShiftSchool) -> None:
    """It answers the mark and whose it is; asked again with the same id it is the same mark."""
    told = done(school, "serve", person="mari", id=ID)
    assert (told["mark"], told["name"]) == (ID, "Mari Maasikas")
    assert done(school, "serve", person="mari", id=ID) == told
    assert school.marks() == [("hand", "mari", "w-1")]
    assert school.tap() is Verdict.DENY
    (undoable,) = done(school, "state")["undoable"]
    assert (undoable["tap_id"], undoable["name"], undoable["left_s"]) == (ID, "Mari Maasikas", 120)


@pytest.mark.parametrize(
    ("language", "said"), [("et", "Täna juba söönud"), ("en", "Already served today"), ("ru", None)]
)
def test_a_refusal_says_why_and_when(school: ShiftSchool, language: str, said: str | None) -> None:
    """In the worker's language, with the time of the last serving on the school's clock; it may be served anyway."""
    school.screen.client.request("POST", f"/api/language?is={language}", "{}")
    school.tap()
    school.now_ms = 17 * 60_000
    told = done(school, "serve", person="mari", id=ID)
    assert (told["refused"], told["at"], told["may_anyway"]) == ("already_today", "11:43", True)
    assert told["said"]
    if said and language == "en":
        assert told["said"] == said
    assert school.marks() == []


def test_serving_anyway_needs_a_reason(school: ShiftSchool) -> None:
    """Spaces are none; the reason stands in the event, in one line."""
    school.tap()
    assert done(school, "serve", person="mari", id=ID, why="  ")["refused"] == "already_today"
    done(school, "serve", person="mari", id=OTHER_ID, why=" Toit  kukkus\nmaha ")
    assert school.events()[-1]["fact"]["why"] == "Toit kukkus maha"
    assert school.marks() == [("anyway", "mari", "w-1")]


def test_a_class_is_marked_with_some_unticked(school: ShiftSchool) -> None:
    """Who was ticked is marked; who ate meanwhile is told by name and reason; the whole is taken back by one deed."""
    school.tap()
    told = done(school, "mark", how="class", persons=["mari", "p-7A-00", "p-7A-01"], id=ID)
    assert len(told["marks"]) == 2
    assert [(each["name"], each["refused"]) for each in told["refused"]] == [("Mari Maasikas", "already_today")]
    assert school.marks() == [("class", "p-7A-00", "w-1"), ("class", "p-7A-01", "w-1")]
    assert done(school, "mark", how="class", persons=["mari", "p-7A-00", "p-7A-01"], id=ID)["marks"] == told["marks"]
    for _ in range(2):
        assert "mark" in done(school, "undo", marks=told["marks"], id=OTHER_ID)
    assert school.marks()[2:] == [("undo", "p-7A-00", "w-1"), ("undo", "p-7A-01", "w-1")]
    assert [each["eaten"] for each in done(school, "state")["classes"] if each["name"] == "7A"] == [1]


def test_a_list_longer_than_a_question_is_marked_whole(school: ShiftSchool) -> None:
    """A hundred at once go to the daemon in several questions, each asked again as itself."""
    persons = [f"p-{name}-{n:02}" for name in ("5A", "5B", "6A", "6B", "7A", "8A") for n in range(16)]
    told = done(school, "mark", how="class", persons=persons, id=ID)
    assert len(set(told["marks"])) == 96
    assert done(school, "mark", how="class", persons=persons, id=ID)["marks"] == told["marks"]
    assert len(school.marks()) == 96


def test_a_paper_list_is_of_its_day(school: ShiftSchool) -> None:
    """Friday's list counts for Friday; a day to come, or none, is refused and nothing is noted."""
    told = done(school, "mark", how="paper", day="2026-11-20", persons=["mari", "p-7A-00"], id=ID)
    assert len(told["marks"]) == 2
    assert {event["service_day"] for event in school.events()} == {"2026-11-20"}
    assert school.tap() is Verdict.GRANT
    for day in ("2026-11-24", "2026-08-01", "yesterday", None):
        status, refused = school.screen.post(
            "/api/shift/mark", {"how": "paper", "day": day, "persons": ["mari"], "id": OTHER_ID}
        )
        assert (status, refused["refused"]) in {(502, "shift.not_noted"), (400, "common.malformed")}
    assert len(school.marks()) == 2


def test_undoing_is_over_after_two_minutes(school: ShiftSchool) -> None:
    """The answer is a refusal that the page can say; the list of what can be taken back is empty by then."""
    done(school, "serve", person="mari", id=ID)
    school.now_ms = 120_000
    assert done(school, "state")["undoable"] == []
    assert done(school, "undo", marks=[ID], id=OTHER_ID)["refused"] == "too_late"
    assert len(school.marks()) == 1


def test_trap_10_a_tap_that_asks_is_answered_by_picking(school: ShiftSchool) -> None:
    """The state tells of it; the pupil is picked; mark and loan are noted; the second worker hears that it is answered."""
    assert school.tap(POOL) is Verdict.ASK
    (asking,) = done(school, "state")["asking"]
    assert (asking["reason"], asking["reader"]) == ("pool_card_not_lent", "till-1")
    done(school, "serve", person="mari", asked=asking["tap_id"], id=ID)
    assert [event["kind"] for event in school.events()] == ["tap", "mark", "loan"]
    assert done(school, "state")["asking"] == []
    told = done(school, "serve", person="p-7A-00", asked=asking["tap_id"], id=OTHER_ID)
    assert (told["refused"], told["may_anyway"]) == ("asked_answered", False)
    done(school, "undo", marks=[ID], id=OTHER_ID)
    assert done(school, "state")["asking"][0]["tap_id"] == asking["tap_id"]


@pytest.mark.parametrize(
    ("deed", "body"),
    [
        ("serve", {"person": "mari"}),
        ("serve", {"person": "mari", "id": "7"}),
        ("serve", {"person": "mari", "id": "z" * 32}),
        ("serve", {"person": ["mari"], "id": ID}),
        ("serve", {"person": "nobody", "id": ID}),
        ("serve", {"person": "mari", "id": ID, "why": "x" * 201}),
        ("serve", {"person": "mari", "id": ID, "asked": 7}),
        ("serve", {"person": "mari", "id": ID, "service": "door"}),
        ("serve", {"person": "mari", "id": ID, "service": ["canteen"]}),
        ("mark", {"how": "hand", "persons": ["mari"], "id": ID}),
        ("mark", {"how": "class", "persons": [], "id": ID}),
        ("mark", {"how": "class", "persons": ["mari"] * 201, "id": ID}),
        ("mark", {"how": "class", "persons": "mari", "id": ID}),
        ("mark", {"how": "class", "persons": ["mari", "nobody"], "id": ID}),
        ("mark", {"how": "class", "persons": ["mari", {}], "id": ID}),
        ("undo", {"marks": [], "id": ID}),
        ("undo", {"marks": [7], "id": ID}),
        ("undo", {"marks": ["7"], "id": ID}),
        ("class", {"class": ""}),
        ("class", {"class": "x" * 51}),
    ],
)
def test_what_is_no_deed_is_refused(school: ShiftSchool, deed: str, body: dict[str, Any]) -> None:
    """A fault of the page's is told as one, never a crash, and nothing is noted."""
    status, told = school.screen.post(f"/api/shift/{deed}", body)
    assert status in {400, 404, 502}, told
    assert school.events() == []


def test_a_daemon_that_is_away_is_said_and_the_same_again_is_one_mark(school: ShiftSchool) -> None:
    """503 while it restarts; asked again with the same id after that, also when it had noted it before, there is one mark."""
    school.is_away = True
    assert school.screen.post("/api/shift/serve", {"person": "mari", "id": ID})[0] == 503
    school.is_away = False
    done(school, "serve", person="mari", id=ID)
    school.restart()
    assert done(school, "serve", person="mari", id=ID)["mark"] == ID
    assert school.marks() == [("hand", "mari", "w-1")]
    assert "mark" in done(school, "undo", marks=[ID], id=OTHER_ID)


def test_what_the_disk_refuses_is_said(school: ShiftSchool) -> None:
    """A pupil who stands there is served as by a tap, which waits in memory; a paper list can wait, and the worker is told so."""
    school.journal.db.close()
    listed = {"how": "paper", "persons": ["mari"], "day": "2026-11-23", "id": ID}
    status, told = school.screen.post("/api/shift/mark", listed)
    assert (status, told["refused"]) == (502, "shift.not_noted")
    assert done(school, "serve", person="mari", id=ID)["mark"] == ID
    assert len(school.journal.ring) == 1


def test_a_serving_of_long_ago_has_no_time_of_today(school: ShiftSchool) -> None:
    """What was yesterday is not shown as a time of today."""
    school.tap()
    school.now_ms = int(timedelta(hours=30).total_seconds() * 1000)
    assert done(school, "serve", person="mari", id=ID)["at"] is None
