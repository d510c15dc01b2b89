"""Stays: several at once, in the future and the past, ended and gone on with."""

from datetime import date
from typing import Any

import pytest

from registry.models import Enrolment, Rollover
from registry.people import enrolments, rollover
from registry.publishing import changes
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
IT: dict[str, Any] = {"actor": "kantselei", "now": registered.NOON}


def at_hosts() -> tuple[str | None, str | None, str | None]:
    """Return state, last day and groups of the only card that hosts know."""
    row = told_row()
    return row[3], row[5], row[6]


def test_a_person_has_several_stays_at_once() -> None:
    """In two schools, in two classes, and again later; the same class twice on one day is refused."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    person = registered.person()
    first = enrolments.enrol(
        person, thg, valid_from=date(2025, 9, 1), valid_until=date(2026, 6, 20), class_name="6b", **IT
    )
    enrolments.enrol(person, viimsi, valid_from=date(2026, 1, 1), kind="exchange", **IT)
    enrolments.enrol(person, thg, valid_from=date(2027, 9, 1), class_name="6b", **IT)
    assert Enrolment.objects.count() == 3
    with pytest.raises(Refused) as refused:
        enrolments.enrol(person, thg, valid_from=first.valid_until or date.max, class_name="6b", **IT)
    assert refused.value.code == "enrolled_already"


@pytest.mark.parametrize(
    ("last_day", "state"), [(date(2027, 6, 20), "active"), (date(2026, 11, 23), "active"), (date(2026, 11, 20), "left")]
)
def test_V3_4_1b_a_leaving_lies_ahead_or_back_and_hosts_know(last_day: date, state: str) -> None:
    """The last day still works; one that has passed ends the card's use at once."""
    school = registered.school()
    person = registered.person(school)
    registered.card(school, person=person, uid=b"1234")
    enrolments.leave(person.enrolments.get(), last_day, **IT)
    assert at_hosts()[:2] == (state, last_day.isoformat())


def test_a_leaving_is_cancelled() -> None:
    """The stay goes on without an end; what was never set cannot be."""
    school = registered.school()
    person = registered.person(school)
    registered.card(school, person=person, uid=b"1234")
    stay = enrolments.leave(person.enrolments.get(), date(2026, 11, 1), **IT)
    enrolments.cancel_leaving(stay, **IT)
    assert at_hosts()[:2] == ("active", None)
    with pytest.raises(Refused) as refused:
        enrolments.cancel_leaving(stay, **IT)
    assert refused.value.code == "no_leaving"


def test_nobody_leaves_before_coming() -> None:
    """The first day is the earliest last day."""
    stay = registered.person(registered.school()).enrolments.get()
    with pytest.raises(Refused) as refused:
        enrolments.leave(stay, date(2026, 8, 31), **IT)
    assert refused.value.code == "ends_before_it_begins"
    assert Enrolment.objects.get().valid_until is None


def test_a_pupil_moves_to_another_class() -> None:
    """The old class ends the day before, a leaving that was set goes on, hosts know the new group."""
    school = registered.school()
    person = registered.person(school, "7b")
    registered.card(school, person=person, uid=b"1234")
    stay = enrolments.leave(person.enrolments.get(), date(2027, 6, 20), **IT)
    new = enrolments.move(stay, "7c", date(2026, 11, 23), **IT)
    stay.refresh_from_db()
    assert (stay.valid_until, new.valid_from, new.valid_until) == (
        date(2026, 11, 22),
        date(2026, 11, 23),
        date(2027, 6, 20),
    )
    assert at_hosts()[2] == "7c;grade-7;pupil"


def test_a_class_that_never_held_is_simply_corrected() -> None:
    """A move from the first day on leaves one stay."""
    stay = registered.person(registered.school(), "7b").enrolments.get()
    enrolments.move(stay, "7c", stay.valid_from, **IT)
    assert Enrolment.objects.get().class_name == "7c"
    with pytest.raises(Refused):
        enrolments.move(stay, "a;b", date(2026, 12, 1), **IT)


def rolled_over() -> tuple[Enrolment, Rollover]:
    """Return the stay of a pupil with a card, for whom next year's class is made already, and the rollover."""
    school = registered.school()
    person = registered.person(school, "7b")
    registered.card(school, person=person, uid=b"1234")
    planned = rollover.plan(school, date(2027, 9, 1), **IT)
    rollover.apply(planned, **IT)
    return person.enrolments.get(class_name="7b"), planned


def stays() -> list[tuple[str, date | None]]:
    """Return the classes and ends of all stays."""
    return list(Enrolment.objects.order_by("valid_from").values_list("class_name", "valid_until"))


def test_who_leaves_leaves_next_years_class_too() -> None:
    """Rolled over early, gone in May: the card does not come back to life in September."""
    stay, _planned = rolled_over()
    enrolments.leave(stay, date(2027, 5, 15), **IT)
    changes.refresh(stay.school, date(2027, 9, 2), now=lambda: registered.NOON)
    assert at_hosts()[:2] == ("left", "2027-05-15")
    assert stays() == [("7b", date(2027, 5, 15))]


def test_a_leaving_in_next_years_class_ends_that_one() -> None:
    """The first stay still turns into the second, which has the last day."""
    stay, _planned = rolled_over()
    enrolments.leave(stay, date(2027, 12, 20), **IT)
    assert stays() == [("7b", date(2027, 8, 31)), ("8b", date(2027, 12, 20))]


@pytest.mark.parametrize("last_day", [date(2027, 5, 15), date(2027, 8, 31)])
def test_a_cancelled_leaving_gives_next_years_class_back(last_day: date) -> None:
    """And the rollover can still be undone, since the stay is the one that it made."""
    stay, planned = rolled_over()
    enrolments.leave(stay, last_day, **IT)
    enrolments.leave(stay, date(2027, 4, 1), **IT)
    enrolments.cancel_leaving(stay, **IT)
    assert stays() == [("7b", date(2027, 8, 31)), ("8b", None)]
    rollover.undo(planned, **IT)
    assert stays() == [("7b", None)]


def test_the_former_stay_of_a_move_is_not_reopened() -> None:
    """It ended since another class went on from it: reopened, the pupil would be in two for ever."""
    stay = registered.person(registered.school(), "7b").enrolments.get()
    enrolments.move(stay, "7c", date(2026, 11, 23), **IT)
    with pytest.raises(Refused) as refused:
        enrolments.cancel_leaving(stay, **IT)
    assert refused.value.code == "goes_on"
    assert stays() == [("7b", date(2026, 11, 22)), ("7c", None)]


def test_a_return_after_a_gap_is_no_part_of_a_leaving() -> None:
    """It does not go on from the stay: correcting the last day before it leaves it as it is."""
    school = registered.school()
    person = registered.person(school, "7b")
    enrolments.leave(person.enrolments.get(), date(2026, 12, 20), **IT)
    enrolments.enrol(person, school, valid_from=date(2027, 9, 1), class_name="8b", **IT)
    enrolments.leave(person.enrolments.get(class_name="7b"), date(2026, 12, 18), **IT)
    assert stays() == [("7b", date(2026, 12, 18)), ("8b", None)]


def test_a_move_before_the_last_day_takes_what_was_cut_along() -> None:
    """The leaving, cancelled in the new class, still leads to next year's."""
    stay, _planned = rolled_over()
    enrolments.leave(stay, date(2027, 5, 15), **IT)
    moved = enrolments.move(stay, "7c", date(2027, 2, 1), **IT)
    enrolments.cancel_leaving(moved, **IT)
    assert stays() == [("7b", date(2027, 1, 31)), ("7c", date(2027, 8, 31)), ("8b", None)]
