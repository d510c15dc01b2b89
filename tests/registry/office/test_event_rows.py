"""An event as the office shows it."""

import json

import pytest
from django.utils import timezone, translation

from registry.models import Worker
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


@pytest.mark.parametrize(
    ("kind", "fact", "answer"),
    [
        ("mark", {"act": "serve"}, "marked by hand"),
        ("mark", {"act": "serve", "how": "hand"}, "marked by hand"),
        ("mark", {"act": "serve", "how": "class"}, "marked with the class"),
        ("mark", {"act": "serve", "how": "paper"}, "from a paper list"),
        ("mark", {"act": "serve", "how": "anyway", "why": "Toit kukkus maha"}, "served anyway"),
        ("mark", {"act": "undo", "undoes": "00" * 16}, "taken back"),
        ("loan", {"act": "lend", "provisional": True}, "substitute lent at the till"),
        ("loan", {"act": "return"}, "substitute"),
        ("mark", {}, "marked by hand"),
    ],
)
def test_what_a_worker_entered_is_told_by_kind(
    office: OfficeRig, kind: str, fact: dict[str, object], answer: str
) -> None:
    """How it was marked, with the reason and the name of whoever did, also of a worker who was removed since."""
    worker = Worker.objects.create(school=office.school, name="Tiiu Tamm", added_at=timezone.now(), is_active=False)
    event = an_event(office, 1, verdict="")
    event.kind, event.body = kind, json.dumps({"fact": {**fact, "by": str(worker.pk)} if fact else None}).encode()
    with translation.override("en"):
        row = event_rows([event])[0]
    assert row.answer == answer
    assert row.why == " · ".join(str(part) for part in (fact.get("why"), fact and worker.name) if part)


def test_another_schools_worker_is_not_named(office: OfficeRig) -> None:
    """An id that a host made up, or another school's, names nobody."""
    worker = Worker.objects.create(school=office.other, name="Võõras", added_at=timezone.now())
    event = an_event(office, 1, verdict="")
    for by in (str(worker.pk), "x", "9" * 30):
        event.kind, event.body = "mark", json.dumps({"fact": {"act": "serve", "by": by}}).encode()
        assert event_rows([event])[0].why == ""
