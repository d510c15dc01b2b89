"""The site: its door, its frame, its languages."""

import re
from pathlib import Path
from typing import Final

import pytest
from babel.messages.pofile import read_po
from django.test import Client

import registry
from tests.rig.office import PASSWORD, OfficeRig

PLACE: Final = re.compile(r"%\(\w+\)[sd]")


def test_a_user_with_a_post_logs_in_without_the_staff_flag(office: OfficeRig) -> None:
    """A role at a school is what opens the door."""
    client = Client()
    answer = client.post("/login/", {"username": "guard", "password": PASSWORD, "next": "/"}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == "/"
    assert not office.users["guard"].is_staff


@pytest.mark.parametrize(("language", "word"), [("et", "Otsi"), ("en", "Find"), ("ru", "Найти")])
def test_the_language_is_switched_on_every_page(office: OfficeRig, language: str, word: str) -> None:
    """The switch comes back to the page where it was, and the choice stays."""
    client = Client()
    client.force_login(office.users["guard"])
    answer = client.post("/language/setlang/", {"language": language, "next": "/"})
    assert answer.headers["Location"] == "/"
    page = client.get("/").content.decode()
    assert f"<button>{word}</button>" in page
    assert page.count('name="language" value=') == 3


def test_the_login_page_has_the_switch_too(office: OfficeRig) -> None:  # noqa: ARG001 any database will do
    """Who cannot read the login page could not get any further."""
    assert Client().get("/login/").content.decode().count('name="language" value=') == 3


def test_nothing_is_fetched_from_elsewhere(office: OfficeRig) -> None:
    """A school's network may be closed: styles and scripts are our own."""
    client = Client()
    client.force_login(office.users["superuser"])
    for address in ("/", "/live/", "/tap/"):
        page = client.get(address).content.decode()
        assert 'src="http' not in page
        assert '<link rel="stylesheet" href="http' not in page


@pytest.mark.parametrize("language", ["et", "ru"])
def test_every_phrase_is_translated_with_its_places(language: str) -> None:
    """None is empty or doubtful, and each names what its English names."""
    path = Path(registry.__file__).parent / "locale" / language / "LC_MESSAGES" / "django.po"
    with path.open("rb") as file:
        phrases = [message for message in read_po(file) if message.id]
    assert len(phrases) > 400
    for phrase in phrases:
        told = phrase.string if isinstance(phrase.string, tuple | list) else (phrase.string,)
        english = phrase.id if isinstance(phrase.id, str) else phrase.id[-1]
        assert all(told), english
        assert not phrase.fuzzy, english
        assert {tuple(sorted(PLACE.findall(one or ""))) for one in told} == {tuple(sorted(PLACE.findall(english)))}, (
            english
        )
