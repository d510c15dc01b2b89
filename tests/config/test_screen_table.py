"""The `[screen]` table: where the pages are served, and what is refused so that no name leaves the machine by mistake."""

import pytest

from config.finding import ConfigError
from config.host import ScreenSection, parse
from config.screen_table import Address

HOST = """
[host]
name = "till"
timezone = "Europe/Tallinn"
state_dir = "/var/lib/viipe"

[[reader]]
name = "till-1"
kind = "pcsc"
match = "*"
service = "canteen"

[service.canteen]
"""


def screen(words: str) -> ScreenSection | None:
    """Parse a host's file with such a table."""
    return parse(HOST + words).screen


def test_without_the_table_there_are_no_pages() -> None:
    """A host shows nothing unless its file says so."""
    assert screen("") is None


def test_an_empty_table_serves_this_machine_alone() -> None:
    """Port 8480 of the machine itself, in Estonian, with sounds, all readers, no tablet."""
    assert screen("[screen]") == ScreenSection(Address("127.0.0.1", 8480), (), "et", sounds=True, tablets=None)


def test_all_keys_are_taken() -> None:
    """Readers by name, another language, silence, tablets by TLS; addresses of both families."""
    told = screen(
        '[screen]\nlisten = "[::1]:8490"\nreaders = ["till-1"]\nlanguage = "ru"\nsounds = false\ntablets = "0.0.0.0:8443"'
    )
    tablets = Address("0.0.0.0", 8443)  # noqa: S104  only compared
    assert told == ScreenSection(Address("::1", 8490), ("till-1",), "ru", sounds=False, tablets=tablets)
    assert str(Address("::1", 8490)) == "[::1]:8490"


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ('listen = "0.0.0.0:8480"', "screen.listen", "this machine alone"),
        ('listen = "192.168.1.5:8480"', "screen.listen", "this machine alone"),
        ('listen = "localhost:8480"', "screen.listen", "an address and a port"),
        ('listen = "127.0.0.1"', "screen.listen", "an address and a port"),
        ('listen = "127.0.0.1:0"', "screen.listen", "an address and a port"),
        ('listen = "127.0.0.1:65536"', "screen.listen", "an address and a port"),
        ('listen = "::1:8480"', "screen.listen", "an address and a port"),
        ('listen = "[127.0.0.1]:8480"', "screen.listen", "an address and a port"),
        ("listen = 8480", "screen.listen", "an address and a port"),
        ('tablets = "0.0.0.0:8480"', "screen.tablets", "another one"),
        ('tablets = "canteen:8443"', "screen.tablets", "an address and a port"),
        ('readers = ["till-2"]', "screen.readers[1]", "till-1"),
        ('language = "fi"', "screen.language", '"et", "en" or "ru"'),
        ("sounds = 1", "screen.sounds", "true or false"),
        ('colour = "green"', "screen.colour", "one of"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(line: str, key: str, expected: str) -> None:
    """Pages that other machines could reach without TLS and pairing are refused, and each slip names its key."""
    with pytest.raises(ConfigError) as refused:
        screen(f"[screen]\n{line}")
    (finding,) = refused.value.findings
    assert finding.key == key
    assert expected in finding.expected
