"""One cache file, and above all the one that the registry feeds: changed in place while taps read it."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from policy.calendar import DayType, day_type
from policy.model import Card, Kind, State
from sync import current
from sync.cache import CardCache, describe_serving, look_up
from sync.cache_file import PUBLISHED_SCHEMA, CacheFile, CacheRefused, Gathered, describe, is_live, open_under, verify
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards
from sync.faults import CacheFault
from sync.wire import snapshot
from sync.wire.card_key import SiteKey
from tests.rig.published_site import DOCUMENTS, ISSUED_AT, PublishedSite, in_wal_mode

KEY = SiteKey(bytes(range(32)))
OTHER_KEY = SiteKey(bytes(32))
ROOT = Path(__file__).parents[2]
UID = bytes.fromhex("04A1B2C3D4E5F6")
OTHER = bytes.fromhex("EBF2CE70")
CARD = Card("7", "p0", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"5b"}), version=1)
CHANGES = 3000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PublishedSite]:
    """Give a site of two cards whose state serves in `tmp_path`."""
    made = PublishedSite(tmp_path, KEY, {UID: CARD, OTHER: replace(CARD, card="8", person="p8")})
    yield made
    made.close()


@pytest.fixture
def cache(site: PublishedSite, tmp_path: Path) -> Iterator[CardCache]:
    """Give the cache that reads it."""
    assert in_wal_mode(site.path)
    made = CardCache(tmp_path, KEY)
    yield made
    made.close()


def rules(repeat_s: int) -> dict[str, object]:
    """Return the document `rules` with a door that bears a number."""
    return {"rules": {"door": {"repeat_s": repeat_s}}}


def test_a_published_file_serves_its_cards_and_rules(cache: CardCache) -> None:
    """Card, rules, calendar and version come together; what it is and of when is told."""
    gathered = cache.gather(UID)
    assert gathered.card == CARD
    assert gathered.documents is not None
    assert set(gathered.documents.rules) == {"door", "canteen"}
    assert str(gathered.documents.zone) == "Europe/Tallinn"
    info = gathered.info
    assert info is not None
    assert (info.version, info.generation, info.cards, info.imported_at) == (1, 1, 2, ISSUED_AT)
    assert cache.gather(bytes(4)) == replace(gathered, card=None)
    assert cache.take_faults() == []


def test_a_change_holds_from_the_next_tap(cache: CardCache, site: PublishedSite) -> None:
    """Without a reopening the next tap sees the new card, the new rule and the new version."""
    assert cache.find(UID) == CARD
    closed = replace(CARD, state=State.CLOSED, version=2)
    site.change({UID: closed}, rules(60))
    gathered = cache.gather(UID)
    assert gathered.card == closed
    assert gathered.info is not None
    assert gathered.info.version == 2
    assert gathered.documents is not None
    assert gathered.documents.rules["door"].repeat_s == 60


def test_rules_that_did_not_change_are_not_parsed_anew(cache: CardCache, site: PublishedSite) -> None:
    """A delta of cards alone leaves the documents as they are, the very same object."""
    before = cache.gather(UID).documents
    site.change({UID: replace(CARD, person="p9")})
    assert cache.gather(UID).documents is before
    site.change(documents={"hosts": [{"name": "x", "public_key": "00"}]})
    assert cache.gather(UID).documents is before


def test_the_status_takes_up_a_change_without_a_tap(cache: CardCache, site: PublishedSite) -> None:
    """A look round brings the version that stands in the file, so that the next tap need not parse."""
    site.change(documents=rules(5))
    cache.refresh()
    assert cache.info is not None
    assert cache.info.version == 2
    assert cache.documents is not None
    assert cache.documents.rules["door"].repeat_s == 5


def test_a_transaction_under_way_is_not_seen(cache: CardCache, site: PublishedSite) -> None:
    """Until the link commits the old state serves, card and rule alike; nobody waits."""
    cache.gather(UID)
    seen: list[Gathered] = []
    site.change({UID: replace(CARD, person="new")}, rules(9), within=lambda: seen.append(cache.gather(UID)))
    (during,) = seen
    assert during.card == CARD
    assert during.info is not None
    assert during.documents is not None
    assert (during.info.version, during.documents.rules["door"].repeat_s) == (1, 0)
    after = cache.find(UID)
    assert after is not None
    assert after.person == "new"


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from policy.model import Card, Kind, State
from sync.wire.card_key import SiteKey
from tests.rig.published_site import PublishedSite

state_dir, changes = Path(sys.argv[1]), int(sys.argv[2])
uid = bytes.fromhex("04A1B2C3D4E5F6")
card = Card("7", "p1", Kind.PERSONAL, State.ACTIVE)
site = PublishedSite(state_dir, SiteKey(bytes(range(32))), {uid: card}, documents={"rules": {"door": {"repeat_s": 1}}})
site.db.execute("PRAGMA synchronous = OFF")
print("laid", flush=True)
sys.stdin.readline()
for number in range(2, changes + 2):
    site.change({uid: replace(card, person=f"p{number}")}, {"rules": {"door": {"repeat_s": number}}})
    if number % 50 == 0:
        site.checkpoint()
site.close()
"""


def test_taps_never_see_a_mixture(tmp_path: Path) -> None:
    """While another process changes a card and a rule together thousands of times, each tap sees both old or both new."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(CHANGES)]
    versions: list[int] = []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "laid\n"
        with closing(CardCache(tmp_path, KEY)) as cache:
            writer.stdin.write("\n")
            writer.stdin.flush()
            while not versions or versions[-1] <= CHANGES:
                gathered = cache.gather(UID)
                assert cache.take_faults() == []
                assert gathered.card is not None
                assert gathered.info is not None
                assert gathered.documents is not None
                number = gathered.info.version
                assert (gathered.card.person, gathered.documents.rules["door"].repeat_s) == (f"p{number}", number)
                versions.append(number)
                assert not writer.poll()
    assert versions == sorted(versions)
    assert len(set(versions)) > CHANGES / 100  # many states were seen, each whole


def test_rules_that_cannot_be_read_leave_the_former_ones(cache: CardCache, site: PublishedSite) -> None:
    """A rule with a key that this host does not know keeps the former one in force; cards move on, and it is said once."""
    site.change(documents=rules(60))
    assert cache.gather(UID).card == CARD
    site.change({UID: replace(CARD, state=State.CLOSED)}, {"rules": {"door": {"moon": "full"}, "library": {}}})
    gathered = cache.gather(UID)
    assert gathered.card is not None
    assert gathered.card.state is State.CLOSED
    assert gathered.documents is not None
    assert gathered.documents.rules["door"].repeat_s == 60
    assert "library" in gathered.documents.rules
    (fault,) = cache.take_faults()
    assert "version 3" in fault
    assert "moon" in fault
    assert cache.take_faults() == []


def test_former_rules_outlive_a_new_snapshot(cache: CardCache, site: PublishedSite, tmp_path: Path) -> None:
    """When a new file comes to serve whose rules cannot be read, those of the file before stay in force."""
    assert cache.gather(UID).documents is not None
    unreadable = {**DOCUMENTS, "rules": {"canteen": {"per_day": "much"}}, "calendar": 5}
    other = PublishedSite(tmp_path, KEY, {UID: CARD}, documents=unreadable)
    documents = cache.gather(UID).documents
    assert documents is not None
    assert documents.rules["canteen"].per_day == 1
    assert len(cache.take_faults()) == 2
    other.close()
    assert site.version == 1


def test_a_class_day_reaches_the_tap(cache: CardCache, site: PublishedSite) -> None:
    """A trip of one class holds for its pupils alone."""
    day = ISSUED_AT.date()
    site.change(
        documents={
            "calendar": {"table": {}, "class_days": [{"class": "5b", "day": day.isoformat(), "day_type": "trip"}]}
        }
    )
    documents = cache.gather(UID).documents
    assert documents is not None
    assert documents.calendar is not None
    assert day_type(documents.calendar, day, {"5b"}) is DayType.TRIP
    assert day_type(documents.calendar, day, {"5a"}) is DayType.SCHOOL_DAY


def test_a_damaged_published_file_is_set_aside_with_its_log(
    cache: CardCache, site: PublishedSite, tmp_path: Path
) -> None:
    """Where it proves damaged the former file serves, and the log goes with what it belongs to: the link fetches anew."""
    cache.close()
    site.checkpoint()
    site.close()
    rows = [f"{UID.hex()},7,hand,personal,active,,,\n".encode()]
    import_cards([",".join(COLUMNS).encode() + b"\n", *rows], tmp_path, KEY)
    published = PublishedSite(tmp_path, KEY, {UID: CARD})
    published.change({UID: replace(CARD, person="p2")})
    with published.path.open("r+b") as file:
        file.truncate(4096)
        file.seek(100)
        file.write(b"\xff" * 3000)
    for name in (f"{published.path}-wal", f"{published.path}-shm"):
        assert Path(name).exists()
    log = Path(f"{published.path}-wal")
    log.write_bytes(bytes(log.stat().st_size))  # as if it had been written back
    with closing(CardCache(tmp_path, KEY)) as mended:
        card = mended.find(UID)
        assert (card and card.person) == "hand"
        assert mended.documents is None
        assert len(mended.take_faults()) == 1
    assert current.read(tmp_path).serving == "cache-2.db"
    names = {path.name for path in tmp_path.iterdir()}
    assert {"damaged-cache-3.db", "damaged-cache-3.db-wal"} <= names
    assert "cache-3.db-wal" not in names
    published.close()


@pytest.mark.parametrize("seed", range(15))
def test_flipped_bytes_of_a_published_file_never_give_a_wrong_card(tmp_path: Path, seed: int) -> None:
    """Whatever bytes of it are turned over: the right card, none, and no exception."""
    dice = random.Random(seed)  # noqa: S311  a seed, no secret
    cards = {bytes([4]) + n.to_bytes(6, "big"): replace(CARD, card=str(n), person=f"p{n}") for n in range(60)}
    site = PublishedSite(tmp_path, KEY, cards)
    site.checkpoint()
    site.close()
    content = bytearray(site.path.read_bytes())
    for _ in range(dice.choice([1, 5, 60])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    site.path.write_bytes(content)
    with closing(CardCache(tmp_path, KEY)) as cache:
        for uid, card in cards.items():
            assert cache.find(uid) in {None, card}


def test_a_new_key_is_taken_up_with_the_file_that_is_held_under_it(tmp_path: Path) -> None:
    """An enrolment changes the site's key while the host runs: the first snapshot under it is read with it."""
    keys = [KEY]
    with closing(CardCache(tmp_path, KEY, lambda: keys[-1])) as cache:
        assert cache.find(UID) is None
        keys.append(OTHER_KEY)
        site = PublishedSite(tmp_path, OTHER_KEY, {UID: CARD})
        assert cache.find(UID) == CARD
        site.close()


def test_older_files_go_with_their_logs(tmp_path: Path) -> None:
    """Two files are kept; of those before, neither file nor log stays."""
    sites = [PublishedSite(tmp_path, KEY, {UID: CARD}) for _ in range(3)]
    for site in sites:
        site.close()
    assert sorted(path.name for path in tmp_path.glob("cache-*.db")) == ["cache-2.db", "cache-3.db"]
    assert not list(tmp_path.glob("cache-1.db*"))


def test_one_who_only_asks_sees_the_same(site: PublishedSite, tmp_path: Path) -> None:
    """Commands beside the daemon read card, rules and description of what serves."""
    gathered = look_up(tmp_path, KEY, UID)
    assert (gathered.card, gathered.info) == (CARD, describe_serving(tmp_path))
    assert gathered.documents is not None
    assert describe(site.path).generation == 1


def test_verify_reads_the_log_too(site: PublishedSite) -> None:
    """Rows and documents are held against the digest as they stand after the last delta; a row beside it is found."""
    site.change({UID: replace(CARD, person="p2")}, rules(7))
    assert verify(site.path).version == 2
    site.db.execute("DELETE FROM cards WHERE card = '8'")
    with pytest.raises(CacheFault, match="digest"):
        verify(site.path)


def test_verify_holds_documents_against_the_digest(site: PublishedSite) -> None:
    """A document that was changed beside the digest is found."""
    site.db.execute("UPDATE documents SET value = '{}' WHERE name = 'rules'")
    with pytest.raises(CacheFault, match="digest"):
        verify(site.path)


def test_a_hand_fed_file_has_no_rules(tmp_path: Path) -> None:
    """A finished file is read as before: no documents, no generation, no locks."""
    rows = [f"{UID.hex()},7,hand,personal,active,,,\n".encode()]
    info = import_cards([",".join(COLUMNS).encode() + b"\n", *rows], tmp_path, KEY)
    assert not is_live(tmp_path / info.name)
    file = open_under(tmp_path / info.name, KEY)
    assert (file.gather(KEY.card_key(UID)).documents, file.info.generation) == (None, None)
    file.refresh()
    file.close()
    assert not list(tmp_path.glob("*-shm"))


def test_wal_mode_without_a_registry_is_damage(tmp_path: Path) -> None:
    """A file in WAL mode that does not say that a registry feeds it is none that we made."""
    rows = [f"{UID.hex()},7,hand,personal,active,,,\n".encode()]
    info = import_cards([",".join(COLUMNS).encode() + b"\n", *rows], tmp_path, KEY)
    with closing(sqlite3.connect(tmp_path / info.name)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE meta SET value = '3' WHERE name = 'version'")
        db.commit()
    with pytest.raises(CacheFault, match="WAL mode"):
        CacheFile(tmp_path / info.name)


@pytest.mark.parametrize("statement", ["DELETE FROM meta WHERE name = 'version'", "DROP TABLE documents"])
def test_a_file_that_lacks_a_part_is_damage(site: PublishedSite, statement: str) -> None:
    """Without a version or without documents nothing of it is believed, when it is opened and when it is read."""
    file = CacheFile(site.path)
    site.db.execute(statement)
    site.db.execute("UPDATE meta SET value = '9' WHERE name = 'version'")
    with pytest.raises(CacheFault):
        file.find(KEY.card_key(UID))
    with suppress(CacheFault):
        file.refresh()
    file.close()
    with pytest.raises(CacheFault):
        CacheFile(site.path)


def test_the_schema_is_the_wires() -> None:
    """The number that the tap process knows is the one that the wire writes."""
    assert PUBLISHED_SCHEMA == snapshot.SCHEMA


def test_a_locked_file_is_waited_for_a_moment_only(site: PublishedSite) -> None:
    """Where another holds the whole file the lookup is refused, and nothing is called damaged."""
    site.close()
    with closing(sqlite3.connect(site.path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CacheRefused):
            CacheFile(site.path)
        db.execute("ROLLBACK")


def test_what_was_issued_is_a_lower_bound_of_time(cache: CardCache) -> None:
    """The time of issue stands where the time of import stands for cards fed by hand."""
    assert cache.info is not None
    assert cache.info.imported_at == ISSUED_AT
