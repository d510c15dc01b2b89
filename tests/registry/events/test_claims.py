"""All tills together never promise more than the rule's limit, and a question asked again has the same answer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from registry.events.claims import AT_ONCE, SILENT, claim
from registry.events.ingest import take
from registry.ledger import accounts
from registry.models import Claim, Hold, Host
from sync.wire.faults import Malformed
from sync.wire.quota import ClaimAnswer, Funds
from tests.rig import ledger, registered
from tests.rig.canteen import asked, rule
from tests.rig.own_registry import OwnRegistry
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


def heard(host: Host, at: datetime) -> None:
    """Let the registry have heard the host last at a moment."""
    Host.objects.filter(pk=host.pk).update(last_heard_at=at)


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
def test_a_claim_that_a_till_let_lie_keeps_nobody_from_a_lunch_elsewhere() -> None:
    """The till went down between the promise and the serving, and served others when it was back."""
    host = till()
    other = registered.host(host.school, "till-2")
    first, next_one, again = asked(), asked(person="13"), asked()
    claim(host, first, NOON)
    later = NOON + AT_ONCE + timedelta(seconds=1)
    claim(host, next_one, later)
    assert not claim(other, again, later).granted
    serve(host, tap_id=next_one.tap_id, holder="person 13")
    assert claim(other, again, later) == ClaimAnswer(granted=True, served=0)
    assert not claim(host, first, later).granted


@pytest.mark.django_db
def test_of_a_silent_tills_claim_nobody_is_sure() -> None:
    """Whether it served before it died nobody knows: the no is unsure while it was promised and not told, and the till is silent."""
    host = till()
    other = registered.host(host.school, "till-2")
    heard(host, NOON)
    question = asked()
    claim(host, question, NOON)
    soon, later = NOON + SILENT, NOON + SILENT + timedelta(seconds=1)
    assert claim(other, asked(), soon) == ClaimAnswer(granted=False, served=1)
    assert claim(other, asked(), later) == ClaimAnswer(granted=False, served=1, is_unsure=True)
    heard(host, later)
    assert claim(other, asked(), later) == ClaimAnswer(granted=False, served=1)  # it is there: it will tell
    heard(host, NOON)
    serve(other)
    assert claim(other, asked(), later) == ClaimAnswer(granted=False, served=2)  # what was told is sure


@pytest.mark.django_db
def test_V6_5_of_a_silent_tills_claim_the_first_price_is_held() -> None:
    """The child may be served: then it is paid as a first lunch, which it is for all that is known."""
    host = till(table={"per_day": 1, "price_cents": 150, "prepaid": True})
    heard(host, NOON)
    person = registered.person(host.school)
    ledger.paid_in(host.school, person, 1000)
    lunch = {"person": str(person.pk), "price_cents": 150}
    claim(host, asked(**lunch), NOON)
    later = NOON + SILENT + timedelta(seconds=1)
    answer = claim(registered.host(host.school, "till-2"), asked(**lunch), later)
    assert answer == ClaimAnswer(granted=False, served=1, credit=HELD, balance_cents=700, is_unsure=True)


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
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL chooses by what it has counted of the tables")
def test_a_question_reads_the_holders_servings_and_not_all_of_the_schools() -> None:
    """A till waits for it 150 ms, however many events the school keeps: the holder's index is what it goes by."""
    asked_for: list[tuple[str, Any]] = []

    def noted(execute: Any, sql: str, values: Any, many: bool, context: Any) -> Any:  # noqa: ANN401, FBT001  Django's own form
        asked_for.append((sql, values))
        return execute(sql, values, many, context)

    host = till()
    with connection.execute_wrapper(noted):
        assert claim(host, asked(), NOON).granted
    of_events = [(sql, values) for sql, values in asked_for if "registry_event" in sql]
    assert of_events
    for sql, values in of_events:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            ways = [str(row[-1]) for row in cursor.fetchall()]
        assert [way for way in ways if way.startswith("SEARCH e ")]
        assert all("event_by_serving" in way for way in ways if way.startswith("SEARCH e ")), ways


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


HELD, TOO_LITTLE = Funds.HELD, Funds.TOO_LITTLE


@pytest.mark.django_db
def test_V6_5_a_price_is_held_until_it_is_told() -> None:
    """A euro, copies at 30 cents: three are promised, the fourth is not; the same tap is promised again what it was."""
    school = registered.school("viimsi")
    person = registered.person(school)
    ledger.paid_in(school, person, 100)
    host = ledger.printer(school).host
    questions = [ledger.asked(person) for _ in range(4)]
    answers = [claim(host, question, NOON) for question in questions]
    assert answers == [
        ClaimAnswer(granted=True, served=0, credit=HELD, balance_cents=70),
        ClaimAnswer(granted=True, served=0, credit=HELD, balance_cents=40),
        ClaimAnswer(granted=True, served=0, credit=HELD, balance_cents=10),
        ClaimAnswer(granted=True, served=0, credit=TOO_LITTLE, balance_cents=10),
    ]
    assert claim(host, questions[2], NOON) == answers[2]
    assert Hold.objects.count() == 3


@pytest.mark.django_db
def test_whoever_has_no_account_is_promised_nothing_but_what_is_free() -> None:
    """A person who never paid in, a card of nobody; what costs nothing needs no account."""
    school = registered.school("viimsi")
    person = registered.person(school)
    host = ledger.printer(school).host
    nothing = ClaimAnswer(granted=True, served=0, credit=TOO_LITTLE, balance_cents=0)
    assert claim(host, ledger.asked(person), NOON) == nothing
    assert claim(host, replace(ledger.asked(person), person=None), NOON) == nothing
    assert claim(host, ledger.asked(person, 0), NOON).credit is HELD


@pytest.mark.django_db
def test_a_second_lunch_is_held_at_its_own_price_or_not_promised() -> None:
    """The first is free, the second costs: one question tells of both; a lunch that nobody can pay uses no serving up."""
    host = till(table={"per_day": 1, "second": "charge", "second_price_cents": 180, "prepaid": True})
    person = registered.person(host.school)
    ledger.paid_in(host.school, person, 200)
    lunch = {"person": str(person.pk), "second_price_cents": 180}
    assert claim(host, asked(**lunch, price_cents=0), NOON) == ClaimAnswer(
        granted=True, served=0, credit=HELD, balance_cents=200
    )
    serve(host, tap_id=Claim.objects.get().tap_id, holder=f"person {person.pk}")
    second = claim(host, asked(**lunch, price_cents=0), NOON)
    assert second == ClaimAnswer(granted=False, served=1, credit=HELD, balance_cents=20)
    # the host knows itself that the day is used up, and the account is empty by now
    third = claim(host, asked(**lunch), NOON)
    assert third == ClaimAnswer(granted=False, served=1, credit=TOO_LITTLE, balance_cents=20)
    assert Claim.objects.count() == 1


@pytest.mark.django_db
def test_a_lunch_that_nobody_can_pay_is_left_for_who_can() -> None:
    """The slot of the day is given back with the promise; beyond a limit that denies no price is held."""
    host = till(table={"per_day": 1, "price_cents": 150, "prepaid": True})
    person = registered.person(host.school)
    question = asked(person=str(person.pk), price_cents=150)
    assert claim(host, question, NOON).credit is TOO_LITTLE
    assert not Claim.objects.exists()
    account = ledger.paid_in(host.school, person, 500)
    assert claim(host, question, NOON).credit is HELD
    whose = {"person": str(person.pk), "holder": f"person {person.pk}"}
    serve(host, tap_id=question.tap_id, **whose, price_cents=150, prepaid=True)
    assert claim(host, asked(person=str(person.pk), price_cents=150), NOON) == ClaimAnswer(granted=False, served=1)
    assert accounts.available_cents(account, NOON) == 350


@pytest.mark.django_db(transaction=True)
def test_V6_5_machines_that_ask_at_once_never_bring_an_account_below_zero() -> None:
    """Twelve at once for what three can have: exactly three are promised it."""
    school = registered.school("viimsi")
    person = registered.person(school)
    ledger.paid_in(school, person, 100)
    hosts = [ledger.printer(school, f"printer-{number}").host for number in range(12)]

    def ask(number: int) -> Funds | None:
        try:
            return claim(hosts[number], ledger.asked(person), NOON).credit
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12 if connection.vendor == "postgresql" else 1) as pool:
        answers = list(pool.map(ask, range(12)))
    assert answers.count(HELD) == Hold.objects.count() == 3


_AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connections
from registry.events.claims import AT_ONCE, claim
from tests.rig import ledger, registered
school = registered.school("viimsi")
person = registered.person(school)
ledger.paid_in(school, person, 100)
host = ledger.printer(school).host

def ask(number):
    try:
        return str(claim(host, ledger.asked(person), registered.NOON).credit)
    finally:
        connections.close_all()

with ThreadPoolExecutor(12) as pool:
    print(list(pool.map(ask, range(24))).count("held"))
"""


def test_V6_5_the_same_on_sqlite_as_it_is_served(tmp_path: Path) -> None:
    """A file that all threads share, as the server has it: each transaction begins by locking it."""
    assert OwnRegistry(tmp_path / "data").within(_AT_ONCE) == "3"
