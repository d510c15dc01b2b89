"""Roots hand over one by one, and the first is told by its fingerprint (the attacks on them: test_trust.py)."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.faults import BadSignature, Malformed, Mixed, TooLarge, UnknownKey, WireFault
from sync.wire.root import MAX_BYTES, Root, chain, first_root, next_root, read_unverified, sign_root
from tests.rig.mutations import mutations
from tests.rig.wire_site import NOW, YEAR, WireSite, fixed_key

SITE = WireSite()
KEYS = st.integers(0, 200).map(fixed_key)


@given(
    st.lists(KEYS, min_size=1, max_size=5, unique_by=lambda key: key.id),
    st.lists(KEYS, min_size=1, max_size=5, unique_by=lambda key: key.id),
    st.integers(1, 2**53),
    st.data(),
)
def test_a_root_comes_back_as_it_was(
    root_keys: list[Any], signing: list[Any], version: int, data: st.DataObject
) -> None:
    """Whatever a root names is read back, once a threshold of its keys has signed it."""
    threshold = data.draw(st.integers(1, len(root_keys)))
    root = Root(
        version=version,
        generation=data.draw(st.integers(1, 2**53)),
        root_keys=tuple(key.public for key in root_keys),
        threshold=threshold,
        signing_keys=tuple(key.public for key in signing),
        box_key=SITE.box_key.public,
        issued_at=NOW,
        expires_at=NOW + YEAR,
    )
    document = sign_root(root, root_keys[:threshold])
    assert first_root(document, root.fingerprint) == read_unverified(document) == root


def test_the_fingerprint_is_that_of_the_keys_and_the_threshold() -> None:
    """Another order of keys, another version or other signing keys are the same root keys; another threshold is not."""
    root = SITE.root()
    same = replace(root, root_keys=root.root_keys[::-1], version=9, signing_keys=(bytes(32),))
    assert same.fingerprint == root.fingerprint
    assert replace(root, threshold=2).fingerprint != root.fingerprint
    assert len(bytes.fromhex(root.fingerprint)) == 16


def test_a_first_root_of_another_registry_is_refused() -> None:
    """An enrolment code leads to its own registry and to no other."""
    other = WireSite(root_keys=(fixed_key(66),))
    with pytest.raises(UnknownKey, match="expected " + SITE.root().fingerprint):
        first_root(other.root_document(), SITE.root().fingerprint)


def test_a_first_root_that_its_own_keys_did_not_sign_is_refused() -> None:
    """A fingerprint is of public keys: whoever knows them has signed nothing yet."""
    with pytest.raises(UnknownKey, match="none of the keys"):
        first_root(SITE.root_document([fixed_key(66)]), SITE.root().fingerprint)
    document = json.loads(SITE.root_document())
    document["root"] = document["root"].replace('"generation":1', '"generation":2')
    with pytest.raises(BadSignature):
        first_root(canonical.encode(document), SITE.root().fingerprint)


def test_one_bad_signature_of_a_known_key_refuses_all() -> None:
    """Who adds a bad signature beside a good one has something in mind."""
    document = json.loads(SITE.root_document())
    document["signatures"][SITE.root_keys[1].id] = "00" * 64
    with pytest.raises(BadSignature):
        first_root(canonical.encode(document), SITE.root().fingerprint)


def test_no_root_is_left_out() -> None:
    """A host that was away takes the roots one by one: the one left out may have taken a key's office."""
    with pytest.raises(Mixed, match="found version 3, expected 2: one is left out"):
        next_root(SITE.root(), SITE.root_document(version=3))


def test_a_chain_is_followed_from_where_the_code_was_made() -> None:
    """A code made after the root keys changed leads into the chain at that place; one made before, from its own."""
    later = WireSite(root_keys=(fixed_key(3),))
    handed_over = later.root_document((*SITE.root_keys, *later.root_keys), version=2)
    documents = [SITE.root_document(), handed_over, later.root_document(version=3, generation=2)]
    for fingerprint in (SITE.root().fingerprint, later.root().fingerprint):
        assert chain(documents, fingerprint).version == 3
    with pytest.raises(UnknownKey, match="none of 3"):
        chain(documents, WireSite(root_keys=(fixed_key(66),)).root().fingerprint)
    with pytest.raises(UnknownKey, match="none of 0"):
        chain([], SITE.root().fingerprint)
    with pytest.raises(WireFault):
        chain([documents[0], documents[2]], SITE.root().fingerprint)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(version=0),
        lambda told: told.update(generation=0),
        lambda told: told.update(threshold=3),
        lambda told: told.update(threshold=0),
        lambda told: told.update(root_keys=[]),
        lambda told: told.update(signing_keys=["00" * 31]),
        lambda told: told.update(signing_keys=[f"{number:064x}" for number in range(17)]),
        lambda told: told.update(box_key=None),
        lambda told: told.update(expires_at=told["issued_at"]),
        lambda told: told.update(surprise=1),
        lambda told: told.pop("box_key"),
    ],
)
def test_a_root_without_sense_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """What nobody could hold to is no root, whoever signed it."""
    document = json.loads(SITE.root_document())
    told = json.loads(document["root"])
    change(told)
    document["root"] = canonical.encode(told).decode()
    with pytest.raises(Malformed, match="root: "):
        first_root(canonical.encode(document), SITE.root().fingerprint)


def test_no_registry_signs_a_root_that_no_host_takes() -> None:
    """The mistake is found where it is made."""
    with pytest.raises(Malformed, match="expires_at after issued_at"):
        SITE.root_document(expires_at=NOW - timedelta(days=1))


def test_a_root_has_bounds() -> None:
    """Neither an endless root nor one with endless signatures is looked at."""
    with pytest.raises(TooLarge):
        read_unverified(bytes(MAX_BYTES + 1))
    document = json.loads(SITE.root_document())
    document["signatures"] = {f"{number:016x}": "00" * 64 for number in range(33)}
    with pytest.raises(Malformed, match="1 to 32 signatures"):
        read_unverified(canonical.encode(document))


def test_no_mutated_root_is_taken() -> None:
    """Of 2,000 mutations of two roots none is taken, neither as the first nor as the next."""
    sound = [SITE.root_document(SITE.root_keys[:1]), SITE.root_document(SITE.root_keys[:1], version=2)]
    root = SITE.root()
    for number, mutated in mutations(2000, 1, sound):
        with pytest.raises(WireFault):
            pytest.fail(f"mutation {number} was taken: {first_root(mutated, root.fingerprint)}")
        with pytest.raises(WireFault):
            pytest.fail(f"mutation {number} was taken: {next_root(root, mutated)}")
