"""Where a host keeps the site's key: a credential of systemd's, else a file of its own (DESIGN.md §3)."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from sync import current
from sync.durable import replace_file
from sync.faults import KeyFault
from sync.wire.card_key import KEY_BYTES, SiteKey


def load(state_dir: Path, environ: Mapping[str, str] = os.environ) -> SiteKey:
    """Read the site's key from `$CREDENTIALS_DIRECTORY/site.key`, else from `state_dir/site.key`.

    Raises KeyFault where neither is there or one cannot be used; `OSError` texts are kept since they say why.
    """
    path = _credential(environ) or state_dir / "site.key"
    try:
        return SiteKey(path.read_bytes())
    except OSError as error:
        raise KeyFault(f"site key: {path}: {error.strerror}") from error


def load_or_make(state_dir: Path, environ: Mapping[str, str] = os.environ) -> SiteKey:
    """Read the site's key; a host without a registry makes its own on its first day (mode 0600).

    Raises KeyFault where cards are held already: another key would make every one of them unknown.
    """
    path = state_dir / "site.key"
    if _credential(environ) is None and not path.exists():
        with current.changing(state_dir):  # two programs that start at once make one key
            if not path.exists():
                _refuse_a_second_key(state_dir, path)
                replace_file(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
    return load(state_dir, environ)


def _refuse_a_second_key(state_dir: Path, path: Path) -> None:
    if current.look(state_dir).serving is not None:
        raise KeyFault(
            f"site key: {path} is not there, though cards are held under one. If it is sealed as a credential, run the command by"
            " `systemd-run --pty -p User=viipe -p LoadCredentialEncrypted=site.key:viipe.site.key`;"
            f" if it is lost, delete {state_dir / 'current'} and import the cards anew"
        )


def _credential(environ: Mapping[str, str]) -> Path | None:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / "site.key" if folder else None
    return path if path is not None and path.exists() else None
