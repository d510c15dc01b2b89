"""What a single value may be, at its bounds."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import checks
from policy.fault import Faulty


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


GOOD = [
    (checks.flag, False, False),
    (checks.whole(1, 3), 3, 3),
    (checks.number(0.5, 2), 2, 2.0),
    (checks.number(0.5, 2), 0.5, 0.5),
    (checks.choice(Colour), "red", Colour.RED),
    (checks.name, "a" * 40, "a" * 40),
    (checks.name, "till-1", "till-1"),
    (checks.shell_pattern, "*ACR122U [[]00]*", "*ACR122U [[]00]*"),
    (checks.usb_port, "1-1.2", "1-1.2"),
    (checks.usb_port, "12-3", "12-3"),
    (checks.absolute_path, "/var/lib/viipe", Path("/var/lib/viipe")),
    (checks.url, "http://127.0.0.1:8440", "http://127.0.0.1:8440"),
    (checks.url, "https://kaardid.kool.example/viipe/", "https://kaardid.kool.example/viipe"),
    (checks.url, "https://[2001:db8::1]:8440/", "https://[2001:db8::1]:8440"),
    (checks.one_of({"door"}, "a service"), "door", "door"),
    (checks.one_of(None, "a service"), "anything", "anything"),
    (checks.kind_of({"pcsc"}, {"nfc"}), "pcsc", "pcsc"),
    (checks.each_of(checks.flag, 2, "a list"), [True, False], (True, False)),
]


@pytest.mark.parametrize(("check", "value", "result"), GOOD)
def test_what_is_right_is_taken(check: Callable[[object], object], value: object, result: object) -> None:
    """Values at their bounds become what they mean, in its own type."""
    taken = check(value)
    assert taken == result
    assert type(taken) is type(result)


BAD = [
    (checks.flag, 1),
    (checks.flag, "true"),
    (checks.whole(1, 3), 0),
    (checks.whole(1, 3), 4),
    (checks.whole(1, 3), 2.0),
    (checks.whole(0, 3), True),
    (checks.number(0.5, 2), 0.49),
    (checks.number(0.5, 2), float("nan")),
    (checks.number(0.5, 2), float("inf")),
    (checks.number(0.5, 2), True),
    (checks.number(0.5, 2), "1"),
    (checks.choice(Colour), "Red"),
    (checks.choice(Colour), ["red"]),
    (checks.name, ""),
    (checks.name, "a" * 41),
    (checks.name, "Till"),
    (checks.name, "till_1"),
    (checks.name, "till\n"),
    (checks.name, "../x"),
    (checks.name, "õ"),
    (checks.shell_pattern, ""),
    (checks.shell_pattern, "  "),
    (checks.shell_pattern, "a\x00"),
    (checks.usb_port, "1"),
    (checks.usb_port, "1-1.2:1.0"),
    (checks.usb_port, "1-1.2\n"),
    (checks.usb_port, "usb1"),
    (checks.absolute_path, "var/lib"),
    (checks.absolute_path, "~/viipe"),
    (checks.absolute_path, ""),
    (checks.absolute_path, "/a\x00"),
    (checks.absolute_path, "/" + "a" * 5000),
    (checks.timezone, "Europe/Talin"),
    (checks.timezone, "Europe"),
    (checks.timezone, ""),
    (checks.timezone, "../../etc/passwd"),
    (checks.timezone, "/etc/localtime"),
    (checks.timezone, "a" * 5000),
    (checks.timezone, "\x00"),
    (checks.url, "127.0.0.1:8440"),
    (checks.url, "ftp://school.example"),
    (checks.url, "http://"),
    (checks.url, "http://:8440"),
    (checks.url, "http://school.example:port"),
    (checks.url, "http://school.example:99999"),
    (checks.url, "http://[::1"),
    (checks.url, "http://user:word@school.example"),
    (checks.url, "http://school.example/?a=b"),
    (checks.url, "http://school.example/#a"),
    (checks.url, " http://school.example"),
    (checks.url, "http://school.example\n"),
    (checks.one_of({"door"}, "a service"), "dor"),
    (checks.one_of((), "a service"), "door"),
    (checks.one_of(None, "a service"), 5),
    (checks.kind_of({"pcsc"}, {"nfc"}), "nfc"),
    (checks.kind_of({"pcsc"}, {"nfc"}), []),
    (checks.each_of(checks.flag, 2, "a list"), True),
    (checks.each_of(checks.flag, 2, "a list"), [True] * 3),
    (checks.table, []),
]


@pytest.mark.parametrize(("check", "value"), BAD)
def test_what_is_wrong_is_one_fault(check: Callable[[object], object], value: object) -> None:
    """Values beyond their bounds or of another type are refused, with what was found and what is expected."""
    with pytest.raises(Faulty) as caught:
        check(value)
    (fault,) = caught.value.faults
    assert fault.path == ()
    assert fault.found
    assert fault.expected


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.dates(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)


@given(st.sampled_from([check for check, _ in BAD]), ANYTHING)
def test_a_check_takes_or_refuses_anything(check: Callable[[object], object], value: object) -> None:
    """No value makes a check fail in another way than Faulty."""
    try:
        check(value)
    except Faulty as faulty:
        assert faulty.faults  # noqa: PT017  a value may be right as well


def test_a_value_that_must_differ_is_refused_the_second_time() -> None:
    """The first keeps it; one that is wrong in itself is not remembered."""
    check = checks.distinct(checks.name, "another reader")
    assert check("a") == "a"
    assert checks.faults_in(check, "B")
    assert checks.faults_in(check, "B")[0].expected == "a name of 1 to 40 characters from a-z, 0-9 and -"
    assert checks.faults_in(check, "a")[0].expected == "another one: another reader has it already"


def test_each_element_of_a_list_has_its_own_fault() -> None:
    """The place of each wrong element is in its path."""
    faults = checks.faults_in(checks.each_of(checks.flag, 5, "a list"), [True, 1, False, "x"])
    assert [fault.path for fault in faults] == [(1,), (3,)]


def test_a_table_tells_missing_unknown_and_wrong_keys_together() -> None:
    """All faults of a table come at once, after those that were known before."""
    given_table = {"nme": "x", "size": 9, "zzz": 1}
    known = {"name": checks.name, "size": checks.whole(1, 3), "on": checks.flag}
    with pytest.raises(Faulty) as caught:
        checks.fields(given_table, known, {"name"}, also=checks.faults_in(checks.flag, 0))
    assert [(fault.path, fault.found, fault.expected) for fault in caught.value.faults] == [
        ((), "0", "true or false"),
        (("nme",), "an unknown key", '"name", the nearest known key'),
        (("zzz",), "an unknown key", "one of name, size, on"),
        (("name",), "nothing", "a name of 1 to 40 characters from a-z, 0-9 and -"),
        (("size",), "9", "a whole number from 1 to 3"),
    ]


def test_a_table_gives_only_what_is_there() -> None:
    """An optional key that is missing is left to its default."""
    known = {"name": checks.name, "on": checks.flag}
    assert checks.fields({"name": "a"}, known, {"name"}) == {"name": "a"}


def test_a_thousand_unknown_keys_are_told_in_bounds() -> None:
    """Twenty are told one by one, the rest as a number."""
    faults = checks.unknown_keys([f"key{n}" for n in range(1000)], ["name"])
    assert len(faults) == 21
    assert faults[-1].found == "980 more unknown keys from here on"
