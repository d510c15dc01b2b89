"""What is done within a shift: whom a class has, who has eaten, and the marks that go to the daemon. Each answer says what to show."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from outputs.screen.parts import Parts, Person, Worker
from outputs.screen.persons import listed
from outputs.screen.till import readers_of
from outputs.screen.web import Asked, Refused
from policy.phrases import phrase
from policy.reasons import Reason

MOST_PERSONS: Final = 200  # ticked at once
AT_ONCE: Final = 40  # of whom the daemon is asked in one question
MOST_FOUND: Final = 20
WITHIN_S: Final = 5.0
_WHY_MOST: Final = 200
_ID_CHARS: Final = 32
_HOWS: Final = frozenset({"class", "paper"})


def services_of(parts: Parts) -> list[str]:
    """Return the services at which this host's workers serve, the canteen first: those of its readers that are no doors."""
    shown = readers_of(parts)
    found = {each.service for each in parts.config.readers if each.name in shown and each.direction is None}
    return sorted(found, key=lambda service: (service != "canteen", service))


class Deeds:
    """The deeds of an open shift; whoever calls has looked whether it is."""

    def __init__(self, parts: Parts) -> None:
        """Take the parts."""
        self._parts = parts

    def state(self, asked: Asked) -> Mapping[str, object]:
        """Return the classes with how many have eaten, the marks that can be taken back, and the taps that wait for an answer."""
        told = self._shift(asked)
        people = self._parts.people
        eaten: dict[str, int] = {}
        for id_ in told["served"]:
            person = people.person(id_)
            if person is not None:
                eaten[person.class_name] = eaten.get(person.class_name, 0) + 1
        return {
            "classes": [
                {"name": name, "count": n, "eaten": eaten.get(name, 0)} for name, n in people.classes().items()
            ],
            "undoable": [{**each, **self._named(each["person"])} for each in told["undoable"]],
            "asking": [{**each, **self._named(each["person"])} for each in told["asking"]],
        }

    def of_class(self, asked: Asked, _worker: Worker) -> Mapping[str, object]:
        """Return the pupils of a class, with who has eaten already."""
        class_name = asked.text("class", most=50)
        return {"class": class_name, "pupils": self._pupils(asked, self._parts.people.of_class(class_name))}

    def find(self, asked: Asked, _worker: Worker) -> Mapping[str, object]:
        """Return whom a typed text may mean."""
        text = asked.text("text", most=100, least=0).strip()
        return {"pupils": self._pupils(asked, self._parts.people.find(text, MOST_FOUND) if text else [])}

    def serve(self, asked: Asked, worker: Worker) -> Mapping[str, object]:
        """Serve one pupil by name; `why` serves anyway, `asked` answers a tap. A refusal is an answer: `refused`, `said`, `may_anyway`."""
        person = self._person(asked.text("person", most=64))
        question = self._question(asked, worker, asked.text("id", least=_ID_CHARS, most=_ID_CHARS))
        question |= {"person": person.id, "how": "hand"}
        why = " ".join(asked.text("why", least=0, most=_WHY_MOST).split()) if "why" in asked.body else ""
        if why:
            question |= {"how": "anyway", "why": why}
        if asked.body.get("asked") is not None:
            question["asked"] = asked.text("asked", least=_ID_CHARS, most=_ID_CHARS)
        return self._told(asked, self._ask(question)) | self._named(person.id)

    def mark(self, asked: Asked, worker: Worker) -> Mapping[str, object]:
        """Mark many at once: a whole class, or a paper list of a day. Answers the `marks` by their ids, and who was `refused` and why."""
        how = asked.text("how")
        persons = asked.body.get("persons")
        if how not in _HOWS or not isinstance(persons, list) or not 0 < len(persons) <= MOST_PERSONS:
            raise Refused("common.malformed", 400, name="persons")
        known = [self._person(str(each)).id for each in persons]
        id_ = asked.text("id", least=_ID_CHARS, most=_ID_CHARS)
        answers: list[Mapping[str, Any]] = []
        for first in range(0, len(known), AT_ONCE):
            question = self._question(asked, worker, _part_id(id_, first))
            question |= {"how": how, "persons": known[first : first + AT_ONCE]}
            if how == "paper":
                question["day"] = asked.text("day", most=10)
            told = self._ask(question)
            if "answers" not in told:
                raise Refused("shift.not_noted", 502, why=str(told.get("error", "")))
            answers += told["answers"]
        refused = [self._told(asked, each) | self._named(each["person"]) for each in answers if "noted" not in each]
        return {"marks": [each["noted"]["tap_id"] for each in answers if "noted" in each], "refused": refused}

    def undo(self, asked: Asked, worker: Worker) -> Mapping[str, object]:
        """Take marks back, those of a class one after another; the first that is refused ends it, and is the answer."""
        marks = asked.body.get("marks")
        if not isinstance(marks, list) or not 0 < len(marks) <= MOST_PERSONS:
            raise Refused("common.malformed", 400, name="marks")
        id_ = asked.text("id", least=_ID_CHARS, most=_ID_CHARS)
        told: Mapping[str, object] = {}
        for number, mark in enumerate(marks):
            question = {"ask": "fact", "act": "undo", "undoes": mark, "tap_id": _part_id(id_, number), "by": worker.id}
            told = self._told(asked, self._ask(question))
            if "refused" in told:
                break
        return told

    def _question(self, asked: Asked, worker: Worker, id_: str) -> dict[str, object]:
        return {"ask": "fact", "act": "serve", "tap_id": id_, "service": self._service(asked), "by": worker.id}

    def _ask(self, question: Mapping[str, object]) -> Mapping[str, Any]:
        return self._parts.daemon.ask(question, WITHIN_S)

    def _service(self, asked: Asked) -> str:
        services = services_of(self._parts)
        service = asked.body.get("service", services[0] if services else None)
        if service not in services:
            raise Refused("common.malformed", 400, name="service")
        return str(service)

    def _shift(self, asked: Asked) -> Mapping[str, Any]:
        told = self._ask({"ask": "shift", "service": self._service(asked)})
        if "served" not in told:
            raise Refused("shift.not_noted", 502, why=str(told.get("error", "")))
        return told

    def _pupils(self, asked: Asked, persons: Sequence[Person]) -> list[Mapping[str, object]]:
        served = frozenset(self._shift(asked)["served"])
        return [{**listed(each), "eaten": each.id in served} for each in persons]

    def _person(self, id_: str) -> Person:
        person = self._parts.people.person(id_)
        if person is None:
            raise Refused("shift.no_person", 404)
        return person

    def _named(self, id_: object) -> dict[str, object]:
        person = self._parts.people.person(id_) if isinstance(id_, str) else None
        return {} if person is None else dict(listed(person))

    def _told(self, asked: Asked, told: Mapping[str, Any]) -> dict[str, object]:
        """Lay the daemon's answer out for the page. Raises Refused where nothing could be noted."""
        if "noted" in told:
            return {"mark": told["noted"]["tap_id"]}
        refused = told.get("refused")
        if not isinstance(refused, Mapping):
            raise Refused("shift.not_noted", 502, why=str(told.get("error", "")))
        reason = str(refused.get("reason"))
        answer: dict[str, object] = {
            "refused": reason,
            "may_anyway": reason in set(Reason),
            "at": self._time_of(refused),
        }
        if reason in set(Reason):
            answer["said"] = phrase(Reason(reason), asked.language)
        return answer

    def _time_of(self, refused: Mapping[str, Any]) -> str | None:
        """Return when the last serving was, on the school's clock; None where that is not known here, or was another day."""
        last_s = refused.get("last_s")
        if not isinstance(last_s, int) or not refused.get("served"):
            return None
        zone = self._parts.config.host.timezone
        at = (self._parts.now() - timedelta(seconds=last_s)).astimezone(zone)
        return f"{at:%H:%M}" if at.date() == self._parts.now().astimezone(zone).date() else None


def _part_id(id_: str, first: int) -> str:
    """Return the id of one of the questions that a request is put in: the same each time, so that asking again changes nothing."""
    return id_ if first == 0 else hashlib.sha256(f"{id_} {first}".encode()).hexdigest()[:_ID_CHARS]
