"""A closed month's figures stay as they were, and whatever is told later stands beside them, with when and why."""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Final

import pytest

from registry.events.ingest import take
from registry.models import Adjustment, AuditEntry, Cause, ClosedMonth, Host
from registry.refusal import Refused
from registry.reports import months
from registry.reports.counting import Line
from tests.rig import registered
from tests.rig.served import DAY, Canteen

pytestmark = pytest.mark.django_db
AFTER: Final = datetime(2026, 12, 3, 8, 0, tzinfo=UTC)


def closed(canteen: Canteen) -> ClosedMonth:
    """Close November."""
    return months.close(canteen.service, DAY, actor="secretary", now=AFTER)


def now(month: ClosedMonth) -> Counter[tuple[object, ...]]:
    """The closed figures with their adjustments, by line: what the month comes to as it is known now."""
    sums: Counter[tuple[object, ...]] = Counter()
    for line in months.figures_of(month):
        sums[line[:6]] += line.served
    for each in month.adjustments.all():
        sums[(date.fromisoformat(each.line[0]), *each.line[1:])] += each.served
    return +sums


def test_a_month_is_closed_by_name_with_its_figures() -> None:
    """Who, when, and what it came to; it is in the audit."""
    canteen = Canteen()
    canteen.eat(0, registered.person(canteen.school))
    canteen.eat(1, service_day="2026-10-31")
    canteen.eat(2, service_day="2026-12-01")
    month = closed(canteen)
    assert (month.first_day, month.closed_by, month.closed_at) == (date(2026, 11, 1), "secretary", AFTER)
    assert months.figures_of(month) == [Line(DAY, "7b", "pupil", "", "tap", 0, 1, 0)]
    assert AuditEntry.objects.get(action="month closed").detail["served"] == 1


def test_a_month_is_closed_once_and_never_opened() -> None:
    """There is no way back; a second closing changes nothing."""
    canteen = Canteen()
    month = closed(canteen)
    canteen.eat(0)
    with pytest.raises(Refused) as refused:
        closed(canteen)
    assert refused.value.code == "closed_already"
    month.refresh_from_db()
    assert month.figures == []
    assert not [name for name in vars(months) if "open" in name and name != "open_months"]


def test_only_a_month_that_is_over_and_whole_is_closed() -> None:
    """Neither the running one, nor one whose first events are gone."""
    canteen = Canteen()
    for day in (date(2026, 12, 1), date(2026, 8, 31)):
        with pytest.raises(Refused):
            months.close(canteen.service, day, actor="it", now=AFTER)
    assert months.open_months(canteen.service, AFTER) == [date(2026, 11, 1), date(2026, 10, 1)]
    closed(canteen)
    assert months.open_months(canteen.service, AFTER) == [date(2026, 10, 1)]


@pytest.mark.parametrize(("day", "last"), [(date(2026, 2, 3), 28), (date(2028, 2, 29), 29), (date(2026, 12, 31), 31)])
def test_months_have_their_lengths(day: date, last: int) -> None:
    """The last day is the calendar's."""
    assert months.last_of(months.first_of(day)) == day.replace(day=last)


def test_what_is_told_late_is_an_adjustment() -> None:
    """A till was away over the end of the month: the figures stay, the difference is written down."""
    canteen = Canteen()
    canteen.eat(0, registered.person(canteen.school))
    month = closed(canteen)
    figures = list(month.figures)
    canteen.eat(5, registered.person(canteen.school))
    canteen.eat(6, service_day="2026-12-01")
    month.refresh_from_db()
    assert month.figures == figures
    adjustment = Adjustment.objects.get()
    assert (adjustment.why, adjustment.served, adjustment.excess, adjustment.host) == (Cause.LATE, 1, 0, "till-1")
    assert now(month) == {line[:6]: line.served for line in canteen.lines()}


def test_a_late_first_serving_moves_the_excess() -> None:
    """The earlier one keeps the day: one line more flagged, none more served."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    canteen.eat(5, pupil)
    month = closed(canteen)
    canteen.eat(0, pupil)
    adjustment = month.adjustments.get()
    assert (adjustment.served, adjustment.excess) == (0, 1)
    assert now(month) == {line[:6]: line.served for line in canteen.lines()}


def test_a_late_hand_mark_takes_the_place_of_a_tap() -> None:
    """Two lines change: the mark's and the tap's."""
    canteen = Canteen()
    pupil = registered.person(canteen.school)
    canteen.eat(5, pupil)
    month = closed(canteen)
    canteen.mark_person(0, pupil)
    assert sorted((each.line[4], each.served, each.excess) for each in month.adjustments.all()) == [
        ("hand", 1, 0),
        ("tap", -1, 1),
    ]


def test_what_is_undone_late_is_an_adjustment() -> None:
    """The figures stay, and the difference says that something was taken back."""
    canteen = Canteen()
    marked = canteen.mark_person(0, registered.person(canteen.school))
    month = closed(canteen)
    canteen.mark("till-1", 1, "undo", person=None, undoes=marked)
    adjustment = month.adjustments.get()
    assert (adjustment.why, adjustment.served) == (Cause.UNDONE, -1)
    assert now(month) == {}


def test_a_batch_that_comes_again_adjusts_nothing() -> None:
    """What is known already is no change."""
    canteen = Canteen()
    canteen.eat(0)
    month = closed(canteen)
    take(Host.objects.get(pk=canteen.hosts["till-1"].pk), canteen.journals["till-1"].batch(), AFTER)
    assert not month.adjustments.exists()


def test_another_services_servings_adjust_nothing() -> None:
    """Each service has its own months."""
    canteen = Canteen()
    month = closed(canteen)
    canteen.eat(0, service="library")
    assert not month.adjustments.exists()
