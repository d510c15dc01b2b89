"""How a host becomes one of a school's: the one-time code is made here, and here it is redeemed (DESIGN.md §4)."""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from registry import audit
from registry.api.refusals import Refusal
from registry.models import EnrolCode, Host
from registry.publishing import keys
from registry.publishing.changes import documents_changed
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest

LIFE: Final = timedelta(hours=24)
_ATTEMPTS: Final = (
    30  # that fail within a minute, by all together: a code of 128 bits is not guessed, but a flood need not be checked
)
_MINUTE: Final = timedelta(minutes=1)


class Attempts:
    """The failed attempts to enrol of the last minute."""

    def __init__(self) -> None:
        """Begin with none."""
        self._failed: deque[datetime] = deque(maxlen=_ATTEMPTS)

    def let_in(self, now: datetime) -> None:
        """Return if another may be made. Raises Refusal."""
        if len(self._failed) == _ATTEMPTS and now - self._failed[0] < _MINUTE:
            raise Refusal("too_often", "enrol", f"{_ATTEMPTS} attempts that failed within a minute", "fewer")

    def failed(self, now: datetime) -> None:
        """Count one."""
        self._failed.append(now)


def new_code(host: Host, *, now: datetime, actor: str, life: timedelta = LIFE) -> str:
    """Make a one-time code for a host and return its text, which is shown once and kept by nobody. Its former codes hold no more.

    A host that was enrolled before stays so until the code is redeemed; then only the new keys hold. Raises KeysFault.
    """
    code = Code.make(keys.current_root().fingerprint)
    with transaction.atomic():
        EnrolCode.objects.filter(host=host, used_at__isnull=True).delete()
        EnrolCode.objects.create(host=host, secret_sha256=code.secret_sha256, expires_at=now + life)
        audit.record(actor, "host.code", school=host.school, object=host)
    return code.text


def redeem(request: EnrolRequest, held: keys.Keys, now: datetime) -> EnrolAnswer:
    """Take the host's keys in exchange for its code, once. Raises Refusal, and says to nobody which part of a code was wrong."""
    with transaction.atomic():
        code = (
            EnrolCode.objects.select_for_update()
            .filter(secret_sha256=request.secret_sha256, used_at__isnull=True, expires_at__gt=now)
            .first()
        )
        if code is None or code.host.name != request.name:
            raise Refusal("bad_code", "secret", "a code that does not hold for this host", "an unused code of today")
        code.used_at = now
        code.save(update_fields=["used_at"])
        host = code.host
        host.public_key, host.box_key = request.public_key, request.box_key
        host.enrolled_at, host.revoked_at, host.last_heard_at = now, None, now
        host.save(update_fields=["public_key", "box_key", "enrolled_at", "revoked_at", "last_heard_at"])
        audit.record(f"host {host.name}", "host.enrolled", school=host.school, object=host)
        documents_changed(host.school, now=lambda: now)
        return EnrolAnswer.make(
            request,
            host=host.name,
            site=host.school.code,
            roots=keys.roots_after(0),
            site_key=bytes(host.school.site_key),
            time=now,
            signer=held.signing,
        )
