"""Substitutes (asenduskaart): lent from the pool by the guard, taken back at the office, lost and ordered anew (T25 to T33)."""

from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from registry import audit
from registry.cards.loans import open_loans_of
from registry.cards.states import Action
from registry.cards.steps import locked, named, require, take, write_step
from registry.models import (
    Card,
    CardKind,
    CardState,
    CloseReason,
    Enrolment,
    Fact,
    Loan,
    LoanEnd,
    Person,
    School,
    Succession,
)
from registry.publishing import changes
from registry.refusal import Refused
from registry.transactions import deed


def current_loan(card: Card) -> Loan | None:
    """Return the loan of a substitute that is out now."""
    return Loan.objects.filter(card=card, ended_at=None).select_related("person").first()


@deed
def lend(  # noqa: PLR0913 a loan's own columns
    card: Card,
    person: Person,
    *,
    actor: str,
    now: datetime,
    provisional: bool = False,
    note: str = "",
    from_fact: Fact | None = None,
) -> Loan:
    """Lend a substitute; returns the loan. Lending one that a till gave out provisionally confirms it, or takes it to another person.

    Raises Refused when the card is not in the pool, when the person does not belong to the school today, has a substitute already, or
    has a card in use where the school lends for lost cards alone. A loan that was born on a host (`from_fact`) is in force whatever we
    think of the person; the card itself must still be one that can be lent.
    """
    card = locked(card)
    held = current_loan(card)
    if held is not None and held.is_provisional and not provisional:
        if held.person_id == person.pk:
            return _confirmed(card, held, actor=actor, now=now, note=note)
        _locked(person)  # before the step is published: who enrols holds the person first as well
        _end(held, LoanEnd.RETURNED, actor=actor, now=now)
        take(card, Action.TAKE_BACK, actor=actor, now=now, note=_("was lent to somebody else"), loan=held.pk)
    require(card, Action.LEND)
    if from_fact is None:
        _require_borrower(card, person, card.school.local_day(now))
    loan = Loan.objects.create(card=card, person=person, lent_at=now, lent_by=actor, is_provisional=provisional)
    told = {"loan": loan.pk, "person": person.pk, "provisional": provisional} | _born(from_fact)
    take(card, Action.LEND, actor=actor, now=now, note=note, **told)
    return loan


@deed
def confirm(card: Card, *, actor: str, now: datetime, note: str = "") -> Loan:
    """Confirm the loan that a till gave out provisionally (trap 10). Raises Refused when there is none."""
    card = locked(card)
    held = current_loan(card)
    if held is None or not held.is_provisional:
        raise Refused("not_provisional", named(card), str(card.get_state_display()), _("a provisional loan"))
    return _confirmed(card, held, actor=actor, now=now, note=note)


@deed
def take_back(card: Card, *, actor: str, now: datetime, note: str = "", from_fact: Fact | None = None) -> Loan:
    """Take a substitute back into the pool (T33); returns the loan that ended. Raises Refused when it is not lent."""
    card = locked(card)
    require(card, Action.TAKE_BACK)
    loan = _require_loan(card)
    _end(loan, LoanEnd.RETURNED, actor=actor, now=now)
    told = {"loan": loan.pk, "person": loan.person_id} | _born(from_fact)
    take(card, Action.TAKE_BACK, actor=actor, now=now, note=note, **told)
    return loan


@deed
def declare_lost(  # noqa: PLR0913 what may be said of a loss
    card: Card,
    *,
    actor: str,
    now: datetime,
    reason: str = CloseReason.LOST,
    note: str = "",
    duplicate_number: str | None = None,
    from_fact: Fact | None = None,
) -> Card:
    """Close a substitute that is lost or stolen and order its duplicate (T30); returns the closed card.

    The school's fee is written on the loan and waited for by nobody (T31). Raises Refused when the card is neither lent nor in the pool.
    """
    card = locked(card)
    require(card, Action.DECLARE_LOST)
    loan = current_loan(card)
    if loan is not None:
        loan.fee_cents = card.school.substitute_fee_cents
        _end(loan, LoanEnd.LOST, actor=actor, now=now)
    card.close_reason = reason
    told = {"reason": str(reason), "loan": loan.pk if loan else None} | _born(from_fact)
    take(card, Action.DECLARE_LOST, actor=actor, now=now, note=note, **told)
    _order_duplicate(card, duplicate_number, actor=actor, now=now)
    return card


@deed
def pay_fee(loan: Loan, paid_on: date, *, actor: str, now: datetime) -> Loan:
    """Record that a lost substitute's fee was paid (T31). Raises Refused when the loan has none."""
    held = Loan.objects.select_for_update(of=("self",)).select_related("card__school").get(pk=loan.pk)
    if held.fee_cents is None:
        raise Refused(
            "no_fee", named(held.card), _("a loan without a fee"), _("a loan that ended with a loss, and a fee")
        )
    held.fee_paid_on = paid_on
    held.save(update_fields=["fee_paid_on"])
    audit.record(actor, "fee paid", held.card.school, held, at=now, number=held.card.number, on=paid_on.isoformat())
    return held


def _confirmed(card: Card, loan: Loan, *, actor: str, now: datetime, note: str) -> Loan:
    loan.is_provisional = False
    loan.lent_by = actor
    loan.save(update_fields=["is_provisional", "lent_by"])
    take(card, Action.CONFIRM, actor=actor, now=now, note=note, loan=loan.pk, person=loan.person_id)
    return loan


def _require_borrower(card: Card, person: Person, today: date) -> None:
    school = card.school
    _locked(person)  # of two guards the second sees the first's loan
    stays = Enrolment.objects.filter(person=person, school=school, valid_from__lte=today)
    if not stays.exclude(valid_until__lt=today).exists():
        found = _("person %(person)s, who is not there today") % {"person": person.external_id}
        raise Refused("not_enrolled", named(card), found, _("somebody of the school"))
    if has := open_loans_of(person, school):  # limits count per loan: two loans would be two lunches
        found = _("substitute %(number)s, which the person has already") % {"number": has[0].card.number}
        raise Refused("has_substitute", named(card), found, _("at most one substitute a person"))
    if not school.lends_forgotten and _card_in_use(person, school) is not None:
        raise Refused(
            "has_card", named(card), _("a person whose own card is in use"), _("a person whose card was lost")
        )


def _locked(person: Person) -> Person:
    return Person.objects.select_for_update(no_key=True).get(pk=person.pk)


def _card_in_use(person: Person, school: School) -> Card | None:
    own = Card.objects.filter(person=person, school=school, state=CardState.ACTIVE)
    return own.exclude(kind=CardKind.SUBSTITUTE).first()


def _require_loan(card: Card) -> Loan:
    loan = current_loan(card)
    if loan is None:
        raise Refused("no_loan", named(card), _("lent, and to nobody"), _("a loan that has not ended"))
    return loan


def _end(loan: Loan, end: LoanEnd, *, actor: str, now: datetime) -> None:
    loan.ended_at = max(now, loan.lent_at)  # a host's clock may lag behind the one that lent
    loan.ended_by = actor
    loan.end = end
    loan.save(update_fields=["ended_at", "ended_by", "end", "fee_cents"])


def _order_duplicate(card: Card, number: str | None, *, actor: str, now: datetime) -> None:
    duplicate = Card.objects.create(
        school=card.school,
        number=number or _free_number(card),
        kind=CardKind.SUBSTITUTE,
        product=card.product,
        state=CardState.ORDERED,
        succession=Succession.REPLACEMENT,
        replaces=card,
        succeeds_because=card.close_reason,
        ordered_on=card.school.local_day(now),
    )
    write_step(duplicate, Action.ENTER, "", actor=actor, now=now, replaces=card.number)
    changes.card_changed(duplicate, now=lambda: now)


def _free_number(card: Card) -> str:
    """Return `N-2`, `N-3`…: what the maker prints on it is entered when it arrives."""
    root = card.number.rsplit("-", 1)[0] if card.succession == Succession.REPLACEMENT else card.number
    taken = set(Card.objects.filter(school=card.school, number__startswith=root).values_list("number", flat=True))
    return next(number for count in range(2, len(taken) + 3) if (number := f"{root}-{count}") not in taken)


def _born(fact: Fact | None) -> dict[str, Any]:
    return {} if fact is None else {"fact": fact.pk}
