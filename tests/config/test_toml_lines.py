"""The line of each key of a TOML text, judged by tomllib and by a generator that knows where it wrote what."""

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from config.toml_lines import DEPTH_MAX, Path, lines

ODDITIES = """\
# a comment with "quotes" and [brackets]
title = 'one' # [not.a.header]
"a.b" . 'c d'.e = [ # the list
  1,

  [2, 3], # "two ] lists"
  { x = 1, y.z = [ '}' ] },
]
text = \"\"\"
"key" = 1
a \\\"\"\" b \\\\\"\"\"\"\"
raw = '''
[no.header] ' ''
'''''
when = 1979-05-27 07:32:00.99
3.14 = 1.5e-3
"caf\\u00E9" = inf
[deep.er.still]
one = 1
[deep]
[[host.part]]
[[host.part.screw]]
[[host.part.screw]]
size = 4
[host.part.box]
[[host.part]]
[[host.part.screw]]
"""


def test_every_odd_spelling_has_its_line() -> None:
    """Dotted, quoted and escaped keys, lists over lines, strings that look like TOML and headers are all told apart."""
    assert lines(ODDITIES) == {
        ("title",): 2,
        ("a.b",): 3,
        ("a.b", "c d"): 3,
        ("a.b", "c d", "e"): 3,
        ("a.b", "c d", "e", 0): 4,
        ("a.b", "c d", "e", 1): 6,
        ("a.b", "c d", "e", 1, 0): 6,
        ("a.b", "c d", "e", 1, 1): 6,
        ("a.b", "c d", "e", 2): 7,
        ("a.b", "c d", "e", 2, "x"): 7,
        ("a.b", "c d", "e", 2, "y"): 7,
        ("a.b", "c d", "e", 2, "y", "z"): 7,
        ("a.b", "c d", "e", 2, "y", "z", 0): 7,
        ("text",): 9,
        ("raw",): 12,
        ("when",): 15,
        ("3",): 16,
        ("3", "14"): 16,
        ("café",): 17,
        ("deep",): 20,  # where it has a header of its own
        ("deep", "er"): 18,
        ("deep", "er", "still"): 18,
        ("deep", "er", "still", "one"): 19,
        ("host",): 21,
        ("host", "part"): 21,
        ("host", "part", 0): 21,
        ("host", "part", 0, "screw"): 22,
        ("host", "part", 0, "screw", 0): 22,
        ("host", "part", 0, "screw", 1): 23,
        ("host", "part", 0, "screw", 1, "size"): 24,
        ("host", "part", 0, "box"): 25,
        ("host", "part", 1): 26,
        ("host", "part", 1, "screw"): 27,
        ("host", "part", 1, "screw", 0): 27,
    }
    assert set(lines(ODDITIES)) == set(paths(tomllib.loads(ODDITIES)))


def paths(value: object, above: Path = ()) -> Iterator[Path]:
    """Give the path of everything in what tomllib made."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, each in inner:
        yield (*above, part)
        yield from paths(each, (*above, part))


def agrees_with_tomllib(text: str) -> bool:
    """Check all keys of a text, and tell whether tomllib took it."""
    found = lines(text)
    try:
        expected = tomllib.loads(text)
    except ValueError:
        return False
    assert set(found) == set(paths(expected))
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
    return True


# Documents that tomli_w writes

odd_text = st.text(st.sampled_from("ab\"'\\[]{}=#.,\n\t é😀0"), max_size=8)
scalars = st.one_of(
    odd_text,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.dates(min_value=date(1000, 1, 1)),
    st.times(),
    st.datetimes(min_value=datetime(1000, 1, 1)),  # noqa: DTZ001  TOML has dates without a zone
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(odd_text, values, max_size=5), st.booleans())
def test_whatever_tomli_w_writes_is_mapped(document: dict[str, object], multiline_strings: bool) -> None:  # noqa: FBT001  drawn
    """Each key path of a written document has a line, and there are no others."""
    assert agrees_with_tomllib(tomli_w.dumps(document, multiline_strings=multiline_strings))


# Documents in spellings that no program writes, with the lines they were written on


@dataclass
class Writer:
    """A text as it grows, and the line of each path in it."""

    text: str = ""
    line_of: dict[Path, int] = field(default_factory=dict)

    def put(self, text: str) -> None:
        self.text += text

    def mark(self, path: Path) -> None:
        self.line_of.setdefault(path, self.text.count("\n") + 1)


SCALARS = (
    "0xFF_FF",
    "-1_000",
    "6.02e+23",
    "-inf",
    "nan",
    "true",
    "1979-05-27",
    "07:32:00.5",
    "1979-05-27 07:32:00",
    "1979-05-27T07:32:00.99-07:00",
    '""',
    '"a#b]}\\" = \\\\"',
    "''",
    "'\\ # \" ]'",
    '""""""',
    '"""\n[x]\n"k" = \'1\'""" ',
    '"""a\\"""b""\\\\"""""',
    '"""x""""',
    '"""\\\n  folded \\\n"""',
    "''''''",
    "'''\n\\ '' ''''",
    "'''a\"\"\"'''''",
)
NAMES = ("a", "b-c", "1", "two words", "", "x.y", 'q"', "\\", "é", "#", "[k]")


@st.composite
def written(draw: st.DrawFn) -> Writer:
    """Write a valid document: keys of the root, then tables and arrays of tables, some inside the latest element."""
    writer = Writer()
    _write_keys(draw, writer, ())
    element: Path = ()
    count = 0
    for number in range(draw(st.integers(0, 5))):
        what = draw(st.sampled_from(["table", "element", "inside"]))
        name = f"t{number}"
        path: Path
        if what == "element":
            header, path = ["parts"], ("parts", count)
            element, count = path, count + 1
        elif what == "inside" and element:
            header, path = ["parts", name], (*element, name)
        else:
            header = [name, draw(st.sampled_from(NAMES))]
            path = (*header,)
        brackets = ("[[", "]]") if what == "element" else ("[", "]")
        for end in range(1, len(path) + 1):
            writer.mark(path[:end])
        writer.put(brackets[0] + _dotted(draw, header) + brackets[1] + _ending(draw))
        _write_keys(draw, writer, path)
    return writer


def _write_keys(draw: st.DrawFn, writer: Writer, table: Path) -> None:
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        parts = [name, *draw(st.lists(st.sampled_from(NAMES), max_size=2))]
        for end in range(1, len(parts) + 1):
            writer.mark((*table, *parts[:end]))
        writer.put(_dotted(draw, parts) + draw(st.sampled_from([" = ", "=", "\t=\t"])))
        _write_value(draw, writer, (*table, *parts), draw(st.integers(0, 3)))
        writer.put(_ending(draw))


def _write_value(draw: st.DrawFn, writer: Writer, path: Path, depth: int) -> None:
    kind = draw(st.sampled_from(["scalar", "array", "inline"])) if depth else "scalar"
    if kind == "scalar":
        writer.put(draw(st.sampled_from(SCALARS)))
    elif kind == "array":
        _write_array(draw, writer, path, depth)
    else:
        writer.put("{")
        for place, name in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))):
            parts = [name, *draw(st.lists(st.sampled_from(NAMES), max_size=1))]
            writer.put(", " if place else " ")
            for end in range(1, len(parts) + 1):
                writer.mark((*path, *parts[:end]))
            writer.put(_dotted(draw, parts) + " = ")
            _write_value(draw, writer, (*path, *parts), depth - 1)
        writer.put(" }")


def _write_array(draw: st.DrawFn, writer: Writer, path: Path, depth: int) -> None:
    gaps = st.sampled_from(["", " ", "\n", " # ] , [\n", "\n\n  #'''\n\t"])
    length = draw(st.integers(0, 3))
    writer.put("[" + draw(gaps))
    for place in range(length):
        writer.mark((*path, place))
        _write_value(draw, writer, (*path, place), depth - 1)
        is_last = place == length - 1
        writer.put(draw(gaps) + ("" if is_last and draw(st.booleans()) else ",") + draw(gaps))
    writer.put("]")


def _dotted(draw: st.DrawFn, parts: list[str]) -> str:
    return draw(st.sampled_from([".", " . "])).join(_spelled(draw, part) for part in parts)


def _spelled(draw: st.DrawFn, name: str) -> str:
    spellings = [json.dumps(name), json.dumps(name, ensure_ascii=False), f"'{name}'"]
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    spellings.append(f'"{escaped}"')
    if name and name.replace("-", "").isascii() and name.replace("-", "").isalnum():
        spellings.append(name)
    return draw(st.sampled_from(spellings))


def _ending(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["\n", " # [x]\n", "\n\n", '\t#"""\n']))


@given(written())
def test_each_line_is_where_the_key_was_written(document: Writer) -> None:
    """Whatever the spelling, a path's line is the one that its key, header or element begins on."""
    assert agrees_with_tomllib(document.text)
    assert lines(document.text) == document.line_of


@given(written())
def test_line_ends_of_windows_change_nothing(document: Writer) -> None:
    """A text with CRLF has the same keys on the same lines."""
    assert lines(document.text.replace("\n", "\r\n")) == document.line_of
    assert agrees_with_tomllib(document.text.replace("\n", "\r\n"))


# Texts that may be no TOML

SHREDS = st.sampled_from(
    ['"', "'", '"""', "'''", "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "#", "\\", "\n", "a", " "]
)


@given(written(), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), SHREDS | st.just("")), min_size=1, max_size=3))
def test_a_damaged_text_is_mapped_wherever_tomllib_takes_it(
    document: Writer, cuts: list[tuple[float, int, str]]
) -> None:
    """Cuts and insertions anywhere never raise, and what is still TOML is mapped in full."""
    text = document.text
    for where, length, shred in cuts:
        start = int(where * len(text))
        text = text[:start] + shred + text[start + length :]
    agrees_with_tomllib(text)


@given(st.text() | st.lists(SHREDS, max_size=30).map("".join))
def test_any_text_at_all_is_walked(text: str) -> None:
    """Garbage never raises, and what happens to be TOML is mapped in full."""
    agrees_with_tomllib(text)


def test_what_lies_too_deep_stands_for_its_ancestor() -> None:
    """Paths stop at DEPTH_MAX parts, for dotted keys, headers and brackets alike."""
    deep = ".".join("a" * 100)
    for text in (f"{deep} = 1", f"[{deep}]", f"[[{deep}]]\nb = 1", "a = " + "[" * 100 + "]" * 100, "a = " + "{a=" * 99):
        found = lines(text)
        assert max(map(len, found)) == DEPTH_MAX
        assert set(found.values()) <= {1, 2}


@pytest.mark.parametrize(
    "shred",
    [
        "[",
        "a=[",
        "a={",
        "a.",
        "[a.",
        "[[a]]\n",
        "]",
        '"\n',
        '\\"""\n',
        "''x",
        '"\\"\n',
        '"\\u0041"=1\n',
        "a=1\n",
        "#",
        "'",
    ],
)
@pytest.mark.parametrize("start", ["", '"""', "a = ", "'''", "["])
def test_time_grows_with_the_length_alone(start: str, shred: str) -> None:
    """A hundred kilobytes of anything are walked; were time quadratic or the walk recursive, this would not end."""
    lines(start + shred * (100_000 // len(shred)))


def test_times_and_dates_are_no_keys() -> None:
    """The dots and colons of values open nothing."""
    text = tomli_w.dumps({"at": time(7, 30, 0, 500_000), "on": [date(2026, 9, 1), 1.5]})
    assert lines(text) == {("at",): 1, ("on",): 2, ("on", 0): 3, ("on", 1): 4}
