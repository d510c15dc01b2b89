"""A backup's file is whole and its own, or it is refused before a byte of it is used."""

import hashlib
import io
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.backup_archive import BackupFault, Manifest, Member, digest_of, extract, read_manifest, write

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def made(folder: Path) -> tuple[Path, Manifest]:
    """A small backup."""
    sources = {"database": b"\x00" * 100_000, "keys/root.key": b"k" * 32, "registry.toml": b'language = "et"\n'}
    files = {}
    for name, content in sources.items():
        files[name] = folder / name.replace("/", "-")
        files[name].write_bytes(content)
    manifest = Manifest(AT, "sqlite", 3, 4, {name: digest_of(path) for name, path in files.items()})
    target = folder / "backup.tar.zst"
    write(target, manifest, files)
    return target, manifest


def packed(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Write an archive by hand, as somebody else might."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path.write_bytes(zstandard.compress(held.getvalue()))
    return path


def test_it_comes_back_as_it_was_given(tmp_path: Path) -> None:
    """Byte by byte, with what the manifest says, readable by its owner alone."""
    target, manifest = made(tmp_path)
    (out := tmp_path / "out").mkdir()
    assert extract(target, out) == read_manifest(target) == manifest
    assert (out / "database").read_bytes() == b"\x00" * 100_000
    assert (out / "keys" / "root.key").read_bytes() == b"k" * 32
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert stat.S_IMODE((out / "keys" / "root.key").stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.part"))


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_of_a_byte_passes(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever it is, and wherever the file is cut off: refused, never half believed."""
    target, _ = made(tmp_path)
    whole = bytearray(target.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans(), label="cut"):
        damaged = whole[:place]
    else:
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
        damaged = whole
    (bad := tmp_path / "bad.tar.zst").write_bytes(bytes(damaged))
    out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}-{place}"
    out.mkdir(exist_ok=True)
    try:
        manifest = extract(bad, out)
    except (BackupFault, FileExistsError):
        return
    for name, member in manifest.files.items():  # a bit that means nothing, such as a reserved one of the frame
        assert digest_of(out / name) == member


def manifest_of(**files: bytes) -> bytes:
    """A manifest's bytes for files of any name."""
    members = {name: Member(len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}
    return Manifest(AT, "sqlite", 1, 1, members).to_json()


def link() -> tarfile.TarInfo:
    """A link out of the folder."""
    info = tarfile.TarInfo("database")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


FOREIGN = {
    "no manifest": [(tarfile.TarInfo("database"), b"x")],
    "a way out of the folder": [
        (tarfile.TarInfo("manifest.json"), manifest_of(**{"database": b"x", "../evil": b"y"})),
        (tarfile.TarInfo("database"), b"x"),
        (tarfile.TarInfo("../evil"), b"y"),
    ],
    "a link": [(tarfile.TarInfo("manifest.json"), manifest_of(database=b"")), (link(), b"")],
    "a file that is not told": [
        (tarfile.TarInfo("manifest.json"), manifest_of(database=b"x")),
        (tarfile.TarInfo("database"), b"x"),
        (tarfile.TarInfo("keys/root.key"), b"x"),
    ],
    "a file that is told and missing": [
        (tarfile.TarInfo("manifest.json"), manifest_of(**{"database": b"x", "keys/root.key": b"y"})),
        (tarfile.TarInfo("database"), b"x"),
    ],
    "other bytes": [
        (tarfile.TarInfo("manifest.json"), manifest_of(database=b"x")),
        (tarfile.TarInfo("database"), b"y"),
    ],
    "a later format": [
        (tarfile.TarInfo("manifest.json"), manifest_of(database=b"x").replace(b'"format": 1', b'"format": 2'))
    ],
    "no JSON": [(tarfile.TarInfo("manifest.json"), b"{")],
    "twice the same": [
        (tarfile.TarInfo("manifest.json"), manifest_of(database=b"x")),
        (tarfile.TarInfo("database"), b"x"),
        (tarfile.TarInfo("database"), b"x"),
    ],
}


@pytest.mark.parametrize("members", FOREIGN.values(), ids=FOREIGN.keys())
def test_what_is_no_backup_of_ours_is_refused(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Nothing is written outside the folder, and no file is taken at its word."""
    source = packed(tmp_path / "foreign", *members)
    (out := tmp_path / "out").mkdir()
    with pytest.raises(BackupFault, match="foreign"):
        extract(source, out)
    assert not (tmp_path / "evil").exists()


def test_what_is_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    """It is said what is expected."""
    (path := tmp_path / "letter.txt").write_text("Dear registry")
    with pytest.raises(BackupFault, match="viipe-registry backup"):
        read_manifest(path)
