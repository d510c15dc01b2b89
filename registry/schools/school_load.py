"""A school's file put into the tables: what is there already is brought to what the file says, what the file leaves out stays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from registry import audit
from registry.cards import substitutes
from registry.models import Card, CardProduct, CardState, Host, School, Service
from registry.people.persons import PersonFacts, known_as
from registry.people.roster_diff import Change, RosterDiff
from registry.people.roster_row import BadRow
from registry.people.roster_writing import RosterWriter
from registry.publishing.changes import refresh
from registry.refusal import Refused
from registry.rules import calendars, rules
from registry.schools.school_file import SchoolFile
from registry.transactions import deed


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a school's file."""

    school: School
    is_new: bool
    changes: int


@deed
def load(file: SchoolFile, *, actor: str, now: datetime) -> Loaded:
    """Bring a school to what its file says, all of it or nothing. Nobody leaves and no card closes because a file is silent of them.

    Raises Refused, with the first row that contradicts what is known.
    """
    columns = dict(file.school)
    school, is_new = School.objects.update_or_create(code=columns.pop("code"), defaults=columns)
    audit.record(actor, "school loaded", school, school, at=now, new=is_new)
    for product in file.products:
        rest = {name: value for name, value in product.items() if name != "code"}
        CardProduct.objects.update_or_create(school=school, code=product["code"], defaults=rest)
    for host in file.hosts:
        _host(school, host.name, is_desk=host.is_desk)
    for part in file.services:
        service, _made = Service.objects.update_or_create(school=school, code=part.code, defaults={"name": part.name})
        _rule(service, part.rule, actor, now)
    if file.calendar is not None:
        _calendar(school, file.calendar, actor, now)
    refresh(school, now=lambda: now)  # a changed time zone or longest loan is in the rows of cards too
    count = _rows(school, file, actor, now)
    persons = {row.person.external_id: row.person for row in file.rows if row.person is not None}
    for number, external_id in file.lent_to:
        count += _lend(school, number, persons[external_id], actor, now)
    return Loaded(school, is_new, count)


def _host(school: School, name: str, *, is_desk: bool) -> None:
    host, _made = Host.objects.get_or_create(name=name, defaults={"school": school, "is_desk": is_desk})
    if host.school_id != school.pk:
        raise Refused("other_school", name, host.school.code, school.code)
    if host.is_desk != is_desk:
        host.is_desk = is_desk
        host.save(update_fields=["is_desk"])


def _rule(service: Service, table: Mapping[str, object], actor: str, now: datetime) -> None:
    held = rules.in_force(service)
    if held is None or held.table != table:
        rules.publish(rules.draft(service, table, actor=actor, now=now), actor=actor, now=now)


def _calendar(school: School, table: Mapping[str, object], actor: str, now: datetime) -> None:
    held = calendars.in_force(school)
    if held is None or held.table != table:
        calendars.publish(calendars.draft(school, table, actor=actor, now=now), actor=actor, now=now)


def _rows(school: School, file: SchoolFile, actor: str, now: datetime) -> int:
    counted = 0

    def good() -> Iterator[Change]:
        nonlocal counted
        for change in RosterDiff(school, school.local_day(now), is_whole=False).changes(file.rows):
            if isinstance(change, BadRow):
                where = _("%(column)s of entry %(line)d") % {"column": change.column, "line": change.line}
                raise Refused("bad_row", where, change.found, change.expected)
            counted += 1
            yield change

    RosterWriter(school, None, actor=actor, now=now).write(good())
    return counted


def _lend(school: School, number: str, whom: PersonFacts, actor: str, now: datetime) -> int:
    card = Card.objects.get(school=school, number=number)
    if card.state != CardState.POOL:
        return 0
    person = known_as(whom, school)
    assert person is not None  # noqa: S101  the rows of the same file brought everybody
    substitutes.lend(card, person, actor=actor, now=now)
    return 1
