"""One form for one value, and nothing read that two readers could read as two things."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical
from sync.wire.faults import Malformed, TooLarge

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    """Whatever can be told is read back the same, from the very bytes that are its only form."""
    content = canonical.encode(value)
    assert canonical.decode(content, "value", len(content)) == value
    assert canonical.decode_exact(content, "value", len(content)) == value


@given(st.dictionaries(TEXTS, st.integers(), min_size=2, max_size=6))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    """Two programs that hold the same give the same bytes, in whatever order they filled it in."""
    assert canonical.encode(value) == canonical.encode(dict(reversed(value.items())))


def test_a_stranger_can_write_the_form() -> None:
    """It is Python's JSON with sorted keys and no white space, characters beyond ASCII as themselves."""
    value = {"õ": 'viibe " \\ \n \x1f 😀', "a": [1, -2, None, True], "Z": {}}
    assert canonical.encode(value) == ('{"Z":{},"a":[1,-2,null,true],"õ":"viibe \\" \\\\ \\n \\u001f 😀"}'.encode())
    assert (
        canonical.encode(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    )


@pytest.mark.parametrize("value", [1.5, {"a": [float("nan")]}, {1: 2}, b"x", {"a": {"b": {1, 2}}}])
def test_what_has_no_one_form_is_our_own_mistake(value: object) -> None:
    """Floats, numbers as keys and other things are not written: a crash in a test, and not another form at the other side."""
    with pytest.raises(TypeError, match="canonical JSON"):
        canonical.encode(value)


def test_text_that_is_no_text_is_not_written() -> None:
    """A lone surrogate has no bytes."""
    with pytest.raises(Malformed, match="surrogate"):
        canonical.encode({"a": "\ud800"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b"1.0",
        b"1e3",
        b"NaN",
        b"-Infinity",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b"[1,]",
        b"{} {}",
        b"[" * 100_000,
        b"9" * 5000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(content: bytes) -> None:
    """Doubled keys, floats, NaN, half characters, rests and depths: each is said to be no strict JSON, and where."""
    with pytest.raises(Malformed, match="thing: found no strict JSON"):
        canonical.decode(content, "thing", 1 << 20)


@pytest.mark.parametrize("content", [b'{"b":1,"a":2}', b'{ "a":1}', b'"\\u0041"', b"-0", b'"\\/"', b"{}\n"])
def test_another_form_of_the_same_value_is_no_canonical_one(content: bytes) -> None:
    """What is signed has one form only; elsewhere another is read."""
    canonical.decode(content, "thing", 100)
    with pytest.raises(Malformed, match="another form"):
        canonical.decode_exact(content, "thing", 100)


def test_more_than_allowed_is_not_even_read() -> None:
    """The bound is kept before the parser sees a byte."""
    assert canonical.decode(b"[1]", "thing", 3) == [1]
    with pytest.raises(TooLarge, match="thing: found 4 bytes, expected at most 3"):
        canonical.decode(b"[10]", "thing", 3)


def test_a_fault_does_not_repeat_what_it_found() -> None:
    """What does not parse may hold what no log may."""
    with pytest.raises(Malformed) as fault:
        canonical.decode(b'{"uid": EBF2CE70}', "thing", 100)
    assert "EBF2CE70" not in str(fault.value)


NAMES = frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "found list, expected an object"),
        ({"a": 1}, r"missing \['b'\]"),
        ({"a": 1, "b": 2, "c": 3}, r"not expected \['c'\]"),
    ],
)
def test_an_object_has_just_its_members(value: object, said: str) -> None:
    """What is missing and what is too much are named."""
    with pytest.raises(Malformed, match=said):
        canonical.table(value, "thing", NAMES)
    assert canonical.table({"a": 1, "b": 2, "c": 3}, "thing", NAMES, frozenset({"c"}))


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (canonical.text, "x", ["", 1, None, "x" * 201]),
        (canonical.text_or_none, None, ["", 1]),
        (canonical.whole, 0, [-1, 1 << 63, True, "1", None]),
        (canonical.flag, False, [0, 1, None, "false"]),
        (canonical.from_base64, "aGk=", ["aGk", "aGl=", "aG k=", None, "õ", "a-_="]),
        (canonical.from_hex, "00ff", ["00FF", "00 ff", "0", "xx", None, 17]),
    ],
)
def test_each_value_is_of_its_sort(reader: Callable[[object, str], object], good: object, bad: list[object]) -> None:
    """A value of another sort, or in another notation, is refused under the name of its place."""
    reader(good, "place")
    for value in bad:
        with pytest.raises(Malformed, match="place: expected"):
            reader(value, "place")


@given(st.binary(max_size=40))
def test_bytes_in_text_come_back(content: bytes) -> None:
    """Hex and base64 carry whatever bytes."""
    assert canonical.from_hex(content.hex(), "x") == content
    assert canonical.from_base64(canonical.to_base64(content), "x") == content
    with pytest.raises(Malformed):
        canonical.from_hex(content.hex(), "x", 41)
