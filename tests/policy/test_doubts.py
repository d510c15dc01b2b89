"""What a rule says in vain is told, with its key; what the two schools say is not."""

from typing import Any

import pytest

from policy.doubts import doubts
from policy.rule import parse_rule

HOURS = {"school_day": ["10:30-14:00"], "exam_day": ["12:00-13:00"]}
SLOT = {"groups": ["7b"], "school_day": ["10:00-10:40"]}


def doubted(**table: Any) -> list[tuple[str, str]]:  # noqa: ANN401  keys of a rule
    """Return what is doubtful in a rule: the key, and what was found."""
    return [
        (".".join(map(str, each.path)), each.found) for each in doubts(parse_rule(table, service=table.pop("of", "x")))
    ]


@pytest.mark.parametrize(
    ("table", "key", "found"),
    [
        ({"when_stale": "deny"}, "when_stale", "never too old"),
        ({"hours": {}}, "hours", "never open"),
        ({"hours": {"school_day": []}, "slots": [SLOT]}, "hours", "never open"),
        ({"per_day": 0}, "per_day", "nobody"),
        ({"second": "flag"}, "second", "no limit"),
        ({"per_day": 1, "second": "charge"}, "second", "no price"),
        ({"per_day": 1, "second": "flag", "second_price_cents": 5}, "second_price_cents", '"flag"'),
        ({"kinds": ["personal"], "per_day_by_kind": {"staff": 1}}, "per_day_by_kind.staff", "not served"),
        ({"prepaid": True}, "prepaid", "no price"),
        ({"offline_allowance_cents": 5}, "offline_allowance_cents", "no account"),
        ({"outside_slot": "deny"}, "outside_slot", "no slots"),
        ({"hours": HOURS, "slots": [SLOT | {"school_day": ["09:30-10:30"]}]}, "slots", '"7b" at 09:30-10:30'),
        ({"hours": HOURS, "slots": [SLOT | {"trip": ["11:00-12:00"]}]}, "slots", "on a trip"),
    ],
)
def test_what_comes_to_nothing_is_told(table: dict[str, Any], key: str, found: str) -> None:
    """Once, at its key, in words."""
    ((where, told),) = doubted(**table)
    assert where == key
    assert found in told


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"when_stale": "deny", "stale_after_h": 72},
        {"per_day": 0, "per_day_by_kind": {"staff": 1}},
        {"per_day_by_kind": {"substitute": 1}, "second": "flag"},
        {"per_day": 1, "second": "charge", "price_cents": 150},
        {"per_day": 1, "second": "charge", "second_price_cents": 180, "prepaid": True},
        {"prepaid": True, "price_cents_by_group": {"staff": 350}, "offline_allowance_cents": 500},
        {"slots": [SLOT], "outside_slot": "deny"},
        {"hours": HOURS, "slots": [SLOT | {"exam_day": ["12:30-13:30"]}]},
    ],
)
def test_what_has_its_effect_is_not_doubted(table: dict[str, Any]) -> None:
    """A slot that lasts longer than the service is open is none to ask about: some of it can be used."""
    assert doubted(**table) == []
