import re

import pytest

from policy.model import Verdict
from policy.reasons import PHRASES, Flag, Reason

CODES = {
    "ok",
    "random_uid",
    "unknown",
    "closed",
    "left",
    "pool_card_not_lent",
    "not_yet_valid",
    "expired",
    "not_admitted",
    "outside_hours",
    "outside_slot",
    "already_just_now",
    "already_today",
    "quota_unknown",
    "clock_untrusted",
    "data_stale",
    "disk_failed",
    "no_credit",
}


def test_no_code_is_renamed() -> None:
    """Journals hold these codes for ever. A new one is added here; none is ever taken away."""
    assert set(map(str, Reason)) == CODES


def test_no_flag_is_renamed() -> None:
    """The same holds for flags, which stand in the journal beside the reason."""
    assert set(map(str, Flag)) == {
        "exit_granted",
        "second_serving",
        "second_charged",
        "outside_slot",
        "clock_unsynced",
        "clock_untrusted",
        "data_stale",
        "quota_unknown",
        "not_durable",
        "charged_offline",
    }


@pytest.mark.parametrize("code", [*Reason, *Flag])
def test_a_code_is_its_name_in_small_letters(code: Reason | Flag) -> None:
    """A code in an event leads straight to its line in the source, and is fit for any file or address."""
    assert code.name.lower() == str(code)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)


def test_a_reason_is_no_verdict() -> None:
    """The words of verdict and reason are apart, so that neither is taken for the other in an event."""
    assert not set(map(str, Verdict)) & set(map(str, Reason))


def test_each_reason_has_one_phrase_of_its_own() -> None:
    """No reason is without a phrase, and no phrase stands for two reasons."""
    assert set(PHRASES) == set(Reason)
    assert len(set(PHRASES.values())) == len(Reason)
