"""Django's settings hold in production: no debugging, every host named, Estonian first."""

from django.conf import settings
from django.core.management import call_command


def test_nothing_is_shown_to_strangers() -> None:
    """No debug pages, no foreign host names, no framing."""
    assert not settings.DEBUG
    assert "*" not in settings.ALLOWED_HOSTS
    assert settings.X_FRAME_OPTIONS == "DENY"


def test_three_languages_are_spoken_estonian_first() -> None:
    """Whoever has not said which language gets Estonian."""
    assert [code for code, _ in settings.LANGUAGES] == ["et", "en", "ru"]
    assert settings.LANGUAGE_CODE == "et"


def test_django_finds_nothing_wrong() -> None:
    """Its own system check passes."""
    call_command("check")
