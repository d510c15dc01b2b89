import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sync import current
from sync.cache import CardCache, describe_serving, import_time, look_up
from sync.cache_file import CacheRefused, Gathered, describe, verify
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards
from sync.faults import CacheFault
from sync.wire.card_key import SiteKey

KEY = SiteKey(bytes(range(32)))
OTHER_KEY = SiteKey(bytes(32))
ROOT = Path(__file__).parents[2]
CARDS = 60


def _uid(number: int) -> bytes:
    return bytes([4]) + number.to_bytes(6, "big")


def _feed(state_dir: Path, person: str, key: SiteKey = KEY) -> None:
    rows = (f"{_uid(n).hex()},{n},{person}{n},personal,active,2026-09-01,,5b\n".encode() for n in range(CARDS))
    import_cards([",".join(COLUMNS).encode() + b"\n", *rows], state_dir, key)


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


def test_a_hand_mark_finds_cards_by_person_and_by_number(state_dir: Path) -> None:
    """All cards of the persons asked of, the card of the number, and the version they stand in; nobody's are none."""
    with closing(CardCache(state_dir, KEY)) as cache:
        gathered, cards = cache.cards_of(["b7", "b9", "nobody"], "3")
        assert sorted(card.card for card in cards) == ["3", "7", "9"]
        assert (gathered.card, gathered.info) == (None, cache.info)
        assert cache.cards_of(["nobody"])[1] == []
        assert cards[0] == cache.find(_uid(int(cards[0].card)))
    with closing(CardCache(state_dir / "nothing", KEY)) as cache:
        assert cache.cards_of(["b7"], "3") == (Gathered(), [])


def test_a_hand_mark_steps_back_over_a_damaged_file(state_dir: Path) -> None:
    """As a tap does: the former file answers."""
    with closing(sqlite3.connect(state_dir / "cache-2.db")) as db, db:
        db.execute("UPDATE cards SET state = 'eaten' WHERE card = '7'")
    with closing(CardCache(state_dir, KEY)) as cache:
        assert [card.person for card in cache.cards_of(["a7", "b7"])[1]] == ["a7"]
        assert cache.take_faults() != []


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


def _contents(state_dir: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in state_dir.iterdir()
        if path.suffix != ".lock"
    }


def test_the_file_says_whose_key_its_cards_are_held_under(state_dir: Path) -> None:
    """The key's fingerprint, and not the key, stands in the file's description."""
    assert describe(state_dir / "cache-2.db").key == KEY.fingerprint
    assert bytes(range(32)) not in (state_dir / "cache-2.db").read_bytes()


def test_a_cache_under_another_key_answers_nobody_and_says_so(state_dir: Path) -> None:
    """With another key every card is unknown; that is said, the files stay as they are, and an import under it serves."""
    before = _contents(state_dir)
    with closing(CardCache(state_dir, OTHER_KEY)) as cache:
        assert [cache.find(_uid(number)) for number in range(3)] == [None] * 3
        assert cache.info is None
        assert all("another site key" in fault and "import them anew" in fault for fault in cache.take_faults())
        assert cache.find(_uid(1)) is None
        assert len(cache.take_faults()) == 1  # at every tap: it lasts
        assert _contents(state_dir) == before
        _feed(state_dir, "c", OTHER_KEY)
        card = cache.find(_uid(1))
        assert (card and card.person, cache.take_faults()) == ("c1", [])
    with pytest.raises(CacheRefused, match="another site key"):
        look_up(state_dir, KEY, _uid(1))


def _as_a_folder(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    path.mkdir()


def _as_a_file(path: Path) -> None:
    path.rmdir()
    path.with_suffix(".away").rename(path)


def test_a_file_that_cannot_be_opened_now_is_asked_again(state_dir: Path) -> None:
    """Where the disk refuses to open the file nothing is set aside and nobody is known, not by the former file either; then all are."""
    path = state_dir / "cache-2.db"
    _as_a_folder(path)
    with closing(CardCache(state_dir, KEY)) as cache:
        for _ in range(2):
            assert (cache.find(_uid(7)), cache.info) == (None, None)
        faults = cache.take_faults()
        assert len(faults) == 3
        assert all("cache-2.db: " in fault for fault in faults)
        assert current.read(state_dir) == current.Current("cache-2.db", "cache-1.db", 2)
        _as_a_file(path)
        card = cache.find(_uid(7))
        assert (card and card.person, cache.take_faults()) == ("b7", [])
    assert not list(state_dir.glob("damaged-*"))


def test_a_read_that_is_refused_sets_nothing_aside(state_dir: Path) -> None:
    """A lookup that SQLite gives up without fault of the file is no answer; the next tap opens the file anew and has one."""
    before = _contents(state_dir)
    with closing(CardCache(state_dir, KEY)) as cache:
        assert cache._file is not None
        cache._file._db.set_progress_handler(lambda: 1, 1)  # SQLITE_INTERRUPT
        assert cache.find(_uid(7)) is None
        assert len(cache.take_faults()) == 1
        card = cache.find(_uid(7))
        assert (card and card.person, cache.take_faults()) == ("b7", [])
    assert _contents(state_dir) == before


DESCRIPTORS = """
import json, os, resource, sys
from pathlib import Path
from sync.cache import CardCache
from sync.wire.card_key import SiteKey

state_dir, uid, said = Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), {}
cache = CardCache(state_dir, SiteKey(bytes(range(32))))
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
os.utime(state_dir / "current")  # as an import does
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # none is left: the cache's own, once closed, lies above
said["without"] = [cache.find(uid) is None, cache.find(uid) is None]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
card = cache.find(uid)
said["with"] = card and card.person
said["faults"] = len(cache.take_faults())
print(json.dumps(said))
"""


def test_want_of_descriptors_is_no_damage(state_dir: Path) -> None:
    """A process that may open no more files knows nobody, raises nothing and changes nothing; when it may, the newest file serves."""
    before = _contents(state_dir)
    done = subprocess.run(
        [sys.executable, "-c", DESCRIPTORS, str(state_dir), _uid(7).hex()],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["without"] == [True, True]
    assert said["with"] == "b7"
    assert said["faults"] >= 2
    after = _contents(state_dir)
    assert {name: content for name, (_, content) in after.items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_file_that_is_gone_is_stepped_back_from(state_dir: Path) -> None:
    """A file that somebody took away never comes back by itself: the former one serves, and that is said."""
    (state_dir / "cache-2.db").unlink()
    with closing(CardCache(state_dir, KEY)) as cache:
        card = cache.find(_uid(7))
        assert (card and card.person, len(cache.take_faults())) == ("a7", 1)
    assert current.read(state_dir) == current.Current("cache-1.db", None, 2)


def test_who_only_asks_is_answered(state_dir: Path) -> None:
    """The card, what serves and when it was imported are told beside the daemon; a host that was never fed has none."""
    gathered = look_up(state_dir, KEY, _uid(7))
    card, info = gathered.card, gathered.info
    assert (card and card.person) == "b7"
    assert look_up(state_dir, KEY, _uid(CARDS)) == Gathered(None, info)
    assert describe_serving(state_dir) == info
    assert info is not None
    assert import_time(state_dir) == info.imported_at <= datetime.now(UTC)
    empty = state_dir / "empty"
    empty.mkdir()
    assert (look_up(empty, KEY, _uid(7)), describe_serving(empty), import_time(empty)) == (Gathered(), None, None)
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("damage", ["file", "both", "current", "folder", "short"])
def test_who_only_asks_changes_nothing(state_dir: Path, damage: str) -> None:
    """However the files are damaged, asking is answered or a CacheFault, and not a byte or a name changes."""
    if damage == "current":
        (state_dir / "current").write_bytes(b"damaged")
    elif damage == "folder":
        _as_a_folder(state_dir / "cache-2.db")
    elif damage == "short":
        (state_dir / "cache-2.db").write_bytes((state_dir / "cache-2.db").read_bytes()[:5000])
    else:
        for name in ("cache-1.db", "cache-2.db")[damage == "file" :]:
            (state_dir / name).write_bytes(b"no database")
    before = sorted((path, path.stat().st_mtime_ns, path.stat().st_size) for path in state_dir.rglob("*"))
    if damage == "current":
        card = look_up(state_dir, KEY, _uid(7)).card
        assert (card and card.person) == "b7"
        assert import_time(state_dir) is not None
    else:
        for ask in (lambda: look_up(state_dir, KEY, _uid(7)), lambda: describe_serving(state_dir)):
            with pytest.raises(CacheFault):
                ask()
        assert import_time(state_dir) is None
    assert sorted((path, path.stat().st_mtime_ns, path.stat().st_size) for path in state_dir.rglob("*")) == before


def test_an_import_that_ends_while_a_file_is_set_aside_is_not_missed(state_dir: Path) -> None:
    """The stamp belongs to what was read: an import cannot end between the change of `current` and its stamp."""
    importing = threading.Thread(target=lambda: _feed(state_dir, "c"))

    def import_before_the_stamp(frame: FrameType, what: str, _: object) -> None:
        caller = frame.f_back
        if what == "call" and frame.f_code.co_name == "stamp" and caller and caller.f_code.co_name == "_changed":
            sys.setprofile(None)
            importing.start()
            importing.join(0.5)  # it ends now, or waits for the lock

    (state_dir / "cache-2.db").write_bytes(b"no database")
    sys.setprofile(import_before_the_stamp)
    try:
        cache = CardCache(state_dir, KEY)
    finally:
        sys.setprofile(None)
    importing.join(20)
    with closing(cache):
        card = cache.find(_uid(7))
        assert (card and card.person, card and card.version) == ("c7", 3)


@pytest.mark.parametrize("seed", range(2))
def test_imports_and_damage_at_once_end_on_the_newest_version(state_dir: Path, seed: int) -> None:
    """While one imports again and again and another spoils what serves, each answer is honest, and the last import serves in the end."""
    dice = random.Random(seed)  # noqa: S311  a seed, no secret
    done = threading.Event()
    imports = 12

    def import_again_and_again() -> None:
        try:
            for number in range(imports):
                with suppress(CacheFault):  # what it has just made was spoilt already
                    _feed(state_dir, f"c{number}-")
        finally:
            done.set()

    importing = threading.Thread(target=import_again_and_again)
    with closing(CardCache(state_dir, KEY)) as cache:
        importing.start()
        while not done.is_set():
            for _ in range(dice.randrange(20)):
                card = cache.find(_uid(7))
                assert card is None or (card.card, str(card.person)[-1]) == ("7", "7")
            serving = current.look(state_dir).serving
            if serving is not None and serving != f"cache-{2 + imports}.db":
                with suppress(FileNotFoundError), (state_dir / serving).open("r+b") as file:
                    file.truncate(4096 * dice.randrange(3))
        importing.join(20)
        card = cache.find(_uid(7))
        assert (card and card.person, card and card.version) == (f"c{imports - 1}-7", 2 + imports)
