"""A host's word of where it is reached."""

import pytest

from sync.wire import canonical
from sync.wire.faults import Malformed
from sync.wire.listens import Listens, read_address


def test_it_reads_what_it_writes() -> None:
    """With an address and without one; services come sorted, each once."""
    for told in (Listens("10.1.2.3:8441", ("canteen", "door")), Listens(None, ()), Listens("[fd00::2]:80", ("x",))):
        assert Listens.parse(told.to_json()) == told
    doubled = canonical.encode({"address": None, "services": ["door", "canteen", "door"]})
    assert Listens.parse(doubled).services == ("canteen", "door")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "10.1.2.3",
        ":8441",
        "10.1.2.3:0",
        "10.1.2.3:65536",
        "a b:1",
        "http://a:1",
        "a/b:1",
        "-a:1",
        "a" * 99 + ":1",
        5,
    ],
)
def test_an_address_is_a_host_and_a_port(address: object) -> None:
    """Nothing that a URL could be made to say more by."""
    with pytest.raises(Malformed):
        read_address(address)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"address": None},
        {"address": None, "services": "door"},
        {"address": None, "services": [""]},
        {"address": None, "services": ["a\0b"]},  # a database may not hold it
        {"address": None, "services": ["kohvik õues"]},
        {"address": None, "services": ["door\n"]},
        {"address": None, "services": ["a"] * 33},
        {"address": None, "services": [], "more": 1},
    ],
)
def test_anything_else_is_refused(body: object) -> None:
    """A member too few or too many, a list that is none or too long."""
    with pytest.raises(Malformed):
        Listens.parse(canonical.encode(body))
