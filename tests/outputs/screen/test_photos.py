"""The address of a photo: known to whoever was told of the person, guessed by nobody."""

import pytest

from outputs.screen import photos
from tests.rig.screen import PEOPLE

MARI, JAAN = PEOPLE[:2]


def test_who_has_a_photo_has_an_address() -> None:
    """The others, and nobody at all, have none."""
    address = photos.address_of(JAAN)
    assert address is not None
    _, _, id_, seal = address.split("/")
    assert (id_, photos.is_told(id_, seal)) == ("T-1002", True)
    assert (photos.address_of(MARI), photos.address_of(None)) == (None, None)


@pytest.mark.parametrize("seal", ["", "0" * 32, "ä"])
def test_an_address_is_of_one_person(seal: str) -> None:
    """No other's opens with it, and none with a seal that somebody made up."""
    address = photos.address_of(JAAN)
    assert address is not None
    assert not photos.is_told("T-1001", address.rpartition("/")[2])
    assert not photos.is_told("T-1002", seal)
