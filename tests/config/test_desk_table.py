"""The library desk's table: what is handed over, by which way, and every fault in it."""

import pytest

from config.desk_table import DeskSection
from config.finding import ConfigError, Finding
from config.host import parse

HEAD = '[host]\nname = "trial"\ntimezone = "Europe/Tallinn"\nstate_dir = "/var/lib/viipe"\n[screen]\n[desk]\n'


def desk(words: str) -> DeskSection:
    """Return the desk of a good file."""
    found = parse(HEAD + words).desk
    assert found is not None
    return found


def faults(words: str) -> tuple[Finding, ...]:
    """Return what is wrong with a desk's table."""
    with pytest.raises(ConfigError) as caught:
        parse(HEAD + words)
    return caught.value.findings


def test_an_empty_table_shows_and_types_nothing() -> None:
    """The library's answers are shown, the number is the registry's choice, no keyboard is made and no other page listens."""
    assert desk("") == DeskSection(service="library", identifier=None, types="none", device="", origins=())


def test_a_file_without_the_table_has_no_desk() -> None:
    """A canteen's host has none."""
    assert parse(HEAD.replace("[desk]\n", "")).desk is None


@pytest.mark.parametrize(("types", "device"), [("uinput", "/dev/uinput"), ("gadget", "/dev/hidg0")])
def test_each_way_of_typing_knows_its_device(types: str, device: str) -> None:
    """It is put in where the file leaves it out, and another may be given."""
    assert desk(f'types = "{types}"').device == device
    assert desk(f'types = "{types}"\ndevice = "/dev/other"').device == "/dev/other"


def test_everything_can_be_said() -> None:
    """Service, number, prefix, suffix, layout, timing and the pages that may listen."""
    found = desk(
        'service = "books"\nidentifier = "library"\ntypes = "uinput"\nprefix = "R-"\nsuffix = "tab"\nlayout = "us"\n'
        'key_ms = 20\norigins = ["https://riks.school.example", "http://localhost:8000"]'
    )
    assert (found.service, found.identifier, found.prefix, found.suffix) == ("books", "library", "R-", "tab")
    assert (found.layout, found.key_ms) == ("us", 20)
    assert found.origins == ("https://riks.school.example", "http://localhost:8000")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ('service = "Books!"', "desk.service"),
        ('identifier = "The Number"', "desk.identifier"),
        ('types = "bluetooth"', "desk.types"),
        ('device = "/dev/hidg0"', "desk.device"),  # and nothing that types
        ('types = "gadget"\ndevice = "hidg0; rm"', "desk.device"),
        ('prefix = "õ"', "desk.prefix"),
        ('prefix = "0123456789abcdefg"', "desk.prefix"),
        ('suffix = "space"', "desk.suffix"),
        ('layout = "fr"', "desk.layout"),
        ("key_ms = 1", "desk.key_ms"),
        ("key_ms = 1000", "desk.key_ms"),
        ('origins = ["*"]', "desk.origins[1]"),
        ('origins = ["https://riks.school.example/"]', "desk.origins[1]"),
        ('origins = ["null"]', "desk.origins[1]"),
        ('origins = "https://riks.school.example"', "desk.origins"),
        ("websocket = 1", "desk.websocket"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(words: str, key: str) -> None:
    """One fault, at its line, with what is expected."""
    (fault,) = faults(words)
    assert fault.key == key
    assert fault.line > 6
    assert fault.expected


def test_a_desk_without_a_screen_is_doubted() -> None:
    """The screen's process is what hands numbers over."""
    warnings = parse(HEAD.replace("[screen]\n", "")).warnings
    assert [each.key for each in warnings if "desk" in each.found] == ["desk"]
