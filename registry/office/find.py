"""Finding people and cards by name, class or card number: the page that the office opens first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from registry.models import Card, Enrolment, Person, School
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page

MAX_FOUND: Final = 60
_MAX_WORDS: Final = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A person with what the list shows of them. `classes` are today's, or the last one in brackets for who has left."""

    person: Person
    classes: str
    cards: list[Card]


def persons(visit: Visit, deed: Deed = Deed.FIND) -> QuerySet[Person]:
    """Return those whom this user may see: people of their schools; only who is there today for who has no business with others."""
    return Person.objects.filter(Exists(_enrolments(visit, deed).filter(person=OuterRef("pk"))))


def cards(visit: Visit, deed: Deed = Deed.FIND) -> QuerySet[Card]:
    """Return the cards that this user may see: those of their schools."""
    return Card.objects.filter(school__in=visit.schools(deed)).select_related("school", "person", "product")


def matching(visit: Visit, text: str, deed: Deed = Deed.FIND) -> QuerySet[Person]:
    """Return whom a search means: each word is part of a name, a whole class, or part of a card number."""
    found = persons(visit, deed)
    enrolled = _enrolments(visit, deed).filter(person=OuterRef("pk"))
    held = Card.objects.filter(school__in=visit.schools(deed), person=OuterRef("pk"))
    for word in text.split()[:_MAX_WORDS]:
        classes = Exists(enrolled.filter(_any_case("class_name", "iexact", word)))
        named = _any_case("given_name", "icontains", word) | _any_case("family_name", "icontains", word)
        found = found.filter(named | classes | Exists(held.filter(number__icontains=word)))
    return found.order_by("family_name", "given_name", "pk")


def shown(visit: Visit, found: QuerySet[Person]) -> list[Found]:
    """Return people as lists show them, at most `MAX_FOUND` + 1: the one too many says that there are more."""
    schools = visit.schools(Deed.FIND)
    rows = found.prefetch_related(
        Prefetch("cards", Card.objects.filter(school__in=schools).order_by("-pk"), "seen_cards"),
        Prefetch("enrolments", Enrolment.objects.filter(school__in=schools).order_by("valid_from"), "seen_enrolments"),
    )
    return [_row(visit, person) for person in rows[: MAX_FOUND + 1]]


@page(Deed.FIND)
def find(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the search box, and what was found."""
    text = request.GET.get("q", "").strip()[:100]
    found = shown(visit, matching(visit, text)) if text else []
    loose = cards(visit).filter(number__icontains=text, person=None).order_by("number")[:MAX_FOUND] if text else []
    return show(
        request,
        "find",
        "",
        text=text,
        found=found[:MAX_FOUND],
        has_more_found=len(found) > MAX_FOUND,
        loose=loose,
        closing={school.pk for school in visit.schools(Deed.CLOSE)},
        may_lend=visit.may(Deed.LEND),
        may_add=visit.may(Deed.ROSTER),
    )


def _enrolments(visit: Visit, deed: Deed) -> QuerySet[Enrolment]:
    ever = [
        school for school in visit.schools(deed) if visit.may(Deed.CONTACT, school) or visit.may(Deed.AUDIT, school)
    ]
    found = Q(school__in=ever)
    for school in visit.schools(deed):
        found |= Q(school=school) & (Q(valid_until=None) | Q(valid_until__gte=visit.today(school)))
    return Enrolment.objects.filter(found)


def _any_case(field: str, lookup: str, word: str) -> Q:
    """Match without regard to case also where SQLite's LIKE knows the case of ASCII letters alone: Õnne, õnne, ÕNNE."""
    matched = Q()
    for form in {word, word.lower(), word.upper(), word.capitalize()}:
        matched |= Q(**{f"{field}__{lookup}": form})
    return matched


def classes_of(visit: Visit, enrolments: Iterable[Enrolment]) -> str:
    """Return the classes a person is in today; the last one in brackets when there is none."""
    known = list(enrolments)
    current = [one for one in known if is_current(one, visit.today(one.school))]
    if current:
        return ", ".join(dict.fromkeys(_place(one) for one in current))
    return f"({_place(known[-1])})" if known else ""


def is_current(enrolment: Enrolment, today: date) -> bool:
    """Tell whether a stay holds today."""
    return enrolment.valid_from <= today and (enrolment.valid_until is None or today <= enrolment.valid_until)


def _place(enrolment: Enrolment) -> str:
    return enrolment.class_name or str(enrolment.get_kind_display())


def _row(visit: Visit, person: Person) -> Found:
    seen_enrolments: list[Enrolment] = person.seen_enrolments  # type: ignore[attr-defined]  # the Prefetch of `shown`
    seen_cards: list[Card] = person.seen_cards  # type: ignore[attr-defined]  # the same
    schools: dict[int, School] = {post.school.pk: post.school for post in visit.posts}
    for enrolment in seen_enrolments:
        enrolment.school = schools[enrolment.school_id]
    return Found(person, classes_of(visit, seen_enrolments), seen_cards)
