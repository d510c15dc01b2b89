"""Somebody as a list of found persons shows them: id, whole name, class and photo; never a number."""

from collections.abc import Mapping

from outputs.screen import photos
from outputs.screen.parts import Person


def listed(person: Person) -> Mapping[str, object]:
    """Lay somebody out for a page's list: `person` (id), `name`, `class`, `photo` (an address or None)."""
    return {"person": person.id, "name": person.name, "class": person.class_name, "photo": photos.address_of(person)}
