"""Charges out of hosts' events: a serving that an account is to pay is booked once, by the id of its tap, when its event is taken (V6.5).

An event may come again, on another branch of its host's history, or hours late: the key of the charge is the tap's, so there is one. A
mark that is undone, and a tap that was decided anew and not served, is reversed. What a host charged while it was cut off may bring an
account below zero: that is booked as it was, said, and written down.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from policy.reasons import Flag
from registry import audit
from registry.events import facts
from registry.events.rows import Row
from registry.ledger import accounts, booking, holds
from registry.ledger.holds import tap_key
from registry.models import AccountKind, Host, LedgerAccount, Person, School, Transfer, TransferAct
from sync.wire.event import EventKind
from sync.wire.facts import Act

_LOG: Final = logging.getLogger("registry.ledger")


def lock(host: Host, rows: Iterable[Row]) -> None:
    """Lock the accounts that the events may touch. To be called before anything else that a claim locks."""
    told = [row for row in rows if row.told.tap_id]
    persons = {row.person_id for row in told if _is_charge(row) and row.person_id is not None}
    keys = [tap_key(_charged_by(row)) for row in told if _may_take_back(row)]
    found: set[LedgerAccount] = set()
    if persons:
        found |= set(LedgerAccount.objects.filter(school=host.school_id, person__in=persons))
    if keys:
        charged = Transfer.objects.filter(school=host.school_id, key__in=keys).select_related("source")
        found |= {transfer.source for transfer in charged if transfer.source.kind == AccountKind.PREPAID}
    accounts.lock(found)


def book(host: Host, rows: Sequence[Row], now: datetime) -> None:
    """Book what the events charge, and reverse what they take back; in order. To be called when their facts are folded."""
    touched = [row for row in rows if row.told.tap_id]
    keys = {tap_key(_charged_by(row)) for row in touched if _may_take_back(row)}
    booked = Transfer.objects.filter(school=host.school_id, key__in=keys) if keys else Transfer.objects.none()
    known = set(booked.values_list("key", flat=True))
    undone = _undone(host, touched)
    for row in touched:
        if _is_charge(row):
            if row.told.tap_id not in undone:
                _charge(host, row, now)
                known.add(tap_key(row.told.tap_id))
        elif _takes_back(host, row) and tap_key(_charged_by(row)) in known:
            _take_back(host, _charged_by(row), now)
    holds.let_go([row.told.tap_id for row in touched], host)


def _is_charge(row: Row) -> bool:
    return row.told.is_prepaid and row.told.price_cents > 0 and bool(row.told.holder)


def _charged_by(row: Row) -> str:
    """Return the id of the tap whose charge this event makes or takes back."""
    fact = row.told.fact
    return fact.fact.undoes or "" if fact is not None and fact.fact.act is Act.UNDO else row.told.tap_id


def _may_take_back(row: Row) -> bool:
    """Whether it could say that a serving was none: most events cannot, and nothing need be asked for their sake."""
    return _is_undo(row) or (row.told.kind == EventKind.TAP and not row.told.holder)


def _is_undo(row: Row) -> bool:
    return row.told.fact is not None and row.told.fact.fact.act is Act.UNDO


def _takes_back(host: Host, row: Row) -> bool:
    """Whether it says that a serving was none: an undone mark, or a tap that the disk had decided anew (`sync.wire.event.identity`).

    A tap cannot be undone: it goes on counting as a serving, so that its charge stands, whatever a host says.
    """
    if _is_undo(row):
        return facts.of_taps(host.school_id, [_charged_by(row)]).filter(act=Act.SERVE).exists()
    return _may_take_back(row)


def _undone(host: Host, rows: Iterable[Row]) -> set[str]:
    """Return the marks among the rows that are not in force: undone at another host, of which we heard first."""
    marks = [row.told.tap_id for row in rows if row.told.fact is not None and row.told.fact.fact.act is Act.SERVE]
    if not marks:
        return set()
    undone = facts.of_taps(host.school_id, marks).filter(is_in_force=False)
    return set(undone.values_list("event__tap_id", flat=True))


def _charge(host: Host, row: Row, now: datetime) -> None:
    told, school = row.told, host.school
    person = Person.objects.filter(pk=row.person_id).first() if row.person_id is not None else None
    source = accounts.of_person(school, person) if person else accounts.of_school(school, AccountKind.NOBODY)
    if Transfer.objects.filter(school=school, key=tap_key(told.tap_id)).exists():
        return
    transfer = Transfer(
        school=school,
        act=TransferAct.CHARGE,
        source=source,
        target=accounts.of_school(school, AccountKind.REVENUE, told.service),
        cents=told.price_cents,
        key=tap_key(told.tap_id),
        day=told.service_day or now.date(),
        happened_at=told.time,
        booked_at=now,
        actor=f"host {host.name}",
        service=told.service,
        place=f"{host.name} {told.reader}".strip(),
        is_offline=Flag.CHARGED_OFFLINE in told.flags,
    )
    booking.write(transfer)
    _say(host, school, source, now)


def _say(host: Host, school: School, account: LedgerAccount, now: datetime) -> None:
    """Say that somebody owes now, or that nobody could be charged; never who, in a log."""
    if account.kind == AccountKind.NOBODY:
        _LOG.warning("%s: a charge of somebody who is not known here", host.name)
        audit.record(f"host {host.name}", "prepaid charge of nobody known", school, account, at=now)
        return
    cents = accounts.balance_cents(account)
    if cents < 0:
        _LOG.warning("%s: account %d is below zero", host.name, account.pk)
        audit.record(f"host {host.name}", "prepaid account below zero", school, account, at=now, cents=cents)


def _take_back(host: Host, tap_id: str, now: datetime) -> None:
    charged = Transfer.objects.select_related("source", "target", "school").get(
        school=host.school_id, key=tap_key(tap_id)
    )
    booking.reverse(charged, actor=f"host {host.name}", now=now, may_owe=True, why="undone")
