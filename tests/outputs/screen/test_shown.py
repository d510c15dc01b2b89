"""What a till's display shows of an event."""

from typing import Any

import pytest

from outputs.screen import photos
from outputs.screen.parts import Person
from outputs.screen.shown import shown
from policy.phrases import LANGUAGES, phrase
from policy.reasons import Reason
from tests.rig.screen import PEOPLE

PEOPLE_BY_ID = {each.id: each for each in PEOPLE}
TAP: dict[str, Any] = {
    "kind": "tap",
    "tap_id": "ab" * 16,
    "reader": "till-1",
    "verdict": "grant",
    "reason": "ok",
    "flags": [],
    "person": "T-1002",
    "price_cents": 0,
}


def person_of(id_: str) -> Person | None:
    """Return whom the host knows."""
    return PEOPLE_BY_ID.get(id_)


def look(**given: Any) -> object:  # noqa: ANN401  fields of an event
    """Return the look of a tap."""
    told = shown({**TAP, **given}, person_of, "et")
    return told and told["look"]


def test_a_served_pupil_is_told_by_first_name_class_and_photo() -> None:
    """And by nothing else: no family name, no number, no reason."""
    assert shown(TAP, person_of, "et") == {
        "look": "served",
        "reason": "",
        "tap_id": "ab" * 16,
        "reader": "till-1",
        "how": "tap",
        "name": "Jaan",
        "class": "7A",
        "photo": photos.address_of(PEOPLE[1]),
    }


@pytest.mark.parametrize("flags", [[], ["second_charged"], ["second_serving"], ["quota_unknown"]])
@pytest.mark.parametrize("price_cents", [0, 134])
def test_subsidised_and_paying_look_the_same(flags: list[str], price_cents: int) -> None:
    """Neither a price nor a flag changes anything that goes to the page (DOMAIN.md §4)."""
    paying = {**TAP, "flags": flags, "price_cents": price_cents}
    assert shown(paying, person_of, "et") == shown(TAP, person_of, "et")


@pytest.mark.parametrize(
    ("verdict", "reason", "expected"),
    [
        ("grant", Reason.OK, "served"),
        ("deny", Reason.ALREADY_JUST_NOW, "again"),
        ("deny", Reason.ALREADY_TODAY, "refused"),
        ("deny", Reason.CLOSED, "refused"),
        ("deny", Reason.UNKNOWN, "unknown"),
        ("deny", Reason.RANDOM_UID, "unknown"),
        ("ask", Reason.POOL_CARD_NOT_LENT, "ask"),
        ("ask", Reason.UNKNOWN, "ask"),
        ("grant", Reason.UNKNOWN, "served"),  # let out all the same
    ],
)
def test_each_answer_has_its_look(verdict: str, reason: Reason, expected: str) -> None:
    """A repeat is calm, an unknown card no refusal of a pupil, a question is the worker's."""
    assert look(verdict=verdict, reason=reason) == expected


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "reason", [each for each in Reason if each not in {Reason.OK, Reason.UNKNOWN, Reason.ALREADY_JUST_NOW}]
)
def test_a_refusal_says_its_reason_in_the_pages_language(reason: Reason, language: str) -> None:
    """One reason, one phrase, in each language of the house."""
    told = shown({**TAP, "verdict": "deny", "reason": reason}, person_of, language)
    assert told is not None
    assert told["reason"] == phrase(reason, language)


def test_a_reason_of_a_later_version_is_a_refusal_without_words() -> None:
    """A daemon that was renewed before the pages is understood as far as it goes."""
    told = shown({**TAP, "verdict": "deny", "reason": "moon_phase"}, person_of, "et")
    assert told is not None
    assert (told["look"], told["reason"]) == ("refused", "")


def test_whoever_is_not_known_by_name_has_none() -> None:
    """Without names there are colours and words."""
    told = shown({**TAP, "person": "T-9999"}, person_of, "et")
    assert told is not None
    assert (told["name"], told["class"], told["photo"]) == ("", "", None)


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ({"act": "serve", "how": "hand"}, "served"),
        ({"act": "serve", "how": "anyway"}, "served"),
        ({"act": "serve"}, "served"),
        ({"act": "serve", "how": "class"}, None),
        ({"act": "serve", "how": "paper"}, None),
        ({"act": "undo"}, None),
    ],
)
def test_one_pupil_marked_by_hand_is_shown_a_list_is_not(fact: dict[str, str], expected: str | None) -> None:
    """The worker who picked a pupil sees that it was taken; a class or a paper list would only flicker."""
    assert look(kind="mark", verdict=None, fact=fact) == expected


@pytest.mark.parametrize(
    ("detail", "expected"),
    [("two cards take turns in the field: one card, please", "one_card"), ("the card was pulled", "unreadable")],
)
def test_two_cards_at_once_are_told_from_one_that_was_pulled(detail: str, expected: str) -> None:
    """Each asks the pupil for another thing (FAULTS.md, two cards in the field)."""
    assert look(kind="unreadable", detail=detail, person=None) == expected


@pytest.mark.parametrize("kind", ["outcome", "reader_lost", "system", "loan"])
def test_what_is_no_answer_is_not_shown(kind: str) -> None:
    """The display is a pupil's, not a log."""
    assert look(kind=kind) is None
