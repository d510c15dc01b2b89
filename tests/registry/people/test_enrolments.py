"""Stays: several at once, in the future and the past, ended and gone on with."""

from datetime import date
from typing import Any

import pytest

from registry.models import Enrolment
from registry.people import enrolments
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
