"""Deltas lead from what a host holds to the newest state, and are signed once for all that hold the same."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest

from registry.models import Card, PublishedRow, School, SiteState
from registry.publishing import changes, deltas
from registry.publishing.deltas import DeltaStore, SnapshotNeeded
from registry.publishing.state import state_of
from sync.wire import delta
from sync.wire.document import open_bytes
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.root import Root
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
KEY: Final = SigningKey.generate()
ROOT: Final = Root(1, 1, (KEY.public,), 1, (KEY.public,), BoxKey.generate().public, NOON, NOON + timedelta(days=700))


def at_noon() -> datetime:
    """A Monday."""
    return NOON


@pytest.fixture
def school() -> School:
    """A school of two published cards; documents are version 1, cards 2 and 3."""
    made = registered.school()
    changes.documents_changed(made, now=at_noon)
    for uid in (b"\x01\x02\x03\x04", b"\x05\x06\x07\x08"):
        changes.card_changed(registered.card(made, person=registered.person(made), uid=uid), now=at_noon)
    return made


@pytest.fixture
def store() -> DeltaStore:
    """A store at noon."""
    return DeltaStore(KEY, now=at_noon)


def test_a_delta_has_what_changed_and_no_more(school: School, store: DeltaStore) -> None:
    """It is signed, from the version that is held to the newest, with the digest of what comes of it."""
    signed = store.since(school, 1, 2)
    assert signed is not None
    header, raw = open_bytes(signed.document, ROOT)
    assert (header.audience, header.generation, header.from_version, header.version) == ("thg", 1, 2, 3)
    assert header.digest == state_of(school).digest
    found = delta.decode(raw)
    assert [row[8] for row in found.cards] == [3]
    assert (found.gone, dict(found.documents)) == ((), {})


def test_a_delta_tells_what_is_gone(school: School, store: DeltaStore) -> None:
    """A card whose UID was taken from it is a key that is gone; a document that changed stands with its value."""
    card = Card.objects.order_by("pk")[0]
    card.uid = None
    card.save()
    changes.card_changed(card, now=at_noon)
    registered.host(school, public_key=bytes(32))
    changes.documents_changed(school, now=at_noon)
    signed = store.since(school, 1, 3)
    assert signed is not None
    found = delta.decode(open_bytes(signed.document, ROOT)[1])
    assert (len(found.gone), found.cards, list(found.documents)) == (1, (), ["hosts"])


def test_the_newest_version_has_no_delta(school: School, store: DeltaStore) -> None:
    """Nothing to tell."""
    assert store.since(school, 1, 3) is None


@pytest.mark.parametrize(("generation", "version"), [(1, 0), (1, 4), (2, 2), (0, 2)])
def test_from_nowhere_no_delta_leads(school: School, store: DeltaStore, generation: int, version: int) -> None:
    """A host that holds nothing, something newer, or something of another generation takes a snapshot."""
    with pytest.raises(SnapshotNeeded):
        store.since(school, generation, version)


def test_a_large_change_is_a_snapshot(school: School, store: DeltaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a bound a delta would cost more than the whole."""
    monkeypatch.setattr(deltas, "MAX_ROWS", 1)
    assert store.since(school, 1, 2) is not None
    with pytest.raises(SnapshotNeeded):
        store.since(school, 1, 1)


def test_all_that_hold_the_same_get_the_same_bytes(
    school: School, store: DeltaStore, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    """It is made once; a thousand hosts cost a thousand looks at the state."""
    first = store.since(school, 1, 2)
    with django_assert_max_num_queries(1):  # type: ignore[attr-defined]  # a context manager of pytest-django's
        assert store.since(school, 1, 2) is first


def test_what_is_kept_is_bounded_and_grows_old(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was asked for longest ago goes first; an old one is signed anew before it could expire."""
    times = [NOON]
    store = DeltaStore(KEY, now=lambda: times[-1])
    first = store.since(school, 1, 2)
    times.append(NOON + timedelta(days=1))
    again = store.since(school, 1, 2)
    assert first is not None
    assert again is not None
    assert again.signed_at == NOON + timedelta(days=1)
    monkeypatch.setattr(deltas, "_KEPT_BYTES", len(again.document) + 10)
    store.since(school, 1, 1)
    assert store.since(school, 1, 2) is not again


@pytest.mark.usefixtures("school")
def test_another_schools_changes_are_not_told(store: DeltaStore) -> None:
    """Each school has versions of its own."""
    other = registered.school("other")
    SiteState.objects.create(school=other, version=3)
    PublishedRow.objects.create(school=other, table="documents", key="school", row={}, version=3)
    signed = store.since(other, 1, 2)
    assert signed is not None
    header, raw = open_bytes(signed.document, ROOT)
    assert header.audience == "other"
    assert delta.decode(raw).cards == ()
