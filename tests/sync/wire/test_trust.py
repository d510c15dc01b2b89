"""The Update Framework's conformance cases that apply, each named after its attack, and the ratchet's own rules."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import count
from typing import Any

import pytest

from sync.wire import document, trust
from sync.wire.document import MAX_ENVELOPE_BYTES
from sync.wire.faults import (
    BadSignature,
    Frozen,
    Malformed,
    Mixed,
    Rollback,
    TooLarge,
    TooSlow,
    UnknownKey,
    WireFault,
    WrongAudience,
)
from sync.wire.pace import Paced
from sync.wire.root import next_root
from sync.wire.trust import SLACK, Trusted
from tests.rig.wire_site import DAY, NOW, RAW, YEAR, WireHost, WireSite, digest_of, fixed_key

SITE = WireSite()


def fed(version: int = 5) -> WireHost:
    """Return a host that holds a version."""
    host = SITE.host()
    host.take(SITE.snapshot(version))
    return host


def refuses(host: WireHost, content: bytes, fault: type[WireFault], said: str = ".") -> None:
    """Hold that a document is refused, and that nothing is believed that was not believed before."""
    before = host.trusted
    with pytest.raises(fault, match=said):
        host.take(content)
    assert host.trusted == before


def test_rollback_attack_with_an_old_snapshot() -> None:
    """A snapshot that was once good is no way back to the cards of then."""
    refuses(fed(5), SITE.snapshot(4), Rollback, "found version 4, but 5 is held")


def test_rollback_attack_with_an_old_delta() -> None:
    """A delta that was applied before is not applied again."""
    refuses(fed(5), SITE.delta(4, 5), Rollback)
    refuses(fed(5), SITE.delta(3, 4), Rollback)


def test_rollback_attack_with_an_old_timestamp() -> None:
    """Nobody can make a host forget that there is something newer."""
    host = fed(5)
    host.take(SITE.timestamp(8))
    refuses(host, SITE.timestamp(7), Rollback, "found version 7, expected 8")


def test_rollback_attack_with_an_earlier_time() -> None:
    """A timestamp of the same version but of an earlier time does not wind the registry's clock back; jitter is allowed for."""
    host = fed(5)
    host.take(SITE.timestamp(5, issued_at=NOW))
    host.take(SITE.timestamp(5, issued_at=NOW - SLACK))
    refuses(host, SITE.timestamp(5, issued_at=NOW - SLACK - timedelta(seconds=1)), Rollback, "issued at")


def test_rollback_attack_with_an_old_root() -> None:
    """A root that was replaced does not come back, and neither does its generation."""
    root = SITE.root(version=2, generation=2)
    with pytest.raises(Rollback):
        next_root(root, SITE.root_document(version=1))
    with pytest.raises(Rollback, match="generation"):
        next_root(root, SITE.root_document(version=3, generation=1))


def test_rollback_attack_with_an_old_generation() -> None:
    """After a restored registry opened generation 2, whatever generation 1 ever published is of no use, however new its version."""
    host = fed(5)
    host.trusted = trust.adopt(host.trusted, next_root(host.trusted.root, SITE.root_document(version=2, generation=2)))
    refuses(host, SITE.snapshot(1000), Rollback, "generation")
    refuses(host, SITE.delta(5, 6), Rollback, "generation")
    refuses(host, SITE.timestamp(1000), Rollback, "generation")


def test_freeze_attack_with_an_expired_document() -> None:
    """Whoever repeats what was newest yesterday is found out when it expires; to the millisecond."""
    for content in (SITE.snapshot(6), SITE.delta(5, 6), SITE.timestamp(6)):
        host = fed(5)
        with pytest.raises(Frozen, match=r"expired at 2026-09-02T08:00:00\.000Z"):
            host.take(content, now=NOW + DAY)
        host.take(content, now=NOW + DAY - timedelta(milliseconds=1))


def test_freeze_attack_that_withholds_the_newest_state() -> None:
    """A host that was told of version 8 and gets no further than 6 knows that it is behind."""
    host = fed(5)
    assert not host.trusted.is_behind
    host.take(SITE.timestamp(8))
    host.take(SITE.delta(5, 6))
    assert (host.trusted.version, host.trusted.newest, host.trusted.is_behind) == (6, 8, True)
    host.take(SITE.delta(6, 8))
    assert not host.trusted.is_behind


def test_freeze_attack_with_an_expired_root() -> None:
    """An expired root vouches for nobody, whatever its keys sign."""
    host = fed(5)
    host.trusted = replace(host.trusted, root=SITE.root(expires_at=NOW))
    refuses(host, SITE.delta(5, 6), Frozen, "root 1")


def test_freeze_attack_with_a_repeated_answer_for_the_time() -> None:
    """A timestamp answers the nonce it was asked with; one that was recorded earlier, or asks for none, vouches for no clock."""
    host = fed(5)
    asked, earlier = "ab" * 16, "cd" * 16
    for content in (SITE.timestamp(5, nonce=earlier), SITE.timestamp(5), SITE.snapshot(6)):
        with pytest.raises(Mixed, match="another question"):
            host.take(content, nonce=asked)
    host.take(SITE.timestamp(5, nonce=asked), nonce=asked)


def test_a_fresh_answer_is_believed_by_a_host_whose_clock_is_wrong() -> None:
    """A host in 2037 learns the time from the registry: what answers its own nonce is fresh, whatever its clock says."""
    host = fed(5)
    host.take(SITE.timestamp(5, nonce="ab" * 16), now=NOW + 10 * YEAR, nonce="ab" * 16)
    assert host.taken[-1].issued_at == NOW


def test_mix_and_match_attack_with_a_delta_of_another_start() -> None:
    """A delta that goes on from a version which is not held is not applied to another."""
    refuses(fed(5), SITE.delta(6, 7), Mixed, "goes on from version 6, but 5 is held")
    refuses(fed(5), SITE.delta(4, 6), Mixed, "goes on from version 4")
    refuses(SITE.host(), SITE.delta(1, 2), Mixed, "take a snapshot")


def test_mix_and_match_attack_with_another_state_of_the_same_version() -> None:
    """Two registries that share a key by mistake, or one that was restored unseen, are found out: a version is one state."""
    for content in (SITE.snapshot(5, digest=digest_of(99)), SITE.timestamp(5, digest=digest_of(99))):
        refuses(fed(5), content, Mixed, "another state")


def test_mix_and_match_attack_with_another_body() -> None:
    """One document's header and another's body, both of the same length, do not pass for one."""
    good, other = SITE.snapshot(6, raw=RAW), SITE.snapshot(6, raw=RAW[::-1])
    head = int.from_bytes(good[:4], "big") + 4
    other_head = int.from_bytes(other[:4], "big") + 4
    refuses(fed(5), good[:head] + other[other_head:], WireFault)


def test_mix_and_match_attack_with_another_kind() -> None:
    """A header that was signed as a delta is none of a snapshot: the kind is a part of what is signed."""
    content = SITE.delta(5, 6)
    head = int.from_bytes(content[:4], "big")
    text = content[4 : 4 + head].replace(b'kind\\":\\"delta', b'kind\\":\\"snapshot').replace(b'on\\":5', b'on\\":null')
    refuses(fed(5), len(text).to_bytes(4, "big") + text + content[4 + head :], BadSignature)


def test_wrong_audience_attack() -> None:
    """What one school's hosts are told is nothing for another's, though the same registry signed it."""
    for content in (
        SITE.snapshot(6, audience="gümnaasium"),
        SITE.delta(5, 6, audience="gümnaasium"),
        SITE.timestamp(6, audience="gümnaasium"),
    ):
        refuses(fed(5), content, WrongAudience, "found site gümnaasium, expected kool")


def test_fast_forward_attack_and_recovery() -> None:
    """Whoever stole the signing key can drive versions and times to the end; a new root with a new generation begins anew."""
    host = fed(5)
    far: dict[str, Any] = {"issued_at": NOW + YEAR, "expires_at": NOW + 2 * YEAR}
    host.take(SITE.snapshot(2**63 - 1, **far))
    host.take(SITE.timestamp(2**63 - 1, **far))
    refuses(host, SITE.snapshot(6), Rollback)
    refuses(host, SITE.timestamp(6), Rollback)
    mended = WireSite(signer=fixed_key(11))
    host.trusted = trust.adopt(
        host.trusted, next_root(host.trusted.root, mended.root_document(version=2, generation=2))
    )
    assert host.trusted.is_behind
    host.take(mended.timestamp(6, generation=2))
    refuses(host, mended.delta(5, 6, generation=2), Mixed, "take a snapshot")
    host.take(mended.snapshot(6, generation=2))
    host.take(mended.delta(6, 7, generation=2))
    assert (host.trusted.generation, host.trusted.version, host.trusted.is_behind) == (2, 7, False)


def test_a_generation_that_no_root_opens_is_none() -> None:
    """A signing key alone opens no generation; the host is told that a newer root may."""
    refuses(fed(5), SITE.snapshot(1, generation=2), UnknownKey, "generation 2, which root 1 does not open")


def test_wrong_key_attack() -> None:
    """What a key signs that the root does not name is nothing, even a root key: each has its own office."""
    for signer in (fixed_key(66), SITE.root_keys[0]):
        refuses(fed(5), SITE.snapshot(6, signer=signer), UnknownKey)


def test_wrong_key_attack_under_a_known_name() -> None:
    """A signature that claims a known key's name but is another's does not fit."""
    content = SITE.snapshot(6, signer=fixed_key(66))
    forged = content.replace(fixed_key(66).id.encode(), SITE.signer.id.encode())
    refuses(fed(5), forged, BadSignature)


def test_revoked_key_attack() -> None:
    """A key that a newer root does not name any more signs nothing, within the same generation too."""
    host = fed(5)
    mended = WireSite(signer=fixed_key(11))
    host.trusted = trust.adopt(host.trusted, next_root(host.trusted.root, mended.root_document(version=2)))
    refuses(host, SITE.delta(5, 6), UnknownKey)
    host.take(mended.delta(5, 6))


def test_threshold_attack_with_too_few_signatures() -> None:
    """Where two root keys must sign, one does not do: neither once nor for its successor."""
    strict = WireSite(threshold=2)
    with pytest.raises(BadSignature, match="found 1 signatures of root 1's keys, expected 2"):
        next_root(strict.root(), strict.root_document(strict.root_keys[:1], version=2))
    assert next_root(strict.root(), strict.root_document(version=2)).version == 2


def test_threshold_attack_with_keys_of_the_new_root_alone() -> None:
    """A root that only its own keys sign has taken over nothing: the former root's keys hand over."""
    thief = WireSite(root_keys=(fixed_key(66), fixed_key(67)))
    with pytest.raises(UnknownKey, match="none of the keys of root 1"):
        next_root(SITE.root(), thief.root_document(version=2))
    both = thief.root_document((*thief.root_keys, SITE.root_keys[0]), version=2)
    assert next_root(SITE.root(), both).root_keys == thief.root().root_keys


def test_threshold_attack_with_keys_of_the_former_root_alone() -> None:
    """A root whose own keys did not sign would lock everybody out of the next one."""
    later = WireSite(root_keys=(fixed_key(3),))
    with pytest.raises(UnknownKey, match="none of the keys of root 2"):
        next_root(SITE.root(), later.root_document(SITE.root_keys, version=2))


def test_threshold_attack_with_one_key_counted_twice() -> None:
    """A key that stands twice in a root would sign for two."""
    key = SITE.root_keys[0]
    with pytest.raises(Malformed, match="stands twice"):
        WireSite(root_keys=(key, key), threshold=2).root_document()


def test_threshold_attack_with_one_signature_written_twice() -> None:
    """A key id that stands twice among the signatures is no second signature, in a root as little as in a document."""
    strict = WireSite(threshold=2)
    key = strict.root_keys[0]
    document_of_one = strict.root_document([key], version=2)
    start = document_of_one.index(f'"{key.id}"'.encode())
    signature = document_of_one[start:-2]
    doubled = document_of_one[:-2] + b"," + signature + b"}}"
    with pytest.raises(Malformed, match="no strict JSON"):
        next_root(strict.root(), doubled)


def test_an_expired_root_still_hands_over() -> None:
    """A host that was away for years follows roots that have expired meanwhile: only the newest must hold."""
    host = fed(5)
    old = next_root(SITE.root(), SITE.root_document(version=2, issued_at=NOW - YEAR, expires_at=NOW - DAY))
    host.trusted = trust.adopt(host.trusted, old)
    refuses(host, SITE.delta(5, 6), Frozen, "root 2")
    host.trusted = trust.adopt(host.trusted, next_root(old, SITE.root_document(version=3)))
    host.take(SITE.delta(5, 6))


def test_endless_data_attack_in_the_envelope() -> None:
    """A length that promises gigabytes is refused before a byte of them is read."""
    asked: list[int] = []
    source = BytesIO(b"\xff\xff\xff\xff" + bytes(1000))

    def read(size: int) -> bytes:
        asked.append(size)
        return source.read(size)

    with pytest.raises(TooLarge, match=f"at most {MAX_ENVELOPE_BYTES}"):
        document.read_envelope(read)
    assert asked == [4]


def test_endless_data_attack_after_the_body() -> None:
    """Whatever goes on after the body is not read, and spoils it."""
    content = BytesIO(SITE.snapshot(6))
    sizes = count()

    def endless(size: int) -> bytes:
        next(sizes)
        return content.read(size) or bytes(size)

    header = document.verified(document.read_envelope(endless), SITE.root())
    with pytest.raises(TooLarge, match="goes on after"):
        document.open_body(header, endless, lambda _piece: None)
    assert next(sizes) < 20


def test_slow_data_attack() -> None:
    """A registry that gives one byte every now and then, each in time, is given up."""
    content = BytesIO(SITE.snapshot(6, raw=bytes(range(256)) * 4000))
    seconds = count()
    slow = Paced(lambda _size: content.read(1), grace_s=10, least_bytes_s=100, clock=lambda: float(next(seconds)))
    with pytest.raises(TooSlow, match="expected 100 a second"):
        document.read_envelope(slow)
    assert content.tell() < 20


def test_key_compromise_needs_the_root() -> None:
    """A thief of the signing key cannot change who signs: a root that this key signs is no root."""
    thief = WireSite(root_keys=(SITE.signer,))
    with pytest.raises(UnknownKey):
        next_root(SITE.root(), thief.root_document(version=2))


def test_the_ratchet_survives_a_restart() -> None:
    """What was believed is written and read back as it was; another form is no ratchet."""
    host = fed(5)
    host.take(SITE.timestamp(9))
    again = Trusted.parse(host.trusted.to_json(), host.trusted.root)
    assert again == host.trusted
    with pytest.raises(Malformed):
        Trusted.parse(host.trusted.to_json().replace(b'"newest"', b'"newer"'), host.trusted.root)


def test_a_first_sync_that_was_overtaken_is_still_a_step_forward() -> None:
    """A snapshot that was newest when its download began is taken, though the stream has told of a newer one since."""
    host = SITE.host()
    host.take(SITE.timestamp(9))
    host.take(SITE.snapshot(8))
    assert (host.trusted.version, host.trusted.is_behind) == (8, True)


def test_the_state_that_is_held_may_be_fetched_again() -> None:
    """A host whose cache was damaged takes the very state that it held, as a snapshot."""
    host = fed(5)
    host.take(SITE.snapshot(5))
    assert host.trusted.version == 5


def test_a_root_of_the_same_generation_changes_nothing_else() -> None:
    """Key changes leave the ratchet where it is."""
    host = fed(5)
    host.take(SITE.timestamp(9))
    later = trust.adopt(host.trusted, next_root(host.trusted.root, SITE.root_document(version=2)))
    assert later == replace(host.trusted, root=later.root)


def test_a_timestamp_that_was_overtaken_is_passed_over() -> None:
    """Made just before what an answer beside the stream has brought: it says nothing. Made after it, or long before, it is a rollback."""
    host = fed(5)
    host.take(SITE.timestamp(8, issued_at=NOW))
    header = document.read_envelope(BytesIO(SITE.timestamp(7, issued_at=NOW - timedelta(milliseconds=1))).read).header
    assert trust.is_overtaken(host.trusted, header)
    longer_ago = NOW - trust.OVERTAKEN_WITHIN - timedelta(milliseconds=1)
    for later in (
        SITE.timestamp(7, issued_at=NOW),
        SITE.timestamp(8, issued_at=NOW - timedelta(seconds=1)),
        SITE.timestamp(7, issued_at=longer_ago),
    ):
        assert not trust.is_overtaken(host.trusted, document.read_envelope(BytesIO(later).read).header)
