"""An event as the office shows it."""

import pytest
from django.utils import translation

from registry.office.event_rows import event_rows
from tests.rig.office import OfficeRig, an_event


@pytest.mark.parametrize(("language", "answer", "why"), [("en", "no", "Card closed"), ("et", "ei", "Kaart on suletud")])
def test_an_answer_is_told_in_the_readers_language(office: OfficeRig, language: str, answer: str, why: str) -> None:
    """The reason in the words that the reader's screen showed."""
    event = an_event(office, 1, card=office.card, verdict="deny")
    with translation.override(language):
        row = event_rows([event])[0]
    assert (row.answer, row.why, row.colour) == (answer, why, "bad")


def test_a_reason_of_a_newer_host_is_left_out(office: OfficeRig) -> None:
    """What this registry does not know yet is no fault."""
    event = an_event(office, 1, verdict="deny")
    event.reason = "not_invented_yet"
    assert event_rows([event])[0].why == ""
