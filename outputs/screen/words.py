"""The words of the pages in the languages of the house: a folder a language, a JSON file a page."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from policy.phrases import LANGUAGES

_FOLDER = Path(__file__).parent / "words"


@cache
def words(language: str) -> Mapping[str, str]:
    """Return all words of a language by "page.key". Raises KeyError for one we do not speak."""
    if language not in LANGUAGES:
        raise KeyError(f"language: found {language!r}, expected one of {', '.join(LANGUAGES)}")
    told = {
        f"{file.stem}.{key}": text
        for file in sorted((_FOLDER / language).glob("*.json"))
        for key, text in json.loads(file.read_text(encoding="utf-8")).items()
    }
    return MappingProxyType(told)
