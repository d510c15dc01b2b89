"""`viipe-registry backup` says what it made, or why it made nothing."""

import argparse
from pathlib import Path

import pytest
from django.utils import timezone

from registry.commands import backup
from registry.publishing import keys


def perform(*line: str) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser()
    backup.add_arguments(parser)
    return backup.perform(parser.parse_args(line))


@pytest.mark.django_db(transaction=True)
def test_it_says_where_it_is_and_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And that it is to be kept as keys are."""
    keys.ensure(timezone.now())
    assert perform(str(tmp_path / "b")) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "b") in said
    assert "SHA-256" in said
    assert "keys" in said


@pytest.mark.django_db(transaction=True)
def test_a_registry_that_never_served_has_nothing_to_back_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no root, and what is said names what is missing."""
    assert perform(str(tmp_path / "b")) == 1
    assert "root" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only `--force` replaces it."""
    keys.ensure(timezone.now())
    (path := tmp_path / "b").write_bytes(b"")
    assert perform(str(path)) == 1
    assert "--force" in capsys.readouterr().err
    assert perform(str(path), "--force") == 0
