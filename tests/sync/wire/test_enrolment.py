"""A code enrols one host at one registry, and neither can be another."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest
from sync.wire.faults import BadSignature, Malformed, TooLarge, UnknownKey
from sync.wire.keys import BoxKey, seal
from tests.rig.wire_site import NOW, WireSite, fixed_key

SITE = WireSite()
CODE = Code(bytes(range(16)), SITE.root().fingerprint)
KEY = fixed_key(20)
BOX = BoxKey.from_bytes(bytes(range(32)))
REQUEST = EnrolRequest.make(CODE, "main-hall", KEY, BOX)
SITE_KEY = bytes(range(100, 132))


def answered(request: EnrolRequest = REQUEST, site: WireSite = SITE, **other: Any) -> EnrolAnswer:  # noqa: ANN401  parts of the answer
    """Answer as the registry does, changed as told."""
    parts: dict[str, Any] = {
        "host": "main-hall",
        "site": "kool",
        "roots": [site.root_document(), site.root_document(version=2)],
        "site_key": SITE_KEY,
        "time": NOW,
        "signer": site.signer,
    }
    return EnrolAnswer.make(request, **{**parts, **other})


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_code_comes_back_as_it_was_told(secret: bytes, fingerprint: bytes) -> None:
    """However a person types it: in small letters, without groups, with what is easily misread."""
    code = Code(secret, fingerprint.hex())
    assert [len(group) for group in code.text.split("-")] == [4] * 14
    misread = code.text.replace("0", "o").replace("1", "l")
    for typed in (code.text, code.text.lower(), code.text.replace("-", ""), f"  {misread.replace('-', ' ')}\n"):
        assert Code.parse(typed) == code


def test_a_code_is_another_each_time() -> None:
    """It holds 16 random bytes; the registry keeps but their hash."""
    first, second = Code.make("00" * 16), Code.make("00" * 16)
    assert first.secret_sha256 != second.secret_sha256
    assert Code.parse(first.text).secret_sha256 == first.secret_sha256


@pytest.mark.parametrize("place", range(56))
def test_a_mistyped_code_is_known_at_once(place: int) -> None:
    """One wrong character is told before anything is asked of the registry, and is not repeated in a log."""
    typed = CODE.text.replace("-", "")
    wrong = typed[:place] + ("Z" if typed[place] != "Z" else "Y") + typed[place + 1 :]
    with pytest.raises(Malformed, match="mistyped") as fault:
        Code.parse(wrong)
    assert typed[:8] not in str(fault.value)


@pytest.mark.parametrize("text", ["", "U" * 56, CODE.text[:-1], CODE.text + "0", "õ" * 56, "http://registry"])
def test_what_is_no_code_is_refused(text: str) -> None:
    """Too few, too many or other characters."""
    with pytest.raises(Malformed, match="expected 56 letters and digits"):
        Code.parse(text)


def test_a_host_is_enrolled() -> None:
    """Request and answer come over, and the host has the site's key and the newest root."""
    request = EnrolRequest.parse(REQUEST.to_json())
    assert request == REQUEST
    assert (request.secret_sha256, request.public_key) == (CODE.secret_sha256, KEY.public)
    answer = EnrolAnswer.parse(answered(request).to_json())
    assert answer.verified(CODE, REQUEST).version == 2
    assert (answer.host, answer.site, answer.time, answer.open_site_key(BOX)) == ("main-hall", "kool", NOW, SITE_KEY)


@pytest.mark.parametrize("name", ["secret", "name", "public_key", "box_key", "proof"])
def test_a_request_is_proven_as_a_whole(name: str) -> None:
    """Who overhears a request cannot put a key of its own into it."""
    told = json.loads(REQUEST.to_json())
    told[name] = "f" * len(told[name])
    with pytest.raises(BadSignature):
        EnrolRequest.parse(canonical.encode(told))


@pytest.mark.parametrize(
    "change",
    [{"secret": "00"}, {"name": ""}, {"public_key": None}, {"box_key": "zz" * 32}, {"proof": ""}, {"more": 1}],
)
def test_a_request_of_another_form_is_refused(change: dict[str, object]) -> None:
    """Each part has its form."""
    with pytest.raises(Malformed, match="enrol"):
        EnrolRequest.parse(canonical.encode({**json.loads(REQUEST.to_json()), **change}))
    with pytest.raises(TooLarge):
        EnrolRequest.parse(bytes(5000))


def test_another_registry_cannot_answer() -> None:
    """The code's fingerprint leads to one registry: neither its own roots nor its own key let another answer."""
    thief = WireSite(root_keys=(fixed_key(66),), signer=fixed_key(67))
    with pytest.raises(UnknownKey):
        answered(site=thief).verified(CODE, REQUEST)
    with pytest.raises(BadSignature):
        answered(signer=thief.signer).verified(CODE, REQUEST)


def test_an_answer_is_to_one_request() -> None:
    """An answer that was recorded for another host, or changed on its way, is refused."""
    other = EnrolRequest.make(CODE, "main-hall", fixed_key(21), BOX)
    with pytest.raises(BadSignature, match="another request"):
        answered(other).verified(CODE, REQUEST)
    good = answered()
    other_key = seal(BOX.public, bytes(32), b"site key kool main-hall")
    for changed in (
        replace(good, site="other"),
        replace(good, host="other"),
        replace(good, site_key=other_key),
        replace(good, roots=good.roots[:1]),
        replace(good, time=NOW.replace(year=2037)),
    ):
        with pytest.raises(BadSignature):
            changed.verified(CODE, REQUEST)


def test_the_site_key_is_for_this_host_alone() -> None:
    """It is sealed to the host's key, for its name and site; one of another length is none."""
    with pytest.raises(BadSignature):
        answered().open_site_key(BoxKey.generate())
    with pytest.raises(BadSignature):
        replace(answered(), site="other").open_site_key(BOX)
    with pytest.raises(Malformed, match="found 31 bytes"):
        answered(site_key=bytes(31)).open_site_key(BOX)
    assert SITE_KEY.hex() not in answered().to_json().decode()


@pytest.mark.parametrize(
    "change",
    [
        {"roots": []},
        {"roots": "x"},
        {"roots": ["?"]},
        {"site_key": 1},
        {"time": "now"},
        {"signature": "00"},
        {"more": 1},
    ],
)
def test_an_answer_of_another_form_is_refused(change: dict[str, object]) -> None:
    """Each part has its form."""
    with pytest.raises(Malformed, match="enrolled"):
        EnrolAnswer.parse(canonical.encode({**json.loads(answered().to_json()), **change}))
