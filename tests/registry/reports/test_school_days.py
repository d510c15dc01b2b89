"""Which school days say something about who ate."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from policy.calendar import DayType
from registry.models import CalendarVersion, ClassDay, Event, Host, Service
from registry.reports.school_days import Out, SchoolDays, outages
from tests.rig import registered
from tests.rig.served import DAY, Canteen

pytestmark = pytest.mark.django_db
BEFORE: Final = DAY - timedelta(days=3)  # Friday
HEARD: Final = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def canteen() -> Canteen:
    """A canteen that served at each full quarter of two noons, and whose tills have told all."""
    made = Canteen()
    Host.objects.update(last_heard_at=HEARD)
    for day in (BEFORE, DAY):
        for quarter in range(5):
            told = datetime(day.year, day.month, day.day, 10, 0, tzinfo=UTC) + timedelta(minutes=15 * quarter)
            made.eat(0, service_day=str(day), time=told.isoformat().replace("+00:00", "Z"), reader="till-1")
    return made


def reader(canteen: Canteen, kind: str, hour: int, minute: int, name: str = "till-1") -> None:
    """Let a reader be lost, or come back, on Monday."""
    at = f"{DAY}T{hour:02}:{minute:02}:00Z"
    fields: dict[str, Any] = {"service": None, "service_day": None, "verdict": None, "reason": None, "direction": None}
    canteen.serve("till-1", 0, kind=kind, time=at, holder=None, reader=name, **fields)


def out(service: Service, *days: date) -> dict[date, Out]:
    """What is said of some days."""
    return dict(outages(service, days or (BEFORE, DAY)))


def test_breaks_holidays_and_class_days_are_no_school_days() -> None:
    """By the published calendar, and by the class's own days."""
    school = registered.school()
    CalendarVersion.objects.create(
        school=school, number=1, table={"breaks": ["2026-10-19..2026-10-25"]}, created_at=HEARD, published_at=HEARD
    )
    ClassDay.objects.create(school=school, class_name="7b", day=date(2026, 11, 24), day_type="trip")
    days = SchoolDays.of(school)
    assert not days.is_one(date(2026, 10, 20))
    assert not days.is_one(date(2026, 12, 24))
    assert not days.is_one(date(2026, 11, 22))
    assert days.is_one(date(2026, 11, 24))
    assert days.is_one(date(2026, 11, 24), "7c")
    assert not days.is_one(date(2026, 11, 24), "7b")
    assert days.between(date(2026, 11, 20), date(2026, 11, 24), "7b") == [DAY, BEFORE]
    assert days.own_days(DAY, date(2026, 11, 30)) == [(date(2026, 11, 24), "7b", DayType.TRIP)]


def test_a_usual_day_says_something(canteen: Canteen) -> None:
    """No outage, no word."""
    assert out(canteen.service) == {}
    assert out(canteen.service, date(2026, 11, 23)) == {}
    assert dict(outages(canteen.service, ())) == {}


def test_a_day_on_which_nobody_was_served_says_nothing(canteen: Canteen) -> None:
    """The kitchen was closed, or all tills were out."""
    assert out(canteen.service, BEFORE, DAY, date(2026, 11, 19)) == {date(2026, 11, 19): Out.NOBODY}


@pytest.mark.parametrize(
    ("lost", "back", "is_out"),
    [
        ((10, 10), (10, 30), True),
        ((10, 10), (10, 15), False),
        ((6, 0), (9, 30), False),
        ((11, 5), None, False),
        ((10, 30), None, True),
    ],
)
def test_a_reader_that_was_lost_in_the_usual_hours_is_an_outage(
    canteen: Canteen, lost: tuple[int, int], back: tuple[int, int] | None, *, is_out: bool
) -> None:
    """A till that is unplugged when lunch is over is none; nor is a hiccup."""
    reader(canteen, "reader_lost", *lost)
    if back:
        reader(canteen, "reader_back", *back)
    assert out(canteen.service) == ({DAY: Out.READER} if is_out else {})


def test_a_reader_of_another_service_is_no_outage(canteen: Canteen) -> None:
    """The door's reader was lost all day."""
    reader(canteen, "reader_lost", 6, 0, "front-in")
    assert out(canteen.service) == {}


def test_a_till_that_has_not_told_yet_may_have_served(canteen: Canteen) -> None:
    """Its events may be on their way; one that was revoked tells no more."""
    Host.objects.filter(name="till-1").update(last_heard_at=datetime(2026, 11, 23, 5, 0, tzinfo=UTC))
    assert out(canteen.service) == {DAY: Out.HOST}
    Host.objects.filter(name="till-1").update(revoked_at=HEARD)
    assert out(canteen.service) == {}
    assert Event.objects.exists()
