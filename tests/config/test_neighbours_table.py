"""The table that switches neighbours on."""

import pytest

from config.finding import ConfigError
from config.host import parse
from config.neighbours_table import NeighboursSection

HEAD = '[host]\nname = "till-1"\ntimezone = "Europe/Tallinn"\nstate_dir = "/var/lib/viipe"\n'
REGISTRY = '[registry]\nurl = "http://127.0.0.1:8440"\n'


def told(table: str, registry: str = REGISTRY) -> NeighboursSection | None:
    """Return the section that a file with this table has."""
    return parse(f"{HEAD}{registry}[neighbours]\n{table}\n").neighbours


def test_it_says_where_to_listen_and_what_others_are_told() -> None:
    """An address of all of the machine's, one of them, one of IPv6; the address for others may be another."""
    assert told('listen = "0.0.0.0:8441"') == NeighboursSection("0.0.0.0", 8441)  # noqa: S104  what is tested
    assert told('listen = "[::]:8441"\naddress = "[fd00::2]:9000"') == NeighboursSection("::", 8441, "[fd00::2]:9000")
    assert parse(HEAD + REGISTRY).neighbours is None


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('listen = "8441"', "neighbours.listen"),
        ('listen = "10.0.0.1:0"', "neighbours.listen"),
        ('listen = "10.0.0.1:99999"', "neighbours.listen"),
        ("listen = 8441", "neighbours.listen"),
        ("", "neighbours.listen"),
        ('listen = "0.0.0.0:8441"\naddress = "0.0.0.0:8441"', "neighbours.address"),
        ('listen = "0.0.0.0:8441"\nport = 1', "neighbours.port"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(table: str, key: str) -> None:
    """As of any other table."""
    with pytest.raises(ConfigError) as raised:
        told(table)
    assert [finding.key for finding in raised.value.findings] == [key]


def test_without_a_registry_it_is_a_doubt() -> None:
    """Nobody tells such a host who its neighbours are."""
    warnings = parse(f'{HEAD}[neighbours]\nlisten = "0.0.0.0:8441"\n').warnings
    (warning,) = [each for each in warnings if each.key == "neighbours"]
    assert "[registry] beside it" in warning.expected
