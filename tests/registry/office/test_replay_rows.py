"""Taps that a draft would answer otherwise, in words."""

from dataclasses import replace
from datetime import UTC, date, datetime

from django.utils import translation

from policy.model import Tap
from policy.replay import Answer, Replayed, Tapped
from registry.office.replay_rows import replay_rows

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
TAP = Tap(bytes(16), "till-1", "canteen", None, b"", 0)
ONE = Replayed(Tapped(AT, date(2026, 11, 23), TAP, None, Answer("grant", "ok")), Answer("deny", "already_today"))


def test_both_answers_are_told_in_the_readers_language() -> None:
    """A refusal by its phrase, a flag by its words, a price in euros."""
    charged = Answer("grant", "already_today", frozenset({"second_charged", "outside_slot"}), 180)
    with translation.override("en"):
        refused, paid = replay_rows([ONE, replace(ONE, now=charged)])
        assert (refused.then.answer, refused.then.why, refused.then.colour) == ("yes", "", "good")
        assert (refused.now.answer, refused.now.why, refused.now.colour) == ("no", "Already served today", "bad")
        assert paid.now.why == "second serving, charged, not the turn of the class, 1.80 €"
    with translation.override("et"):
        assert replay_rows([ONE])[0].now.answer == "ei"


def test_what_was_not_judged_or_not_known_is_no_fault() -> None:
    """The first is no line; of the other the word is shown as it is."""
    strange = replace(ONE, now=Answer("perhaps", "of_a_later_version"))
    with translation.override("en"):
        (row,) = replay_rows([replace(ONE, now=None), strange])
    assert (row.now.answer, row.now.why) == ("perhaps", "")
