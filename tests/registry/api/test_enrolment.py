"""One-time codes are made and redeemed."""

from datetime import timedelta
from pathlib import Path

import pytest

from registry.api.enrolment import Attempts, new_code, redeem
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


def test_failed_attempts_are_bounded() -> None:
    """Thirty within a minute; then a minute's rest."""
    attempts = Attempts()
    for _ in range(30):
        attempts.let_in(NOON)
        attempts.failed(NOON)
    with pytest.raises(Refusal, match="too_often"):
        attempts.let_in(NOON + timedelta(seconds=59))
    attempts.let_in(NOON + timedelta(seconds=60))
