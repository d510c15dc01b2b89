"""Prepaid accounts as the office sees them (V6.5): what is on all of them, who owes, and one person's statement, as a page and a file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.sheet import MEDIA_TYPES, Cell, Form, Sheet, money, written
from registry import audit
from registry.ledger import accounts
from registry.ledger.amounts import euros
from registry.ledger.statement import Line, statement
from registry.models import LedgerAccount, Person, School, Service, Transfer, TransferAct
from registry.office.find import MAX_FOUND, matching, persons
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page

_SHOWN: Final = 200
_LAST: Final = 30
ACTS: Final[dict[str, str | Promise]] = {
    TransferAct.TOP_UP: _("paid in"),
    TransferAct.CHARGE: _("charged"),
    TransferAct.PAY_OUT: _("paid out"),
    TransferAct.CORRECTION: _("corrected"),
    TransferAct.REVERSAL: _("reversed"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One movement as a page shows it."""

    transfer: Transfer
    when: datetime
    what: str
    where: str
    amount: str
    left: str = ""
    is_reversed: bool = False
    may_reverse: bool = False


@page(Deed.MONEY_SEEN)
def accounts_page(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what is on the school's accounts, who owes, what was moved last, and find a person."""
    school = visit.school(Deed.MONEY_SEEN, request.GET.get("school"))
    text = request.GET.get("q", "").strip()[:100]
    found = list(matching(visit, text, Deed.MONEY_SEEN).filter(enrolments__school=school).distinct()) if text else []
    totals, services = accounts.totals(school), _services(school)
    last = Transfer.objects.filter(school=school).select_related("source__person", "target__person", "reversed_by")
    return show(
        request,
        "money",
        _("Prepaid accounts"),
        school=school,
        schools=visit.schools(Deed.MONEY_SEEN),
        text=text,
        found=found[:MAX_FOUND],
        totals=[(_name(account, services), euros(cents)) for account, cents in totals],
        owing=[(person, euros(cents)) for person, cents in accounts.below_zero(school)],
        left=[(person, euros(cents)) for person, cents in accounts.left_behind(school, visit.today(school))],
        last=_rows(last.order_by("-pk")[:_LAST], services),
        may_book=visit.may(Deed.MONEY, school),
    )


@page(Deed.MONEY_SEEN)
def person_money(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Show a person's statement. That it was looked at is audited."""
    person, school = chosen(request, visit, person_id, Deed.MONEY_SEEN)
    lines = statement(school, person, _SHOWN)
    audit.record(visit.actor, "statement viewed", school, person, at=visit.now)
    may_book, services = visit.may(Deed.MONEY, school), _services(school)
    account = accounts.found(school, person)
    held_cents = accounts.held_cents(account, visit.now) if account else 0
    return show(
        request,
        "person_money",
        _("Prepaid account of %(person)s") % {"person": person},
        person=person,
        school=school,
        schools=schools_of(visit, person, Deed.MONEY_SEEN),
        balance=euros(lines[0].balance_cents if lines else 0),
        owes=bool(lines) and lines[0].balance_cents < 0,
        held=euros(held_cents) if held_cents else "",
        rows=[_line(line, services, may_book=may_book) for line in lines],
        may_book=may_book,
    )


@page(Deed.MONEY_SEEN)
def person_money_csv(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Give the whole statement as a file."""
    person, school = chosen(request, visit, person_id, Deed.MONEY_SEEN)
    lines = statement(school, person)
    audit.record(visit.actor, "statement exported", school, person, at=visit.now)
    columns = tuple(map(str, (_("date"), _("what"), _("where"), _("reference"), _("amount"), _("balance"))))
    services = _services(school)
    rows: list[tuple[Cell, ...]] = [
        (
            line.transfer.day,
            _what(line.transfer, services),
            line.transfer.place,
            line.transfer.reference,
            money(line.cents),
            money(line.balance_cents),
        )
        for line in reversed(lines)
    ]
    content = written(Sheet(gettext("Statement"), columns, tuple(rows)), Form.CSV, visit.now)
    name = f"prepaid-{school.code}-{person.pk}-{visit.today(school)}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=MEDIA_TYPES[Form.CSV], headers=headers)


def schools_of(visit: Visit, person: Person, deed: Deed) -> list[School]:
    """Return the schools of the person at which this may be done."""
    held = set(person.enrolments.values_list("school", flat=True))
    return [school for school in visit.schools(deed) if school.pk in held]


def chosen(request: HttpRequest, visit: Visit, person_id: int, deed: Deed) -> tuple[Person, School]:
    """Return the person, and the school that is named or the first of theirs. Raises Http404."""
    person = get_object_or_404(persons(visit, deed), pk=person_id)
    schools = schools_of(visit, person, deed)
    code = request.GET.get("school")
    school = next((each for each in schools if code in {None, each.code}), None)
    if school is None:
        raise Http404
    return person, school


def _services(school: School) -> dict[str, str]:
    return dict(Service.objects.filter(school=school).values_list("code", "name"))


def _what(transfer: Transfer, services: dict[str, str]) -> str:
    told = str(ACTS[transfer.act])
    if transfer.service:
        told = f"{told}: {services.get(transfer.service, transfer.service)}"
    elif transfer.act != TransferAct.REVERSAL:
        school_side = transfer.source if transfer.source.person_id is None else transfer.target
        told = f"{told}: {school_side.get_kind_display()}"
    return told


def _line(line: Line, services: dict[str, str], *, may_book: bool) -> Row:
    transfer = line.transfer
    return Row(
        transfer,
        transfer.happened_at,
        _what(transfer, services),
        transfer.place,
        euros(line.cents),
        euros(line.balance_cents),
        line.is_reversed,
        may_book and not line.is_reversed and transfer.act != TransferAct.REVERSAL,
    )


def _rows(transfers: Iterable[Transfer], services: dict[str, str]) -> list[Row]:
    return [
        Row(
            each, each.booked_at, _what(each, services), each.place, euros(each.cents), "", hasattr(each, "reversed_by")
        )
        for each in transfers
    ]


def _name(account: LedgerAccount | None, services: dict[str, str]) -> str:
    if account is None:
        return gettext("All persons together")
    of = f": {services.get(account.service, account.service)}" if account.service else ""
    return f"{account.get_kind_display()}{of}"
