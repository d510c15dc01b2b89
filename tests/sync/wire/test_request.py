"""A request is its host's, as it was made, when it was made."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire.faults import BadSignature, Frozen, Malformed, Mixed, UnknownKey, WireFault
from sync.wire.keys import SigningKey
from sync.wire.request import MAX_SKEW_S, Signed, sign_request, verify_request
from tests.rig.wire_site import NOW, fixed_key

KEY = fixed_key(20)
NONCE = "0123456789abcdef"
PATH = "/v1/changes?after=5&generation=1"
BODY = b'{"a":1}'


def public_of(host: str) -> bytes | None:
    """Know one host."""
    return KEY.public if host == "main-hall" else None


def signed(body: bytes = BODY, path: str = PATH, key: SigningKey = KEY, host: str = "main-hall") -> dict[str, str]:
    """Sign a request."""
    return sign_request(key, host, "POST", path, body, NOW, NONCE)


@given(
    st.sampled_from(["GET", "POST"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50).map(lambda text: "/" + text),
    st.binary(max_size=100),
    st.text("abcXYZ019_-", min_size=16, max_size=64),
)
def test_a_request_is_its_hosts(method: str, path: str, body: bytes, nonce: str) -> None:
    """Whatever a host asks is known to be its own, by headers of any case."""
    headers = sign_request(KEY, "main-hall", method, path, body, NOW, nonce)
    assert verify_request(public_of, method, path, headers, body, NOW) == Signed("main-hall", nonce, NOW)
    lower = {name.lower(): value for name, value in headers.items()}
    assert verify_request(public_of, method, path, lower, body, NOW).host == "main-hall"


def test_the_signature_base_is_the_standards() -> None:
    """RFC 9421, section 2.5: what is signed can be written down by hand."""
    digest = b64encode(sha256(BODY).digest()).decode()
    parameters = f'("@method" "@path" "@query" "content-digest");created=1788249600;nonce="{NONCE}";keyid="main-hall"'
    base = (
        '"@method": POST\n'
        '"@path": /v1/changes\n'
        '"@query": ?after=5&generation=1\n'
        f'"content-digest": sha-256=:{digest}:\n'
        f'"@signature-params": {parameters}'
    )
    assert signed() == {
        "Content-Digest": f"sha-256=:{digest}:",
        "Signature-Input": f"viipe={parameters}",
        "Signature": f"viipe=:{b64encode(KEY.sign(base.encode())).decode()}:",
    }
    assert datetime.fromtimestamp(1788249600, UTC) == NOW


@pytest.mark.parametrize(
    ("method", "path", "body", "fault"),
    [
        ("GET", PATH, BODY, BadSignature),
        ("POST", "/v1/changes", BODY, BadSignature),
        ("POST", "/v1/changes?after=4&generation=1", BODY, BadSignature),
        ("POST", "/v1/events?after=5&generation=1", BODY, BadSignature),
        ("POST", PATH + "?", BODY, BadSignature),
        ("POST", PATH, b'{"a":2}', Mixed),
        ("POST", PATH, b"", Mixed),
    ],
)
def test_another_request_is_not_the_one_that_was_signed(
    method: str, path: str, body: bytes, fault: type[WireFault]
) -> None:
    """Method, path, query and body are each covered."""
    with pytest.raises(fault):
        verify_request(public_of, method, path, signed(), body, NOW)


def test_a_stranger_is_no_host() -> None:
    """A host that is not enrolled, or was revoked, and one that signs as another, are refused."""
    with pytest.raises(UnknownKey):
        verify_request(public_of, "POST", PATH, signed(host="other"), BODY, NOW)
    with pytest.raises(BadSignature):
        verify_request(public_of, "POST", PATH, signed(key=fixed_key(66)), BODY, NOW)


@pytest.mark.parametrize("away_s", [-MAX_SKEW_S, 0, MAX_SKEW_S])
def test_clocks_may_differ_a_little(away_s: int) -> None:
    """Five minutes either way are allowed for, one second more is not."""
    now = NOW + timedelta(seconds=away_s)
    assert verify_request(public_of, "POST", PATH, signed(), BODY, now).created == NOW
    further = now + timedelta(seconds=-1 if away_s < 0 else MAX_SKEW_S - away_s + 1)
    with pytest.raises(Frozen, match="expected at most 300 s"):
        verify_request(public_of, "POST", PATH, signed(), BODY, further)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
@pytest.mark.parametrize("value", [None, "", "viipe=", "x" * 2000, "viipe=::", "sha-256=:AAAA:", "õ"])
def test_a_header_of_another_form_is_refused(name: str, value: str | None) -> None:
    """A request without its signature, or with something else in its place, is refused by the header's name."""
    headers = signed()
    del headers[name]
    if value is not None:
        headers[name] = value
    with pytest.raises(Malformed, match=f"header {name.lower()}"):
        verify_request(public_of, "POST", PATH, headers, BODY, NOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (';nonce="0123456789abcdef"', ""),
        (";created=1788249600", ""),
        (';keyid="main-hall"', ""),
        (";created=1788249600", ";created=1788249600;created=1"),
        ('"0123456789abcdef"', '"short"'),
        ("created=1788249600", 'created="now"'),
        ("created=1788249600", "created=999999999999"),
        (' "content-digest"', ""),
        ("viipe=", "other="),
        (";keyid", ';alg="hmac-sha256";keyid'),
        ("main-hall", "main hall"),
    ],
)
def test_parameters_of_another_form_are_refused(old: str, new: str) -> None:
    """What must be covered is covered, what must be told is told, each once."""
    headers = signed()
    headers["Signature-Input"] = headers["Signature-Input"].replace(old, new)
    with pytest.raises(WireFault, match="request: "):
        verify_request(public_of, "POST", PATH, headers, BODY, NOW)


def test_a_changed_parameter_does_not_fit() -> None:
    """Neither nonce nor time can be changed by who repeats a request."""
    for old, new in ((NONCE, NONCE[::-1]), ("created=1788249600", "created=1788249601")):
        headers = signed()
        headers["Signature-Input"] = headers["Signature-Input"].replace(old, new)
        with pytest.raises(BadSignature):
            verify_request(public_of, "POST", PATH, headers, BODY, NOW)


def test_a_strangers_parameters_are_read() -> None:
    """Another program may write the parameters in another order, name the algorithm and set an end."""
    covered = '("@method" "@path" "@query" "content-digest")'
    parameters = f'{covered};keyid="main-hall";alg="ed25519";nonce="{NONCE}";created=1788249600;expires=1788249660'
    digest = signed(b"")["Content-Digest"]
    base = f'"@method": GET\n"@path": /v1/stream\n"@query": ?\n"content-digest": {digest}\n"@signature-params": {parameters}'
    headers = {
        "content-digest": digest,
        "signature-input": f"viipe={parameters}",
        "signature": f"viipe=:{b64encode(KEY.sign(base.encode())).decode()}:",
    }
    assert verify_request(public_of, "GET", "/v1/stream", headers, b"", NOW).nonce == NONCE
    with pytest.raises(Frozen, match="expired"):
        verify_request(public_of, "GET", "/v1/stream", headers, b"", NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("host", "nonce"), [("main hall", NONCE), ('a"b', NONCE), ("main-hall", "short"), ("main-hall", "x" * 65)]
)
def test_no_host_signs_what_no_registry_takes(host: str, nonce: str) -> None:
    """The mistake is found where it is made."""
    with pytest.raises(Malformed, match="expected a nonce"):
        sign_request(KEY, host, "GET", "/", b"", NOW, nonce)
    with pytest.raises(Malformed, match="percent-encoded"):
        sign_request(KEY, "main-hall", "GET", "/õ", b"", NOW, NONCE)


def test_what_a_fault_says_can_be_sent_back() -> None:
    """No fault repeats a key, a signature or a body."""
    for headers, body in ((signed(), b"secret"), ({**signed(), "Signature": "viipe=:secret:"}, BODY)):
        with pytest.raises(WireFault) as fault:
            verify_request(public_of, "POST", PATH, headers, body, NOW)
        assert "secret" not in json.dumps(str(fault.value))
