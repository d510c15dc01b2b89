"""Events are kept as long as the school says, and no longer: told first, then removed in bounded steps, and written down.

What was folded out of them stays: facts with the events that told them, loans, the steps of cards. Claims of days gone by go too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet

from registry import audit
from registry.models import Claim, Event, EventFlag, Gap, School, SetAside

STEP: Final = 2000  # rows that are removed in one transaction: a host's batch that arrives meanwhile waits no longer


@dataclass(frozen=True, slots=True)
class Removal:
    """How many rows are, or would be, removed; `before` is the moment from which on rows stay."""

    school: str
    before: datetime
    events: int
    set_aside: int
    gaps: int
    claims: int

    def __str__(self) -> str:
        """Tell it in a line."""
        counts = f"{self.events} events, {self.set_aside} set aside, {self.gaps} gaps, {self.claims} claims"
        return f"{self.school}: {counts} before {self.before:%Y-%m-%d}"


def preview(school: School, now: datetime) -> Removal:
    """Count what `remove` would remove now; changes nothing."""
    before = now - school.events_kept_for
    return Removal(school.code, before, *(rows.count() for rows in _over(school, before)))


def remove(school: School, *, actor: str, now: datetime, step: int = STEP) -> Removal:
    """Remove what is older than the school keeps, step by step, each a transaction of its own. Returns what was removed."""
    before = now - school.events_kept_for
    removal = Removal(school.code, before, *(sum(_removed_in_steps(rows, step)) for rows in _over(school, before)))
    if removal.events or removal.set_aside or removal.gaps or removal.claims:
        audit.record(
            actor,
            "events removed",
            school=school,
            object=school,
            at=now,
            before=before.isoformat(),
            events=removal.events,
            set_aside=removal.set_aside,
            gaps=removal.gaps,
            claims=removal.claims,
        )
    return removal


def _over(
    school: School, before: datetime
) -> "tuple[QuerySet[Event], QuerySet[SetAside], QuerySet[Gap], QuerySet[Claim]]":
    """Return the rows whose time is over: by the host's clock, or by ours where the host's was ahead; both conditions have an index."""
    is_over = Q(time__lt=before) | Q(time__gt=F("received_at"), received_at__lt=before)
    return (
        Event.objects.filter(is_over, school=school, fact=None),
        SetAside.objects.filter(host__school=school, at__lt=before),
        Gap.objects.filter(host__school=school, at__lt=before),
        Claim.objects.filter(school=school, day__lt=before.date()),
    )


def _removed_in_steps(
    rows: "QuerySet[Event] | QuerySet[SetAside] | QuerySet[Gap] | QuerySet[Claim]", step: int
) -> Iterator[int]:
    model = rows.model
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:step]):
        with transaction.atomic():
            # what was flagged of them goes first; no other row hangs on these (an event with a fact stays): nothing need be collected
            if model is Event:
                EventFlag.objects.filter(event__in=ids).delete()
                EventFlag.objects.filter(other__in=ids).update(other=None)
            yield model._default_manager.filter(pk__in=ids)._raw_delete(rows.db)  # noqa: SLF001
