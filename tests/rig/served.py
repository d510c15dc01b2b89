"""A canteen of two tills whose servings are counted: somebody eats, or is marked by hand, and the figures are asked for."""

from datetime import date
from typing import Any, Final

from registry.models import Card, Person, Service
from registry.reports.counting import Line, lines
from tests.rig.two_tills import Tills

DAY: Final = date(2026, 11, 23)


class Canteen(Tills):
    """Two tills, and what they are asked about."""

    def __init__(self, **limits: Any) -> None:  # noqa: ANN401  keys of a rule
        super().__init__(**limits)
        self.service = Service.objects.select_related("school").get(school=self.school, code="canteen")

    def eat(self, minute: int, person: Person | None = None, card: Card | None = None, **given: Any) -> None:  # noqa: ANN401
        """Let somebody be served."""
        told: dict[str, Any] = {"holder": f"person {person.pk}" if person else f"card {minute}"}
        told |= {"person": str(person.pk) if person else None, "card": str(card.pk) if card else None}
        self.serve("till-1", minute, **told, **given)

    def mark_person(self, minute: int, person: Person, **given: Any) -> str:  # noqa: ANN401  the fact's, or the event's
        """Let somebody be marked by hand."""
        return self.mark("till-1", minute, person=str(person.pk), holder=f"person {person.pk}", **given)

    def lines(self, first: date = DAY, last: date = DAY) -> list[Line]:
        """Count."""
        return lines(self.service, first, last)
