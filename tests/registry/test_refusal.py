"""A refusal tells its parts, in the language of whoever asks."""

from django.utils import translation

from registry.refusal import Refused


def test_a_refusal_says_where_what_and_what_is_expected() -> None:
    """Its text is one sentence for people, its parts are for programs."""
    refused = Refused("impossible_step", "card 7", "Closed", "Active")
    with translation.override("en"):
        said = str(refused)
    assert said == "card 7: found Closed, expected Active"
    assert (refused.code, refused.where, refused.found, refused.expected) == (
        "impossible_step",
        "card 7",
        "Closed",
        "Active",
    )
