"""The versions of a school's calendar."""

from datetime import date

import pytest

from policy.calendar import DayType
from policy.fault import Faulty
from registry.models import CalendarVersion, PublishedRow, School
from registry.refusal import Refused
from registry.rules import calendars
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 23)


def test_a_calendar_is_published_to_hosts(school: School) -> None:
    """Dates of TOML are kept as text."""
    draft = calendars.draft(school, {"breaks": [date(2026, 12, 21)]}, actor="it", now=NOON)
    assert calendars.in_force(school) is None
    calendars.publish(draft, actor="it", now=NOON)
    row = PublishedRow.objects.get(school=school, key="calendar").row
    assert row == {"table": {"breaks": ["2026-12-21"]}, "class_days": []}
    with pytest.raises(Refused):
        calendars.publish(draft, actor="it", now=NOON)


@pytest.mark.parametrize("table", [{"breaks": ["soon"]}, {"holidays": []}, {"class_days": []}, ["mon"], None])
def test_faults_are_told_and_nothing_is_kept(school: School, table: object) -> None:
    """As in a host's file."""
    with pytest.raises(Faulty):
        calendars.draft(school, table, actor="it", now=NOON)
    assert not CalendarVersion.objects.exists()


def test_a_preview_tells_the_days_that_become_others(school: School) -> None:
    """Day by day for the coming year, and how many school days are left."""
    draft = calendars.draft(school, {"breaks": ["2026-12-21..2026-12-23"]}, actor="it", now=NOON)
    seen = calendars.preview(draft, TODAY)
    assert seen.days == tuple((date(2026, 12, day), DayType.SCHOOL_DAY, DayType.BREAK) for day in (21, 22, 23))
    assert seen.lessons[0] - seen.lessons[1] == 3
    assert [change.key for change in seen.changes] == ["breaks"]
