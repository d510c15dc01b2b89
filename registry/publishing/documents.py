"""The documents that are published beside the cards: rules, calendar, the school itself, its hosts."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from registry.models import CalendarVersion, ClassDay, Host, RuleVersion, School

NAMES: Final = ("rules", "calendar", "school", "hosts")
_PAST: Final = timedelta(days=7)  # of days that are over: a host whose clock lags may still ask for them


def documents_of(school: School, today: date) -> Mapping[str, object]:
    """Return each document by its name, as the tables say now."""
    return {
        "rules": _rules(school),
        "calendar": {"table": _calendar(school), "class_days": _class_days(school, today)},
        "school": {"code": school.code, "timezone": school.timezone},
        "hosts": _hosts(school),
    }


def _rules(school: School) -> dict[str, object]:
    """The newest published rule of each service; a service without one has no rule yet, and hosts keep their own."""
    published = RuleVersion.objects.filter(service__school=school, published_at__isnull=False).order_by("number")
    return dict(published.values_list("service__code", "table"))  # the later number overwrites the earlier


def _calendar(school: School) -> object:
    published = CalendarVersion.objects.filter(school=school, published_at__isnull=False).order_by("-number")
    return published.values_list("table", flat=True).first() or {}


def _class_days(school: School, today: date) -> list[dict[str, str]]:
    days = ClassDay.objects.filter(school=school, day__gte=today - _PAST).order_by("day", "class_name")
    rows = days.values_list("class_name", "day", "day_type")
    return [{"class": name, "day": day.isoformat(), "day_type": kind} for name, day, kind in rows]


def _hosts(school: School) -> list[dict[str, object]]:
    """The hosts that may be believed: those that are enrolled and were not revoked; with an address where others can ask them."""
    hosts = Host.objects.filter(school=school, public_key__isnull=False, revoked_at__isnull=True).order_by("name")
    return [_host(*row) for row in hosts.values_list("name", "public_key", "address", "services")]


def _host(name: str, key: bytes | memoryview | None, address: str, services: list[str]) -> dict[str, object]:
    listed: dict[str, object] = {"name": name, "public_key": bytes(key or b"").hex()}
    return {**listed, "address": address, "services": services} if address else listed
