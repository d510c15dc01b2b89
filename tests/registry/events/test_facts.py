"""What people enter at hosts moves the registry's state by the stated rule; what does not hold stays, flagged."""

import time
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, connections, transaction

from registry.cards import substitutes, transitions
from registry.cards.steps import locked
from registry.cards.transitions import assign_uid
from registry.events.claims import claim
from registry.events.ingest import take
from registry.models import Card, CardKind, CardState, Event, Fact, Host, Loan, LoanEnd, Person, SiteState, Succession
from registry.publishing import changes
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.canteen import asked, rule
from tests.rig.registered import NOON
from tests.rig.telling import AT, Telling

pytestmark = pytest.mark.django_db


class Desk:
    """A guard's desk: a host, what it tells, a substitute in the pool and two pupils."""

    def __init__(self) -> None:
        self.school = registered.school()
        self.host = registered.host(self.school)
        self.telling = Telling(self.host.name)
        self.card = registered.card(self.school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=bytes(4))
        self.mari, self.jaan = registered.person(self.school), registered.person(self.school)
        self._sent = 0

    def told(
        self, act: str, person: Person | None = None, card: Card | None = None, minutes: int = 0, **given: object
    ) -> Fact:
        """Tell a fact some minutes after nine, send it, and return it as the registry keeps it."""
        chosen = card or self.card
        at = AT + timedelta(minutes=minutes)
        fields = {"card": str(chosen.pk), "person": str(person.pk) if person else None, "time": utc_text(at), **given}
        event = self.telling.tell_fact(act, **fields)
        take(self.host, self.telling.batch(self.telling.seq), NOON)
        return Fact.objects.get(event__tap_id=event["tap_id"])

    def state(self) -> str:
        """Return where the substitute stands."""
        self.card.refresh_from_db()
        return str(self.card.state)

    def holder(self) -> Person | None:
        """Return who has it."""
        loan = Loan.objects.filter(card=self.card, ended_at=None).first()
        return loan.person if loan else None


@pytest.fixture
def desk() -> Desk:
    """A desk."""
    return Desk()


def test_T25_a_loan_told_at_a_host_is_in_force_here(desk: Desk) -> None:
    """As of when it was lent, by the host that told."""
    fact = desk.told("lend", desk.mari)
    assert (fact.is_in_force, fact.is_in_conflict, fact.why) == (True, False, "")
    assert (desk.state(), desk.holder()) == (CardState.LENT, desk.mari)
    loan = Loan.objects.get()
    assert (loan.lent_at, loan.lent_by, loan.is_provisional) == (AT, "host main-hall", False)


def test_T33_a_return_told_at_a_host_ends_the_loan(desk: Desk) -> None:
    """The card is in the pool again, as of when it came back."""
    desk.told("lend", desk.mari)
    desk.told("return", minutes=30)
    assert desk.state() == CardState.POOL
    loan = Loan.objects.get()
    assert (loan.end, loan.ended_at) == (LoanEnd.RETURNED, AT + timedelta(minutes=30))


def test_T29_a_loss_told_at_a_host_closes_the_card(desk: Desk) -> None:
    """A substitute and a pupil's own card alike, at once."""
    desk.told("lend", desk.mari)
    desk.told("lost", minutes=5)
    assert desk.state() == CardState.CLOSED
    assert Loan.objects.get().end == LoanEnd.LOST
    own = registered.card(desk.school, person=desk.jaan)
    desk.told("lost", card=own, minutes=6)
    own.refresh_from_db()
    assert (own.state, own.close_reason) == (CardState.CLOSED, "lost")


def test_a_tills_provisional_loan_waits_for_the_guard(desk: Desk) -> None:
    """The guard's own word confirms it (DOMAIN.md, trap 10); it is one loan."""
    desk.told("lend", desk.mari, provisional=True)
    assert Loan.objects.get().is_provisional
    desk.told("lend", desk.mari, minutes=10)
    assert not Loan.objects.get().is_provisional


def test_a_till_that_does_not_know_who_it_was_lends_nothing(desk: Desk) -> None:
    """The fact is kept for the guard to look at; the card stays where it is."""
    fact = desk.told("lend", None, provisional=True)
    assert (fact.is_in_force, fact.why) == (False, "person: not known yet")
    assert desk.state() == CardState.POOL


def test_of_two_loans_the_later_holds_and_both_are_flagged(desk: Desk) -> None:
    """Nothing is dropped: whoever looks sees both."""
    first = desk.told("lend", desk.mari)
    second = desk.told("lend", desk.jaan, minutes=1)
    first.refresh_from_db()
    assert (first.is_in_force, first.is_in_conflict) == (False, True)
    assert (second.is_in_force, second.is_in_conflict) == (True, True)
    assert desk.holder() == desk.jaan
    assert Loan.objects.count() == 2


def test_an_older_loan_that_comes_later_moves_nothing(desk: Desk) -> None:
    """The order of hearing is not the order of what happened: another host had been cut off."""
    later = desk.told("lend", desk.jaan, minutes=10)
    older = desk.told("lend", desk.mari, minutes=1)
    later.refresh_from_db()
    assert (older.is_in_force, later.is_in_force) == (False, True)
    assert older.is_in_conflict
    assert later.is_in_conflict
    assert desk.holder() == desk.jaan


def test_a_loss_beats_what_was_told_after_it(desk: Desk) -> None:
    """Until the registry reopens the card; then what is told from then on holds."""
    desk.told("lost")
    late = desk.told("lend", desk.mari, minutes=5)
    assert (late.is_in_force, late.is_in_conflict, desk.state()) == (False, True, CardState.CLOSED)
    transitions.reopen(desk.card, actor="it", now=AT + timedelta(minutes=10))
    desk.told("lend", desk.mari, minutes=20)
    assert (desk.state(), desk.holder()) == (CardState.LENT, desk.mari)


def test_what_was_done_here_later_holds(desk: Desk) -> None:
    """The office took the card back after the host's moment, and heard of the loan only then."""
    substitutes.lend(desk.card, desk.jaan, actor="guard", now=AT + timedelta(minutes=2))
    fact = desk.told("lend", desk.mari)
    assert (fact.is_in_force, fact.is_in_conflict) == (False, True)
    assert "later" in fact.why
    assert desk.holder() == desk.jaan


def test_a_fact_that_the_card_does_not_allow_is_kept_with_why(desk: Desk) -> None:
    """A pupil's own card cannot be lent: said, and the host's other events go on."""
    fact = desk.told("lend", desk.mari, card=registered.card(desk.school, person=desk.jaan))
    assert (fact.is_in_force, fact.is_in_conflict) == (False, True)
    assert fact.why
    assert desk.told("lend", desk.mari, minutes=1).is_in_force


def test_a_card_of_another_school_is_left_alone(desk: Desk) -> None:
    """A host's word holds at its own school."""
    other = registered.card(registered.school("viimsi"))
    fact = desk.told("lost", card=other)
    other.refresh_from_db()
    assert (fact.card, fact.is_in_force, other.state) == (None, False, CardState.ACTIVE)


def test_an_undone_loan_goes_back_to_the_pool(desk: Desk) -> None:
    """A wrong pupil was picked: taken back, and lent to the right one."""
    wrong = desk.told("lend", desk.mari)
    desk.told("undo", minutes=1, undoes=wrong.event.tap_id)
    wrong.refresh_from_db()
    assert (wrong.is_in_force, wrong.why, desk.state()) == (False, "undone", CardState.POOL)
    desk.told("lend", desk.jaan, minutes=2)
    assert desk.holder() == desk.jaan


def test_a_hand_mark_is_a_serving_until_it_is_undone(desk: Desk) -> None:
    """The till is told of the lunch that was marked by name; undone, there is one left."""
    rule(desk.host, {"per_day": 1})
    mari = str(desk.mari.pk)
    till = registered.host(desk.school, "till-2")
    mark = desk.told("serve", desk.mari, holder=f"person {mari}")
    assert not claim(till, asked(person=mari), NOON).granted
    desk.told("undo", minutes=1, undoes=mark.event.tap_id)
    assert claim(till, asked(person=mari), NOON).granted


@pytest.mark.parametrize("first", ["mark", "undo"])
def test_an_undone_mark_gives_its_claim_back(desk: Desk, first: str) -> None:
    """What was promised to the till for it is free for every till again, in whichever order the two are heard."""
    rule(desk.host, {"per_day": 1})
    mari, tap_id = str(desk.mari.pk), "ab" * 16
    question = replace(asked(person=mari), tap_id=tap_id)
    assert claim(desk.host, question, NOON).granted
    till = registered.host(desk.school, "till-2")
    if first == "undo":
        desk.told("undo", undoes=tap_id)
    desk.told("serve", desk.mari, holder=f"person {mari}", tap_id=tap_id)
    if first == "mark":
        assert not claim(till, asked(person=mari), NOON).granted
        desk.told("undo", undoes=tap_id)
    assert claim(till, asked(person=mari), NOON).granted


@pytest.mark.parametrize("how", ["hand", "class", "paper", "anyway"])
def test_each_kind_of_mark_is_taken_and_counts(desk: Desk, how: str) -> None:
    """With who entered it and why; the event's bytes keep it, and the till is told that the lunch is used up."""
    rule(desk.host, {"per_day": 1})
    mari = str(desk.mari.pk)
    fact = {"act": "serve", "card": None, "person": mari, "how": how, "by": "3"} | (
        {"why": "x"} if how == "anyway" else {}
    )
    desk.telling.tell(kind="mark", fact=fact, verdict=None, reason=None, direction=None, holder=f"person {mari}")
    take(desk.host, desk.telling.batch(desk.telling.seq), NOON)
    event = Event.objects.get(kind="mark")
    assert (event.how, event.fact.is_in_force) == (how, True)
    assert not claim(registered.host(desk.school, "till-2"), asked(person=mari), NOON).granted


def test_trap_10_a_till_serves_and_lends_at_once(desk: Desk) -> None:
    """Mark and provisional loan come in one batch: the lunch counts, the card waits for the guard; both undone, it is as before."""
    mari, card, asking = str(desk.mari.pk), str(desk.card.pk), "cd" * 16
    more = {"card": card, "person": mari, "by": "3", "asked": asking}
    serve = {"act": "serve", "how": "hand", **more}
    lend = {"act": "lend", "provisional": True, **more}
    mark = desk.telling.tell(kind="mark", fact=serve, verdict=None, reason=None, holder=f"person {mari}")
    loan = desk.telling.tell(kind="loan", fact=lend, verdict=None, reason=None, card=card, person=mari)
    take(desk.host, desk.telling.batch(1), NOON)
    assert (desk.state(), desk.holder(), Loan.objects.get().is_provisional) == (CardState.LENT, desk.mari, True)
    for each in (mark, loan):
        desk.telling.tell_fact("undo", undoes=each["tap_id"])
    take(desk.host, desk.telling.batch(3), NOON)
    assert (desk.state(), desk.holder()) == (CardState.POOL, None)
    assert not Fact.objects.filter(act__in=["serve", "lend"], is_in_force=True).exists()


def test_an_undoing_that_is_heard_first_holds_all_the_same(desk: Desk) -> None:
    """Another host took the mark back before the host that made it was heard."""
    tap_id = "ab" * 16
    desk.told("undo", undoes=tap_id)
    assert not desk.told("serve", desk.mari, tap_id=tap_id).is_in_force


@pytest.mark.parametrize(
    "fact", [None, {"act": "dance", "card": None, "person": None}, {"act": "lost", "card": None, "person": None}]
)
def test_a_mark_without_its_fact_is_poison(desk: Desk, fact: object) -> None:
    """It is set aside with the field that is wrong; the next is taken."""
    desk.telling.tell(kind="mark", fact=fact)
    desk.telling.tell()
    take(desk.host, desk.telling.batch(), NOON)
    assert Event.objects.count() == 1
    assert "fact" in desk.host.set_aside.get().why


def test_a_batch_of_facts_that_comes_again_moves_nothing(desk: Desk) -> None:
    """Each is folded once."""
    desk.told("lend", desk.mari)
    desk.told("return", minutes=1)
    take(desk.host, desk.telling.batch(1), NOON)
    assert (Fact.objects.count(), Loan.objects.count(), desk.state()) == (2, 1, CardState.POOL)


def test_a_days_facts_in_one_batch_are_folded_one_by_one(desk: Desk) -> None:
    """A host that was cut off tells of three loans at once: the history has all three."""
    for minutes, (act, person) in enumerate(
        [("lend", desk.mari), ("return", None), ("lend", desk.jaan), ("return", None)]
    ):
        desk.telling.tell_fact(
            act,
            card=str(desk.card.pk),
            person=str(person.pk) if person else None,
            time=utc_text(AT + timedelta(minutes=minutes)),
        )
    take(Host.objects.get(pk=desk.host.pk), desk.telling.batch(), NOON)
    assert list(Loan.objects.order_by("lent_at").values_list("person", flat=True)) == [desk.mari.pk, desk.jaan.pk]
    assert desk.state() == CardState.POOL
    assert not Fact.objects.filter(is_in_conflict=True).exists()


def test_an_undone_loss_opens_the_card_again(desk: Desk) -> None:
    """Somebody erred: the pupil's own card works again, and the substitute is with whom it was."""
    own = registered.card(desk.school, person=desk.jaan)
    desk.told("lend", desk.mari)
    for minutes, card in ((5, own), (6, desk.card)):
        lost = desk.told("lost", card=card, minutes=minutes)
        undo = desk.told("undo", minutes=minutes + 2, undoes=lost.event.tap_id)
        lost.refresh_from_db()
        assert (lost.is_in_force, lost.why, undo.is_in_conflict) == (False, "undone", False)
    own.refresh_from_db()
    assert (own.state, own.close_reason) == (CardState.ACTIVE, "")
    assert (desk.state(), desk.holder()) == (CardState.LENT, desk.mari)


def test_what_is_told_after_an_undone_loss_holds(desk: Desk) -> None:
    """The card is opened when we hear of it, and that settles nothing that hosts told before."""
    lost = desk.told("lost")
    desk.told("undo", minutes=1, undoes=lost.event.tap_id)
    assert desk.state() == CardState.POOL
    assert desk.told("lend", desk.mari, minutes=2).is_in_force
    assert desk.holder() == desk.mari


def test_an_undone_loss_of_a_card_that_was_followed_is_a_conflict(desk: Desk) -> None:
    """Its successor is in use: the rule of reopening refuses it, the loss stands, and somebody is told."""
    own = registered.card(desk.school, person=desk.jaan)
    lost = desk.told("lost", card=own)
    registered.card(desk.school, person=desk.jaan, replaces=own, succession=Succession.REPLACEMENT)
    undo = desk.told("undo", minutes=1, undoes=lost.event.tap_id)
    own.refresh_from_db()
    lost.refresh_from_db()
    assert own.state == CardState.CLOSED
    assert (undo.is_in_force, undo.is_in_conflict, lost.is_in_force) == (False, True, True)
    assert undo.why


def test_an_undone_loss_does_not_open_what_the_office_closed(desk: Desk) -> None:
    """The office's own word stands; the host's is kept beside it as a conflict."""
    own = registered.card(desk.school, person=desk.jaan)
    transitions.close(own, "stolen", actor="it", now=AT - timedelta(minutes=5))
    lost = desk.told("lost", card=own)
    undo = desk.told("undo", minutes=1, undoes=lost.event.tap_id)
    own.refresh_from_db()
    assert (own.state, own.close_reason) == (CardState.CLOSED, "stolen")
    assert (undo.is_in_force, undo.is_in_conflict) == (False, True)


def test_an_undone_loan_leaves_what_the_office_lent_since(desk: Desk) -> None:
    """The card had come back and was lent to another at the office: that loan is none of the host's."""
    wrong = desk.told("lend", desk.mari)
    substitutes.take_back(desk.card, actor="it", now=AT + timedelta(minutes=1))
    substitutes.lend(desk.card, desk.jaan, actor="it", now=AT + timedelta(minutes=2))
    undo = desk.told("undo", minutes=3, undoes=wrong.event.tap_id)
    assert (desk.holder(), undo.is_in_conflict) == (desk.jaan, True)


def test_reading_the_chip_later_takes_no_loan_away(desk: Desk) -> None:
    """Of the registry's own steps those alone count that say who has the card."""
    assign_uid(desk.card, bytes.fromhex("EBF2CE70"), actor="it", now=AT + timedelta(minutes=1))
    fact = desk.told("lend", desk.mari)
    assert (fact.is_in_force, fact.is_in_conflict, desk.holder()) == (True, False, desk.mari)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.parametrize("is_undone", [False, True])
def test_a_batch_waits_for_a_card_with_nothing_in_its_hands_that_others_want(*, is_undone: bool) -> None:
    """The office holds the second card and publishes: it neither waits for the batch nor is it broken off."""
    desk = Desk()
    second = registered.card(desk.school, person=desk.jaan)
    lost = desk.told("lost", card=second) if is_undone else None
    first = desk.telling.seq + 1
    desk.telling.tell_fact("lost", card=str(desk.card.pk), time=utc_text(AT))
    if lost is not None:
        desk.telling.tell_fact("undo", undoes=lost.event.tap_id, time=utc_text(AT + timedelta(minutes=1)))
    else:
        desk.telling.tell_fact("lost", card=str(second.pk), time=utc_text(AT))
    done: list[bool] = []

    def tell() -> None:
        try:
            take(Host.objects.get(pk=desk.host.pk), desk.telling.batch(first), NOON)
            done.append(True)
        finally:
            connections.close_all()

    batch = Thread(target=tell)
    with transaction.atomic():
        held = locked(second)
        batch.start()
        wait_until_somebody_waits()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '500ms'")  # before a deadlock is looked for: none may come about
        changes.card_changed(held, now=lambda: NOON)
        SiteState.objects.select_for_update().get(school=desk.school)
    batch.join(20)
    assert done
    assert desk.state() == CardState.CLOSED


def wait_until_somebody_waits() -> None:
    """Wait until another session waits for a lock."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")
