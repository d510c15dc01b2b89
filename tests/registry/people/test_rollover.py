"""The turn of the class year: seen before, done once, undone whole."""

from datetime import date
from typing import Any

import pytest

from registry.models import Enrolment, Rollover, School
from registry.people import enrolments, rollover
from registry.publishing import changes
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
IT: dict[str, Any] = {"actor": "it", "now": registered.NOON}
DAY = date(2027, 9, 1)


@pytest.fixture
def school() -> School:
    """Return a school that ends with grade 9: a pupil of each sort, one with a card."""
    made = registered.school("viimsi", final_grade=9)
    for class_name in ("7b", "7b", "9a", "choir"):
        registered.person(made, class_name)
    registered.card(made, person=Enrolment.objects.filter(class_name="7b")[0].person, uid=b"1234")
    staff = registered.person()
    Enrolment.objects.create(person=staff, school=made, class_name="7b", kind="staff", valid_from=date(2020, 1, 1))
    return made


def stays() -> list[tuple[str, str, date, date | None]]:
    """Return all stays."""
    return list(
        Enrolment.objects.order_by("person", "valid_from").values_list(
            "class_name", "kind", "valid_from", "valid_until"
        )
    )


def test_a_plan_is_seen_before_and_changes_nothing(school: School) -> None:
    """Who goes where, how many, and that graduates go out."""
    before = stays()
    planned = rollover.plan(school, DAY, **IT)
    assert rollover.summary(planned) == {("7b", "8b"): 2, ("9a", None): 1}
    assert stays() == before


def test_classes_go_up_and_graduates_out(school: School) -> None:
    """The old stay ends the day before; staff and classes without a grade stay as they are."""
    rollover.apply(rollover.plan(school, DAY, **IT), **IT)
    old = (date(2026, 9, 1), date(2027, 8, 31))
    promoted = [("7b", "pupil", *old), ("8b", "pupil", DAY, None)]
    assert stays() == [
        *promoted,
        *promoted,
        ("9a", "pupil", *old),
        ("choir", "pupil", date(2026, 9, 1), None),
        ("7b", "staff", date(2020, 1, 1), None),
    ]


def test_hosts_know_the_new_class_on_its_day(school: School) -> None:
    """Applied months before, the card stays in the old group until then, and is never told as left."""
    rollover.apply(rollover.plan(school, DAY, **IT), **IT)
    row = told_row()
    assert (row[3], row[5], row[6]) == ("active", None, "7b;grade-7;pupil")
    changes.refresh(school, DAY, now=lambda: registered.NOON)
    assert told_row()[6] == "8b;grade-8;pupil"


def test_an_undone_rollover_leaves_no_trace(school: School) -> None:
    """Every stay is as it was, and it may be planned anew; undoing twice is refused."""
    before = stays()
    planned = rollover.plan(school, DAY, **IT)
    rollover.apply(planned, **IT)
    rollover.undo(planned, **IT)
    assert stays() == before
    with pytest.raises(Refused) as refused:
        rollover.undo(planned, **IT)
    assert refused.value.code == "not_applied"
    rollover.apply(rollover.plan(school, DAY, **IT), **IT)


def test_nobody_is_promoted_twice_in_a_year(school: School) -> None:
    """Neither the same plan nor another of the same summer is applied again."""
    planned = rollover.plan(school, DAY, **IT)
    rollover.apply(planned, **IT)
    for again, code in (
        (planned, "applied_already"),
        (rollover.plan(school, date(2027, 8, 25), **IT), "rolled_over_already"),
    ):
        with pytest.raises(Refused) as refused:
            rollover.apply(again, **IT)
        assert refused.value.code == code


def test_a_plan_that_was_overtaken_is_refused_whole(school: School) -> None:
    """Somebody moved a pupil meanwhile: nobody is promoted."""
    planned = rollover.plan(school, DAY, **IT)
    enrolments.move(Enrolment.objects.filter(class_name="7b", kind="pupil")[1], "7c", date(2026, 12, 1), **IT)
    before = stays()
    with pytest.raises(Refused) as refused:
        rollover.apply(planned, **IT)
    assert (refused.value.code, "7b" in refused.value.found) == ("overtaken", True)
    assert stays() == before
    assert Rollover.objects.get().applied_at is None


def test_what_was_changed_since_is_not_undone(school: School) -> None:
    """A pupil who was moved after the rollover is named, and nothing is undone."""
    planned = rollover.plan(school, DAY, **IT)
    rollover.apply(planned, **IT)
    enrolments.leave(Enrolment.objects.filter(class_name="8b")[0], date(2027, 12, 20), **IT)
    before = stays()
    with pytest.raises(Refused) as refused:
        rollover.undo(planned, **IT)
    assert refused.value.code == "overtaken"
    assert stays() == before


def test_a_leaving_goes_on_in_the_new_class(school: School) -> None:
    """And who has left by then, or is in next year's class already, is no part of it."""
    first, second = Enrolment.objects.filter(class_name="7b", kind="pupil")
    enrolments.leave(first, date(2027, 12, 20), **IT)
    enrolments.enrol(second.person, school, valid_from=DAY, class_name="8d", **IT)
    enrolments.leave(Enrolment.objects.get(class_name="9a"), date(2027, 6, 20), **IT)
    planned = rollover.plan(school, DAY, **IT)
    assert rollover.summary(planned) == {("7b", "8b"): 1}
    rollover.apply(planned, **IT)
    assert Enrolment.objects.get(class_name="8b").valid_until == date(2027, 12, 20)


def test_who_left_since_has_left_when_it_is_undone(school: School) -> None:
    """The others are put back; a leaving that is cancelled afterwards lets the stay go on in its own class."""
    planned = rollover.plan(school, DAY, **IT)
    rollover.apply(planned, **IT)
    first, second = Enrolment.objects.filter(class_name="7b", kind="pupil").order_by("pk")
    graduate = Enrolment.objects.get(class_name="9a")
    enrolments.leave(first, date(2027, 5, 15), **IT)
    enrolments.leave(graduate, date(2027, 6, 1), **IT)
    rollover.undo(planned, **IT)
    for stay, until in ((first, date(2027, 5, 15)), (second, None), (graduate, date(2027, 6, 1))):
        stay.refresh_from_db()
        assert stay.valid_until == until
    assert not Enrolment.objects.filter(class_name="8b").exists()
    enrolments.cancel_leaving(first, **IT)
    first.refresh_from_db()
    assert first.valid_until is None
    assert not Enrolment.objects.filter(class_name="8b").exists()
