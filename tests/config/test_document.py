"""What is wrong with a text before any key is looked at."""

import pytest

from config.document import read_document
from config.finding import ConfigError, Finding
from config.toml_lines import DEPTH_MAX


def findings(text: str) -> tuple[Finding, ...]:
    """Give what is wrong with a text that must be refused."""
    with pytest.raises(ConfigError) as caught:
        read_document(text)
    return caught.value.findings


def test_a_good_text_gives_its_table_and_lines() -> None:
    """Values and lines of one text come together."""
    document = read_document("a = 1\n[b]\nc = 'd'")
    assert document.table == {"a": 1, "b": {"c": "d"}}
    assert document.lines == {("a",): 1, ("b",): 2, ("b", "c"): 3}


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a = 1\nb = oops\n", 2, "invalid value at column 5"),
        ("a = 1\na = 2\n", 2, "cannot overwrite a value"),
        ("[a]\r\nb = 1\r\n[a]\r\n", 3, "twice"),
        ("a = 1\nb =\n\nc = 3", 2, "invalid value"),
        ('a = 1\nb = "text', 2, "unterminated string at the end of the file"),
        ('a = """\n\n\n\n', 1, "at the end of the file"),
        ("\n\n[reader", 3, "something else at the end of the file"),
        ("a = 1\nb: 2", 2, "something else at column 2"),
    ],
)
def test_a_slip_of_the_pen_has_its_line(text: str, line: int, word: str) -> None:
    """What tomllib says becomes one finding with the line that tomllib means."""
    (finding,) = findings(text)
    assert (finding.line, finding.key) == (line, "")
    assert word in finding.found
    assert finding.expected != ""


@pytest.mark.parametrize("nested", ["[" * 100_000, ".".join("a" * 100_000) + " = 1", "a = " + "{a = " * 50_000])
def test_endless_nesting_is_refused_at_once(nested: str) -> None:
    """Neither a recursion error nor minutes of tomllib's time: the first level too many has its line."""
    (finding,) = findings(f"a = 1\nb = {nested}" if nested[0] == "[" else f"x = 1\n{nested}")
    assert finding == Finding(2, "", f"{DEPTH_MAX} or more levels, one in the other", f"fewer than {DEPTH_MAX}")


def test_numbers_wider_than_64_bits_are_refused() -> None:
    """TOML wants them refused; all of them are told, and the widest that fit are let through."""
    assert read_document("a = 9223372036854775807\nb = -9223372036854775808").table["b"] == -(2**63)
    told = findings(f"a = 1\nb = [1, 9223372036854775808]\nc.d = 0x{'f' * 5000}\ne = -9223372036854775809")
    assert [(each.line, each.key, each.found) for each in told] == [
        (2, "b[2]", "a number of 64 bits"),
        (3, "c.d", "a number of 20000 bits"),
        (4, "e", "a number of 64 bits"),
    ]


def test_a_number_longer_than_python_reads_has_its_line() -> None:
    """Python's limit of digits is no exception of another kind."""
    (finding,) = findings(f"a = 1\nb = {'9' * 5000}\n")
    assert finding == Finding(2, "", "a number of more than 4300 digits", "at most 64 bits")
