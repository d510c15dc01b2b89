import unicodedata
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from policy.phrases import LANGUAGES, phrase
from policy.reasons import PHRASES, Reason

LOCALE = Path(__file__).parents[2] / "policy" / "locale"
TRANSLATED = [language for language in LANGUAGES if language != "en"]
LONGEST = 60  # characters that are read from three metres at one glance
FORMS = {"et": 2, "ru": 3}
LETTERS = {"et": "LATIN", "en": "LATIN", "ru": "CYRILLIC"}


def _catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "viipe.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_a_short_phrase_in_each_language(reason: Reason, language: str) -> None:
    """It is there, in the language's own letters, in one line of at most 60 characters."""
    said = phrase(reason, language)
    assert 0 < len(said) <= LONGEST
    assert said.isprintable()
    assert said == said.strip()
    assert all(unicodedata.name(letter).startswith(LETTERS[language]) for letter in said if letter.isalpha())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_reasons_say_the_same(language: str) -> None:
    """Whoever reads the phrase knows the reason; case makes no difference from three metres."""
    said = [phrase(reason, language).casefold() for reason in Reason]
    assert len(set(said)) == len(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_languages_differ(reason: Reason) -> None:
    """No phrase was left untranslated."""
    assert len({phrase(reason, language) for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_holds_the_phrases_of_the_reasons_and_no_other(language: str) -> None:
    """No phrase is missing, left over, fuzzy, out of use or left empty."""
    catalogue = _catalogue(language)
    assert {message.id for message in catalogue if message.id} == set(PHRASES.values())
    assert not [message.id for message in catalogue if message.fuzzy or not message.string]
    assert not catalogue.obsolete
    assert not catalogue.fuzzy


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_notes_the_code_of_each_phrase(language: str) -> None:
    """The translator's note of each phrase begins with its reason's code, as the journal has it."""
    codes = {message.id: message.auto_comments[0].split(":")[0] for message in _catalogue(language) if message.id}
    assert codes == {english: str(reason) for reason, english in PHRASES.items()}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_says_its_language_and_its_plural_forms(language: str) -> None:
    """The headers are those of gettext for that language."""
    catalogue = _catalogue(language)
    assert str(catalogue.locale) == dict(catalogue.mime_headers)["Language"] == language
    assert catalogue.num_plurals == FORMS[language]
    assert catalogue.charset == "utf-8"


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_shown_is_what_the_catalogue_says(language: str) -> None:
    """The compiled catalogue is made of the one that people write (`./dev setup` compiles it)."""
    written = {str(message.id): str(message.string) for message in _catalogue(language) if message.id}
    assert {english: phrase(reason, language) for reason, english in PHRASES.items()} == written


def test_english_is_the_message_id() -> None:
    """The phrases in the code are shown as they are."""
    assert {reason: phrase(reason, "en") for reason in Reason} == PHRASES


@given(language=st.text().filter(lambda text: text not in LANGUAGES))
def test_a_language_that_is_not_spoken_is_refused_by_name(language: str) -> None:
    """The message says what was asked for and which languages there are."""
    with pytest.raises(KeyError, match="expected one of et, en, ru"):
        phrase(Reason.OK, language)


def test_the_folders_of_catalogues_are_the_languages() -> None:
    """No catalogue is there that nobody reads."""
    assert sorted(folder.name for folder in LOCALE.iterdir()) == sorted(TRANSLATED)


@pytest.mark.parametrize(
    ("reason", "estonian"),
    [(Reason.CLOSED, "kaart"), (Reason.POOL_CARD_NOT_LENT, "asenduskaart"), (Reason.EXPIRED, "kehtivus")],
)
def test_the_estonian_phrases_use_the_words_of_the_glossary(reason: Reason, estonian: str) -> None:
    """DOMAIN.md §5: card is kaart, substitute card asenduskaart, validity kehtivus."""
    assert estonian in phrase(reason, "et").casefold()
