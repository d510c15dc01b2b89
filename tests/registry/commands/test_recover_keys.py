"""`viipe-registry recover-keys`: the recovery key, as it was written down, brings a registry's keys back to whom it belongs."""

import argparse
import io
from pathlib import Path

import pytest

from registry.commands import recover_keys
from registry.models import AuditEntry
from registry.publishing import keys
from sync.wire.keys import SigningKey
from tests.rig import registered

pytestmark = pytest.mark.django_db


def run(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command with this recovery key on its standard input."""
    parser = argparse.ArgumentParser()
    recover_keys.add_arguments(parser)
    monkeypatch.setattr("sys.stdin", io.StringIO(text + "\n"))
    return recover_keys.perform(parser.parse_args(["--stdin"]))


def test_keys_that_were_lost_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next root opens a new generation under new signing keys, and the deed is written down."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    text = keys.ensure(registered.NOON)
    assert text is not None
    before = keys.current_root()
    (tmp_path / "keys" / "signing.key").unlink()
    assert run(text, monkeypatch) == 0
    after = keys.current_root()
    assert (after.version, after.generation) == (before.version + 1, before.generation + 1)
    assert set(after.signing_keys).isdisjoint(before.signing_keys)
    assert keys.load().signing.public in after.signing_keys
    assert AuditEntry.objects.get(action="keys.recover").actor == "command"


def test_another_text_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped key and another registry's are refused."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    text = keys.ensure(registered.NOON)
    assert text is not None
    before = keys.current_root()
    for wrong in (text[:-1] + ("A" if text[-1] != "A" else "B"), keys.recovery_text(SigningKey.generate())):
        with pytest.raises(keys.KeysFault, match="recovery key"):
            run(wrong, monkeypatch)
    assert keys.current_root() == before
