"""The audit: who did or looked at what, written in the transaction of the deed."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from registry.models import AuditEntry, School

FORBIDDEN = frozenset({"uid", "personal_code", "isikukood"})


def record(
    actor: str,
    action: str,
    school: School | None = None,
    object: models.Model | None = None,  # noqa: A002 what was acted upon, as the table calls it
    *,
    at: datetime | None = None,
    **detail: object,
) -> AuditEntry:
    """Keep an entry; `at` is now unless the deed is told of later. `detail` is JSON and never holds a UID or a personal code."""
    return AuditEntry.objects.create(**columns(actor, action, school, object, at=at, **detail))


def columns(
    actor: str,
    action: str,
    school: School | None = None,
    object: models.Model | None = None,  # noqa: A002 the same
    *,
    at: datetime | None = None,
    **detail: object,
) -> dict[str, object]:
    """Return an entry's columns, for those who write many at once."""
    if said := FORBIDDEN & detail.keys():
        raise ValueError(f"audit of {action}: found {', '.join(sorted(said))}, which no audit may hold")
    return {
        "at": at or timezone.now(),
        "actor": actor,
        "action": action,
        "school": school,
        "object_type": object._meta.model_name if object is not None else "",  # noqa: SLF001 Django's public name for it
        "object_id": str(object.pk) if object is not None else "",
        "detail": detail,
    }
