"""What all versions have in common."""

from datetime import date, time

import pytest

from registry.models import RuleVersion, Service
from registry.refusal import Refused
from registry.rules.drafts import Change, as_json, differences, refuse_unless_publishable
from tests.rig.registered import NOON


def test_differences_are_told_key_by_key() -> None:
    """Also within tables; what did not change is not told."""
    before = {"per_day": 1, "hours": {"school_day": ["08:00-15:00"], "trip": []}, "kinds": ["personal"]}
    after = {"per_day": 2, "hours": {"school_day": ["08:00-16:00"], "trip": []}, "repeat_s": 60, "kinds": ["personal"]}
    assert differences(before, after) == (
        Change("hours.school_day", '["08:00-15:00"]', '["08:00-16:00"]'),
        Change("per_day", "1", "2"),
        Change("repeat_s", None, "60"),
    )
    assert differences(after, after) == ()


def test_a_change_reads_as_two_lines() -> None:
    """What is taken away, and what comes in its place."""
    assert str(Change("per_day", "1", "2")) == "- per_day = 1\n+ per_day = 2"
    assert str(Change("per_day", None, "2")) == "+ per_day = 2"
    assert str(Change("per_day", "1", None)) == "- per_day = 1"


def test_dates_of_toml_become_text() -> None:
    """JSON has none, and the parsers take the text as well."""
    table = {"breaks": [date(2026, 12, 21)], "special_days": {"2026-12-23": "school_day"}, "at": time(8, 30)}
    assert as_json(table) == {
        "breaks": ["2026-12-21"],
        "special_days": {"2026-12-23": "school_day"},
        "at": "08:30:00",
    }


def version(number: int, *, is_published: bool) -> RuleVersion:
    """A version that is in no table."""
    return RuleVersion(service=Service(code="door"), number=number, published_at=NOON if is_published else None)


def test_only_a_draft_newer_than_the_one_in_force_is_published() -> None:
    """None is published twice, and none goes back."""
    refuse_unless_publishable(version(3, is_published=False), version(2, is_published=True))
    refuse_unless_publishable(version(1, is_published=False), None)
    for draft, code in (
        (version(2, is_published=True), "already_published"),
        (version(1, is_published=False), "overtaken"),
    ):
        with pytest.raises(Refused) as refused:
            refuse_unless_publishable(draft, version(2, is_published=True))
        assert refused.value.code == code
