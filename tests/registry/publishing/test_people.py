"""Whom a host may show: what the document says, and what makes it a new one."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from registry.models import (
    Card,
    CardKind,
    CardState,
    Enrolment,
    Host,
    LibraryIdentifier,
    Person,
    School,
    Shows,
    SiteState,
)
from registry.people import enrolments, persons, photos, workers
from registry.publishing import changes, keys
from registry.publishing.people import document_for, let_show, people_changed, people_of, photo_for
from registry.publishing.state import state_of
from sync.wire import people as wire
from sync.wire.keys import BoxKey
from sync.wire.people import People, Stay
from tests.rig import registered
from tests.rig.people import jpeg
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db

BOX = BoxKey.generate()
TODAY = date(2026, 11, 23)


@pytest.fixture
def school() -> School:
    """Give a school that shows photos."""
    return registered.school(shows_photos=True)


@pytest.fixture
def till(school: School) -> Host:
    """Give its till, which shows names."""
    host = registered.host(school, box_key=BOX.public)
    let_show(host, Shows.CANTEEN)
    return host


def version(school: School) -> int:
    """Return the version of the school's people documents."""
    return state_of(school).people_version


def shown(school: School, shows: str = Shows.CANTEEN, now: datetime = NOON) -> People:
    """Return whom a host shows, as it reads it."""
    return wire.parse(people_of(school, shows, now).to_json())


def ids(school: School, now: datetime = NOON) -> set[str]:
    """Return whom a till shows."""
    return {person.id for person in shown(school, now=now).persons}


def test_whoever_is_enrolled_today_or_from_tomorrow_is_shown(school: School) -> None:
    """With the days of the stay; nobody who has left, or comes later, or is another school's."""
    here = registered.person(school)
    other = registered.person(registered.school("viimsi"))
    gone, leaves, comes, later = (registered.person(school) for _ in range(4))
    for who, first, last in (
        (gone, date(2026, 9, 1), TODAY - timedelta(days=1)),
        (leaves, date(2026, 9, 1), TODAY),
        (comes, TODAY + timedelta(days=1), None),
        (later, TODAY + timedelta(days=2), None),
    ):
        Enrolment.objects.filter(person=who).update(valid_from=first, valid_until=last)
    assert ids(school) == {str(who.pk) for who in (here, leaves, comes)}
    assert str(other.pk) not in ids(school)
    person = next(each for each in shown(school).persons if each.id == str(leaves.pk))
    assert person.stays == (Stay("7b", "pupil", date(2026, 9, 1), TODAY),)
    assert ids(school, NOON + timedelta(hours=12)) == {
        str(who.pk) for who in (here, comes, later)
    }  # Tallinn's midnight is over


def test_holders_of_staff_cards_that_work_are_shown(school: School) -> None:
    """Also where they are enrolled nowhere."""
    active, closed, ended = (registered.person() for _ in range(3))
    registered.card(school, person=active, kind=CardKind.STAFF)
    registered.card(school, person=closed, kind=CardKind.STAFF, state=CardState.CLOSED)
    registered.card(school, person=ended, kind=CardKind.STAFF, valid_until=TODAY - timedelta(days=1))
    assert ids(school) == {str(active.pk)}
    assert shown(school).persons[0].stays == ()


def test_a_till_is_told_no_identifiers_and_a_library_its_numbers(school: School) -> None:
    """Each what it needs."""
    person = registered.person(school, library_number="L-7", personal_code="61001010003")
    registered.card(school, person=person, number="THG-1", state=CardState.CLOSED)
    registered.card(school, person=person, number="THG-2")
    registered.card(school, person=person, number="THG-3", kind=CardKind.SUBSTITUTE)
    workers.add(school, "Mall", "2468", actor="it", now=NOON)
    till, library = shown(school), shown(school, Shows.LIBRARY)
    assert (till.persons[0].identifiers, till.hands_over, len(till.workers)) == ((), None, 1)
    assert library.persons[0].identifiers == (("card", "THG-2"), ("library", "L-7"))
    assert (library.hands_over, len(library.workers)) == ("library", 1)
    assert b"61001010003" not in library.to_json()
    assert till.workers[0].pin.fits("2468")


@pytest.mark.parametrize(
    ("chosen", "key", "value"),
    [
        (LibraryIdentifier.LIBRARY_NUMBER, "library", "L-7"),
        (LibraryIdentifier.CARD_NUMBER, "card", "THG-2"),
        (LibraryIdentifier.EXTERNAL_ID, "external", "ext-1"),
        (LibraryIdentifier.PERSONAL_CODE, "personal_code", "61001010003"),
    ],
)
def test_T11_what_a_library_hands_over_is_the_schools_choice(
    school: School, chosen: LibraryIdentifier, key: str, value: str
) -> None:
    """The personal code is on no host unless the school has chosen it."""
    person = registered.person(school, library_number="L-7", personal_code="61001010003", external_id="ext-1")
    registered.card(school, person=person, number="THG-2")
    school.library_identifier = chosen
    library = shown(school, Shows.LIBRARY)
    assert library.hands_over == key
    assert dict(library.persons[0].identifiers)[key] == value
    assert {"personal_code", "external"} & dict(library.persons[0].identifiers).keys() <= {key}


def test_photos_are_shown_where_the_school_says_so(school: School, till: Host) -> None:
    """By their hash; and given out to a host whose document names them alone."""
    person = registered.person(school)
    photo = photos.give(school, person, jpeg(), actor="it", now=NOON)
    assert shown(school).persons[0].photo == photo.sha256
    assert photo_for(till, photo.sha256, NOON) == jpeg()
    assert photo_for(till, "00" * 32, NOON) is None
    Enrolment.objects.update(valid_until=TODAY - timedelta(days=1))
    assert photo_for(till, photo.sha256, NOON) is None
    Enrolment.objects.update(valid_until=None)
    school.shows_photos = False
    school.save()
    till.refresh_from_db()
    assert shown(school).persons[0].photo is None
    assert photo_for(Host.objects.get(pk=till.pk), photo.sha256, NOON) is None


def _rename(school: School, person: Person) -> None:
    persons.correct(person, persons.PersonFacts(person.external_id, "Uus", "Nimi"), actor="it", now=NOON, school=school)


def _move(_school: School, person: Person) -> None:
    enrolments.move(Enrolment.objects.get(person=person), "8b", TODAY, actor="it", now=NOON)


def _staff_card(school: School, _person: Person) -> None:
    card = registered.card(school, person=registered.person(), kind=CardKind.STAFF)
    changes.card_changed(card, now=lambda: NOON)


@pytest.mark.parametrize(
    "change",
    [
        _rename,
        _move,
        _staff_card,
        lambda school, person: photos.give(school, person, jpeg(), actor="it", now=NOON),
        lambda school, _person: workers.add(school, "Mall", "2468", actor="it", now=NOON),
        lambda school, _person: changes.refresh(school, now=lambda: NOON),
        lambda school, _person: let_show(Host.objects.get(school=school), Shows.NONE),
    ],
)
def test_whatever_a_page_would_show_otherwise_is_a_new_version(
    school: School, till: Host, change: Callable[[School, Person], object]
) -> None:
    """Names, classes, staff, photos, workers, the school's settings, and that a host may show none."""
    assert till.shows == Shows.CANTEEN
    person = registered.person(school)
    before = version(school)
    change(school, person)
    assert version(school) > before


def test_a_pupils_card_concerns_a_library_alone(school: School, till: Host) -> None:
    """A till shows no numbers of cards: a loan or a closed card sends it nothing."""
    card = registered.card(school, person=registered.person(school))
    lent = registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.POOL)
    before = version(school)
    changes.cards_changed(school, [card.pk, lent.pk], now=lambda: NOON)
    assert version(school) == before
    let_show(till, Shows.LIBRARY)
    before = version(school)
    changes.cards_changed(school, [lent.pk], now=lambda: NOON)
    assert version(school) == before
    changes.cards_changed(school, [card.pk], now=lambda: NOON)
    assert version(school) > before
    assert Card.objects.count() == 2


def test_each_day_has_its_own_list(school: School, till: Host) -> None:
    """Also where nobody's enrolment begins or ends."""
    changes.day_passed(school, TODAY, now=lambda: NOON)
    before = version(school)
    changes.day_passed(school, TODAY, now=lambda: NOON)
    assert version(school) == before
    changes.day_passed(school, TODAY + timedelta(days=1), now=lambda: NOON)
    assert version(school) > before
    assert till.shows


def test_nothing_is_counted_where_no_host_shows_names(school: School) -> None:
    """A school of doors pays nothing for it."""
    people_changed(school)
    assert not SiteState.objects.exists()


def test_a_document_is_made_for_what_a_host_does_not_know(school: School, till: Host) -> None:
    """It opens with the host's key; of the newest version and generation there is no other."""
    keys.ensure(NOON)
    signing = keys.load().signing
    person = registered.person(school)
    state = state_of(school)
    known = (state.generation, state.people_version)
    assert document_for(till, known, signing, NOON) is None
    for other in ((state.generation, known[1] - 1), (state.generation + 1, known[1]), (0, 0)):
        sealed = document_for(till, other, signing, NOON)
        assert sealed is not None
        header, raw = wire.open_sealed(
            sealed, box=BOX, root=keys.current_root(), site="thg", host="main-hall", held=None, now=NOON
        )
        assert (header.generation, header.version) == known
        assert wire.parse(raw).persons[0].id == str(person.pk)
