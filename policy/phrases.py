"""The phrase for a reason in the languages of the house, from the gettext catalogues beside this module."""

import gettext
from functools import cache
from pathlib import Path
from typing import Final

from policy.reasons import PHRASES, Reason

LANGUAGES: Final = ("et", "en", "ru")
_CATALOGUES = Path(__file__).parent / "locale"


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language not in LANGUAGES:
        raise KeyError(f"language: found {language!r}, expected one of {', '.join(LANGUAGES)}")
    if language == "en":  # the message ids are the English phrases
        return gettext.NullTranslations()
    return gettext.translation("viipe", _CATALOGUES, [language])


def phrase(reason: Reason, language: str) -> str:
    """Return what a screen says for `reason`. Raises KeyError for a language we do not speak."""
    return _catalogue(language).gettext(PHRASES[reason])
