"""The changes of a roster, written into the tables some hundreds at a time, each with its audit."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

from registry import audit
from registry.cards.states import Action
from registry.cards.steps import step_columns
from registry.models import AuditEntry, Card, CardStep, Enrolment, LeavingProposal, Person, RosterImport, School
from registry.people.enrolments import cut_off
from registry.people.roster_diff import CHUNK, Change, ChangeKind
from registry.publishing import changes as publishing

_SECRET: Final = frozenset({"uid", "personal_code"})


class RosterWriter:
    """Writes the changes of one roster, and tells the hosts at the end what became of whom."""

    def __init__(self, school: School, roster: RosterImport | None, *, actor: str, now: datetime) -> None:
        """`roster` is the import that leavings are proposed by; without one none may come."""
        self._school = school
        self._roster = roster
        self._actor = actor
        self._now = now
        self._persons: dict[str, int] = {}  # by person_key, of those that this roster brought
        self._touched_persons: set[int] = set()
        self._touched_cards: set[int] = set()
        self._audits: list[AuditEntry] = []
        self._ways: dict[ChangeKind, Callable[[list[Change]], None]] = {
            ChangeKind.PERSON_NEW: self._add_persons,
            ChangeKind.PERSON_CHANGED: self._change_persons,
            ChangeKind.STAY_NEW: self._add_stays,
            ChangeKind.STAY_CHANGED: self._change_stays,
            ChangeKind.STAY_MOVED: self._move_stays,
            ChangeKind.STAY_CUT: self._cut_stays,
            ChangeKind.CARD_NEW: self._add_cards,
            ChangeKind.CARD_CHANGED: self._change_cards,
            ChangeKind.LEAVING: self._propose,
        }

    def write(self, changes: Iterable[Change]) -> None:
        """Write all changes. The caller holds the transaction, and ends it only when all went well."""
        left = iter(changes)
        while chunk := list(islice(left, CHUNK)):
            for kind, way in self._ways.items():  # persons before their stays and cards
                if of_kind := [change for change in chunk if change.kind is kind]:
                    way(of_kind)
            AuditEntry.objects.bulk_create(self._audits)
            self._audits.clear()
        publishing.persons_changed(sorted(self._touched_persons), now=lambda: self._now)
        publishing.cards_changed(self._school, sorted(self._touched_cards), now=lambda: self._now)

    def person_id(self, change: Change) -> int:
        """Return the person whom a row means; it stands in the tables, or was brought by this roster."""
        return change.person or self._persons[change.key]

    def _add_persons(self, changes: list[Change]) -> None:
        made = [
            Person(
                **{**change.fields, "external_id": change.fields["external_id"] or f"ekool-{uuid.uuid4().hex[:16]}"},
                issuer=self._school,
            )
            for change in changes
        ]
        for change, person in zip(changes, Person.objects.bulk_create(made), strict=True):
            self._persons[change.key] = person.pk
            self._audit("person added", person, person=person.external_id)

    def _change_persons(self, changes: list[Change]) -> None:
        for change in changes:
            person = Person.objects.select_for_update(no_key=True).get(pk=change.target)
            _set(person, change)
            self._touched_persons.add(person.pk)  # for the names that hosts show
            self._audit("person corrected", person, person=person.external_id, parts=sorted(change.fields))

    def _add_stays(self, changes: list[Change]) -> None:
        made = [Enrolment(person_id=self.person_id(change), school=self._school, **change.fields) for change in changes]
        for stay in Enrolment.objects.bulk_create(made):
            self._touched_persons.add(stay.person_id)
            self._audit_stay("enrolled", stay)

    def _change_stays(self, changes: list[Change]) -> None:
        for change, stay in self._stays(changes):
            _set(stay, change)
            self._audit_stay("stay changed", stay, was=None)

    def _move_stays(self, changes: list[Change]) -> None:
        """End the former class the day before the new one begins; a leaving that was set goes on in the new class."""
        for change, stay in self._stays(changes):
            last = change.fields["valid_until"]
            if stay.valid_until is not None:
                heirs = Enrolment.objects.filter(
                    person=stay.person_id,
                    school=self._school,
                    kind=stay.kind,
                    valid_until=None,
                    valid_from__gt=last,
                    valid_from__lte=stay.valid_until,
                )
                if (heir := heirs.order_by("valid_from", "pk").first()) is not None:
                    heir.cut, stay.cut = stay.cut, []
                    heir.save(update_fields=["cut"])
                heirs.update(valid_until=stay.valid_until)
            self._audit_stay("class changed", stay, was=stay.class_name)
            if stay.valid_from > last:  # type: ignore[operator]  # a day: the diff's own
                stay.delete()  # it began no earlier than the one that takes its place
            else:
                stay.valid_until = last  # type: ignore[assignment]  # the same
                stay.save(update_fields=["valid_until", "cut"])

    def _cut_stays(self, changes: list[Change]) -> None:
        """Take away what goes on from a stay that ends earlier; the end that the roster gave it stands."""
        formers = Enrolment.objects.select_for_update().in_bulk([change.former for change in changes])
        for change, stay in self._stays(changes):
            former = formers[change.former]
            last = former.valid_until
            self._audit_stay("stay taken away", stay)
            cut_off(former, stay)
            former.valid_until = last
            former.save(update_fields=["valid_until"])

    def _add_cards(self, changes: list[Change]) -> None:
        made: list[Card] = []
        for change in changes:
            assert change.card is not None  # noqa: S101  that is what a new card's change consists of
            if change.key:
                change.card.person_id = self.person_id(change)
            made.append(change.card)
        made = Card.objects.bulk_create(made)
        CardStep.objects.bulk_create(
            CardStep(**step_columns(card, Action.ENTER, "", actor=self._actor, now=self._now, note=self._note()))
            for card in made
        )
        for card in made:
            self._touched_cards.add(card.pk)
            self._audit(f"card {Action.ENTER}", card, number=card.number, after=card.state)

    def _change_cards(self, changes: list[Change]) -> None:
        for change in changes:
            card = Card.objects.select_for_update(no_key=True).get(pk=change.target)
            _set(card, change)
            self._touched_cards.add(card.pk)
            told = {name: str(value) for name, value in change.fields.items() if name not in _SECRET}
            self._audit("card changed by a roster", card, number=card.number, chip="uid" in change.fields, **told)

    def _propose(self, changes: list[Change]) -> None:
        waiting = LeavingProposal.objects.filter(
            enrolment__in=[change.target for change in changes], decided_at=None
        ).values_list("enrolment", flat=True)
        known = set(waiting)
        LeavingProposal.objects.bulk_create(
            LeavingProposal(enrolment_id=change.target, roster=self._roster, proposed_at=self._now)
            for change in changes
            if change.target not in known
        )

    def _stays(self, changes: list[Change]) -> Iterator[tuple[Change, Enrolment]]:
        held = Enrolment.objects.select_for_update(of=("self",)).select_related("person")
        stays = held.in_bulk([change.target for change in changes])
        for change in changes:
            if change.target in stays:
                stay = stays[change.target]
                self._touched_persons.add(stay.person_id)
                yield change, stay

    def _audit_stay(self, action: str, stay: Enrolment, **detail: object) -> None:
        until = None if stay.valid_until is None else str(stay.valid_until)
        self._audit(action, stay, class_name=stay.class_name, valid_from=str(stay.valid_from), until=until, **detail)

    def _audit(self, action: str, what: Person | Enrolment | Card, **detail: object) -> None:
        columns = audit.columns(self._actor, action, self._school, what, at=self._now, **detail)
        self._audits.append(AuditEntry(**columns))

    def _note(self) -> str:
        return self._roster.file_name if self._roster is not None else ""


def _set(row: Person | Enrolment | Card, change: Change) -> None:
    for name, value in change.fields.items():
        setattr(row, name, value)
    row.save(update_fields=list(change.fields))
