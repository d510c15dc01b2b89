"""A file of top-ups brought in: read and shown, and only then booked, all of it or nothing; what is booked already stays booked once."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import IO, Final, NamedTuple

from django.utils.translation import gettext as _

from registry import audit
from registry.ledger import accounts
from registry.ledger.topup_csv import MAX_BYTES, Line, Unread, read
from registry.models import AccountKind, LedgerAccount, Person, School, TopUpFile, Transfer, TransferAct
from registry.people.roster_row import BadRow
from registry.refusal import Refused
from registry.transactions import deed

LISTED_BAD: Final = 1000
KEPT_FOR: Final = timedelta(days=7)
_MAX_NAME: Final = 200
_AT_ONCE: Final = 500  # ids in one question to the database


class Row(NamedTuple):
    """A line that was read, as the file's row in the database holds it; `person` is the registry's id, `day` in ISO."""

    line: int
    reference: str
    person: int
    cents: int
    day: str
    is_booked: bool


def preview(school: School, file_name: str, file: IO[bytes], *, actor: str, now: datetime) -> TopUpFile:
    """Read a file and keep what it would book. Nothing is booked."""
    today = school.local_day(now)
    lines: list[Line] = []
    unread: list[Unread] = []
    bad: list[BadRow] = []
    for each in read(file.read(MAX_BYTES + 1), today):
        if isinstance(each, Line):
            lines.append(each)
        elif isinstance(each, Unread):
            unread.append(each)
        else:
            bad.append(each)
    persons = _persons(school, [*lines, *unread])
    bad.extend(_nobody(line) for line in unread if line.external_id not in persons)
    before = booked(school, [line.reference for line in lines])
    rows = []
    for line in lines:
        person, known = persons.get(line.external_id), before.get(line.reference)
        if person is None:
            bad.append(_nobody(line))
        elif known is not None and (known.cents, known.target.person_id) != (line.cents, person.pk):
            found = _("%(reference)s, booked already with another person or amount") % {"reference": line.reference}
            bad.append(BadRow(line.line, "reference", found, _("each reference once")))
        else:
            rows.append([line.line, line.reference, person.pk, line.cents, line.day.isoformat(), known is not None])
    listed = [[row.line, row.column, row.found, row.expected] for row in sorted(bad, key=lambda row: row.line)]
    return TopUpFile.objects.create(
        school=school,
        file_name=file_name[:_MAX_NAME],
        rows=rows,
        bad=listed[:LISTED_BAD],
        bad_count=len({row.line for row in bad}),
        made_at=now,
        made_by=actor,
    )


@deed
def apply(made: TopUpFile, *, actor: str, now: datetime) -> int:
    """Book what the file says; returns how many are new. Raises Refused, with nothing booked, where there is a bad line."""
    held = TopUpFile.objects.select_for_update(no_key=True).select_related("school").get(pk=made.pk)
    if held.bad_count:
        raise Refused("bad_rows", held.file_name, _("%(count)d bad lines") % {"count": held.bad_count}, _("none"))
    school, whence = held.school, accounts.of_school(held.school, AccountKind.TRANSFERS)
    accounts.lock([whence])  # one file after another: the same reference may stand in two
    rows = [Row(*row) for row in held.rows]
    known = booked(school, [row.reference for row in rows])
    targets = _opened(school, {row.person for row in rows})
    for row in rows:
        before = known.get(row.reference)
        if before is not None and (before.cents, before.target_id) != (row.cents, targets[row.person].pk):
            found = _("%(reference)s, booked already with another person or amount") % {"reference": row.reference}
            raise Refused("key_used", held.file_name, found, _("each reference once"))
    new = [row for row in rows if row.reference not in known]
    Transfer.objects.bulk_create(
        [
            Transfer(
                school=school,
                act=TransferAct.TOP_UP,
                source=whence,
                target=targets[row.person],
                cents=row.cents,
                key=file_key(row.reference),
                day=date.fromisoformat(row.day),
                happened_at=now,
                booked_at=now,
                actor=actor,
                reference=row.reference,
            )
            for row in new
        ],
        batch_size=_AT_ONCE,
    )
    if held.applied_at is None:
        held.applied_at, held.applied_by = now, actor
        held.save(update_fields=["applied_at", "applied_by"])
        audit.record(actor, "prepaid file booked", school, held, at=now, booked=len(new), lines=len(rows))
    made.refresh_from_db()
    return len(new)


def file_key(reference: str) -> str:
    """Return what a payment is known by: the operator's own reference, in whichever file it comes."""
    return f"file {reference}"


def forget_old(now: datetime) -> int:
    """Take away what was read and never booked; returns how many files."""
    return TopUpFile.objects.filter(applied_at=None, made_at__lt=now - KEPT_FOR).delete()[0]


def _opened(school: School, persons: set[int]) -> dict[int, LedgerAccount]:
    """Return the accounts of persons, by the person's id; opened where there were none."""
    wanted = [LedgerAccount(school=school, kind=AccountKind.PREPAID, person_id=person) for person in sorted(persons)]
    LedgerAccount.objects.bulk_create(wanted, batch_size=_AT_ONCE, ignore_conflicts=True)
    found = LedgerAccount.objects.filter(school=school, kind=AccountKind.PREPAID, person__isnull=False)
    return {account.person_id: account for account in found if account.person_id in persons}


def _nobody(line: Line | Unread) -> BadRow:
    return BadRow(line.line, "external_id", line.external_id[:60], _("the id of a person of this school"))


def _persons(school: School, lines: Iterable[Line | Unread]) -> dict[str, Person]:
    """Find who is meant: the school's own number before one that another school gave; a number of two strangers is nobody's."""
    ids = sorted({line.external_id for line in lines})
    found: dict[str, list[Person]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        for person in Person.objects.filter(external_id__in=part, enrolments__school=school).distinct().order_by("pk"):
            found.setdefault(person.external_id, []).append(person)
    chosen = {}
    for external_id, persons in found.items():
        own = [person for person in persons if person.issuer_id == school.pk]
        if len(own or persons) == 1:
            chosen[external_id] = (own or persons)[0]
    return chosen


def booked(school: School, references: Iterable[str]) -> dict[str, Transfer]:
    """Return what is booked already of the operator's references."""
    keys = [file_key(reference) for reference in references]
    found: dict[str, Transfer] = {}
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        rows = Transfer.objects.filter(school=school, key__in=part).select_related("target")
        found |= {transfer.reference: transfer for transfer in rows}
    return found
