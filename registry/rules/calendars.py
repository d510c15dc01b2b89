"""The versions of a school's calendar: drafted, previewed, published (DESIGN.md §5)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Max

from policy.calendar import DayType, day_type, parse_calendar
from policy.fault import Fault, Faulty, told
from registry import audit
from registry.models import CalendarVersion, School
from registry.publishing import changes
from registry.rules.drafts import Change, as_json, differences, refuse_unless_publishable
from registry.transactions import deed

_AHEAD: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a draft would change: its keys, and the days of the coming year that become another kind of day.

    `days` are (day, before, after), `lessons` the school days of the year before and after.
    """

    changes: tuple[Change, ...]
    days: tuple[tuple[date, DayType, DayType], ...]
    lessons: tuple[int, int]


@deed
def draft(school: School, table: object, *, actor: str, now: datetime) -> CalendarVersion:
    """Keep a new version of the calendar. Raises `policy.fault.Faulty` with all that is wrong, each by its key."""
    if not isinstance(table, Mapping):
        raise Faulty([Fault((), told(table), "a table of a calendar's keys")])
    if "class_days" in table:
        raise Faulty([Fault(("class_days",), "days of classes", "none here: they have a page of their own")])
    parse_calendar(table)
    School.objects.select_for_update().get(pk=school.pk)  # two drafts at once: one number each
    newest = CalendarVersion.objects.filter(school=school).aggregate(number=Max("number"))["number"] or 0
    version = CalendarVersion.objects.create(
        school=school, number=newest + 1, table=as_json(table), created_at=now, created_by=actor
    )
    audit.record(actor, "calendar drafted", school=school, object=version, number=version.number)
    return version


def in_force(school: School) -> CalendarVersion | None:
    """Return the newest published version."""
    return CalendarVersion.objects.filter(school=school, published_at__isnull=False).order_by("-number").first()


def preview(version: CalendarVersion, today: date) -> Preview:
    """Return what would change if this version were published now, in the year from `today`."""
    held = in_force(version.school)
    before: Mapping[str, object] = held.table if held else {}
    old, new = parse_calendar(before), parse_calendar(version.table)
    days = [today + timedelta(days=ahead) for ahead in range(_AHEAD.days)]
    kinds = [(day, day_type(old, day), day_type(new, day)) for day in days]
    lessons = [Counter(kind[place] for kind in kinds)[DayType.SCHOOL_DAY] for place in (1, 2)]
    changed = tuple(kind for kind in kinds if kind[1] is not kind[2])
    return Preview(differences(before, version.table), changed, (lessons[0], lessons[1]))


@deed
def publish(version: CalendarVersion, *, actor: str, now: datetime) -> None:
    """Put a draft in force at all hosts. Raises Refused for one that was published, or that a newer one has overtaken."""
    school = School.objects.select_for_update().get(pk=version.school_id)
    version.refresh_from_db()
    refuse_unless_publishable(version, in_force(school))
    version.published_at = now
    version.save(update_fields=["published_at"])
    audit.record(actor, "calendar published", school=school, object=version, number=version.number)
    changes.documents_changed(school)
