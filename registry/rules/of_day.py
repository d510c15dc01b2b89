"""Which rule held at a service on a school-local day: the newest that was published by the end of it."""

from bisect import bisect_right
from datetime import date
from zoneinfo import ZoneInfo

from policy.fault import Faulty
from policy.rule import Rule, parse_rule
from registry.models import RuleVersion, School


class RulesByDay:
    """The published rules of one service, asked by day. None where none was published by then: hosts went by their own."""

    def __init__(self, school: School, service: str) -> None:
        """Look the versions up; a rule that is no rule any more for this version of the program is passed over."""
        zone = ZoneInfo(school.timezone)
        versions = RuleVersion.objects.filter(
            service__school=school, service__code=service, published_at__isnull=False
        ).order_by("number")
        self._days: list[date] = []
        self._rules: list[Rule] = []
        for version in versions:
            try:
                rule = parse_rule(version.table, service=service)
            except Faulty:
                continue
            assert version.published_at is not None  # noqa: S101  they were chosen by it
            day = version.published_at.astimezone(zone).date()
            self._days.append(max(day, self._days[-1]) if self._days else day)
            self._rules.append(rule)

    def on(self, day: date) -> Rule | None:
        """Return the rule that held when the day was over."""
        place = bisect_right(self._days, day)
        return self._rules[place - 1] if place else None
