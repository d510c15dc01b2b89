"""The registry's data directory: its database unless another is named, its keys, and `registry.toml`, its few settings.

database = "postgresql://viipe@localhost/viipe"   # left out: SQLite, in this directory
hosts = ["registry.school.ee"]                    # the names it is reached by; left out: localhost alone
language = "et"                                   # et | en | ru, of whoever has not said which
secure = true                                     # reached by HTTPS, through a proxy that says so
"""

import os
import secrets
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

VARIABLE: Final = "VIIPE_REGISTRY_DATA"
DEFAULT: Final = Path("/var/lib/viipe-registry")
UNFINISHED: Final = (
    "restore-unfinished"  # stands from before a restore replaces anything until its new generation has begun
)
LANGUAGES: Final = ("et", "en", "ru")
_BUSY_S: Final = 20


class SettingsFault(Exception):
    """`registry.toml` cannot be used: where, what was found, what is expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `registry.toml` says."""

    database: str | None = None
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    language: str = "et"
    secure: bool = False


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data directory that this process serves: `--data` puts it into the environment."""
    return Path(environ.get(VARIABLE, DEFAULT))


def refuse_unfinished(folder: Path) -> None:
    """Raise SettingsFault where a restore was cut off: an old state must not be served in the generation that hosts know."""
    if (path := folder / UNFINISHED).exists():
        raise SettingsFault(
            f"{path}: a restore was cut off before it was whole; do it again: viipe-registry --data {folder} restore --force FILE"
        )


def read_settings(folder: Path) -> Settings:
    """Read `registry.toml`; a directory without one has the defaults. Raises SettingsFault with all that is wrong."""
    path = folder / "registry.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsFault(f"{path}: {error}") from error
    faults = [f"{path}: {key}: found {table[key]!r}, expected {_EXPECTED[key]}" for key in _wrong(table)]
    faults += [
        f"{path}: {key}: unknown, expected one of {', '.join(_EXPECTED)}" for key in table.keys() - _EXPECTED.keys()
    ]
    if faults:
        raise SettingsFault("\n".join(sorted(faults)))
    if "hosts" in table:
        table["hosts"] = tuple(table["hosts"])
    return Settings(**table)


_EXPECTED: Final = {
    "database": '"postgresql://USER:PASSWORD@HOST:PORT/NAME"',
    "hosts": 'a list of names, such as ["registry.school.ee"]',
    "language": f"one of {', '.join(LANGUAGES)}",
    "secure": "true or false",
}


def _wrong(table: Mapping[str, object]) -> list[str]:
    hosts = table.get("hosts", [""])
    right = {
        "database": str(table.get("database")).startswith("postgresql://"),
        "hosts": isinstance(hosts, list) and all(isinstance(host, str) for host in hosts),
        "language": table.get("language") in LANGUAGES,
        "secure": isinstance(table.get("secure"), bool),
    }
    return [key for key in table if key in right and not right[key]]


def database(folder: Path, url: str | None) -> dict[str, object]:
    """Return Django's settings of the database: PostgreSQL by its address, else SQLite in `folder`, durable and patient."""
    if url is None:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / "registry.db"),
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
                "transaction_mode": "IMMEDIATE",  # a transaction that begins by reading would fail when it comes to write
                "timeout": _BUSY_S,
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }


def secret(folder: Path, name: str, length_bytes: int) -> bytes:
    """Return the secret of this name, made when it is first asked for (mode 0600). Two processes that start at once agree."""
    path = folder / name
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, made = tempfile.mkstemp(dir=folder, prefix=f"{name}.")  # its owner's alone
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(length_bytes))
        try:
            os.link(made, path)
        except FileExistsError:
            pass  # the other was quicker: its secret holds
        finally:
            os.unlink(made)  # noqa: PTH108  mkstemp names it by a text
    return path.read_bytes()
