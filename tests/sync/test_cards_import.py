import hashlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sync import current
from sync.cache import CardCache
from sync.cache_file import CacheInfo, verify
from sync.cards_file import COLUMNS
from sync.cards_import import LISTED_BAD_ROWS, import_cards
from sync.faults import CardsFileFault
from sync.wire.card_key import SiteKey

KEY = SiteKey(bytes(range(32)))
HEADER = ",".join(COLUMNS) + "\n"
ROOT = Path(__file__).parents[2]


def _uid(number: int) -> bytes:
    return bytes([4]) + number.to_bytes(6, "big")


def _lines(count: int, *, person: str = "p") -> Iterator[bytes]:
    yield HEADER.encode()
    for number in range(count):
        yield f"{_uid(number).hex()},{number},{person}{number},personal,active,2026-09-01,2029-12-31,5b;choir\n".encode()


def _contents(state_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in state_dir.iterdir() if not path.name.endswith(".lock")}


def _feed(state_dir: Path, count: int = 3, person: str = "p") -> CacheInfo:
    return import_cards(_lines(count, person=person), state_dir, KEY)


def test_what_was_imported_is_found(tmp_path: Path) -> None:
    """Each card of the file is found by its UID, an unknown one is not; the rows carry the import's version."""
    info = _feed(tmp_path, 500)
    assert (info.version, info.cards, info.name) == (1, 500, "cache-1.db")
    cache = CardCache(tmp_path, KEY)
    for number in (0, 1, 250, 499):
        card = cache.find(_uid(number))
        assert card is not None
        assert (card.card, card.person, card.version) == (str(number), f"p{number}", 1)
        assert sorted(card.groups) == ["5b", "choir"]
    assert cache.find(_uid(500)) is None
    assert (cache.info, cache.take_faults()) == (info, [])
    cache.close()


def test_the_digest_is_the_sum_of_the_rows(tmp_path: Path) -> None:
    """The state's digest is the sum, modulo 2 to the 256th, of SHA-256 of each row's canonical bytes; `verify` agrees."""
    info = _feed(tmp_path, 40)
    total = 0
    for number in range(40):
        key = KEY.card_key(_uid(number)).hex()
        row = [key, str(number), f"p{number}", "personal", "active", "2026-09-01", "2029-12-31", "5b;choir", 1]
        text = json.dumps(row, separators=(",", ":"), ensure_ascii=False)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    assert info.digest == total % 2**256
    assert verify(tmp_path / "cache-1.db") == info


def test_the_file_has_no_uid_and_no_name(tmp_path: Path) -> None:
    """The cache holds keyed hashes: no UID of the file is found in it, and only its owner may read it."""
    uids = [b"\x04\x11\x22\x33" + hashlib.sha256(bytes([number])).digest()[:3] for number in range(50)]
    rows = (f"{each.hex()},{number},1,personal,active,,,\n".encode() for number, each in enumerate(uids))
    import_cards([HEADER.encode(), *rows], tmp_path, KEY)
    content = (tmp_path / "cache-1.db").read_bytes()
    assert not any(each in content or each.hex().encode() in content.lower() for each in uids)
    assert (tmp_path / "cache-1.db").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(tmp_path / "cache-1.db")) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
        assert names == {"cards", "meta", "sqlite_autoindex_meta_1"}


def test_the_former_file_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    """After three imports the last serves, the one before it is kept, the first is gone, and so is the scratch."""
    for count in (1, 2, 3):
        _feed(tmp_path, count)
    assert set(_contents(tmp_path)) == {"cache-2.db", "cache-3.db", "current"}
    assert current.read(tmp_path) == current.Current("cache-3.db", "cache-2.db", 3)


def test_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    """With one bad row among good ones nothing is imported, not a byte of the state directory changes."""
    _feed(tmp_path)
    before = _contents(tmp_path)
    with pytest.raises(CardsFileFault) as caught:
        import_cards([*_lines(3), b"nonsense,1,1,personal,active,,,\n"], tmp_path, KEY)
    assert ([row.line for row in caught.value.rows], caught.value.total) == ([5], 1)
    assert _contents(tmp_path) == before


def test_a_doubled_uid_is_told_with_both_lines(tmp_path: Path) -> None:
    """A UID that stands twice, in whatever form it is written, is a bad row of the later line that names the first."""
    again = b"04:00:00:00:00:00:01,9,9,personal,active,,,\n"
    with pytest.raises(CardsFileFault) as caught:
        import_cards([*_lines(3), again, again, b"x,1,1,personal,active,,,\n"], tmp_path, KEY)
    told = [(row.line, row.reason) for row in caught.value.rows]
    assert told[:2] == [(5, "uid: stands already in line 3"), (6, "uid: stands already in line 3")]
    assert (told[2][0], caught.value.total) == (7, 3)
    with pytest.raises(CardsFileFault) as caught:
        import_cards([*_lines(3), again], tmp_path, KEY)
    assert [row.line for row in caught.value.rows] == [5]
    assert _contents(tmp_path) == {}


def test_of_many_bad_rows_the_first_thousand_are_listed(tmp_path: Path) -> None:
    """Of 1,500 bad rows the first 1,000 are listed in order, and all are counted."""
    bad = (f"08{number:06x},1,1,personal,active,,,\n".encode() for number in range(1500))
    with pytest.raises(CardsFileFault) as caught:
        import_cards([HEADER.encode(), *bad], tmp_path, KEY)
    assert [row.line for row in caught.value.rows] == list(range(2, LISTED_BAD_ROWS + 2))
    assert caught.value.total == 1500
    assert "1500" in str(caught.value)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    """The last progress told is the length of the file."""
    told: list[int] = []
    import_cards(_lines(12_000), tmp_path, KEY, progress=told.append)
    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] == sum(map(len, _lines(12_000)))


def test_two_imports_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """The second import waits for the first; both get a version of their own and the later one serves."""
    infos: list[CacheInfo] = []
    imports = [threading.Thread(target=lambda: infos.append(_feed(tmp_path, 2000))) for _ in range(3)]
    for each in imports:
        each.start()
    for each in imports:
        each.join()
    assert [info.version for info in infos] == [1, 2, 3]
    assert current.read(tmp_path).serving == "cache-3.db"
    assert verify(tmp_path / "cache-3.db").cards == 2000


def test_an_import_holds_no_tap_up(tmp_path: Path) -> None:
    """While rows are read `current` can be changed: a tap that finds its cache damaged steps back at once."""
    _feed(tmp_path)
    _feed(tmp_path)
    reached, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield from _lines(10)
        reached.set()
        go_on.wait(20)

    importing = threading.Thread(target=lambda: import_cards(slow(), tmp_path, KEY))
    importing.start()
    assert reached.wait(20)
    (tmp_path / "cache-2.db").write_bytes(b"damaged")
    cache = CardCache(tmp_path, KEY)
    assert cache.find(_uid(1)) is not None
    assert (cache.info and cache.info.name) == "cache-1.db"
    go_on.set()
    importing.join()
    assert cache.find(_uid(9)) is not None
    cache.close()


def test_a_cache_that_is_asked_meanwhile_answers_from_the_old_or_the_new(tmp_path: Path) -> None:
    """A CardCache in another thread gives, during imports, one whole state or the next, never a mixture or none."""
    _feed(tmp_path, 300, "a")
    cache = CardCache(tmp_path, KEY)
    done = threading.Event()
    versions: list[int] = []
    wrong: list[object] = []

    def ask() -> None:
        dice = random.Random(1)  # noqa: S311  a seed, no secret
        while not done.is_set():
            number = dice.randrange(300)
            card = cache.find(_uid(number))
            if card is None or card.person != f"{'abcd'[card.version - 1]}{number}":
                wrong.append(card)
            else:
                versions.append(card.version)

    asking = threading.Thread(target=ask)
    asking.start()
    for person in "bcd":
        _feed(tmp_path, 300, person)
    last = cache.find(_uid(0))
    done.set()
    asking.join()
    assert wrong == []
    assert versions == sorted(versions)
    assert (last and last.version, cache.take_faults()) == (4, [])
    cache.close()


CHILD = """
import sys
from pathlib import Path
from sync.cards_import import import_cards
from sync.wire.card_key import SiteKey
HEADER, state_dir, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
def _lines():
    yield HEADER.encode() + b"\\n"
    for number in range(count):
        yield f"04{number:012x},{number},q{number},personal,active,2026-09-01,2029-12-31,5b;choir\\n".encode()
print("begun", flush=True)
while True:
    import_cards(_lines(), state_dir, SiteKey(bytes(range(32))))
    if "measure" in sys.argv:
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(peak.split()[1])
        break
"""


def _child(state_dir: Path, count: int, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, HEADER.strip(), str(state_dir), str(count), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_killed_import_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """`kill -9` at random moments of imports: what serves is whole, and the next import takes away what was left."""
    _feed(tmp_path, 50)
    dice = random.Random(20260901)  # noqa: S311  a seed, no secret
    for _ in range(6):
        with _child(tmp_path, 50) as importing:
            assert importing.stdout is not None
            importing.stdout.readline()
            time.sleep(dice.random() * 0.15)
            importing.send_signal(signal.SIGKILL)
        serving = current.read(tmp_path).serving
        assert serving is not None
        assert verify(tmp_path / serving).cards == 50
        with closing(CardCache(tmp_path, KEY)) as cache:
            assert cache.find(_uid(49)) is not None
            assert cache.take_faults() == []
    _feed(tmp_path, 50)
    assert len(_contents(tmp_path)) == 3


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """The peak of an import of three times as many rows is higher by less than 4 MB."""
    peaks_kb = []
    for count in (15_000, 45_000):
        with _child(tmp_path, count, "measure") as importing:
            out, _ = importing.communicate()
        peaks_kb.append(int(out.split()[-1]))
    assert peaks_kb[1] - peaks_kb[0] < 4000
