"""What is told beside the editors."""

from policy.calendar import parse_calendar
from policy.rule import KEYS, parse_rule
from registry.office.rule_keys import CALENDAR_KEYS, RULE_KEYS
from registry.office.toml_text import from_text


def test_every_key_of_a_rule_is_told_with_an_example_that_holds() -> None:
    """DESIGN.md §7: no key is missing, none is invented, and each example is taken."""
    assert [key for key, *_ in RULE_KEYS] == list(KEYS)
    for key, example, _ in RULE_KEYS:
        table = from_text(example)
        assert set(table) == {key}
        parse_rule(table, service="door")


def test_every_key_of_a_calendar_is_told_with_an_example_that_holds() -> None:
    """The same for the calendar."""
    for key, example, _ in CALENDAR_KEYS:
        assert set(from_text(example)) == {key}
        parse_calendar(from_text(example))
