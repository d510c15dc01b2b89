"""The signs at the foot of a display: calm, noted, loud."""

from typing import Any

import pytest

from outputs.screen.signs import Level, Sign, signs

STATE: dict[str, Any] = {
    "readers": [{"name": "till-1", "state": "reading"}, {"name": "front-in", "state": "lost"}],
    "cards": {"version": 3},
    "link": {"data_age_s": 10, "fault": None, "backlog": 0},
    "journal": {"fault": None, "waiting_in_memory": 0, "lost": 0},
    "clock": {"time": "2026-11-23T10:00:00.000Z", "trust": "vouched"},
    "config_fault": None,
}


def words(state: dict[str, Any], *, has_names: bool = True) -> list[tuple[Level, str]]:
    """Return levels and words, without "till.sign_"."""
    return [
        (each.level, each.word.removeprefix("till.sign_")) for each in signs(state, ["till-1"], has_names=has_names)
    ]


def test_all_well_is_said_calmly() -> None:
    """The reader of this display and the registry; another reader's loss is not this till's."""
    assert words(STATE) == [(Level.GOOD, "reader"), (Level.GOOD, "in_step")]


@pytest.mark.parametrize(
    ("age_s", "level", "word", "values"),
    [
        (None, Level.NOTE, "never_heard", {}),
        (90, Level.GOOD, "in_step", {}),
        (91, Level.NOTE, "minutes", {"minutes": 1}),
        (3599, Level.NOTE, "minutes", {"minutes": 59}),
        (3600, Level.NOTE, "hours", {"hours": 1}),
        (24 * 3600, Level.LOUD, "hours", {"hours": 24}),
    ],
)
def test_a_silent_registry_is_noted_and_after_a_day_loud(
    age_s: int | None, level: Level, word: str, values: dict[str, int]
) -> None:
    """Pupils are served all the same, so it begins as a note."""
    found = list(signs({**STATE, "link": {"data_age_s": age_s}}, ["till-1"], has_names=True))
    assert (level, f"till.sign_{word}", values) in [(each.level, each.word, each.values) for each in found]


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({"readers": [{"name": "till-1", "state": "lost"}]}, Level.LOUD, "reader_away"),
        ({"readers": [{"name": "till-1", "state": "faulty"}]}, Level.LOUD, "reader_away"),
        ({"cards": None}, Level.LOUD, "no_cards"),
        ({"journal": {"fault": "disk full"}}, Level.LOUD, "disk"),
        ({"journal": {"waiting_in_memory": 1}}, Level.LOUD, "disk"),
        ({"clock": {"trust": "wrong"}}, Level.LOUD, "clock"),
        ({"config_fault": "2 faults"}, Level.NOTE, "config"),
        ({"link": None}, Level.GOOD, "own_cards"),
        ({"neighbours": [{"name": "till-2", "reachable": True}]}, Level.GOOD, "neighbours"),
        ({"neighbours": [{"name": "till-2", "reachable": False}]}, Level.NOTE, "neighbours_away"),
    ],
)
def test_what_somebody_must_mend_is_loud_and_stands_first(change: dict[str, Any], level: Level, word: str) -> None:
    """What stops a lunch, or loses one, cannot be overlooked; the rest is a word among others."""
    found = words({**STATE, **change})
    assert (level, word) in found
    assert found == sorted(found, key=lambda each: -each[0])


def test_a_clock_that_nobody_vouches_for_is_no_news_for_a_canteen() -> None:
    """It is the office's, and the status tells it."""
    assert words({**STATE, "clock": {"trust": "unsynced"}}) == words(STATE)


def test_without_names_it_is_noted() -> None:
    """So nobody wonders where they are."""
    assert (Level.NOTE, "no_names") in words(STATE, has_names=False)


def test_a_state_of_a_later_version_breaks_nothing() -> None:
    """Unknown members are passed over, missing ones are no fault of the page."""
    assert words({"cards": {}, "link": None, "moon": 1}) == [(Level.GOOD, "own_cards")]


def test_a_daemon_that_cannot_tell_how_it_is_needs_the_it_worker() -> None:
    """One loud sign, and none that says what is not known."""
    assert signs({}, ["till-1"], has_names=True) == [Sign(Level.LOUD, "till.sign_disk")]
