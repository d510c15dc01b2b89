"""The recovery key is shown once."""

import pytest

from registry.recovery import say_recovery_key


def test_it_is_shown_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone on its line, so that it can be copied; and nothing is said where keys were there."""
    say_recovery_key(None)
    assert capsys.readouterr().out == ""
    say_recovery_key("ABCDEFG-HIJKLMN")
    assert "ABCDEFG-HIJKLMN" in [line.strip() for line in capsys.readouterr().out.splitlines()]
