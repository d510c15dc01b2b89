"""Names and photos on the disk."""

import stat
from pathlib import Path

import pytest

from sync.faults import KeyFault
from sync.people_box import KEY_BYTES, BoxFault, HeldPeople, PeopleBox

HELD = HeldPeople(1, 7, b'{"name":"Kadri"}')
SHA = "ab" * 32


def test_what_was_written_is_read_and_nothing_of_it_lies_in_clear(tmp_path: Path) -> None:
    """Names and photo, under a key that only the owner reads."""
    box = PeopleBox(tmp_path, {})
    box.write(HELD)
    box.write_photo(SHA, b"a photo of Kadri")
    assert box.read() == HELD
    assert box.read_photo(SHA) == b"a photo of Kadri"
    assert box.photos() == {SHA}
    assert b"Kadri" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_nothing_is_nothing(tmp_path: Path) -> None:
    """Before anything was held."""
    box = PeopleBox(tmp_path, {})
    assert (box.read(), box.read_photo(SHA), box.photos(), box.stamp(), box.forget()) == (
        None,
        None,
        frozenset(),
        None,
        False,
    )


def test_the_same_text_is_never_the_same_bytes(tmp_path: Path) -> None:
    """Each writing has a nonce of its own; and the stamp tells that there was one."""
    box = PeopleBox(tmp_path, {})
    box.write(HELD)
    before, stamp = (tmp_path / "people.box").read_bytes(), box.stamp()
    box.write(HELD)
    assert (tmp_path / "people.box").read_bytes() != before
    assert box.stamp() != stamp


def test_a_credential_goes_before_the_file_and_is_never_written(tmp_path: Path) -> None:
    """With a key sealed by the machine the disk alone opens nothing."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "people.key").write_bytes(bytes(KEY_BYTES))
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    box = PeopleBox(state_dir, {"CREDENTIALS_DIRECTORY": str(folder)})
    box.write(HELD)
    assert box.read() == HELD
    assert not (state_dir / "people.key").exists()
    with pytest.raises(KeyFault):
        PeopleBox(state_dir, {}).read()
    assert box.forget()
    assert (folder / "people.key").exists()


def test_damage_another_key_and_another_name_open_nothing(tmp_path: Path) -> None:
    """And are faults that name no content."""
    box = PeopleBox(tmp_path, {})
    box.write(HELD)
    box.write_photo(SHA, b"photo")
    path = tmp_path / "people.box"
    whole = path.read_bytes()
    (tmp_path / "photos" / f"{'cd' * 32}.box").write_bytes((tmp_path / "photos" / f"{SHA}.box").read_bytes())
    with pytest.raises(BoxFault, match="damaged"):
        box.read_photo("cd" * 32)
    for spoilt in (b"", b"x", whole[:-1], whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]):
        path.write_bytes(spoilt)
        with pytest.raises(BoxFault, match=r"people\.box"):
            box.read()
    path.write_bytes(whole)
    (tmp_path / "people.key").write_bytes(bytes(KEY_BYTES))
    with pytest.raises(BoxFault, match=r"another people\.key"):
        box.read()
    (tmp_path / "people.key").write_bytes(b"short")
    with pytest.raises(KeyFault, match="5 bytes"):
        box.read()


def test_all_is_forgotten_the_key_with_it(tmp_path: Path) -> None:
    """What a crash left of a writing, too; other files stay."""
    box = PeopleBox(tmp_path, {})
    box.write(HELD)
    box.write_photo(SHA, b"photo")
    (tmp_path / "people.box.new").write_bytes(b"half")
    (tmp_path / "photos" / "x.box.new").write_bytes(b"half")
    (tmp_path / "journal.db").write_bytes(b"")
    assert box.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["journal.db"]
    assert not box.forget()


def test_photos_that_are_no_more_named_go(tmp_path: Path) -> None:
    """Each file for itself."""
    box = PeopleBox(tmp_path, {})
    box.write_photo(SHA, b"one")
    box.write_photo("cd" * 32, b"two")
    box.keep_photos(frozenset({SHA, "ee" * 32}))
    assert box.photos() == {SHA}
