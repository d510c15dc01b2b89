import random
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sync import current
from sync.cache import CardCache, verify
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards
from sync.faults import CacheFault
from sync.site_key import SiteKey

KEY = SiteKey(bytes(range(32)))
CARDS = 60


def _uid(number: int) -> bytes:
    return bytes([4]) + number.to_bytes(6, "big")


def _feed(state_dir: Path, person: str) -> None:
    rows = (f"{_uid(n).hex()},{n},{person}{n},personal,active,2026-09-01,,5b\n".encode() for n in range(CARDS))
    import_cards([",".join(COLUMNS).encode() + b"\n", *rows], state_dir, KEY)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a state directory that was fed twice: first with persons a…, then with b…."""
    folder = tmp_path_factory.mktemp("fed")
    _feed(folder, "a")
    _feed(folder, "b")
    return folder


@pytest.fixture
def state_dir(fed: Path, tmp_path: Path) -> Path:
    """Give a copy of it that a test may damage."""
    return shutil.copytree(fed, tmp_path / "state")


def answers_are_honest(cache: CardCache) -> None:
    """Ask for every card: each answer is the right one, that of the former file, or none."""
    for number in range(CARDS):
        card = cache.find(_uid(number))
        assert card is None or (
            card.card == str(number) and (card.version, card.person) in {(2, f"b{number}"), (1, f"a{number}")}
        )
    assert cache.find(_uid(CARDS)) is None


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_give_a_wrong_card(state_dir: Path, seed: int) -> None:
    """Whatever bytes of the serving file are turned over, before it is opened or after: no wrong card, no exception."""
    dice = random.Random(seed)  # noqa: S311  a seed, no secret
    path = state_dir / "cache-2.db"
    before = CardCache(state_dir, KEY)
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 3, 50])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    with path.open("r+b") as file:
        file.write(content)
    for cache in (before, CardCache(state_dir, KEY)):
        answers_are_honest(cache)
        cache.close()


@pytest.mark.parametrize("place", range(0, 100, 3))
def test_a_damaged_header_never_raises(state_dir: Path, place: int) -> None:
    """Whichever byte of the header is damaged, the host has answers of this file or the former one."""
    path = state_dir / "cache-2.db"
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with closing(CardCache(state_dir, KEY)) as cache:
        answers_are_honest(cache)


def test_a_damaged_file_is_set_aside_and_the_former_serves(state_dir: Path) -> None:
    """A file that is cut short is set aside, said once, and the former one answers; after the next import the new one does."""
    path = state_dir / "cache-2.db"
    damaged = path.read_bytes()[:5000]
    path.write_bytes(damaged)
    with closing(CardCache(state_dir, KEY)) as cache:
        card = cache.find(_uid(7))
        assert (card and card.person) == "a7"
        assert len(cache.take_faults()) == 1
        assert cache.take_faults() == []
        assert (state_dir / "damaged-cache-2.db").read_bytes() == damaged
        assert current.read(state_dir) == current.Current("cache-1.db", None, 2)
        _feed(state_dir, "c")
        card = cache.find(_uid(7))
        assert (card and card.person, card and card.version) == ("c7", 3)


def test_where_both_are_damaged_nothing_is_known(state_dir: Path) -> None:
    """With both files damaged every card is unknown; only the last damaged file is kept; an import mends it."""
    for name in ("cache-1.db", "cache-2.db"):
        (state_dir / name).write_bytes(b"no database")
    with closing(CardCache(state_dir, KEY)) as cache:
        assert (cache.find(_uid(1)), cache.info) == (None, None)
        assert len(cache.take_faults()) == 2
        assert [path.name for path in state_dir.glob("damaged-*")] == ["damaged-cache-1.db"]
        _feed(state_dir, "c")
        assert cache.find(_uid(1)) is not None


def test_a_changed_row_is_known_by_its_mark(state_dir: Path) -> None:
    """A row that was changed so that SQLite cannot know is recognised when it is read: the former file answers."""
    with closing(sqlite3.connect(state_dir / "cache-2.db")) as db:
        db.execute("UPDATE cards SET person = 'b9' WHERE card = '8'")
        db.commit()
    with closing(CardCache(state_dir, KEY)) as cache:
        card = cache.find(_uid(8))
        assert (card and card.person) == "a8"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"serving": 5}', b"\xff\xfe", b'{"serving":"../x","former":null,"version":1}']
)
def test_a_damaged_current_is_rebuilt(state_dir: Path, damage: bytes) -> None:
    """Where the small file is damaged the newest cache file serves, and the file is written anew."""
    (state_dir / "current").write_bytes(damage)
    with closing(CardCache(state_dir, KEY)) as cache:
        card = cache.find(_uid(7))
        assert (card and card.person) == "b7"
        assert len(cache.take_faults()) == 1
    assert current.read(state_dir) == current.Current("cache-2.db", "cache-1.db", 2)


def test_a_host_that_was_never_fed_knows_no_card(tmp_path: Path) -> None:
    """Without any import every card is unknown, nothing is said and nothing written; the first import is taken up."""
    with closing(CardCache(tmp_path, KEY)) as cache:
        assert (cache.find(_uid(1)), cache.info, cache.take_faults()) == (None, None, [])
        assert list(tmp_path.iterdir()) == []
        _feed(tmp_path, "a")
        assert cache.find(_uid(1)) is not None


def test_a_disk_that_refuses_to_set_aside_hinders_no_tap(state_dir: Path) -> None:
    """Where even the small file cannot be written the former file answers all the same."""
    (state_dir / "cache-2.db").write_bytes(b"no database")
    (state_dir / "current.new").mkdir()  # nothing can be written aside any more
    with closing(CardCache(state_dir, KEY)) as cache:
        card = cache.find(_uid(7))
        assert (card and card.person) == "a7"
        (state_dir / "cache-1.db").write_bytes(b"no database")
    with closing(CardCache(state_dir, KEY)) as cache:
        assert cache.find(_uid(7)) is None


COLUMN_CHANGES = {
    "key": "zeroblob(16)",
    "card": "card || 'x'",
    "person": "NULL",
    "kind": "'staff'",
    "state": "'closed'",
    "valid_from": "NULL",
    "valid_until": "'2030-01-01'",
    "groups": "'6a'",
    "version": "version + 1",
    "mark": "mark + 1",
}


@pytest.mark.parametrize("column", COLUMN_CHANGES)
def test_verify_finds_any_changed_column(state_dir: Path, column: str) -> None:
    """A change of any column of one row, or a row more or less, is found by the digest."""
    path = state_dir / "cache-2.db"
    assert verify(path).cards == CARDS
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE cards SET {column} = {COLUMN_CHANGES[column]} WHERE card = '8'")  # noqa: S608  our own table of changes
        db.commit()
    with pytest.raises(CacheFault):
        verify(path)


def test_verify_finds_a_missing_row_and_a_missing_file(state_dir: Path) -> None:
    """A row less is found, and a file that is not there is a fault, no crash."""
    path = state_dir / "cache-2.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM cards WHERE card = '8'")
        db.commit()
    with pytest.raises(CacheFault, match="digest"):
        verify(path)
    with pytest.raises(CacheFault):
        verify(state_dir / "cache-9.db")


@pytest.mark.parametrize("seed", range(25))
def test_verify_raises_nothing_else(state_dir: Path, seed: int) -> None:
    """However the file is damaged, `verify` accepts what is whole or raises CacheFault."""
    dice = random.Random(seed)  # noqa: S311  a seed, no secret
    path = state_dir / "cache-2.db"
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 20, 300])):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    with suppress(CacheFault):
        assert verify(path).cards == CARDS
