"""The trials speak of cards that the samples have and of reasons that there are."""

import tomllib
from pathlib import Path

from daemon.tryout.trials import TRIALS
from policy.reasons import Reason

SAMPLE = Path(__file__).parents[3] / "registry" / "samples" / "thg.toml"


def test_each_trials_card_is_among_the_samples() -> None:
    """A card that the sample school lost would be answered as unknown."""
    text = SAMPLE.read_text(encoding="utf-8")
    assert tomllib.loads(text)
    assert all(trial.uid in text for trial in TRIALS)


def test_each_trial_names_a_reason_that_there_is() -> None:
    """A renamed reason is found here and not in front of a visitor."""
    assert all(Reason(trial.reason) for trial in TRIALS)
