"""What a library's desk makes of an event, and what of it leaves this machine's own page."""

from typing import Any

import pytest

from outputs.screen import photos
from outputs.screen.desk_answers import Answer, answer, chosen, number_of
from sync.people import Person

JAAN = Person("T-1002", "Jaan", "Jaan Kask", "7A", has_photo=True, identifiers={"card": "THG-0002", "library": "123"})
BARE = Person("T-1003", "Mari", "Mari Mets", "7B", has_photo=False, identifiers={})
PEOPLE = {each.id: each for each in (JAAN, BARE)}


def tap(**more: object) -> dict[str, Any]:
    """Return a granted tap at the library."""
    event = {
        "kind": "tap", "tap_id": "ab" * 16, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1", "service": "library",
        "verdict": "grant", "reason": "ok", "card": "THG-0002", "person": "T-1002",
    }  # fmt: skip
    return {**event, **more}


def read(event: dict[str, Any], identifier: str = "library") -> Answer | None:
    """Return what the desk makes of it."""
    return answer(event, "library", identifier, PEOPLE.get)


def test_T11_V6_4_a_granted_tap_identifies_the_person() -> None:
    """First name, name, class, photo and the number that is configured."""
    found = read(tap())
    assert found is not None
    told = found.for_us("et")
    assert (told["kind"], told["number"], told["first_name"]) == ("identified", "123", "Jaan")
    assert (told["name"], told["class"], told["photo"]) == ("Jaan Kask", "7A", photos.address_of(JAAN))


def test_T11_a_refused_substitute_is_told_with_its_reason_and_without_a_name() -> None:
    """Whose loan it is does not make the pupil the one who holds it; nothing is handed over."""
    found = read(tap(verdict="deny", reason="not_admitted", card="THG-S01", person="T-1002"))
    assert found is not None
    told = found.for_us("en")
    assert (told["kind"], told["number"], told["first_name"], told["name"]) == ("refused", None, "", "")
    assert told["says"]
    assert found.for_others()["reason"] == "not_admitted"


def test_another_program_is_told_the_number_alone() -> None:
    """No name, no class, no photo, no person's id leaves our own page."""
    found = read(tap())
    assert found is not None
    assert found.for_others() == {
        "kind": "identified", "tap_id": "ab" * 16, "time": "2026-11-23T10:00:00.000Z", "reader": "desk-1",
        "number": "123", "by_hand": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        tap(service="canteen"),
        tap(kind="mark", fact={"act": "serve", "how": "hand"}),
        tap(kind="outcome", outcome="done"),
        tap(kind="system"),
        {"state": {}},
        {"lost": "away"},
    ],
)
def test_only_taps_at_the_library_are_the_desks(event: dict[str, Any]) -> None:
    """Lunches, marks, outcomes and the feed's own lines hand nothing over."""
    assert read(event) is None


@pytest.mark.parametrize(
    ("identifier", "number"), [("library", "123"), ("card", "THG-0002"), ("isikukood", None), ("other", None)]
)
def test_T11_the_number_is_the_configured_one_and_no_other(identifier: str, number: str | None) -> None:
    """What the registry does not give for a person is not handed over, and nothing else takes its place."""
    found = read(tap(), identifier)
    assert found is not None
    assert found.number == number


def test_T11_the_number_is_the_schools_choice_unless_the_host_file_says_another() -> None:
    """The registry's choice rules; the file may say another; where nobody chose it is the card's number, never the isikukood."""
    assert chosen(None, "library") == "library"
    assert chosen("external", "library") == "external"
    assert chosen(None, None) == "card"


def test_without_names_the_card_number_is_still_known() -> None:
    """A host without a registry, or before the first names came: the tapped card's own number."""
    found = read(tap(person="X-9"), "card")
    assert found is not None
    assert (found.person, found.number) == (None, "THG-0002")
    assert found.for_us("ru")["first_name"] == ""


def test_who_has_no_number_is_named_and_nothing_is_handed_over() -> None:
    """The page says so, the keyboard types nothing."""
    assert number_of(BARE, "library") is None
    found = read(tap(person="T-1003"))
    assert found is not None
    assert (found.is_granted, found.number) == (True, None)


def test_a_reason_of_a_later_version_is_shown_as_its_code() -> None:
    """The daemon may be newer than the pages for a moment."""
    found = read(tap(verdict="deny", reason="of_tomorrow"))
    assert found is not None
    assert found.for_us("et")["says"] == "of_tomorrow"
