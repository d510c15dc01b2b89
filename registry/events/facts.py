"""Facts that hosts tell (loans, returns, losses, hand marks) folded into the registry's state, by the rule of `sync.wire.facts`.

Each is kept as a row beside its event. One that holds moves the card as if it had been entered here; one that does not, or that the
registry must refuse, stays with why, flagged. A hand mark counts as a serving through its event, until it is undone.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.db import OperationalError, transaction
from django.db.models import QuerySet  # noqa: TC002  beside what runs, a block for one name is noise

from registry.cards import substitutes, transitions
from registry.cards.states import Action
from registry.cards.steps import lock_all, named
from registry.events.many import among, asked, listed
from registry.events.rows import Row
from registry.models import Card, CardKind, CardState, CardStep, Claim, CloseReason, Event, Fact, Host, Loan
from registry.publishing import changes
from registry.refusal import Refused
from sync.wire.facts import Act, Ruling, Told, in_force

_LOG: Final = logging.getLogger("registry.events")
_OF_A_CARD: Final = frozenset({Act.LEND, Act.RETURN, Act.LOST})
# Of the registry's own steps those that say who has a card, or whether it may be used: the same that a host's fact may say.
_SAME_MATTER: Final = (
    Action.LEND,
    Action.CONFIRM,
    Action.TAKE_BACK,
    Action.DECLARE_LOST,
    Action.CLOSE,
    Action.REOPEN,
)
_OF_A_HOST: Final = "host "  # how the name of who did a step begins when a host's fact did it
_WHY_LETTERS: Final = 200
PERSON_NOT_KNOWN: Final = "person: not known yet"


class _By(NamedTuple):
    """Who told, and when we heard."""

    actor: str
    now: datetime


def lock_cards(host: Host, rows: Iterable[Row]) -> None:
    """Lock the cards of all the facts among the rows. To be called first: what is folded is published, which others then wait for."""
    told = [row for row in rows if row.told.fact]
    if not told:
        return  # as in most batches
    cards = {row.card_id for row in told if row.card_id is not None}
    undone = [row.told.fact.fact.undoes for row in told if row.told.fact and row.told.fact.fact.act is Act.UNDO]
    facts = of_taps(host.school_id, undone).filter(card__isnull=False)
    lock_all(cards | {card for card in facts.values_list("card", flat=True) if card is not None})


# A plus before a column: on SQLite all of the school's events would be gone by, which are as many as are kept.
_TOLD: Final = "SELECT id FROM registry_event WHERE {taps} AND +school_id = %s"


def of_taps(school_id: int, tap_ids: Iterable[str | None]) -> "QuerySet[Fact]":
    """Return the facts that were noted at the school's hosts under these ids."""
    taps = set(tap_ids)
    events = asked(_TOLD.format(taps=among("tap_id", "text")), listed(taps), school_id) if taps else ()
    return Fact.objects.filter(event__in=[pk for (pk,) in events])


def fold(host: Host, epoch: int, branch: int, rows: Sequence[Row], now: datetime) -> None:
    """Keep the facts among the rows, and bring the registry's state to what holds."""
    told = {row.seq: row for row in rows if row.told.fact}
    if not told:
        return
    events = Event.objects.filter(host=host, epoch=epoch, branch=branch, seq__in=told).order_by("seq")
    for event in events:
        row = told[event.seq]
        assert row.told.fact is not None  # noqa: S101  they were chosen by it
        fact = Fact.objects.create(
            event=event, act=str(row.told.fact.fact.act), card_id=row.card_id, person_id=row.person_id
        )
        _fold(fact, row.told.fact, _By(f"{_OF_A_HOST}{host.name}", now))


def _fold(fact: Fact, told: Told, by: _By) -> None:
    """Fold one fact. Whatever is wrong with it is said beside it: a fact that cannot be folded must not keep its host's others waiting."""
    try:
        with transaction.atomic():
            if told.fact.act is Act.UNDO:
                _undo(fact, told, by)
            elif told.fact.act is Act.SERVE:
                _serve(fact, told)
            else:
                _judge(fact, by)
    except Refused as refused:
        _keep(fact, why=str(refused), is_in_force=False, is_in_conflict=True)
    except OperationalError:
        raise  # the database's trouble, not the fact's: the host sends its batch again
    except Exception as error:  # noqa: BLE001  a host's journal would wait for ever behind this fact
        _LOG.exception("fact %d cannot be folded", fact.pk)
        _keep(fact, why=f"a fault of the registry: {type(error).__name__}", is_in_force=False, is_in_conflict=True)


def _keep(fact: Fact, *, why: str, is_in_force: bool, is_in_conflict: bool) -> None:
    fact.why, fact.is_in_force, fact.is_in_conflict = why[:_WHY_LETTERS], is_in_force, is_in_conflict
    fact.save(update_fields=["why", "is_in_force", "is_in_conflict"])


def _undoes(tap_id: str | None) -> str:
    return f"undoes {tap_id}"


def _serve(fact: Fact, told: Told) -> None:
    """A hand mark counts by its event, unless it was undone at another host of whom we heard first."""
    school = fact.event.school_id
    undoing = Fact.objects.filter(act=Act.UNDO, why=_undoes(told.id)).values_list("event__school", flat=True)
    if school in set(undoing):  # looked for among the facts, which are few, and not among all events of the school
        _keep(fact, why="undone", is_in_force=False, is_in_conflict=False)
        _release(fact, told.id)


def _release(fact: Fact, tap_id: str | None) -> None:
    """Give back the serving that was promised for a mark which counts no longer: at every till the person may be served again."""
    Claim.objects.filter(tap_id=tap_id, school=fact.event.school_id).delete()


def _undo(fact: Fact, told: Told, by: _By) -> None:
    """Take a fact back: a hand mark no longer counts; a card goes to where the other facts say it is.

    Raises Refused where the card cannot go there, with nothing changed: the fact stands then, and its undoing is the conflict.
    """
    _keep(fact, why=_undoes(told.fact.undoes), is_in_force=True, is_in_conflict=False)
    undone = of_taps(fact.event.school_id, [told.fact.undoes]).exclude(pk=fact.pk)
    _release(fact, told.fact.undoes)
    for each in undone.select_related("event"):
        was_in_force = each.is_in_force
        _keep(each, why="undone", is_in_force=False, is_in_conflict=each.is_in_conflict)
        if each.card_id is None or each.act not in _OF_A_CARD:
            continue
        ruling = _ruling(each.card_id)
        _flag(each.card_id, ruling)
        card = Card.objects.get(pk=each.card_id)
        if was_in_force and _own_step_after(card, each.event.time) is not None:
            _keep(fact, why=fact.why, is_in_force=True, is_in_conflict=True)  # the registry has decided of it since
        elif was_in_force:
            if card.state == CardState.CLOSED and not ruling.is_lost:
                card = _opened(card, by)
            _bring(card, ruling, by)
            if each.act == Act.LEND:
                _never_lent(each)


def _opened(card: Card, by: _By) -> Card:
    """Reopen a card whose loss was taken back, by the rule of reopening. Raises Refused, also where the registry closed it itself."""
    closing = card.steps.filter(to_state=CardState.CLOSED).order_by("at", "pk").last()
    if closing is None or not closing.actor.startswith(_OF_A_HOST):
        raise Refused("closed_here", named(card), "closed at the registry", "a card that a host's word closed")
    return transitions.reopen(card, actor=by.actor, now=by.now)


def _judge(fact: Fact, by: _By) -> None:
    """Judge a fact among all that were told of its card; if it is the one that holds, the card follows it."""
    if fact.card_id is None:
        _keep(fact, why="card: found none of this school by that id", is_in_force=False, is_in_conflict=True)
        return
    ruling = _ruling(fact.card_id)
    _flag(fact.card_id, ruling)
    fact.refresh_from_db()
    if not fact.is_in_force:
        return
    card = Card.objects.get(pk=fact.card_id)
    later = _own_step_after(card, fact.event.time)
    if later is not None and not ruling.is_lost:
        _keep(fact, why=f"the registry did “{later.action}” later", is_in_force=False, is_in_conflict=True)
        return
    _bring(card, ruling, by)


def _ruling(card_id: int) -> Ruling:
    """Ask the wire's rule, with all facts of the card and those that undo one of them."""
    of_card = list(Fact.objects.filter(card=card_id).select_related("event"))
    undoing = [_undoes(fact.event.tap_id) for fact in of_card]
    facts = [*of_card, *Fact.objects.filter(act=Act.UNDO, why__in=undoing).select_related("event")]
    own = CardStep.objects.filter(card=card_id, action=Action.REOPEN).exclude(actor__startswith=_OF_A_HOST)
    reopened = own.order_by("-at").first()
    told = [Told.from_event(json.loads(bytes(fact.event.body))) for fact in facts]
    return in_force([each for each in told if each], reopened.at if reopened else None)


def _flag(card_id: int, ruling: Ruling) -> None:
    """Write down which of the card's facts holds, and which conflict; what was refused before keeps its flag."""
    holding = ruling.holding.id if ruling.holding else None
    for fact in Fact.objects.filter(card=card_id, act__in=_OF_A_CARD).select_related("event"):
        is_in_force = fact.event.tap_id == holding and not fact.why
        is_in_conflict = fact.is_in_conflict or fact.event.tap_id in ruling.conflicting
        if (is_in_force, is_in_conflict) != (fact.is_in_force, fact.is_in_conflict):
            fact.is_in_force, fact.is_in_conflict = is_in_force, is_in_conflict
            fact.save(update_fields=["is_in_force", "is_in_conflict"])


def _own_step_after(card: Card, time: datetime) -> CardStep | None:
    """Return the last step in the same matter that was made at the registry itself after a moment: of two acts the later holds."""
    own = card.steps.filter(at__gt=time, action__in=_SAME_MATTER).exclude(actor__startswith=_OF_A_HOST)
    return own.order_by("at").last()


def _bring(card: Card, ruling: Ruling, by: _By) -> None:
    """Bring the card to where the ruling says it is. Raises Refused where its state does not allow that."""
    loan = Loan.objects.filter(card=card, ended_at=None).first()
    held = ruling.holding
    fact = None if held is None else Fact.objects.filter(event__tap_id=held.id, card=card).order_by("pk").first()
    at = by.now if held is None else min(held.time, by.now)
    if ruling.is_lost:
        _lose(card, loan, fact, at, by)
    elif fact is not None and held is not None and held.fact.act is Act.LEND:
        _lend(card, loan, fact, held, by)
    elif loan is not None:
        substitutes.take_back(card, actor=by.actor, now=by.now, from_fact=fact)
        _ended(loan, at)


def _lose(card: Card, loan: Loan | None, fact: Fact | None, at: datetime, by: _By) -> None:
    if card.state == CardState.CLOSED:
        return
    if card.kind == CardKind.SUBSTITUTE:
        substitutes.declare_lost(card, actor=by.actor, now=by.now, from_fact=fact)
        _ended(loan, at)
    else:
        transitions.close(card, CloseReason.LOST, actor=by.actor, now=by.now)


def _lend(card: Card, loan: Loan | None, fact: Fact, told: Told, by: _By) -> None:
    person, is_provisional = fact.person, told.fact.is_provisional
    if person is None:  # a till that does not know who it was: the guard will say
        why = PERSON_NOT_KNOWN if told.fact.person is None else "person: found none of this school by that id"
        _keep(fact, why=why, is_in_force=False, is_in_conflict=told.fact.person is not None)
        return
    is_same = loan is not None and loan.person_id == person.pk
    if loan is not None and is_same and (is_provisional or not loan.is_provisional):
        return  # lent already; what a till guesses takes nothing from what the guard said
    if loan is not None and not is_same:
        substitutes.take_back(card, actor=by.actor, now=by.now, from_fact=fact)
        _ended(loan, min(told.time, by.now))
    lent = substitutes.lend(card, person, actor=by.actor, now=by.now, provisional=is_provisional, from_fact=fact)
    if not is_same:
        Loan.objects.filter(pk=lent.pk).update(lent_at=min(told.time, by.now))  # when it was, not when we heard of it
        changes.card_changed(card, now=lambda: by.now)


def _never_lent(undone: Fact) -> None:
    """End the loan of a lending that was taken back where it began: that person never had the card."""
    loans = Loan.objects.filter(card=undone.card_id, person=undone.person_id, lent_at=undone.event.time)
    loans.filter(ended_at__isnull=False).update(ended_at=undone.event.time)


def _ended(loan: Loan | None, at: datetime) -> None:
    """Write when the loan ended, not when we heard of it."""
    if loan is not None:
        Loan.objects.filter(pk=loan.pk).update(ended_at=max(at, loan.lent_at))
