"""The people document: what opens, and what does not."""

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical, people
from sync.wire.document import sign
from sync.wire.faults import (
    BadSignature,
    Frozen,
    Malformed,
    Mixed,
    Rollback,
    TooLarge,
    UnknownKey,
    WireFault,
    WrongAudience,
)
from sync.wire.keys import BoxKey, seal
from tests.rig.people import jpeg, some_people
from tests.rig.wire_site import NOW, WireSite, fixed_key

SITE, HOST = "kool", "till"
BOX = BoxKey.from_bytes(hashlib.sha256(b"host box").digest())
REGISTRY = WireSite()
CONTENT, PHOTOS = some_people(shows="library", hands_over="library")


def made(**other: Any) -> bytes:  # noqa: ANN401  fields of the document
    """Return a document of version 5 for our host, but as told."""
    fields: dict[str, Any] = {
        "site": SITE,
        "host": HOST,
        "generation": 1,
        "version": 5,
        "issued_at": NOW,
        "signer": REGISTRY.signer,
        "box_key": BOX.public,
        **other,
    }
    return people.make(CONTENT, **fields)


def opened(sealed: bytes, **other: Any) -> people.People:  # noqa: ANN401  what it is held against
    """Open it as our host, which holds version 4, does."""
    given_: dict[str, Any] = {
        "box": BOX,
        "root": REGISTRY.root(),
        "site": SITE,
        "host": HOST,
        "held": (1, 4),
        "now": NOW,
        **other,
    }
    return people.parse(people.open_sealed(sealed, **given_)[1])


def test_what_is_made_for_a_host_is_read_by_it() -> None:
    """All of it: names in any letters, stays, identifiers, the photo's hash, the PIN's hash."""
    assert opened(made()) == CONTENT


def test_the_same_version_may_come_again_and_an_older_never() -> None:
    """The ratchet, within a generation; another generation needs its root first."""
    assert opened(made(), held=(1, 5)) == CONTENT
    with pytest.raises(Rollback):
        opened(made(), held=(1, 6))
    with pytest.raises(UnknownKey):
        opened(made(generation=2))
    with pytest.raises(Rollback):
        opened(made(), root=REGISTRY.root(generation=2, version=2))
    assert opened(made(generation=2, version=1), root=REGISTRY.root(generation=2, version=2), held=(1, 9)) == CONTENT


def test_nobody_elses_document_is_taken() -> None:
    """Sealed for another host, meant for another, signed by another, or another thing altogether."""
    with pytest.raises(BadSignature):
        opened(made(box_key=BoxKey.generate().public))
    with pytest.raises(BadSignature):
        opened(made(host="door"))
    with pytest.raises(UnknownKey):
        opened(made(signer=fixed_key(99)))
    inner = BOX.open(made(host="door"), b"people kool/door")
    with pytest.raises(WrongAudience):
        opened(seal(BOX.public, inner, b"people kool/till"))
    with pytest.raises(Mixed):
        opened(seal(BOX.public, REGISTRY.snapshot(6), b"people kool/till"))
    with pytest.raises(Mixed):
        opened(seal(BOX.public, REGISTRY.timestamp(6), b"people kool/till"))


def test_an_old_copy_that_was_kept_back_is_refused() -> None:
    """It is good for a week on its way."""
    with pytest.raises(Frozen):
        opened(made(), now=NOW + timedelta(days=8))


def test_a_digest_of_something_else_is_refused() -> None:
    """Signed by the right key, but not of its content."""
    told = sign(
        kind="people",
        audience="kool/till",
        generation=1,
        version=5,
        issued_at=NOW,
        expires_at=NOW + people.LIFE,
        digest="00" * 32,
        signer=REGISTRY.signer,
        raw=CONTENT.to_json(),
    )
    with pytest.raises(Mixed):
        opened(seal(BOX.public, told, b"people kool/till"))


def test_endless_bytes_are_not_opened() -> None:
    """Bounded before anything is decrypted."""
    with pytest.raises(TooLarge):
        opened(bytes(people.MAX_DOCUMENT_BYTES + 1))


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_opens_nothing(place: int, change: int) -> None:
    """Wherever it stands."""
    sealed = bytearray(made())
    sealed[place % len(sealed)] ^= change
    with pytest.raises(WireFault):
        opened(bytes(sealed))


def changed(way: Any) -> bytes:  # noqa: ANN401  what changes a table
    """Return the content with one thing otherwise."""
    table = json.loads(CONTENT.to_json())
    way(table)
    return canonical.encode(table)


@pytest.mark.parametrize(
    "way",
    [
        lambda t: t.update(shows="door"),
        lambda t: t.update(more=1),
        lambda t: t.pop("workers"),
        lambda t: t.update(day="1.9.2026"),
        lambda t: t.update(hands_over="uid"),
        lambda t: t.update(persons={}),
        lambda t: t["persons"].append(t["persons"][0]),
        lambda t: t["workers"].append(t["workers"][0]),
        lambda t: t["persons"][0].update(given_name=""),
        lambda t: t["persons"][0].update(given_name="x" * 101),
        lambda t: t["persons"][0].update(photo="zz"),
        lambda t: t["persons"][0].update(photo="A" * 64),
        lambda t: t["persons"][0]["identifiers"].update(uid="04"),
        lambda t: t["persons"][0].update(identifiers=[]),
        lambda t: t["persons"][0].update(stays=t["persons"][0]["stays"] * 9),
        lambda t: t["persons"][0]["stays"][0].update(until="2019-01-01"),
        lambda t: t["persons"][0]["stays"][0].update(kind="guest"),
        lambda t: t["workers"][0].update(salt="00"),
        lambda t: t["workers"][0].update(pin="2468"),
    ],
)
def test_other_content_is_refused(way: Any) -> None:  # noqa: ANN401  what changes a table
    """Strictly: an unknown member is as wrong as a missing one."""
    with pytest.raises(Malformed):
        people.parse(changed(way))


def test_too_many_persons_are_refused_by_who_makes_it_too() -> None:
    """Nobody signs what no host would take."""
    many = tuple(replace(CONTENT.persons[0], id=str(n)) for n in range(people.MAX_PERSONS + 1))
    with pytest.raises(Malformed):
        people.make(
            replace(CONTENT, persons=many),
            site=SITE,
            host=HOST,
            generation=1,
            version=5,
            issued_at=NOW,
            signer=REGISTRY.signer,
            box_key=BOX.public,
        )


def test_a_photo_opens_for_its_own_hash_and_host() -> None:
    """Another photo under its name, another host, or too large a one: none."""
    photo = jpeg()
    sha256 = hashlib.sha256(photo).hexdigest()
    sealed = people.seal_photo(photo, BOX.public)
    assert people.open_photo(sealed, BOX, sha256) == photo
    with pytest.raises(BadSignature):
        people.open_photo(sealed, BoxKey.generate(), sha256)
    with pytest.raises(BadSignature):
        people.open_photo(sealed, BOX, "00" * 32)
    with pytest.raises(Mixed):
        people.open_photo(seal(BOX.public, jpeg(200), f"photo {sha256}".encode()), BOX, sha256)
    with pytest.raises(TooLarge):
        people.seal_photo(bytes(people.MAX_PHOTO_BYTES + 1), BOX.public)
    with pytest.raises(TooLarge):
        people.open_photo(bytes(people.MAX_PHOTO_BOX_BYTES + 1), BOX, sha256)
