"""All tills together never promise more than the rule's limit, and a question asked again has the same answer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.db import connection, connections

from registry.events.claims import claim
from registry.events.ingest import take
from registry.models import Claim, Host
from sync.wire.faults import Malformed
from sync.wire.quota import ClaimAnswer
from tests.rig import registered
from tests.rig.canteen import asked, rule
from tests.rig.registered import NOON
from tests.rig.telling import Telling


def till(name: str = "till-1", table: dict[str, Any] | None = None) -> Host:
    """A till of a school whose canteen has a rule, by default one lunch a day."""
    host = registered.host(registered.school(), name)
    rule(host, {"per_day": 1} if table is None else table)
    return host


def serve(host: Host, **given: Any) -> None:  # noqa: ANN401  fields of an event
    """Let the host tell of a granted tap of person 12."""
    telling = Telling(host.name, epoch=1 + Host.objects.get(pk=host.pk).epoch)
    telling.tell(**{"holder": "person 12", **given})
    take(host, telling.batch(gone=True), NOON)


@pytest.mark.django_db
def test_T28_the_second_lunch_is_not_promised_at_another_till() -> None:
    """One a person and day, over all tills and cards."""
    host = till()
    other = registered.host(host.school, "till-2")
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=True, served=0)
    assert claim(other, asked(card="99"), NOON) == ClaimAnswer(granted=False, served=1)
    assert claim(other, asked(person="13"), NOON).granted
    assert claim(other, asked(day=date(2026, 11, 24)), NOON).granted


@pytest.mark.django_db
def test_the_same_question_has_the_same_answer() -> None:
    """The first answer was lost on its way: nothing more is taken."""
    host = till(table={"per_day": 2})
    question = asked()
    assert claim(host, question, NOON) == claim(host, question, NOON) == ClaimAnswer(granted=True, served=0)
    assert Claim.objects.count() == 1


@pytest.mark.django_db
def test_a_claim_that_came_to_nothing_says_yes_again_to_its_host() -> None:
    """The child whose tap was not served taps again at the same till."""
    host = till()
    other = registered.host(host.school, "till-2")
    claim(host, asked(), NOON)
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=True, served=0)
    assert not claim(other, asked(), NOON).granted
    assert Claim.objects.count() == 1


@pytest.mark.django_db
def test_a_claim_is_used_when_its_serving_is_told() -> None:
    """From then on it is no more the host's to give: the meal was eaten."""
    host = till()
    question = asked()
    claim(host, question, NOON)
    serve(host, tap_id=question.tap_id)
    assert Claim.objects.get().used_at == NOON
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=False, served=1)
    assert claim(host, question, NOON).granted  # the same tap's answer stays what it was


@pytest.mark.django_db
def test_a_serving_whose_claim_was_taken_over_is_counted_once() -> None:
    """The later tap took the former's claim; then the former's serving is told."""
    host = till(table={"per_day": 1})
    first = asked()
    claim(host, first, NOON)
    claim(host, asked(), NOON)
    serve(host, tap_id=first.tap_id)
    used = Claim.objects.get()
    assert (used.tap_id, used.used_at) == (first.tap_id, NOON)
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=False, served=1)


@pytest.mark.django_db
def test_a_serving_that_nobody_claimed_counts() -> None:
    """A till that was cut off served by itself; a refused tap and another service's are no servings."""
    host = till(table={"per_day": 2})
    serve(host)
    serve(host, holder=None, verdict="deny")
    serve(host, service="library")
    serve(host, direction="out")
    other = registered.host(host.school, "till-2")
    assert claim(other, asked(), NOON) == ClaimAnswer(granted=True, served=1)
    assert claim(other, asked(), NOON).granted is True  # its own unused claim
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=False, served=2)


@pytest.mark.django_db
def test_the_newest_published_rule_holds_by_kind_and_card() -> None:
    """Limits of a kind, servings by card, and a loan's own count are the rule's to say (DOMAIN.md, trap 2)."""
    host = till(table={"per_day": 5})
    rule(host, {"per": "card", "per_day_by_kind": {"substitute": 1}})
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=True, served=0)
    assert not Claim.objects.exists()  # without a limit there is nothing to promise
    assert claim(host, asked(kind="substitute"), NOON).granted
    assert claim(host, asked(kind="substitute", person="13"), NOON).granted
    holders = set(Claim.objects.values_list("holder", flat=True))
    assert holders == {"card 4711 lent to 12", "card 4711 lent to 13"}


@pytest.mark.django_db
def test_a_service_without_a_rule_is_served() -> None:
    """No child goes hungry because a rule was not published yet."""
    host = registered.host(registered.school())
    assert claim(host, asked(), NOON) == ClaimAnswer(granted=True, served=0)


@pytest.mark.django_db
def test_a_kind_that_there_is_not_is_malformed() -> None:
    """It is said which there are."""
    with pytest.raises(Malformed, match="personal"):
        claim(till(), asked(kind="ghost"), NOON)


@pytest.mark.django_db
def test_a_tap_of_another_host_is_not_ours() -> None:
    """Nobody is promised a serving by naming the tap that another till claimed with."""
    host = till()
    question = asked()
    claim(host, question, NOON)
    assert not claim(registered.host(host.school, "till-2"), question, NOON).granted


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [1, 3])
def test_tills_that_ask_at_once_are_promised_the_limit_and_no_more(limit: int) -> None:
    """Twelve tills, three holders, each several times: the limit is reached exactly."""
    host = till(table={"per_day": limit})
    tills = [host, *(registered.host(host.school, f"till-{number}") for number in range(2, 13))]

    def ask(number: int) -> tuple[str, bool]:
        person = str(number % 3)
        try:
            return person, claim(tills[number % 12], asked(person=person), NOON).granted
        finally:
            connections.close_all()

    # The tests' SQLite lies in memory, where one connection locks whole tables against another.
    with ThreadPoolExecutor(12 if connection.vendor == "postgresql" else 1) as pool:
        answers = list(pool.map(ask, range(36)))
    for person in "012":
        assert Claim.objects.filter(holder=f"person {person}").count() == limit
        assert sum(granted for who, granted in answers if who == person) >= limit
