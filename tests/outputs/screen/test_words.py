"""The pages' words: the same in each language, and all that pages and scripts use are there."""

import re
from pathlib import Path

import pytest

import outputs.screen
from outputs.screen import signs
from outputs.screen.shown import Look
from outputs.screen.words import words
from policy.phrases import LANGUAGES

FOLDER = Path(outputs.screen.__file__).parent
HOLE = re.compile(r"\{([a-z_]+)\}")


def test_each_language_has_the_same_words() -> None:
    """No page shows a key in the place of a word, whatever the language."""
    keys = {language: set(words(language)) for language in LANGUAGES}
    assert keys["et"] == keys["en"] == keys["ru"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_word_has_the_same_holes_as_in_estonian(language: str) -> None:
    """A number that is put in is not lost in a translation; no word is empty."""
    for key, text in words(language).items():
        assert set(HOLE.findall(text)) == set(HOLE.findall(words("et")[key])), key
        assert text.strip(), key


def test_what_pages_and_scripts_say_is_there() -> None:
    """Each `{{page.key}}` of a page and each `word("page.key")` of a script has its word; so has each look and each sign."""
    used = set()
    for page in (FOLDER / "pages").glob("*.html"):
        used |= set(re.findall(r"\{\{([a-z_]+\.[a-z_]+)\}\}", page.read_text()))
        used.add(f"{page.stem}.title")
    for script in (FOLDER / "static").glob("*.js"):
        used |= set(re.findall(r'word\("([a-z_]+\.[a-z_]+)"', script.read_text()))
    used |= {f"till.{look}" for look in Look}
    used |= set(re.findall(r'"(till\.sign_[a-z_]+)"', Path(signs.__file__).read_text()))
    assert used - set(words("et")) == set()


def test_a_language_that_we_do_not_speak_is_refused() -> None:
    """It names those that we do."""
    with pytest.raises(KeyError, match="et, en, ru"):
        words("fi")
