"""The turn of the class year: planned for a day, seen, applied and, if need be, undone (DOMAIN.md, trap 7).

A plan has an entry for each pupil's stay that goes on over that day. Applied, the stay ends the day before and goes on in the class a
grade higher; in the final grade it just ends. Since stays are dated it may be applied long before its day.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext as _

from registry import audit
from registry.models import Enrolment, EnrolmentKind, Rollover, School
from registry.people.classes import grade_of, promoted
from registry.people.enrolments import current
from registry.publishing import changes
from registry.refusal import Refused
from registry.transactions import deed

APART_DAYS: Final = 180  # two rollovers that are nearer than this would promote a class twice in a year
PROMOTE: Final = "promote"
GRADUATE: Final = "graduate"
KEEP: Final = "keep"
_DAY: Final = timedelta(days=1)


def plan(school: School, day: date, *, actor: str, now: datetime) -> Rollover:
    """Plan the turn of the class year for the first day of the new classes; changes nothing else.

    Each entry is `{"enrolment", "person", "class", "to", "act", "until"}`: `act` is promote, graduate or keep (a class without a grade,
    or a pupil who has a class from that day on already); `to` the new class or None; `until` the stay's end before, ISO or None.
    """
    stays = Enrolment.objects.filter(current(school, day - _DAY), kind=EnrolmentKind.PUPIL).exclude(
        valid_until=day - _DAY
    )
    rows = stays.filter(valid_from__lt=day).order_by("class_name", "person", "pk")
    ahead = set(
        Enrolment.objects.filter(school=school, kind=EnrolmentKind.PUPIL, valid_from__gte=day).values_list(
            "person", flat=True
        )
    )
    entries = [_entry(school, stay, ahead) for stay in rows.iterator()]
    made = Rollover.objects.create(school=school, day=day, plan=entries, planned_at=now, planned_by=actor)
    audit.record(actor, "rollover planned", school, made, at=now, day=str(day), entries=len(entries))
    return made


def summary(rollover: Rollover) -> dict[tuple[str, str | None], int]:
    """Return how many pupils go from which class to which; None is out of the school. Those who stay where they are are left out."""
    counts: dict[tuple[str, str | None], int] = {}
    for entry in rollover.plan:
        if entry["act"] != KEEP:
            move = (entry["class"], entry["to"])
            counts[move] = counts.get(move, 0) + 1
    return counts


@deed
def apply(rollover: Rollover, *, actor: str, now: datetime) -> Rollover:
    """Do what was planned. Raises Refused when it was done, when another was done for the same year, or a stay is not as planned."""
    held = _locked(rollover)
    if held.applied_at is not None:
        raise Refused(
            "applied_already", _named(held), f"{held.applied_at:%Y-%m-%d}", _("a rollover that is not applied yet")
        )
    near = Rollover.objects.filter(
        school=held.school,
        applied_at__isnull=False,
        undone_at=None,
        day__gt=held.day - timedelta(days=APART_DAYS),
        day__lt=held.day + timedelta(days=APART_DAYS),
    ).first()
    if near is not None:
        raise Refused(
            "rolled_over_already", _named(held), _named(near), _("one rollover a year, or the other one undone")
        )
    touched = [_turn(held, entry) for entry in held.plan if entry["act"] != KEEP]
    held.applied_at = now
    held.save(update_fields=["plan", "applied_at"])
    audit.record(actor, "rollover applied", held.school, held, at=now, day=str(held.day), stays=len(touched))
    changes.persons_changed(touched, now=lambda: now)
    return held


@deed
def undo(rollover: Rollover, *, actor: str, now: datetime) -> Rollover:
    """Put every stay back as it was; of who left since the leaving stays.

    Raises Refused when it was not applied, was undone, or a stay was changed since in another way, which it names.
    """
    held = _locked(rollover)
    if held.applied_at is None or held.undone_at is not None:
        found = _("not applied") if held.applied_at is None else _("undone already")
        raise Refused("not_applied", _named(held), found, _("a rollover that is in force"))
    touched = [_turn_back(held, entry) for entry in held.plan if entry["act"] != KEEP]
    held.undone_at = now
    held.save(update_fields=["undone_at"])
    audit.record(actor, "rollover undone", held.school, held, at=now, day=str(held.day), stays=len(touched))
    changes.persons_changed(touched, now=lambda: now)
    return held


def _entry(school: School, stay: Enrolment, ahead: set[int]) -> dict[str, Any]:
    grade = grade_of(stay.class_name)
    act = PROMOTE
    if grade is None or stay.person_id in ahead:
        act = KEEP
    elif grade >= school.final_grade:
        act = GRADUATE
    return {
        "enrolment": stay.pk,
        "person": stay.person_id,
        "class": stay.class_name,
        "to": promoted(stay.class_name) if act == PROMOTE else None,
        "act": act,
        "until": None if stay.valid_until is None else stay.valid_until.isoformat(),
    }


def _turn(rollover: Rollover, entry: dict[str, Any]) -> int:
    """Turn one stay; what it needs to be turned back is written into its entry. Returns the person."""
    stay = Enrolment.objects.select_for_update().filter(pk=entry["enrolment"]).first()
    if stay is None or (stay.class_name, _text(stay.valid_until)) != (entry["class"], entry["until"]):
        raise _overtaken(rollover, entry)
    if entry["act"] == PROMOTE:
        entry["made"] = Enrolment.objects.create(
            person_id=stay.person_id,
            school_id=stay.school_id,
            class_name=entry["to"],
            kind=stay.kind,
            valid_from=rollover.day,
            valid_until=stay.valid_until,
            cut=stay.cut,
        ).pk
        stay.cut = []
    stay.valid_until = rollover.day - _DAY
    stay.save(update_fields=["valid_until", "cut"])
    return stay.person_id


def _turn_back(rollover: Rollover, entry: dict[str, Any]) -> int:
    stay = Enrolment.objects.select_for_update().filter(pk=entry["enrolment"]).first()
    if stay is not None and _has_left(rollover, entry, stay):
        stay.cut = []  # were the leaving cancelled, the stay would go on in its own class again
        stay.save(update_fields=["cut"])
        return stay.person_id
    if stay is None or stay.valid_until != rollover.day - _DAY:
        raise _overtaken(rollover, entry)
    if "made" in entry:
        made = Enrolment.objects.select_for_update().filter(pk=entry["made"]).first()
        is_as_made = made is not None and (made.class_name, made.valid_from, _text(made.valid_until)) == (
            entry["to"],
            rollover.day,
            entry["until"],
        )
        if made is None or not is_as_made:
            raise _overtaken(rollover, entry)
        stay.cut = made.cut
        made.delete()
    stay.valid_until = date.fromisoformat(entry["until"]) if entry["until"] else None
    stay.save(update_fields=["valid_until", "cut"])
    return stay.person_id


def _has_left(rollover: Rollover, entry: dict[str, Any], stay: Enrolment) -> bool:
    """Tell whether the leaving was set since on a day before the new class, which was taken away by it."""
    if stay.valid_until is None or stay.valid_until >= rollover.day:
        return False
    if "made" in entry:
        return [gone["pk"] for gone in stay.cut] == [entry["made"]]
    return stay.valid_until < rollover.day - _DAY


def _overtaken(rollover: Rollover, entry: dict[str, Any]) -> Refused:
    found = _("a stay in class %(class)s that was changed since (enrolment %(number)d)") % {
        "class": entry["class"],
        "number": entry["enrolment"],
    }
    return Refused(
        "overtaken", _named(rollover), found, _("stays as they were; plan it anew, or mend this one by hand")
    )


def _locked(rollover: Rollover) -> Rollover:
    """Return the rollover as it is now; the school is locked, so that only one turns at a time."""
    School.objects.select_for_update(no_key=True).get(pk=rollover.school_id)
    return Rollover.objects.select_for_update(of=("self",)).select_related("school").get(pk=rollover.pk)


def _named(rollover: Rollover) -> str:
    return _("rollover for %(day)s") % {"day": rollover.day}


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
