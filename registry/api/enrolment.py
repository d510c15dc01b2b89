"""How a host becomes one of a school's, and how it ends: its one-time code is made and redeemed, or it is revoked (DESIGN.md §4)."""

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


def new_code(host: Host, *, now: datetime, actor: str, life: timedelta = LIFE) -> str:
    """Make a one-time code for a host and return its text, which is shown once and kept by nobody. Its former codes hold no more.

    A host that was enrolled before stays so until the code is redeemed; then only the new keys hold. Raises KeysFault.
    """
    code = Code.make(keys.current_root().fingerprint)
    with transaction.atomic():
        EnrolCode.objects.filter(host=host, used_at__isnull=True).delete()
        EnrolCode.objects.create(host=host, secret_sha256=code.secret_sha256, made_at=now, expires_at=now + life)
        audit.record(actor, "host.code", school=host.school, object=host)
    return code.text


def revoke(host: Host, *, now: datetime, actor: str) -> None:
    """End what a host may do here, and void the codes that were made for it: only one that is made from now on brings it back."""
    with transaction.atomic():
        # Codes first, as when one is redeemed: the two lock the rows in one order, and whichever is later holds.
        EnrolCode.objects.filter(host=host, used_at__isnull=True).delete()
        host.revoked_at = now
        host.save(update_fields=["revoked_at"])
        documents_changed(host.school, now=lambda: now)
        audit.record(actor, "host revoked", school=host.school, object=host)


def redeem(request: EnrolRequest, held: keys.Keys, now: datetime) -> EnrolAnswer:
    """Take the host's keys in exchange for its code, once. Raises Refusal, and says to nobody which part of a code was wrong."""
    codes = EnrolCode.objects.filter(secret_sha256=request.secret_sha256, used_at__isnull=True, expires_at__gt=now)
    if not codes.exists():  # asked before anything is locked: a flood of wrong codes keeps nobody from writing
        raise _bad_code()
    with transaction.atomic():
        code = codes.select_for_update().first()
        if code is None or code.host.name != request.name or _is_void(code):
            raise _bad_code()
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


def _is_void(code: EnrolCode) -> bool:
    """Whether the host was revoked after the code was made."""
    return code.host.revoked_at is not None and code.made_at < code.host.revoked_at


def _bad_code() -> Refusal:
    return Refusal("bad_code", "secret", "a code that does not hold for this host", "an unused code of today")
