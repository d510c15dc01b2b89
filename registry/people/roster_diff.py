"""What a roster would change: its rows compared with the tables, some hundreds at a time, in bounded memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from django.db.models import Max, Q
from django.utils.translation import gettext as _

from registry.cards.entering import NewCard, prepared
from registry.cards.states import HAS_BEEN_ACTIVE
from registry.models import Card, CardProduct, Enrolment, Person, School
from registry.people.enrolments import current
from registry.people.persons import PersonFacts
from registry.people.roster_row import BadRow, RosterCard, RosterRow, RosterStay
from registry.refusal import Refused

CHUNK: Final = 400  # rows a question: below the number of values that SQLite takes in one
_TOLD: Final = ("given_name", "family_name", "email", "personal_code", "library_number")  # an empty text is not told
_DAY: Final = timedelta(days=1)


class ChangeKind(StrEnum):
    """What happens to whom."""

    PERSON_NEW = "person_new"
    PERSON_CHANGED = "person_changed"
    STAY_NEW = "stay_new"
    STAY_CHANGED = "stay_changed"
    STAY_MOVED = "stay_moved"
    """The stay ends because the roster has the person in another class."""
    STAY_CUT = "stay_cut"
    """The stay goes on from one that the roster ends earlier (next year's class after a rollover): it is taken away."""
    CARD_NEW = "card_new"
    CARD_CHANGED = "card_changed"
    LEAVING = "leaving"
    """The stay is in the tables and not in the roster: its end is proposed (trap 7)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `who` is an external id or a card's number; `target` is the row that changes.

    `person` is whose stay or card is made, 0 if the roster itself brings the person, who is found by `key` (`person_key`) then.
    `fields` is what it will be, by column; `card` a card to be written down, not saved; `former` the stay from which a cut one goes on.
    """

    kind: ChangeKind
    line: int
    who: str
    key: str = ""
    person: int = 0
    target: int = 0
    former: int = 0
    fields: Mapping[str, object] = field(default_factory=dict)
    card: Card | None = None


def person_key(facts: PersonFacts) -> str:
    """Return by what a roster knows a person: the school's external id, else the personal code; for our own tables, never shown."""
    return f"id {facts.external_id}" if facts.external_id else f"code {facts.personal_code}"


class RosterDiff:
    """The comparison of one roster with one school on one day."""

    def __init__(self, school: School, today: date, *, is_whole: bool = True) -> None:
        """`is_whole`: whoever is not in it has left, as far as the roster knows."""
        self._school = school
        self._today = today
        self._is_whole = is_whole
        self._products = {product.code: product for product in CardProduct.objects.filter(school=school)}
        self._met: dict[str, int] = {}  # whom earlier rows meant, 0 is somebody new
        self._codes: set[str] = set()
        self._stays: set[tuple[str, str, str]] = set()
        self._numbers: set[str] = set()
        self._uids: set[bytes] = set()
        self._seen: set[int] = set()
        self._moved_to: dict[tuple[int, str], tuple[date, date | None]] = {}
        self._classes: dict[str, set[str]] = {}  # by kind, those that occur in the roster
        self._goes_on: list[tuple[Enrolment, Enrolment, str]] = []  # from a stay that the roster ends, and whose
        self._ended = 0
        self._before = _Before.now()
        there = Enrolment.objects.filter(current(school, today)).values_list("kind", "class_name")
        self._there = set(there.distinct())  # asked before anything is written

    def changes(self, rows: Iterable[RosterRow | BadRow]) -> Iterator[Change | BadRow]:
        """Give all changes of a roster, those of absence last. A caller may write each before it takes the next."""
        left = iter(rows)
        while chunk := list(islice(left, CHUNK)):
            good = [row for row in chunk if isinstance(row, RosterRow)]
            held = _Held(self._school, good, self._before, self._today)
            for row in chunk:
                if isinstance(row, BadRow):
                    yield row
                else:
                    yield from self._row(row, held)
        yield from self._cut()
        if self._is_whole:
            yield from self._absent()

    def count_before(self) -> int:
        """Return how many stays the school has today where absence is looked at: what a share of removals is a share of."""
        return Enrolment.objects.filter(current(self._school, self._today), self._scope()).count()

    def count_ended(self) -> int:
        """Return how many stays that hold today get an earlier end, or a first day that is yet to come."""
        return self._ended

    def met(self) -> frozenset[int]:
        """Return the stays whose persons are in the roster, in this class or in another."""
        return frozenset(self._seen)

    def limited_to(self) -> list[str]:
        """Return the classes within which absence is looked at; empty when it is the whole school."""
        return sorted({name for kind in self._classes if self._is_partial(kind) for name in self._classes[kind]})

    def _is_partial(self, kind: str) -> bool:
        """Tell whether the roster speaks of some of the school's classes alone: who is in the others has not left."""
        return self._classes[kind] < {class_name for one, class_name in self._there if one == kind}

    def _scope(self) -> Q:
        scope = Q(pk__in=[])
        for kind, classes in self._classes.items():
            scope |= Q(kind=kind, class_name__in=classes) if self._is_partial(kind) else Q(kind=kind)
        return scope

    def _row(self, row: RosterRow, held: "_Held") -> Iterator[Change | BadRow]:
        person: Person | None = None
        key = ""
        if row.person is not None:
            key = person_key(row.person)
            person = held.person(row.person)
            if (bad := self._bad_person(row, person, held)) is not None:
                yield bad
                return
            yield from self._person(row, row.person, person, key, held)
        if row.stay is not None:
            yield from self._stay(row, row.stay, person, key, held)
        if row.card is not None:
            yield from self._card(row, row.card, person, key, held)

    def _bad_person(self, row: RosterRow, person: Person | None, held: "_Held") -> BadRow | None:
        facts = row.person
        if facts is None:
            return None
        pk = person.pk if person is not None else 0
        if self._met.get(person_key(facts), pk) != pk:
            found = _("another person than in an earlier row")
            return BadRow(row.line, "personal_code", found, _("the same personal code in each row of a person"))
        if not facts.personal_code:
            return None
        other = held.by_code.get(facts.personal_code)
        is_other_id = bool(facts.external_id) and person is not None and person.issuer_id == self._school.pk
        if other is not None and (other != person or (is_other_id and other.external_id != facts.external_id)):
            found = _("the code of another person")
            if other.issuer_id == self._school.pk:
                found = _("the code of person %(person)s") % {"person": other.external_id}
            return BadRow(row.line, "personal_code", found, _("a code that no other person has"))
        key = person_key(facts)
        if key not in self._met and facts.personal_code in self._codes:
            return BadRow(row.line, "personal_code", _("a code that an earlier row has"), _("one person a code"))
        self._codes.add(facts.personal_code)
        return None

    def _person(
        self, row: RosterRow, facts: PersonFacts, person: Person | None, key: str, held: "_Held"
    ) -> Iterator[Change]:
        if key in self._met:
            return
        self._met[key] = person.pk if person is not None else 0
        if person is None:
            told = {name: getattr(facts, name) for name in ("given_name", "family_name", "email", "library_number")}
            yield Change(
                ChangeKind.PERSON_NEW,
                row.line,
                facts.external_id,
                key,
                fields={**told, "external_id": facts.external_id, "personal_code": facts.personal_code or None},
            )
            return
        if not held.may_tell(person):
            return  # another school's pupil comes here too: what is known of them stays
        said = {name: getattr(facts, name) for name in _TOLD}
        differing = {name: text for name, text in said.items() if text and text != (getattr(person, name) or "")}
        if differing:
            yield Change(
                ChangeKind.PERSON_CHANGED, row.line, person.external_id, key, target=person.pk, fields=differing
            )

    def _stay(
        self, row: RosterRow, stay: RosterStay, person: Person | None, key: str, held: "_Held"
    ) -> Iterator[Change | BadRow]:
        self._classes.setdefault(stay.kind, set()).add(stay.class_name)
        if (key, stay.class_name, stay.kind) in self._stays:
            if row.card is None:  # a second card makes a second row of the same stay
                yield BadRow(row.line, "class", _("a stay that an earlier row has"), _("each stay once"))
            return
        self._stays.add((key, stay.class_name, stay.kind))
        who = person.external_id if person is not None else row.person.external_id if row.person else ""
        known = self._known(stay, held.stays_of(person))
        if known is None:
            first = stay.valid_from or self._today
            fields = {
                "class_name": stay.class_name,
                "kind": stay.kind,
                "valid_from": first,
                "valid_until": stay.valid_until,
            }
            if stay.valid_until is not None and stay.valid_until < first:
                yield BadRow(row.line, "until", f"{stay.valid_until}", _("a day from %(day)s on") % {"day": first})
                return
            if person is not None and (stay.valid_until is None or stay.valid_until >= self._today):
                self._moved_to.setdefault((person.pk, stay.kind), (first, stay.valid_until))
            yield Change(ChangeKind.STAY_NEW, row.line, who, key, person.pk if person else 0, fields=fields)
            return
        self._seen.add(known.pk)
        days = {"valid_from": stay.valid_from, "valid_until": stay.valid_until}
        differing = {name: day for name, day in days.items() if day is not None and day != getattr(known, name)}
        if not differing:
            return
        first, last = (differing.get(name) or getattr(known, name) for name in days)
        if last is not None and last < first:
            yield BadRow(row.line, "until", f"{last}", _("a day from %(day)s on") % {"day": first})
            return
        self._ends(known, first, last, held.stays_of(person), who)
        yield Change(ChangeKind.STAY_CHANGED, row.line, who, key, target=known.pk, fields=differing)

    def _ends(self, known: Enrolment, first: date, last: date | None, stays: Sequence[Enrolment], who: str) -> None:
        """Count a stay whose end comes nearer, and remember what goes on from it."""
        was = known.valid_until
        is_nearer = _is_nearer(last, was)
        holds_today = known.valid_from <= self._today and (was is None or was >= self._today)
        if holds_today and (is_nearer or first > self._today):
            self._ended += 1
        former = known
        while is_nearer and former.valid_until is not None:
            begins = former.valid_until + _DAY
            after = next((one for one in stays if (one.kind, one.valid_from) == (known.kind, begins)), None)
            if after is None:
                return
            self._goes_on.append((known, after, who))
            former = after

    def _cut(self) -> Iterator[Change]:
        done: set[int] = set()
        kept: set[int] = set()
        for former, after, who in self._goes_on:
            if after.pk in self._seen:
                kept.add(former.pk)  # the roster has the later stay too, and so what goes on from it
            if former.pk in kept or after.pk in done:
                continue
            done.add(after.pk)
            fields = {"class_name": after.class_name, "valid_from": after.valid_from}
            yield Change(ChangeKind.STAY_CUT, 0, who, target=after.pk, former=former.pk, fields=fields)

    def _known(self, stay: RosterStay, stays: Sequence[Enrolment]) -> Enrolment | None:
        """Return the stay that a row means: of the same class and kind, not ended before the row begins; or begun on the same day."""
        since = min(self._today, stay.valid_from or self._today)
        for one in stays:
            if (one.class_name, one.kind) != (stay.class_name, stay.kind):
                continue
            if one.valid_from == stay.valid_from or one.valid_until is None or one.valid_until >= since:
                return one
        return None

    def _card(
        self, row: RosterRow, card: RosterCard, person: Person | None, key: str, held: "_Held"
    ) -> Iterator[Change | BadRow]:
        bad = self._bad_card(row.line, card, held)
        if bad is not None:
            yield bad
            return
        self._numbers.add(card.number)
        if card.uid is not None:
            self._uids.add(card.uid)
        known = held.cards.get(card.number)
        if known is not None:
            yield from self._known_card(row, card, known, person)
            return
        new = NewCard(
            card.number,
            card.kind,
            card.state,
            person if person is not None else Person() if row.person is not None else None,
            self._products.get(card.product),
            card.uid,
            card.ordered_on,
            card.valid_from,
            card.valid_until,
            card.close_reason,
        )
        try:
            made = prepared(self._school, new, self._today)
        except Refused as refused:
            yield BadRow(row.line, _COLUMN_OF_CODE.get(refused.code, "card_number"), refused.found, refused.expected)
            return
        yield Change(ChangeKind.CARD_NEW, row.line, card.number, key, person.pk if person else 0, card=made)

    def _bad_card(self, line: int, card: RosterCard, held: "_Held") -> BadRow | None:
        if card.number in self._numbers:
            return BadRow(line, "card_number", _("a number that an earlier row has"), _("each card once"))
        if card.product and card.product not in self._products:
            return BadRow(line, "product", f"“{card.product[:60]}”", ", ".join(self._products) or _("no product"))
        if card.uid is None:
            return None
        owner = held.number_of_uid.get(card.uid)
        if card.uid in self._uids or (owner is not None and owner != card.number):
            found = (
                _("the chip of card %(number)s") % {"number": owner} if owner else _("a chip that an earlier row has")
            )
            return BadRow(line, "uid", found, _("a chip that no other card has"))
        return None

    def _known_card(
        self, row: RosterRow, card: RosterCard, known: Card, person: Person | None
    ) -> Iterator[Change | BadRow]:
        if row.person is not None and (person is None or known.person_id != person.pk):
            yield BadRow(
                row.line, "card_number", _("a card of another person"), _("a card of this person, or a new number")
            )
            return
        if known.kind != card.kind:
            yield BadRow(row.line, "card_kind", card.kind, known.kind)
            return
        if card.uid is not None and known.uid is not None and bytes(known.uid) != card.uid:
            yield BadRow(row.line, "uid", _("another chip than the card has"), _("the same chip, or none"))
            return
        said: dict[str, object] = {"valid_from": card.valid_from, "valid_until": card.valid_until}
        if known.uid is None:
            said["uid"] = card.uid
        if known.state not in HAS_BEEN_ACTIVE:
            said["printed_until"] = card.valid_until  # its end is computed when it is activated
        differing = {name: value for name, value in said.items() if value is not None and value != getattr(known, name)}
        if differing:
            yield Change(ChangeKind.CARD_CHANGED, row.line, card.number, target=known.pk, fields=differing)

    def _absent(self) -> Iterator[Change]:
        stays = Enrolment.objects.filter(
            current(self._school, self._today), kind__in=self._classes, pk__lte=self._before.stay
        )
        looked_at = set(stays.filter(self._scope()).values_list("pk", flat=True))
        rows = stays.order_by("pk").values_list(
            "pk", "person", "person__external_id", "kind", "class_name", "valid_until"
        )
        for pk, person, who, kind, class_name, was in list(rows):
            if pk in self._seen:
                continue
            moved_to = self._moved_to.get((person, kind))
            if moved_to is None:
                if pk in looked_at:
                    yield Change(ChangeKind.LEAVING, 0, who, target=pk, fields={"class_name": class_name})
            else:
                first, last = moved_to
                self._seen.add(pk)
                self._ended += _is_nearer(last, was)
                yield Change(
                    ChangeKind.STAY_MOVED,
                    0,
                    who,
                    target=pk,
                    fields={"class_name": class_name, "valid_until": first - _DAY},
                )


def _is_nearer(last: date | None, was: date | None) -> bool:
    """Tell whether a stay's end comes before what it was; None is no end."""
    return last is not None and (was is None or last < was)


_COLUMN_OF_CODE: Final = {
    "bad_number": "card_number",
    "bad_kind": "card_kind",
    "bad_state": "state",
    "no_person": "external_id",
    "has_person": "external_id",
    "other_product": "product",
    "bad_reason": "close_reason",
    "outlasts_stage": "product",
    "ends_before_it_begins": "valid_until",
}


@dataclass(frozen=True, slots=True)
class _Before:
    """The highest ids there were when the comparison began: what a caller writes while it goes on is not what was held."""

    person: int
    stay: int

    @staticmethod
    def now() -> "_Before":
        highest = (model.objects.aggregate(pk=Max("pk"))["pk"] or 0 for model in (Person, Enrolment))
        return _Before(*highest)


class _Held:
    """What the tables hold of whom and what a chunk names: six questions."""

    def __init__(self, school: School, rows: Sequence[RosterRow], before: _Before, today: date) -> None:
        persons = [row.person for row in rows if row.person is not None]
        ids = {facts.external_id for facts in persons if facts.external_id}
        codes = {facts.personal_code for facts in persons if facts.personal_code}
        known_before = Person.objects.filter(pk__lte=before.person)
        own = known_before.filter(issuer=school, external_id__in=ids)  # another school's 17 is somebody else
        self._school = school
        self.by_id = {person.external_id: person for person in own}
        self.by_code = {person.personal_code or "": person for person in known_before.filter(personal_code__in=codes)}
        known = {person.pk for person in (*self.by_id.values(), *self.by_code.values())}
        self._stays: dict[int, list[Enrolment]] = {}
        for stay in Enrolment.objects.filter(person__in=known, school=school, pk__lte=before.stay).order_by(
            "-valid_from"
        ):
            self._stays.setdefault(stay.person_id, []).append(stay)
        elsewhere = Enrolment.objects.filter(person__in=known).exclude(school=school)
        there = elsewhere.filter(Q(valid_until=None) | Q(valid_until__gte=today))
        self._elsewhere = set(there.values_list("person", flat=True))
        cards = [row.card for row in rows if row.card is not None]
        held = Card.objects.filter(school=school)
        self.cards = {card.number: card for card in held.filter(number__in=[card.number for card in cards])}
        uids = [card.uid for card in cards if card.uid is not None]
        self.number_of_uid = {
            bytes(uid): number
            for uid, number in held.filter(uid__in=uids).values_list("uid", "number")
            if uid is not None
        }

    def person(self, facts: PersonFacts) -> Person | None:
        """Return whom a row means: who has the school's id, else who has the personal code."""
        return self.by_id.get(facts.external_id) or self.by_code.get(facts.personal_code)

    def may_tell(self, person: Person) -> bool:
        """Tell whether the school may say how a person is called: its own, or one who was here and is at no other school now."""
        return person.issuer_id == self._school.pk or (person.pk in self._stays and person.pk not in self._elsewhere)

    def stays_of(self, person: Person | None) -> Sequence[Enrolment]:
        """Return a person's stays at the school, the last first."""
        return self._stays.get(person.pk, ()) if person is not None else ()
