"""How findings are told to the person who mends the file."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from config.finding import WHOLE_FILE, ConfigError, Finding, dotted, located
from policy.fault import Fault, told


def test_a_finding_says_where_what_and_what_instead() -> None:
    """One line holds the file's line, the key, what was found and what is expected."""
    assert str(Finding(3, "host.name", "5", "a name")) == "line 3: host.name: found 5, expected a name"
    assert str(Finding(WHOLE_FILE, "", "no file", "one")) == "found no file, expected one"


def test_an_error_tells_all_findings_after_the_name_of_the_file() -> None:
    """The error's text has one line for each finding."""
    error = ConfigError(Path("/etc/x.toml"), [Finding(1, "a", "b", "c"), Finding(2, "d", "e", "f")])
    assert str(error) == "/etc/x.toml: line 1: a: found b, expected c\n/etc/x.toml: line 2: d: found e, expected f"


def test_faults_are_put_in_line_order_on_the_nearest_line_known() -> None:
    """A missing key has the line of its table, and what has no line at all the first."""
    lines = {("a",): 7, ("a", 0): 9, ("b",): 2}
    faults = [Fault(("a", 0, "x"), "1", "2"), Fault(("b",), "1", "2"), Fault(("c",), "1", "2")]
    assert [(each.line, each.key) for each in located(faults, lines)] == [(1, "c"), (2, "b"), (9, "a[1].x")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("reader", 1, "outputs", 0), "reader[2].outputs[1]"),
        (("service", "door in"), 'service."door in"'),
        (("",), '""'),
        (("k" * 100,), f'"{"k" * 60}…"'),
    ],
)
def test_a_path_is_written_as_people_count_and_quote(path: tuple[str | int, ...], text: str) -> None:
    """Places count from 1, and only a key that needs quotes has them."""
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("öö", '"öö"'),
        ("a\x1b[2J\n", '"a\\x1b[2J\\n"'),
        ("x" * 61, f'"{"x" * 60}…"'),
        (True, "true"),
        (1.5, "1.5"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
        ({"a": 1}, "a table"),
        (date(2026, 9, 1), "2026-09-01"),
        (datetime(2026, 9, 1, 7, 30, tzinfo=UTC), "2026-09-01T07:30:00+00:00"),
    ],
)
def test_a_value_is_shown_short_and_harmless(value: object, text: str) -> None:
    """What is shown is bounded and cannot move a terminal's cursor."""
    assert told(value) == text
