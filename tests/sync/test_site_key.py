import hashlib
import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from sync import current
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards
from sync.faults import KeyFault
from sync.site_key import load, load_or_make
from sync.wire.card_key import KEY_BYTES, SiteKey

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "card_key.json").read_text(encoding="utf-8")
)
SECRET = bytes(range(32))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: f"{vector['site_key'][:4]}-{vector['uid']}")
def test_a_card_key_is_that_of_the_vectors(vector: dict[str, str]) -> None:
    """The keyed hash of a UID is the one that the vectors give, and follows from their text with BLAKE2b alone."""
    key, uid = bytes.fromhex(vector["site_key"]), bytes.fromhex(vector["uid"])
    assert SiteKey(key).card_key(uid).hex() == vector["card_key"]
    stranger = hashlib.blake2b(uid, key=key, digest_size=16, person=b"viipe uid v1\0\0\0\0")
    assert stranger.hexdigest() == vector["card_key"]


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The first day makes 32 bytes of mode 0600, whatever a crash left beside it; later days read them."""
    left = tmp_path / "site.key.new"
    left.write_bytes(b"left by a crash")
    left.chmod(0o666)
    made = load_or_make(tmp_path, {})
    path = tmp_path / "site.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == KEY_BYTES
    uid = bytes.fromhex("EBF2CE70")
    assert load_or_make(tmp_path, {}).card_key(uid) == load(tmp_path, {}).card_key(uid) == made.card_key(uid)


def test_two_programs_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    """On the first day the host and an import may start together: both have the same key."""
    found: list[bytes] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(load_or_make(tmp_path, {}).card_key(b"1234"))

    programs = [threading.Thread(target=start) for _ in range(8)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_credential_comes_before_the_file(tmp_path: Path) -> None:
    """A key that systemd hands over is used and none is made; where it hands over none, the file serves."""
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    credentials.mkdir()
    state.mkdir()
    (credentials / "site.key").write_bytes(SECRET)
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    expected = SiteKey(SECRET).card_key(b"1234")
    assert load_or_make(state, environ).card_key(b"1234") == expected
    assert list(state.iterdir()) == []
    (state / "site.key").write_bytes(bytes(32))
    assert load(state, environ).card_key(b"1234") == expected
    (credentials / "site.key").unlink()
    assert load(state, environ).card_key(b"1234") == SiteKey(bytes(32)).card_key(b"1234")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_the_wrong_length_is_refused(tmp_path: Path, length: int) -> None:
    """A file that is cut short or is something else is no key; it is not replaced either."""
    (tmp_path / "site.key").write_bytes(bytes(length))
    with pytest.raises(KeyFault, match=f"found {length} bytes, expected 32"):
        load_or_make(tmp_path, {})
    assert (tmp_path / "site.key").stat().st_size == length


def test_a_key_that_is_missing_or_unreadable_is_a_key_fault(tmp_path: Path) -> None:
    """The fault says which file and why."""
    with pytest.raises(KeyFault, match=r"site\.key: No such file"):
        load(tmp_path, {})
    (tmp_path / "site.key").mkdir()
    with pytest.raises(KeyFault, match=r"site\.key: Is a directory"):
        load(tmp_path, {})


def test_no_text_shows_the_key(tmp_path: Path) -> None:
    """Neither the repr nor a fault shows a byte of the key."""
    key = SiteKey(SECRET)
    assert SECRET.hex() not in repr(key)
    assert repr(SECRET)[2:-1] not in f"{key} {key!r}"
    (tmp_path / "site.key").write_bytes(b"secret" * 3)
    with pytest.raises(KeyFault) as caught:
        load(tmp_path, {})
    assert "secret" not in str(caught.value)
    with pytest.raises(TypeError):
        json.dumps(key)


def test_a_fingerprint_tells_keys_apart_and_not_the_key() -> None:
    """Two keys have two fingerprints, one key always the same; it is no keyed UID and no part of the key."""
    key = SiteKey(SECRET)
    assert key.fingerprint == SiteKey(SECRET).fingerprint
    assert len({key.fingerprint, SiteKey(bytes(32)).fingerprint, SiteKey(SECRET[::-1]).fingerprint}) == 3
    assert bytes.fromhex(key.fingerprint) not in SECRET
    assert not key.card_key(b"").hex().startswith(key.fingerprint)


def test_no_second_key_is_made_where_cards_are_held(tmp_path: Path) -> None:
    """A key that went while cards are held is told with both ways out, and nothing is made: a new one would know nobody."""
    row = b"EBF2CE70,1,1,personal,active,,,\n"
    import_cards([",".join(COLUMNS).encode() + b"\n", row], tmp_path, load_or_make(tmp_path, {}))
    (tmp_path / "site.key").unlink()
    before = sorted(tmp_path.iterdir())
    for damage in (None, b"damaged"):
        if damage is not None:
            (tmp_path / "current").write_bytes(damage)
        with pytest.raises(KeyFault) as caught:
            load_or_make(tmp_path, {})
        assert "LoadCredentialEncrypted=site.key:" in str(caught.value)
        assert f"delete {tmp_path / 'current'} and import the cards anew" in str(caught.value)
        assert sorted(tmp_path.iterdir()) == before


def test_the_way_out_of_a_lost_key_leads_out(tmp_path: Path) -> None:
    """With `current` deleted, as the fault says, a new key is made and the next import serves under it."""
    lines = [",".join(COLUMNS).encode() + b"\n", b"EBF2CE70,1,1,personal,active,,,\n"]
    lost = load_or_make(tmp_path, {})
    import_cards(lines, tmp_path, lost)
    (tmp_path / "site.key").unlink()
    (tmp_path / "current").unlink()
    key = load_or_make(tmp_path, {})
    assert key.fingerprint != lost.fingerprint
    assert import_cards(lines, tmp_path, key).key == key.fingerprint
    assert current.read(tmp_path).serving is not None
