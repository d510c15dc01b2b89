"""What the serving process does by itself, every few minutes: days that pass, time that is over, what need not be kept."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from django.utils import timezone

from registry.api.signed import forget_nonces
from registry.cards.expiry import expire_due
from registry.events import retention
from registry.ledger import holds, topup_files
from registry.models import School
from registry.office import desk
from registry.people import photos, rosters
from registry.publishing import keys
from registry.publishing.changes import day_passed

EVERY_S: Final = 300.0
ACTOR: Final = "registry"
_LOG: Final = logging.getLogger("registry.chores")


def perform(*, now: Callable[[], datetime] = timezone.now) -> None:
    """Do all that is due. A part that fails is said, and does not keep the others from being done."""
    at = now()
    _try(partial(forget_nonces, at))
    _try(partial(keys.renew, at))
    _try(partial(rosters.forget_old, at))
    _try(partial(desk.forget_old, at))
    _try(partial(holds.forget_old, at))
    _try(partial(topup_files.forget_old, at))
    for school in School.objects.order_by("pk"):
        today = school.local_day(at)
        _try(partial(expire_due, today, now=at, school=school))
        _try(partial(day_passed, school, today, now=now))
        _try(partial(retention.remove, school, actor=ACTOR, now=at))
        _try(partial(photos.remove_left, school, today, actor=ACTOR, now=at))


def _try(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001  whatever it is, it is said, and tried again in a few minutes
        _LOG.exception("left undone")
