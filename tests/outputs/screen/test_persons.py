"""How somebody is laid out in a list of found persons."""

from outputs.screen import photos
from outputs.screen.persons import listed
from tests.rig.screen import PEOPLE


def test_a_list_tells_no_number() -> None:
    """Name, class and photo tell two pupils apart; the numbers of their cards are nobody's affair until one is handed over."""
    mari, jaan, _ = PEOPLE
    assert listed(mari) == {"person": "T-1001", "name": "Mari Maasikas", "class": "7A", "photo": None}
    assert listed(jaan)["photo"] == photos.address_of(jaan)
