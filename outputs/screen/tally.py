"""How many of each class were served today, and how many are expected. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from outputs.screen.parts import Event, People

_EXPECTED_ON: Final = frozenset({"school_day", "exam_day"})  # the types of day on which a class eats at school


@dataclass
class Tally:
    """One service's day: made of the daemon's answer to `today`, and then kept by what is heard."""

    day: str = ""
    served: set[str] = field(default_factory=set)  # persons' ids
    others: int = 0  # servings that are counted by card
    day_type: str = ""
    class_days: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Tally":
        """Take the daemon's answer; one that cannot be read (a fault) is an empty day."""
        return cls(
            day=str(told.get("day", "")),
            served=set(told.get("served", {})),
            others=int(told.get("others", 0)),
            day_type=str(told.get("day_type", "")),
            class_days=told.get("class_days", {}),
        )

    def hear(self, event: Event) -> bool:
        """Count a serving by tap; false where the daemon must be asked anew: a mark, or another day."""
        if event.get("kind") != "tap" or event.get("verdict") != "grant":
            return event.get("kind") != "mark"
        if event.get("service_day") != self.day:
            return False
        holder = str(event.get("holder") or "")
        if holder.startswith("person "):
            self.served.add(holder.removeprefix("person "))
        elif holder:
            self.others += 1
        return True

    def counts(self, people: People) -> Mapping[str, object]:
        """Lay the counts out for the page: in all, and by class; `expected` is None where that cannot be told (no names are held).

        A class that is on a trip today, or has no school, is not expected; whoever of it comes all the same is counted.
        """
        enrolled = people.classes()
        of_class = dict.fromkeys(enrolled, 0)
        for id_ in self.served:
            person = people.person(id_)
            if person is not None and person.class_name in of_class:
                of_class[person.class_name] += 1
        rows = [
            {"name": name, "served": of_class[name], "expected": count if self._comes(name) else 0}
            for name, count in enrolled.items()
        ]
        return {
            "day": self.day,
            "total": len(self.served) + self.others,
            "pupils": sum(of_class.values()),
            "expected": sum(int(str(row["expected"])) for row in rows) if rows else None,
            "classes": rows,
        }

    def _comes(self, class_name: str) -> bool:
        return self.class_days.get(class_name, self.day_type) in _EXPECTED_ON
