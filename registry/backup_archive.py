"""The file that a backup is: a tar archive compressed with zstd, its first member a manifest with the SHA-256 of all others.

`manifest.json` is {"format": 1, "made_at": UTC, "engine": "sqlite" or "postgresql", "generation": n, "root": n, "files": {name:
{"bytes", "sha256"}}}; generation and version of the root document are those that the registry was in.
The others are `database` (a SQLite file, or pg_dump's custom format), `keys/…`, `secret.key`, `registry.toml`; nothing else is taken.
Reading believes nothing: names, kinds, sizes and digests are held against the manifest before a byte is used.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import zstandard

from sync.wire.event import from_utc_text, utc_text

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DATABASE: Final = "database"
ENGINES: Final = ("sqlite", "postgresql")
_MOST_MANIFEST_BYTES: Final = 65_536
_PIECE: Final = 1 << 20
_NAME: Final = re.compile(r"database|secret\.key|registry\.toml|keys/[a-z]+\.key")
_LEVEL: Final = 6


class BackupFault(Exception):
    """A backup that cannot be made, read or put in place: where, what was found, what is expected."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the backup."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds, of when; `generation` and `root` (its version) are those that the registry was in."""

    made_at: datetime
    engine: str
    generation: int
    root: int
    files: Mapping[str, Member]

    def to_json(self) -> bytes:
        """Return the manifest's bytes."""
        table = {
            "format": FORMAT,
            "made_at": utc_text(self.made_at),
            "engine": self.engine,
            "generation": self.generation,
            "root": self.root,
            "files": {name: {"bytes": file.size_bytes, "sha256": file.sha256} for name, file in self.files.items()},
        }
        return json.dumps(table, indent=1, sort_keys=True).encode()


def digest_of(path: Path) -> Member:
    """Measure a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return Member(path.stat().st_size, digest.hexdigest())


def write(target: Path, manifest: Manifest, files: Mapping[str, Path]) -> str:
    """Write the archive, readable by its owner alone, durable before it has its name. Returns its SHA-256."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
            with (
                compressor.stream_writer(out, closefd=False) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                _add(archive, MANIFEST, io.BytesIO(text := manifest.to_json()), len(text))
                for name, path in files.items():
                    with path.open("rb") as file:
                        _add(archive, name, file, manifest.files[name].size_bytes)
            out.flush()
            os.fsync(out.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)
    return digest_of(target).sha256


def _add(archive: tarfile.TarFile, name: str, file: io.IOBase | Any, size_bytes: int) -> None:  # noqa: ANN401  any reader
    info = tarfile.TarInfo(name)
    info.size, info.mode = size_bytes, 0o600
    archive.addfile(info, file)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def extract(source: Path, folder: Path) -> Manifest:
    """Unpack an archive into an empty folder and hold each file against the manifest. Raises BackupFault."""
    with _reading(source) as archive:
        members = iter(archive)
        manifest = _manifest(source, archive, next(members, None))
        left = dict(manifest.files)
        for info in members:
            expected = left.pop(info.name, None)
            if expected is None or not info.isreg() or info.size != expected.size_bytes:
                raise BackupFault(f"{source}: {info.name[:80]!r}: not as the manifest says")
            _unpack(source, archive, info, folder / info.name, expected)
        if left:
            raise BackupFault(f"{source}: {', '.join(sorted(left))}: missing, the file was cut off")
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Read what a backup holds, without unpacking it. Raises BackupFault."""
    with _reading(source) as archive:
        return _manifest(source, archive, archive.next())


@contextmanager
def _reading(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with (
            source.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as archive,
        ):
            yield archive
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise BackupFault(
            f"{source}: found no whole backup ({error}), expected a file made by `viipe-registry backup`"
        ) from error


def _manifest(source: Path, archive: tarfile.TarFile, info: tarfile.TarInfo | None) -> Manifest:
    if info is None or info.name != MANIFEST or not info.isreg() or info.size > _MOST_MANIFEST_BYTES:
        raise BackupFault(f"{source}: found no manifest, expected a file made by `viipe-registry backup`")
    try:
        table = json.loads(_reader(archive, info).read())
        if table["format"] != FORMAT:
            raise BackupFault(f"{source}: format: found {table['format']!r}, expected {FORMAT}")
        files = {str(name): Member(int(file["bytes"]), str(file["sha256"])) for name, file in table["files"].items()}
        manifest = Manifest(
            from_utc_text(table["made_at"]), str(table["engine"]), int(table["generation"]), int(table["root"]), files
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupFault(f"{source}: the manifest cannot be read ({type(error).__name__})") from error
    strange = [name for name in manifest.files if not _NAME.fullmatch(name)]
    if strange or DATABASE not in manifest.files or manifest.engine not in ENGINES:
        raise BackupFault(f"{source}: the manifest names {strange or manifest.engine!r}, expected a registry's files")
    return manifest


def _reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Any:  # noqa: ANN401  tarfile's own file
    return archive.extractfile(info)


def _unpack(source: Path, archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path, expected: Member) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    reader, digest = _reader(archive, info), hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while piece := reader.read(_PIECE):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != expected.sha256:
        raise BackupFault(f"{source}: {info.name}: its SHA-256 is not the manifest's: the file is damaged")
