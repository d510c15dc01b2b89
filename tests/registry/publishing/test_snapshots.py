"""A snapshot is the whole state of one moment, signed; it is built when it is asked for, and kept."""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import pytest

from registry.models import School, SiteState
from registry.publishing import changes
from registry.publishing.snapshots import SnapshotFault, SnapshotStore
from registry.publishing.state import state_of
from sync.wire import document, snapshot
from sync.wire.card_key import SiteKey
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
    """A school with documents and ten published cards, one of them gone."""
    made = registered.school()
    cards = [
        registered.card(made, person=registered.person(made), uid=(0x10000000 + n).to_bytes(4, "big"))
        for n in range(10)
    ]
    changes.refresh(made, now=at_noon)
    cards[0].uid = None
    cards[0].save()
    changes.card_changed(cards[0], now=at_noon)
    return made


def opened(source: BinaryIO, into: Path) -> tuple[document.Header, snapshot.Meta]:
    """Open a document as a host does."""
    with source, into.open("wb") as sink:
        header = document.verified(document.read_envelope(source.read), ROOT)
        document.open_body(header, source.read, sink.write)
    return header, snapshot.check(into)


def test_a_snapshot_is_what_a_host_can_hold(school: School, tmp_path: Path) -> None:
    """It verifies, and its file tells the state that its header names, under the site's own key."""
    store = SnapshotStore(tmp_path, KEY, now=at_noon)
    header, meta = opened(store.newest(school), tmp_path / "opened.db")
    snapshot.fits(meta, header)
    assert (meta.cards, meta.version, meta.digest) == (9, state_of(school).version, state_of(school).digest)
    assert meta.site_key == SiteKey(bytes(school.site_key)).fingerprint
    assert header.expires_at > NOON + timedelta(days=7)


def test_a_school_of_which_nothing_was_told_has_a_snapshot_too(tmp_path: Path) -> None:
    """A host that is enrolled first of all holds an empty state."""
    store = SnapshotStore(tmp_path, KEY, now=at_noon)
    _, meta = opened(store.newest(registered.school()), tmp_path / "opened.db")
    assert (meta.cards, meta.version) == (0, 0)


def test_it_is_built_once_for_each_version(school: School, tmp_path: Path) -> None:
    """Asked again it is the same file; a newer version takes the place of the former, which is not kept."""
    store = SnapshotStore(tmp_path, KEY, now=at_noon)
    first, again = store.newest(school), store.newest(school)
    assert os.path.sameopenfile(first.fileno(), again.fileno())
    changes.card_changed(registered.card(school, person=registered.person(school), uid=b"\x01\x02\x03\x04"))
    second = store.newest(school)
    assert not os.path.sameopenfile(first.fileno(), second.fileno())
    assert [str(path) for path in (tmp_path / "snapshots").iterdir()] == [second.name]
    again.close()
    second.close()
    assert (
        opened(first, tmp_path / "opened.db")[0].version < state_of(school).version
    )  # open, though it has no name any more


def test_an_old_one_is_built_anew(school: School, tmp_path: Path) -> None:
    """No host is handed a snapshot that is about to expire."""
    now = [NOON]
    store = SnapshotStore(tmp_path, KEY, now=lambda: now[-1])
    issued = opened(store.newest(school), tmp_path / "1.db")[0].issued_at
    now.append(now[0] + timedelta(days=2))
    assert opened(store.newest(school), tmp_path / "2.db")[0].issued_at - issued == timedelta(days=2)


def test_a_damaged_state_is_never_signed(school: School, tmp_path: Path) -> None:
    """If the rows do not come to the digest, hosts would refuse what follows: it is said instead."""
    SiteState.objects.update(digest="1" * 64)
    store = SnapshotStore(tmp_path, KEY, now=at_noon)
    with pytest.raises(SnapshotFault, match="expected 1111"):
        store.newest(school)
    assert list((tmp_path / "snapshots").iterdir()) == []


def test_schools_do_not_meet(school: School, tmp_path: Path) -> None:
    """A code that begins like another keeps its own file."""
    store = SnapshotStore(tmp_path, KEY, now=at_noon)
    other = registered.school(f"{school.code}-2")
    with store.newest(school) as one, store.newest(other) as another:
        assert {Path(one.name), Path(another.name)} == set((tmp_path / "snapshots").iterdir())
    assert opened(store.newest(other), tmp_path / "opened.db")[1].cards == 0
