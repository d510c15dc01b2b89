"""A person's stays at schools: begun, moved to another class, ended on a day, and the end taken back (DOMAIN.md §2, V3.4.1b).

A stay may go on in another one, of the same kind, that begins the day after: the next class. Who leaves leaves that one too.

Days are inclusive and school-local. A stay may begin in the future; a leaving may lie in the future or in the past, and be cancelled.
A person may have several stays at once, also in one school.
"""

from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from registry import audit
from registry.models import Enrolment, EnrolmentKind, Person, School
from registry.publishing import changes
from registry.refusal import Refused
from registry.transactions import deed

MAX_CLASS_NAME = 32
_DAY = timedelta(days=1)


@deed
def enrol(  # noqa: PLR0913 what a stay consists of
    person: Person,
    school: School,
    *,
    actor: str,
    now: datetime,
    valid_from: date,
    valid_until: date | None = None,
    class_name: str = "",
    kind: str = EnrolmentKind.PUPIL,
) -> Enrolment:
    """Begin a stay. Raises Refused when it ends before it begins, or the person is in this class as this in these days already."""
    where = _named(person)
    check_class_name(class_name, where)
    _check_days(valid_from, valid_until, where)
    Person.objects.select_for_update(no_key=True).get(
        pk=person.pk
    )  # of two who enrol at once the second sees the first's
    same = Enrolment.objects.filter(person=person, school=school, class_name=class_name, kind=kind)
    overlapping = same.filter(Q(valid_until=None) | Q(valid_until__gte=valid_from))
    if valid_until is not None:
        overlapping = overlapping.filter(valid_from__lte=valid_until)
    if overlapping.exists():
        raise Refused(
            "enrolled_already", where, _("a stay in the same class in these days"), _("other days or another class")
        )
    made = Enrolment.objects.create(
        person=person, school=school, class_name=class_name, kind=kind, valid_from=valid_from, valid_until=valid_until
    )
    _told("enrolled", made, actor, now)
    return made


@deed
def leave(enrolment: Enrolment, last_day: date, *, actor: str, now: datetime) -> Enrolment:
    """Let a person's way at the school end: the last day still counts, and may have passed. Raises Refused when it lies before the first.

    What goes on from the stay after that day is taken away; on a day in the midst of it, it is that which ends.
    """
    held = locked(enrolment)
    _check_days(held.valid_from, last_day, _named(held.person))
    was = held.valid_until
    if held.cut:
        _put_back(held)
    ends = held
    while (after := next_of(ends)) is not None and after.valid_from <= last_day:
        ends = after
    while (after := next_of(ends)) is not None:
        cut_off(ends, after)
    ends.valid_until = last_day
    ends.save(update_fields=["valid_until"])
    _told("leaving set", ends, actor, now, was=was)
    return ends


@deed
def cancel_leaving(enrolment: Enrolment, *, actor: str, now: datetime) -> Enrolment:
    """Let a stay go on: into what went on from it when the leaving was set, else without an end.

    Raises Refused when no leaving was set, or the stay ends because another goes on from it.
    """
    held = locked(enrolment)
    if held.valid_until is None:
        raise Refused("no_leaving", _named(held.person), _("a stay without an end"), _("a leaving"))
    after = next_of(held)
    if after is not None:
        found = _("a stay that goes on in class %(class)s") % {"class": after.class_name or "-"}
        raise Refused("goes_on", _named(held.person), found, _("the leaving of the last stay"))
    was = held.valid_until
    if held.cut:
        _put_back(held)
    else:
        held.valid_until = None
        held.save(update_fields=["valid_until"])
    _told("leaving cancelled", held, actor, now, was=was)
    return held


@deed
def move(enrolment: Enrolment, class_name: str, from_day: date, *, actor: str, now: datetime) -> Enrolment:
    """Let a stay go on in another class from a day; returns that stay. One that begins no earlier is simply in the other class."""
    held = locked(enrolment)
    where = _named(held.person)
    check_class_name(class_name, where)
    if held.valid_until is not None and from_day > held.valid_until:
        expected = _("a day until %(day)s") % {"day": held.valid_until}
        raise Refused("has_left", where, f"{from_day}", expected)
    if from_day <= held.valid_from:
        was = held.class_name
        held.class_name = class_name
        held.save(update_fields=["class_name"])
        _told("class corrected", held, actor, now, was=was)
        return held
    until, held.valid_until = held.valid_until, from_day - _DAY
    cut, held.cut = held.cut, []
    held.save(update_fields=["valid_until", "cut"])
    made = Enrolment.objects.create(
        person=held.person,
        school=held.school,
        class_name=class_name,
        kind=held.kind,
        valid_from=from_day,
        valid_until=until,
        cut=cut,
    )
    _told("class changed", made, actor, now, was=held.class_name)
    return made


def current(school: School, today: date) -> "Q":
    """Return the condition of the stays at a school that hold today."""
    return Q(school=school, valid_from__lte=today) & (Q(valid_until=None) | Q(valid_until__gte=today))


def next_of(stay: Enrolment) -> Enrolment | None:
    """Return the stay that goes on from this one: of the same person, school and kind, from the day after; locked."""
    if stay.valid_until is None:
        return None
    same = Enrolment.objects.filter(person=stay.person_id, school=stay.school_id, kind=stay.kind).exclude(pk=stay.pk)
    return same.select_for_update().filter(valid_from=stay.valid_until + _DAY).order_by("pk").first()


def cut_off(stay: Enrolment, after: Enrolment) -> None:
    """Take a stay away that goes on from another, which keeps what is needed to put it back, and ends where that one did."""
    gone = {
        "pk": after.pk,
        "class_name": after.class_name,
        "valid_from": str(after.valid_from),
        "valid_until": _text(after.valid_until),
    }
    stay.cut = [*stay.cut, gone]  # a leaving that was set for it stays set: what was cut off from it is gone
    stay.valid_until = after.valid_until
    after.delete()
    stay.save(update_fields=["cut", "valid_until"])


def _put_back(stay: Enrolment) -> None:
    """Let go on from a stay again what was cut off from it, each with the number it had: a rollover knows it by that."""
    for gone in stay.cut:
        Enrolment.objects.create(
            pk=gone["pk"],
            person_id=stay.person_id,
            school_id=stay.school_id,
            kind=stay.kind,
            class_name=gone["class_name"],
            valid_from=date.fromisoformat(gone["valid_from"]),
            valid_until=date.fromisoformat(gone["valid_until"]) if gone["valid_until"] else None,
        )
    stay.valid_until = date.fromisoformat(stay.cut[0]["valid_from"]) - _DAY
    stay.cut = []
    stay.save(update_fields=["cut", "valid_until"])


def locked(enrolment: Enrolment) -> Enrolment:
    """Return a stay as it is now, locked until the transaction ends."""
    return Enrolment.objects.select_for_update(of=("self",)).select_related("person", "school").get(pk=enrolment.pk)


def check_class_name(class_name: str, where: str) -> None:
    """Raise Refused unless a class may be called so: hosts know it as a group, and groups are joined by `;`."""
    if (
        class_name != class_name.strip()
        or len(class_name) > MAX_CLASS_NAME
        or not class_name.isprintable()
        or ";" in class_name
    ):
        expected = _('at most %(most)d printable characters, none of them ";"') % {"most": MAX_CLASS_NAME}
        raise Refused("bad_class", where, ascii(class_name[:MAX_CLASS_NAME]), expected)


def _check_days(valid_from: date, valid_until: date | None, where: str) -> None:
    if valid_until is not None and valid_until < valid_from:
        expected = _("a last day from %(day)s on") % {"day": valid_from}
        raise Refused("ends_before_it_begins", where, f"{valid_until}", expected)


def _told(action: str, enrolment: Enrolment, actor: str, now: datetime, was: object = None) -> None:
    audit.record(
        actor,
        action,
        enrolment.school,
        enrolment,
        at=now,
        person=enrolment.person.external_id,
        class_name=enrolment.class_name,
        valid_from=str(enrolment.valid_from),
        until=_text(enrolment.valid_until),
        was=_text(was),
    )
    changes.person_changed(enrolment.person, now=lambda: now)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _named(person: Person) -> str:
    return _("person %(person)s") % {"person": person.external_id}
