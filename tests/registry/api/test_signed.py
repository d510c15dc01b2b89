"""Who signed a request; each is taken once."""

import secrets
from datetime import timedelta
from typing import Final

import pytest

from registry.api.refusals import Refusal
from registry.api.signed import Asked, forget_nonces, signer_of
from registry.models import Host, Nonce
from sync.wire.keys import SigningKey
from sync.wire.request import sign_request
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
KEY: Final = SigningKey.generate()


@pytest.fixture
def host() -> Host:
    """An enrolled host."""
    return registered.host(registered.school(), public_key=KEY.public, enrolled_at=NOON)


def asked(name: str = "main-hall", key: SigningKey = KEY, **changed: str) -> Asked:
    """Sign a request for changes at noon."""
    target = "/v1/changes?after=1&generation=1"
    signed = sign_request(key, name, "GET", target, b"", NOON, secrets.token_hex(16))
    headers = {header.lower(): value for header, value in signed.items()}
    return Asked("GET", target, {**headers, **changed}, b"")


def code_of(request: Asked, after: timedelta = timedelta()) -> str:
    """Return the code by which a request is refused."""
    with pytest.raises(Refusal) as refusal:
        signer_of(request, NOON + after)
    return refusal.value.code


def test_the_signer_is_named_and_was_heard(host: Host) -> None:
    """With its school; when it was heard is written down every few seconds alone."""
    assert signer_of(asked(), NOON) == host
    assert Host.objects.get().last_heard_at == NOON
    signer_of(asked(), NOON + timedelta(seconds=2))
    assert Host.objects.get().last_heard_at == NOON
    signer_of(asked(), NOON + timedelta(seconds=8))
    assert Host.objects.get().last_heard_at == NOON + timedelta(seconds=8)


def test_a_request_is_taken_once(host: Host) -> None:
    """For as long as its signature would hold; then it is too old, and its nonce can be forgotten."""
    request = asked()
    signer_of(request, NOON)
    assert code_of(request) == "replayed"
    assert forget_nonces(NOON + timedelta(minutes=9)) == 0
    assert code_of(request, timedelta(minutes=4)) == "replayed"
    assert forget_nonces(NOON + timedelta(minutes=11)) == 1
    assert code_of(request, timedelta(minutes=11)) == "bad_signature"
    assert host.pk


@pytest.mark.usefixtures("host")
def test_whoever_is_not_the_host_is_refused() -> None:
    """A stranger, another key, no signature, half of one, one in no form; and nothing is kept of any."""
    assert code_of(asked(name="nobody")) == "bad_signature"
    assert code_of(asked(key=SigningKey.generate())) == "bad_signature"
    assert code_of(Asked("GET", "/v1/changes", {}, b"")) == "unsigned"
    assert code_of(asked(signature="viipe=:x:")) == "malformed"
    assert not Nonce.objects.exists()


def test_a_host_that_is_not_enrolled_yet_or_was_revoked_is_refused(host: Host) -> None:
    """One that was made but has no key; one that is told that it was revoked."""
    host.revoked_at = NOON
    host.save()
    assert code_of(asked()) == "revoked"
    host.revoked_at, host.public_key = None, None
    host.save()
    assert code_of(asked()) == "bad_signature"
