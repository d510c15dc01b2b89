"""The cache file that the registry feeds, as the link changes it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from policy.model import State
from sync import current, published
from sync.cache import CardCache
from sync.cache_file import verify
from sync.durable import replace_file
from sync.faults import CacheFault
from sync.published import FETCHED, DamagedCache, PublishedCache
from sync.wire import delta
from sync.wire.card_key import SiteKey
from sync.wire.delta import Delta
from sync.wire.document import Header, open_bytes
from sync.wire.faults import Malformed, Mixed
from tests.rig.small_registry import SmallRegistry, bare_row, uid


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry to make documents with."""
    with SmallRegistry() as small:
        yield small


def installed(state_dir: Path, registry: SmallRegistry) -> PublishedCache:
    """Install the registry's state."""
    cache = PublishedCache(state_dir)
    cache.take_up()
    install(cache, state_dir, registry)
    return cache


def install(cache: PublishedCache, state_dir: Path, registry: SmallRegistry, said: list[str] | None = None) -> None:
    """Install the registry's state in an open cache."""
    header, raw = open_bytes(registry.snapshot(), registry.root)
    (state_dir / FETCHED).write_bytes(raw)
    told = said if said is not None else []
    cache.install(
        state_dir / FETCHED,
        header,
        registry.site_key.fingerprint,
        lambda: told.append(str(current.look(state_dir).serving)),
    )


def opened(registry: SmallRegistry, document: bytes) -> tuple[Header, Delta]:
    """Open a delta document."""
    header, raw = open_bytes(document, registry.root)
    return header, delta.decode(raw)


def state_of(state_dir: Path, number: int) -> State | None:
    """Return a card's state as the tap process reads it."""
    reading = CardCache(state_dir, SiteKey(bytes(range(32))))
    try:
        card = reading.find(uid(number))
        return card.state if card else None
    finally:
        reading.close()


def test_a_snapshot_serves_once_the_ratchet_is_durable(tmp_path: Path, registry: SmallRegistry) -> None:
    """The ratchet is written before anything of the new file can be seen; then the tap process finds its cards there."""
    cache = PublishedCache(tmp_path)
    said: list[str] = []
    install(cache, tmp_path, registry, said)
    assert said == ["None"]
    assert state_of(tmp_path, 1) is State.ACTIVE
    assert cache.held is not None
    assert (cache.held.meta.version, cache.held.meta.cards) == (1, 3)
    cache.close()


def test_a_delta_changes_adds_and_takes_away_in_one_transaction(tmp_path: Path, registry: SmallRegistry) -> None:
    """All of it or nothing; the file's own digest is what verifies it afterwards."""
    cache = installed(tmp_path, registry)
    key = registry.site_key
    document = registry.put(
        bare_row(key, uid(1), state=State.CLOSED, number=7),
        bare_row(key, uid(9), number=9),
        gone=(key.card_key(uid(2)),),
    )
    held = cache.apply(*opened(registry, document))
    assert (held.meta.version, held.meta.cards, held.meta.digest) == (2, 3, registry.site.digest)
    assert (state_of(tmp_path, 1), state_of(tmp_path, 2), state_of(tmp_path, 9)) == (State.CLOSED, None, State.ACTIVE)
    cache.close()
    assert verify(tmp_path / held.file).version == 2


def test_documents_come_change_and_go(tmp_path: Path, registry: SmallRegistry) -> None:
    """Rules and calendar are part of the state, and of its digest."""
    cache = installed(tmp_path, registry)
    for value in ({"door": {"kinds": ["staff"]}}, None, {"canteen": {"per_day": 1}}):
        registry.site.version += 1
        registry.site.documents.pop("rules", None)
        if value is not None:
            registry.site.documents["rules"] = value
        raw = delta.encode(Delta((), (), {"rules": value}))
        document = registry.document("delta", raw, from_version=registry.site.version - 1)
        held = cache.apply(*opened(registry, document))
        assert held.meta.digest == registry.site.digest
    cache.close()
    verify(tmp_path / held.file)


def test_a_delta_that_leads_elsewhere_changes_nothing(tmp_path: Path, registry: SmallRegistry) -> None:
    """Where the digest does not come out as the header says, the former state stands, whole."""
    cache = installed(tmp_path, registry)
    header, change = opened(registry, registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED)))
    with pytest.raises(Mixed, match="leads to another state"):
        cache.apply(replace(header, digest="0" * 64), change)
    assert cache.held is not None
    assert cache.held.meta.version == 1
    assert state_of(tmp_path, 1) is State.ACTIVE
    cache.apply(header, change)
    assert state_of(tmp_path, 1) is State.CLOSED
    cache.close()


def test_a_reader_that_stays_open_sees_each_delta(tmp_path: Path, registry: SmallRegistry) -> None:
    """The tap process keeps its connection, and the log is written back under it."""
    cache = installed(tmp_path, registry)
    reading = CardCache(tmp_path, registry.site_key)
    for number in range(120):
        state = State.CLOSED if number % 2 else State.ACTIVE
        cache.apply(*opened(registry, registry.put(bare_row(registry.site_key, uid(1), state=state, number=number))))
        card = reading.find(uid(1))
        assert card is not None
        assert (card.state, reading.info.version if reading.info else 0) == (state, registry.site.version)
    reading.close()
    cache.close()


def test_the_log_is_laid_and_stays_as_long_as_it_was_laid(tmp_path: Path, registry: SmallRegistry) -> None:
    """A growing log costs twice the write; a great delta outgrows it once."""
    cache = installed(tmp_path, registry)
    log = next(tmp_path.glob("cache-*.db-wal"))
    laid = log.stat().st_size
    assert laid == 4 << 20
    rows = [bare_row(registry.site_key, uid(100 + number), number=100 + number) for number in range(20_000)]
    cache.apply(*opened(registry, registry.put(*sorted(rows), tell=False)))
    cache.apply(*opened(registry, registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))))
    cache.apply(*opened(registry, registry.put(bare_row(registry.site_key, uid(1)))))
    assert log.stat().st_size == laid
    cache.close()


def test_what_is_held_is_found_again(tmp_path: Path, registry: SmallRegistry) -> None:
    """After a restart the file itself says which version it is, log included."""
    cache = installed(tmp_path, registry)
    cache.apply(*opened(registry, registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))))
    again = PublishedCache(tmp_path)
    assert again.take_up()
    assert again.held == cache.held
    assert not again.take_up()
    again.close()
    cache.close()


def test_a_snapshot_after_another_lets_the_former_be_stepped_back_to(tmp_path: Path, registry: SmallRegistry) -> None:
    """Two files are kept, and what is older goes with its log."""
    cache = installed(tmp_path, registry)
    for _ in range(3):
        registry.put()
        install(cache, tmp_path, registry)
    assert [path.name for path in sorted(tmp_path.glob("cache-*.db"))] == ["cache-3.db", "cache-4.db"]
    cache.set_aside()
    assert cache.take_up()
    assert cache.held is not None
    assert (cache.held.file, cache.held.meta.version) == ("cache-3.db", 3)
    assert (tmp_path / "damaged-cache-4.db").exists()
    cache.close()


def take_up_and_apply(cache: PublishedCache, header: Header, change: Delta) -> None:
    """Use the file as the link does: whichever step reads the damage finds it."""
    cache.take_up()
    cache.apply(header, change)


@pytest.mark.parametrize("page", [0, 1, 3])
def test_a_damaged_file_is_told_apart_from_a_disk_that_refuses(
    tmp_path: Path, registry: SmallRegistry, page: int
) -> None:
    """Bytes that rotted are damage, to be fetched again; nothing of it is written to."""
    cache = installed(tmp_path, registry)
    cache.close()
    path = tmp_path / "cache-1.db"
    content = bytearray(path.read_bytes())
    begin = page * 4096 + (0 if page else 24)  # a file without SQLite's first bytes would be nobody's
    content[begin : (page + 1) * 4096] = bytes((page + 1) * 4096 - begin)
    replace_file(path, bytes(content))
    again = PublishedCache(tmp_path)
    document = registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))
    with pytest.raises((DamagedCache, Mixed)):
        take_up_and_apply(again, *opened(registry, document))
    again.set_aside()
    assert current.look(tmp_path).serving is None
    again.close()


def test_cards_that_were_imported_by_hand_are_left_alone(tmp_path: Path, registry: SmallRegistry) -> None:
    """A file in rollback mode is nobody's to change; nothing is held, and a delta has nothing to go on from."""
    db = sqlite3.connect(tmp_path / "cache-1.db")
    db.execute("CREATE TABLE meta (name, value)")
    db.commit()
    db.close()
    current.switch(tmp_path, "cache-1.db", 1)
    cache = PublishedCache(tmp_path)
    assert cache.take_up()
    assert cache.held is None
    with pytest.raises(CacheFault, match="no cards of the registry"):
        cache.apply(*opened(registry, registry.put()))
    install(cache, tmp_path, registry)
    assert current.look(tmp_path).former == "cache-1.db"
    cache.close()


def test_a_snapshot_under_another_site_key_is_refused(tmp_path: Path, registry: SmallRegistry) -> None:
    """No card would be found in it: what serves goes on serving."""
    cache = PublishedCache(tmp_path)
    header, raw = open_bytes(registry.snapshot(), registry.root)
    (tmp_path / FETCHED).write_bytes(raw)
    with pytest.raises(Mixed, match="another site key"):
        cache.install(tmp_path / FETCHED, header, "0" * 16, lambda: None)
    with pytest.raises(Mixed):
        cache.install(tmp_path / FETCHED, replace(header, version=9), registry.site_key.fingerprint, lambda: None)
    (tmp_path / FETCHED).write_bytes(raw[:-4096])
    with pytest.raises(Malformed):
        cache.install(tmp_path / FETCHED, header, registry.site_key.fingerprint, lambda: None)
    assert current.look(tmp_path).serving is None


def test_a_fetch_that_a_crash_ended_leaves_nothing(tmp_path: Path) -> None:
    """What was not verified is taken away at the next start."""
    (tmp_path / FETCHED).write_bytes(b"half")
    (tmp_path / f"{published.FETCHED}-wal").write_bytes(b"")
    PublishedCache(tmp_path)
    assert list(tmp_path.iterdir()) == []
