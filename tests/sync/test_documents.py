"""The registry's documents read for decisions: what parses serves, what does not leaves the former one."""

import json
from datetime import date

import pytest

from policy.calendar import DayType
from policy.model import Kind
from sync.documents import NAMES, Documents, parse

DAY = date(2026, 12, 18)
WHOLE: dict[str, object] = {
    "rules": {"door": {"kinds": ["staff"]}, "canteen": {"per_day": 1}},
    "calendar": {
        "table": {"special_days": {"2026-12-19": "school_day"}},
        "class_days": [{"class": "5b", "day": "2026-12-18", "day_type": "trip"}],
    },
    "school": {"code": "thg", "timezone": "Europe/Tallinn"},
}


def texts(**changes: object) -> dict[str, str]:
    """Return the published texts; a change to None takes a document away."""
    return {name: json.dumps(value) for name, value in {**WHOLE, **changes}.items() if value is not None}


def test_all_is_read() -> None:
    """Rules by service, the school's and the classes' days, the zone."""
    documents, faults = parse(texts(), None)
    assert faults == []
    assert documents.rules["door"].kinds == frozenset({Kind.STAFF})
    assert documents.rules["canteen"].per_day == 1
    assert documents.calendar is not None
    assert documents.calendar.special_days == ((date(2026, 12, 19), DayType.SCHOOL_DAY),)
    assert documents.calendar.class_days == {(DAY, "5b"): DayType.TRIP}
    assert str(documents.zone) == "Europe/Tallinn"


def test_a_canteen_has_its_defaults() -> None:
    """A rule's form is that of the host's file, the defaults of the service's name included."""
    documents, _ = parse(texts(), None)
    assert documents.rules["canteen"].pool_card == "ask"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "{", "[]", "5", '"x"', "null", "[" * 100_000])
def test_what_cannot_be_read_leaves_the_former(name: str, text: str) -> None:
    """One document at fault is told and takes no other along; without a former one the host's own file speaks."""
    former, _ = parse(texts(), None)
    documents, faults = parse({**texts(rules={"door": {}}), name: text}, former)
    assert len(faults) == 1
    assert name in faults[0]
    kept = {"rules": documents.rules, "calendar": documents.calendar, "school": documents.zone}[name]
    assert kept == {"rules": former.rules, "calendar": former.calendar, "school": former.zone}[name]
    nothing, _ = parse({name: text}, None)
    assert nothing == Documents()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("calendar", {"table": {"moon": 1}}),
        ("calendar", {"table": 5}),
        ("calendar", {"class_days": [{"class": "5b"}]}),
        ("school", {"timezone": "Europe/Atlantis"}),
        ("school", {}),
    ],
)
def test_wrong_content_is_told_where_it_stands(name: str, value: object) -> None:
    """A document of the right form that says what cannot be is refused whole."""
    former, _ = parse(texts(), None)
    documents, (fault,) = parse(texts(**{name: value}), former)
    assert documents == former
    assert name in fault


def test_one_bad_rule_takes_no_other_along() -> None:
    """Each service's rule is read by itself: its former one stays, or the host's own file speaks for it."""
    former, _ = parse(texts(), None)
    documents, faults = parse(texts(rules={"door": {"moon": 1}, "library": {"moon": 1}, "canteen": {}}), former)
    assert documents.rules["door"] == former.rules["door"]
    assert "library" not in documents.rules
    assert documents.rules["canteen"].per_day is None
    assert ["door" in faults[0], "library" in faults[1]] == [True, True]
    assert ("former one" in faults[0], "host's own file" in faults[1]) == (True, True)


def test_a_service_that_is_gone_is_gone() -> None:
    """What the registry publishes no more does not live on from before."""
    former, _ = parse(texts(), None)
    documents, faults = parse(texts(rules={"canteen": {}}), former)
    assert (set(documents.rules), faults) == ({"canteen"}, [])
