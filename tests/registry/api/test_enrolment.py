"""One-time codes are made and redeemed."""

from datetime import timedelta
from pathlib import Path

import pytest

from registry.api.enrolment import new_code, redeem, revoke
from registry.api.refusals import Refusal
from registry.models import AuditEntry, EnrolCode, Host, PublishedRow
from registry.publishing import keys
from sync.wire.enrolment import Code, EnrolRequest
from sync.wire.keys import BoxKey, SigningKey
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host that is not enrolled, of a registry with keys."""
    keys.ensure(NOON, folder=tmp_path)
    return registered.host(registered.school())


def test_a_code_is_redeemed_once_for_keys(host: Host, tmp_path: Path) -> None:
    """The host is published with its key; the site's key arrives sealed; it is audited."""
    code = Code.parse(new_code(host, now=NOON, actor="it"))
    box = BoxKey.generate()
    request = EnrolRequest.make(code, host.name, SigningKey.generate(), box)
    answer = redeem(request, keys.load(tmp_path), NOON)
    assert answer.verified(code, request) == keys.current_root()
    assert answer.open_site_key(box) == bytes(host.school.site_key)
    host.refresh_from_db()
    assert (bytes(host.public_key or b""), host.enrolled_at) == (request.public_key, NOON)
    row = PublishedRow.objects.get(key="hosts").row
    assert row == [{"name": host.name, "public_key": request.public_key.hex()}]
    with pytest.raises(Refusal, match="bad_code"):
        redeem(request, keys.load(tmp_path), NOON)
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["host.code", "host.enrolled"]


def test_an_old_or_overtaken_code_is_refused(host: Host, tmp_path: Path) -> None:
    """Nothing is changed by it."""
    former = Code.parse(new_code(host, now=NOON, actor="it"))
    code = Code.parse(new_code(host, now=NOON, actor="it"))
    for each, after, name in (
        (former, timedelta(), host.name),
        (code, timedelta(hours=25), host.name),
        (code, timedelta(), "other"),
    ):
        request = EnrolRequest.make(each, name, SigningKey.generate(), BoxKey.generate())
        with pytest.raises(Refusal, match="bad_code"):
            redeem(request, keys.load(tmp_path), NOON + after)
    host.refresh_from_db()
    assert host.public_key is None
    assert EnrolCode.objects.get().used_at is None


def test_a_revoked_host_comes_back_by_a_new_code(host: Host, tmp_path: Path) -> None:
    """And by nothing else."""
    host.revoked_at = NOON
    host.save()
    code = Code.parse(new_code(host, now=NOON, actor="it"))
    redeem(EnrolRequest.make(code, host.name, SigningKey.generate(), BoxKey.generate()), keys.load(tmp_path), NOON)
    host.refresh_from_db()
    assert host.revoked_at is None


def test_what_is_revoked_comes_back_by_no_code_made_before(host: Host, tmp_path: Path) -> None:
    """Not by one that was waiting, and not by one that somebody kept from being voided; by a new one it does."""
    waiting = Code.parse(new_code(host, now=NOON, actor="it"))
    revoke(host, now=NOON + timedelta(hours=1), actor="it")
    assert not EnrolCode.objects.exists()
    assert AuditEntry.objects.filter(action="host revoked").count() == 1
    EnrolCode.objects.create(
        host=host, secret_sha256=waiting.secret_sha256, made_at=NOON, expires_at=NOON + timedelta(days=1)
    )
    later = NOON + timedelta(hours=2)
    request = EnrolRequest.make(waiting, host.name, SigningKey.generate(), BoxKey.generate())
    with pytest.raises(Refusal, match="bad_code"):
        redeem(request, keys.load(tmp_path), later)
    host.refresh_from_db()
    assert host.revoked_at == NOON + timedelta(hours=1)
    code = Code.parse(new_code(host, now=later, actor="it"))
    redeem(EnrolRequest.make(code, host.name, SigningKey.generate(), BoxKey.generate()), keys.load(tmp_path), later)
    host.refresh_from_db()
    assert host.revoked_at is None
