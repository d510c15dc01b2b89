"""`viipe-registry create-admin`: an administrator who can log in."""

import argparse
import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from registry.commands import create_admin
from registry.models import AuditEntry
from registry.refusal import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory of its own: keys are made there."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))


def create(monkeypatch: pytest.MonkeyPatch, password: str, *arguments: str) -> int:
    """Run the command with a password on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    parser = argparse.ArgumentParser()
    create_admin.add_arguments(parser)
    return create_admin.perform(parser.parse_args([*arguments, "--password-stdin"]))


def test_an_administrator_may_do_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the recovery key is shown where it was the first command of all."""
    assert create(monkeypatch, "a-long-pass-phrase", "admin", "--email", "it@example.org") == 0
    user = User.objects.get()
    assert (user.is_superuser, user.is_staff, user.is_active, user.email) == (True, True, True, "it@example.org")
    assert user.check_password("a-long-pass-phrase")
    assert "recovery key" in capsys.readouterr().out
    assert AuditEntry.objects.get().action == "admin.create"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("et", ["Administraator admin on loodud.", "Administraatoril admin on uus parool."]),
        ("en", ["Administrator admin was created.", "Administrator admin has a new password."]),
        ("ru", ["Администратор admin создан.", "У администратора admin новый пароль."]),  # noqa: RUF001  Russian
    ],
)
def test_the_same_name_again_is_a_new_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: list[str]
) -> None:
    """Whoever may run the command may do so; it is said in their language, and audited."""
    with translation.override(language):
        create(monkeypatch, "a-long-pass-phrase", "admin")
        create(monkeypatch, "another-pass-phrase", "admin")
    assert User.objects.get().check_password("another-pass-phrase")
    assert [line for line in capsys.readouterr().out.splitlines() if "admin" in line] == said
    assert AuditEntry.objects.filter(action="admin.password").exists()


@pytest.mark.parametrize("password", ["", "short", "password1234", "administrator"])
def test_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """Nobody is created; and the password is not repeated."""
    with pytest.raises(Refused) as refused:
        create(monkeypatch, password, "administrator")
    assert refused.value.code == "weak_password"
    assert not User.objects.exists()
