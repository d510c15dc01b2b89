"""The people documents: whom the hosts of a school may show by name today and tomorrow, and the version that tells when that changed.

One version counts for the school, whatever differs from host to host. Nothing is counted while no host shows names: one that is let to
is told a new version by that deed itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from registry.models import Card, CardKind, CardState, Enrolment, Host, LibraryIdentifier, Person, Photo, School, Shows
from registry.models import Worker as WorkerRow
from registry.models.publishing import SiteState
from registry.publishing import bell
from registry.publishing.one_moment import one_moment
from registry.publishing.state import locked_state, state_of
from sync.wire import people as wire
from sync.wire.keys import SigningKey
from sync.wire.people import MAX_STAYS, People, Stay, Worker
from sync.wire.people import Person as Shown
from sync.wire.pin import PinHash

HANDED_OVER: Final = {
    LibraryIdentifier.LIBRARY_NUMBER: "library",
    LibraryIdentifier.CARD_NUMBER: "card",
    LibraryIdentifier.EXTERNAL_ID: "external",
    LibraryIdentifier.PERSONAL_CODE: "personal_code",
}
_DAY: Final = timedelta(days=1)


def people_changed(school: School, *, always: bool = False) -> None:
    """Tell the school's hosts that names, classes, photos, workers or identifiers have changed.

    Call it last in the transaction that made the change: it locks the school's state. `always`: also when no host shows names any more,
    since one that did is to hear it.
    """
    if not always and not Host.objects.filter(school=school).exclude(shows=Shows.NONE).exists():
        return
    state = locked_state(school)
    SiteState.objects.filter(pk=state.pk).update(people_version=F("people_version") + 1)
    bell.ring(f"{school.pk} people")


def names_changed(persons: Collection[int]) -> None:
    """Tell it to each school where one of these at most 500 persons is or was enrolled, or has a card."""
    stays = Enrolment.objects.filter(person__in=persons).values("school")
    cards = Card.objects.filter(person__in=persons).values("school")
    for school in School.objects.filter(Q(pk__in=stays) | Q(pk__in=cards)).order_by("pk"):
        people_changed(school)


def people_changed_by(school: School, cards: Collection[int]) -> None:
    """Tell it if one of these at most 500 cards matters: a staff card makes its holder known, any other gives a library its number."""
    kinds = [CardKind.STAFF]
    if Host.objects.filter(school=school, shows=Shows.LIBRARY).exists():
        kinds.append(CardKind.PERSONAL)
    if Card.objects.filter(pk__in=cards, kind__in=kinds).exists():
        people_changed(school)


def let_show(host: Host, shows: str) -> None:
    """Let a host show names from now on, or none any more. The caller audits it within the same transaction."""
    host.shows = Shows(shows)
    host.save(update_fields=["shows"])
    people_changed(host.school, always=True)


def document_for(host: Host, known: tuple[int, int], signer: SigningKey, now: datetime) -> bytes | None:
    """Return the host's document, sealed to it; None when it knows the newest (`known`: generation, version; generation 0 is any).

    The host must show names, and have a box key.
    """
    with one_moment():
        state = state_of(host.school)
        if known[1] == state.people_version and known[0] in {0, state.generation}:
            return None
        people = people_of(host.school, host.shows, now)
    return wire.make(
        people,
        site=host.school.code,
        host=host.name,
        generation=state.generation,
        version=state.people_version,
        issued_at=now,
        signer=signer,
        box_key=bytes(host.box_key or b""),
    )


def people_of(school: School, shows: str, now: datetime | None = None) -> People:
    """Return whom a host that shows names for this purpose may show."""
    at = timezone.now() if now is None else now
    day = school.local_day(at)
    is_library = shows == Shows.LIBRARY
    chosen = LibraryIdentifier(school.library_identifier)
    stays = _stays(school, day)
    staff = set(_staff_cards(school, day).values_list("person", flat=True))
    photos = dict(_photos(school).values_list("person", "sha256"))
    persons = list(Person.objects.filter(_among(school, day)).distinct().order_by("pk")[: wire.MAX_PERSONS])
    cards = _card_numbers(school, day) if is_library else {}
    return People(
        shows=str(shows),
        timezone=school.timezone,
        day=day,
        hands_over=HANDED_OVER[chosen] if is_library else None,
        persons=tuple(
            Shown(
                id=str(person.pk),
                given_name=person.given_name,
                family_name=person.family_name,
                photo=photos.get(person.pk),
                identifiers=_identifiers(person, chosen, cards.get(person.pk)) if is_library else (),
                stays=() if person.pk in staff and person.pk not in stays else tuple(stays[person.pk][:MAX_STAYS]),
            )
            for person in persons
        ),
        workers=tuple(_workers(school)),  # at a library's desk, too: a shift opens there to find by name
    )


def photo_for(host: Host, sha256: str, now: datetime) -> bytes | None:
    """Return a photo that the host's document names, as it was given; None for any other."""
    day = host.school.local_day(now)
    found = _photos(host.school).filter(sha256=sha256, person__in=Person.objects.filter(_among(host.school, day)))
    jpeg = found.values_list("jpeg", flat=True).first()
    return None if jpeg is None else bytes(jpeg)


def _among(school: School, day: date) -> Q:
    """Whoever is enrolled today or from tomorrow, and whoever holds a staff card that works."""
    return Q(pk__in=_current(school, day).values("person")) | Q(pk__in=_staff_cards(school, day).values("person"))


def _current(school: School, day: date) -> QuerySet[Enrolment]:
    lasts = Q(valid_until=None) | Q(valid_until__gte=day)
    return Enrolment.objects.filter(lasts, school=school, valid_from__lte=day + _DAY)


def _stays(school: School, day: date) -> dict[int, list[Stay]]:
    stays: defaultdict[int, list[Stay]] = defaultdict(list)
    rows = _current(school, day).order_by("-valid_from", "pk")
    for person, name, kind, first, last in rows.values_list(
        "person", "class_name", "kind", "valid_from", "valid_until"
    ):
        stays[person].append(Stay(name, kind, first, last))
    return stays


def _working(school: School, day: date) -> QuerySet[Card]:
    begun = Q(valid_from=None) | Q(valid_from__lte=day)
    lasts = Q(valid_until=None) | Q(valid_until__gte=day)
    return Card.objects.filter(begun, lasts, school=school, state=CardState.ACTIVE, person__isnull=False)


def _staff_cards(school: School, day: date) -> QuerySet[Card]:
    return _working(school, day).filter(kind=CardKind.STAFF)


def _card_numbers(school: School, day: date) -> dict[int | None, str]:
    """The number of each person's newest card that works; never a substitute's, which is nobody's own."""
    own = _working(school, day).filter(kind__in=[CardKind.PERSONAL, CardKind.STAFF]).order_by("pk")
    return dict(own.values_list("person", "number"))


def _identifiers(person: Person, chosen: LibraryIdentifier, card: str | None) -> tuple[tuple[str, str], ...]:
    """What a library desk may know: numbers of card and reader always, the others only where the school hands them over."""
    known = {"card": card, "library": person.library_number}
    if chosen is LibraryIdentifier.EXTERNAL_ID:
        known["external"] = person.external_id
    if chosen is LibraryIdentifier.PERSONAL_CODE:
        known["personal_code"] = person.personal_code
    return tuple((name, value) for name, value in sorted(known.items()) if value)


def _photos(school: School) -> QuerySet[Photo]:
    return Photo.objects.filter(school=school) if school.shows_photos else Photo.objects.none()


def _workers(school: School) -> Iterable[Worker]:
    for row in WorkerRow.objects.filter(school=school, is_active=True).order_by("pk")[: wire.MAX_WORKERS]:
        yield Worker(str(row.pk), row.name, PinHash(bytes(row.pin_salt), bytes(row.pin_hash)))
