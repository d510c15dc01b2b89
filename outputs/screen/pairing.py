"""Tablets that may see the pages: a one-time code pairs one, a long cookie knows it again, a list lets it go.

Kept in the state directory, readable by its owner alone: cookies as hashes. The command line and the serving process both write here,
one at a time.
"""

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

CODE_LENGTH: Final = 8
CODE_LIFE: Final = timedelta(minutes=10)
ATTEMPTS: Final = 5  # of one code, whoever tries; then it is no code any more
MOST_TABLETS: Final = 32
NAME_MOST: Final = 40
_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is read as another
_FILE: Final = "tablets.json"
_LOCK: Final = "tablets.lock"


@dataclass(frozen=True, slots=True)
class Tablet:
    """One paired device. `paired_at` is ISO 8601, UTC."""

    id: str
    name: str
    paired_at: str
    token_hash: str


@dataclass(frozen=True, slots=True)
class _Code:
    """The code that waits to be used."""

    salt: str
    code_hash: str
    until: str
    attempts_left: int


class Pairing:
    """The tablets of one state directory. May be used from any thread, and beside another process."""

    def __init__(self, state_dir: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read nothing yet."""
        self._path = state_dir / _FILE
        self._lock_path = state_dir / _LOCK
        self._now = now
        self._guard = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._known: Mapping[str, str] = {}

    def new_code(self) -> str:
        """Make the code that pairs the next tablet within ten minutes; one of before is none any more. Raises OSError."""
        code = "".join(secrets.choice(_LETTERS) for _ in range(CODE_LENGTH))
        salt = secrets.token_hex(16)
        until = (self._now() + CODE_LIFE).isoformat()
        with self._exclusively():
            tablets, _ = self._read()
            self._write(tablets, _Code(salt, _hash(salt + code), until, ATTEMPTS))
        return code

    def redeem(self, typed: str, name: str) -> str | None:
        """Pair a tablet by a typed code; returns its cookie, None for a wrong, used or old code. Raises OSError."""
        with self._exclusively():
            tablets, code = self._read()
            if code is None or self._now() > datetime.fromisoformat(code.until) or len(tablets) >= MOST_TABLETS:
                return None
            if not compare_digest(_hash(code.salt + _plain(typed)), code.code_hash):
                left = code.attempts_left - 1
                still = _Code(code.salt, code.code_hash, code.until, left) if left > 0 else None
                self._write(tablets, still)
                return None
            token = secrets.token_urlsafe(32)
            at = self._now().astimezone(UTC).isoformat(timespec="seconds")
            tablet = Tablet(secrets.token_hex(4), _named(name), at, _hash(token))
            self._write([*tablets, tablet], None)
            return token

    def tablets(self) -> Sequence[Tablet]:
        """Return the paired tablets, the eldest first. Raises OSError."""
        return self._read()[0]

    def revoke(self, id_: str) -> bool:
        """Let a tablet go; whether there was such a one. Raises OSError."""
        with self._exclusively():
            tablets, code = self._read()
            left = [each for each in tablets if each.id != id_]
            self._write(left, code)
            return len(left) < len(tablets)

    def device_of(self, token: str) -> str | None:
        """Return the id of the tablet that has this cookie, None for none. The file is read when it has changed."""
        with self._guard:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._known = {each.token_hash: each.id for each in self._read()[0]}
                self._stamp = stamp
            return self._known.get(_hash(token))

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> tuple[list[Tablet], _Code | None]:
        """Read the file; a spoilt one holds nobody: tablets are paired anew."""
        try:
            told: Any = json.loads(self._path.read_bytes())
            tablets = [Tablet(**each) for each in told["tablets"]]
            return tablets, _Code(**told["code"]) if told["code"] else None
        except FileNotFoundError:
            return [], None
        except (ValueError, TypeError, KeyError):
            return [], None

    def _write(self, tablets: Sequence[Tablet], code: _Code | None) -> None:
        told = {"tablets": [asdict(each) for each in tablets], "code": asdict(code) if code else None}
        write_private(self._path, json.dumps(told, indent=1).encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file that its owner alone may read, whole or not at all. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(typed: str) -> str:
    """Return a code as it was made, however it was typed: in small letters, with spaces or a dash."""
    return "".join(char for char in typed.upper()[:40] if char in _LETTERS)


def _named(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip()[:NAME_MOST] or "tablet"
