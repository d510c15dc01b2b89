import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.calendar import DayType
from policy.fault import Fault, Faulty
from policy.hours import Window
from policy.model import Kind
from policy.rule import KEYS, Exit, Fallback, Per, PoolCard, Rule, Second, parse_rule

FALLBACKS = ["serve_and_flag", "ask_staff", "deny"]
CHOICES: dict[str, list[str]] = {
    "per": ["person", "card"],
    "second": ["deny", "flag", "charge"],
    "exit": ["grant_and_flag", "rule"],
    "pool_card": ["deny", "ask"],
    "when_stale": FALLBACKS,
    "when_clock_untrusted": FALLBACKS,
    "when_quota_unknown": FALLBACKS,
    "when_disk_fails": FALLBACKS,
    "outside_slot": FALLBACKS,
}
NUMBERS: dict[str, tuple[int, int]] = {
    "per_day": (0, 1000),
    "repeat_s": (0, 86_400),
    "stale_after_h": (1, 8784),
    "price_cents": (0, 1_000_000),
    "second_price_cents": (0, 1_000_000),
    "offline_allowance_cents": (0, 1_000_000),
}
SWITCHES = ["prepaid"]
SLOTS: list[dict[str, Any]] = [
    {"groups": ["7b", "7c"], "school_day": ["11:30-11:50"], "exam_day": ["12:00-12:20"]},
    {"groups": ["8a"], "school_day": ["11:50-12:10"]},
]
LISTS: dict[str, list[str]] = {"kinds": ["personal", "staff"], "groups": ["9a", "koor ja orkester"]}
TABLES: dict[str, Any] = {
    "hours": {"school_day": ["07:30-17:30"]},
    "per_day_by_kind": {"substitute": 1},
    "price_cents_by_group": {"staff": 350},
    "slots": SLOTS,
}
OLD_TABLES = {key: TABLES[key] for key in ("hours", "per_day_by_kind")}
# A value of each type that TOML or JSON has, none of them right anywhere.
STRAYS: list[object] = [None, True, False, 1.0, float("nan"), "", "Person", "1", date(2026, 11, 20), b"deny"]

WINDOWS = ["07:30-11:45", "12:00-17:30", "18:00-24:00"]
TABLE_OF_A_RULE = st.fixed_dictionaries(
    {},
    optional={
        **{key: st.sampled_from(words) for key, words in CHOICES.items()},
        **{key: st.integers(low, high) for key, (low, high) in NUMBERS.items()},
        "kinds": st.lists(st.sampled_from([str(kind) for kind in Kind]), min_size=1),
        "groups": st.lists(st.sampled_from(["9a", "9b", "õpilasesindus"]), min_size=1),
        "hours": st.dictionaries(
            st.sampled_from([str(kind) for kind in DayType]),
            st.lists(st.sampled_from(WINDOWS), unique=True),
        ),
        "per_day_by_kind": st.dictionaries(st.sampled_from([str(kind) for kind in Kind]), st.integers(0, 1000)),
        "price_cents_by_group": st.dictionaries(st.sampled_from(["staff", "9a"]), st.integers(0, 1000)),
        "slots": st.sampled_from([SLOTS, SLOTS[:1], SLOTS[1:]]),
        **{key: st.booleans() for key in SWITCHES},
    },
)
SERVICES = st.sampled_from(["door", "canteen", "library"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NEARLY_A_RULE = st.dictionaries(
    st.sampled_from(KEYS) | st.text(max_size=8),
    JSON
    | st.dictionaries(st.sampled_from([*Kind, *DayType]), JSON)
    | st.sampled_from([word for words in CHOICES.values() for word in words])
    | st.lists(st.sampled_from([str(kind) for kind in Kind]) | st.sampled_from(WINDOWS)),
)


def _faults(table: object, service: str = "door") -> list[Fault]:
    with pytest.raises(Faulty) as caught:
        parse_rule(table, service=service)
    assert caught.value.faults
    return list(caught.value.faults)


def _paths(table: object) -> list[tuple[str | int, ...]]:
    return [fault.path for fault in _faults(table)]


def _version(table: Mapping[str, object], service: str = "door") -> str:
    return parse_rule(table, service=service).version


def test_the_keys_are_those_of_the_design() -> None:
    """DESIGN.md §7 fixes them; each is a field of the rule, and the tests below know all of them."""
    assert set(KEYS) == {*CHOICES, *NUMBERS, *LISTS, *TABLES, *SWITCHES}
    assert {field.name for field in dataclasses.fields(Rule)} == {*KEYS, "service", "version"}


# What is read


def test_a_rule_that_says_nothing_lets_every_active_card_in_at_any_time() -> None:
    """The defaults of DESIGN.md §7: no restriction, exits granted, silence and clock restrict nothing, disk faults do."""
    assert dataclasses.replace(parse_rule({}, service="door"), version="") == Rule(
        service="door",
        kinds=None,
        groups=None,
        hours=None,
        per_day=None,
        per_day_by_kind={},
        per=Per.PERSON,
        repeat_s=0,
        second=Second.DENY,
        exit=Exit.GRANT_AND_FLAG,
        pool_card=PoolCard.DENY,
        stale_after_h=None,
        when_stale=Fallback.SERVE_AND_FLAG,
        when_clock_untrusted=Fallback.SERVE_AND_FLAG,
        when_quota_unknown=Fallback.SERVE_AND_FLAG,
        when_disk_fails=Fallback.DENY,
        price_cents=0,
        price_cents_by_group={},
        second_price_cents=None,
        slots={},
        outside_slot=Fallback.SERVE_AND_FLAG,
        prepaid=False,
        offline_allowance_cents=0,
    )


def test_a_canteen_asks_about_a_pool_card_and_serves_on_a_disk_fault() -> None:
    """DOMAIN.md trap 10 and DESIGN.md §2.4; all other defaults are those of every service."""
    door, canteen = parse_rule({}, service="door"), parse_rule({}, service="canteen")
    assert canteen.pool_card is PoolCard.ASK
    assert canteen.when_disk_fails is Fallback.SERVE_AND_FLAG
    differing = {key for key in KEYS if getattr(door, key) != getattr(canteen, key)}
    assert differing == {"pool_card", "when_disk_fails"}


@pytest.mark.parametrize("service", ["door", "library", "cloakroom", "copies", "Canteen", "canteen-2"])
def test_only_the_canteen_has_a_canteens_defaults(service: str) -> None:
    """Any other name is a service like a door; a second canteen writes the two keys."""
    assert dataclasses.replace(parse_rule({}, service=service), service="door") == parse_rule({}, service="door")


def test_a_canteen_may_say_otherwise() -> None:
    """What a table says goes before a service's defaults."""
    rule = parse_rule({"pool_card": "deny", "when_disk_fails": "ask_staff"}, service="canteen")
    assert (rule.pool_card, rule.when_disk_fails) == (PoolCard.DENY, Fallback.ASK_STAFF)


@pytest.mark.parametrize(("key", "word"), [(key, word) for key, words in CHOICES.items() for word in words])
def test_each_word_of_a_choice_is_read(key: str, word: str) -> None:
    """The field holds the word that was written."""
    assert str(getattr(parse_rule({key: word}, service="door"), key)) == word


@pytest.mark.parametrize(("key", "number"), [(key, number) for key, edges in NUMBERS.items() for number in edges])
def test_each_edge_of_a_number_is_read(key: str, number: int) -> None:
    """The least and the greatest number are allowed."""
    assert getattr(parse_rule({key: number}, service="door"), key) == number


def test_lists_and_tables_are_read() -> None:
    """Kinds and groups become sets, hours windows by day type, limits numbers by kind."""
    rule = parse_rule({**LISTS, **TABLES}, service="door")
    assert rule.kinds == frozenset({Kind.PERSONAL, Kind.STAFF})
    assert rule.groups == frozenset({"9a", "koor ja orkester"})
    assert rule.hours == {DayType.SCHOOL_DAY: (Window(450, 1050),)}
    assert rule.per_day_by_kind == {Kind.SUBSTITUTE: 1}


def test_a_rule_cannot_be_changed() -> None:
    """Neither a field nor a limit can be set anew: the version would lie."""
    rule: Any = parse_rule(TABLES, service="door")
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.per_day = 5
    tables: list[Any] = [rule.per_day_by_kind, rule.hours, Rule("door").per_day_by_kind]
    for limits in tables:
        with pytest.raises(TypeError):
            limits[Kind.STAFF] = 5


# What is refused


@pytest.mark.parametrize("stray", STRAYS, ids=repr)
@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_a_wrong_type_is_told_with_its_key(key: str, stray: object) -> None:
    """Whatever the key, a stray value gives one fault, at that key."""
    if not (key in SWITCHES and isinstance(stray, bool)):
        assert _paths({key: stray}) == [(key,)]


@pytest.mark.parametrize("stray", [5, -1, [], ["deny"], {}, {"deny": 1}], ids=repr)
@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_is_one_of_its_words(key: str, stray: object) -> None:
    """A fault names all the words that are allowed."""
    (fault,) = _faults({key: stray})
    assert fault.path == (key,)
    assert all(word in fault.expected for word in CHOICES[key])


@pytest.mark.parametrize("stray", [[], [1], {}, {"personal": 1}, 1.5, 10**30], ids=repr)
@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_is_whole_and_within_its_edges(key: str, stray: object) -> None:
    """A fault names both edges."""
    low, high = NUMBERS[key]
    for wrong in (stray, low - 1, high + 1):
        assert [(fault.path, fault.expected) for fault in _faults({key: wrong})] == [
            ((key,), f"a whole number from {low} to {high}")
        ]


@pytest.mark.parametrize("stray", [[], {}, 5, "personal", ("personal",), {"personal": 1}], ids=repr)
@pytest.mark.parametrize("key", LISTS)
def test_a_list_is_one_with_an_entry(key: str, stray: object) -> None:
    """An empty list would let nobody in, which is no rule but a slip; a single word is no list."""
    assert [(fault.path, fault.expected) for fault in _faults({key: stray})] == [
        ((key,), "a list with at least one entry")
    ]


@pytest.mark.parametrize("stray", [*STRAYS, 5, [], {}, "Personal", "pool"], ids=repr)
def test_a_wrong_kind_is_told_with_its_place(stray: object) -> None:
    """The place in the list is counted from 0; the right entries beside it are no fault."""
    assert _paths({"kinds": ["personal", stray, "staff"]}) == [("kinds", 1)]


@pytest.mark.parametrize(
    "stray", [None, True, 5, 1.0, [], {}, "", " ", " 9a", "9a ", "9a;9b", "9\n", "9\x00", "9\ud800"]
)
def test_a_wrong_group_is_told_with_its_place(stray: object) -> None:
    """A group's name is what a cards file can hold: printable, without a semicolon, no space around it."""
    assert _paths({"groups": [stray, "9a", stray]}) == [("groups", 0), ("groups", 2)]


@pytest.mark.parametrize("stray", [[], ["substitute"], 5, "substitute"], ids=repr)
def test_limits_by_kind_are_a_table(stray: object) -> None:
    """A fault shows what such a table looks like."""
    (fault,) = _faults({"per_day_by_kind": stray})
    assert (fault.path, fault.expected) == (("per_day_by_kind",), "a table of kinds, such as { substitute = 1 }")


def test_faults_within_limits_by_kind_are_told_with_the_kind() -> None:
    """An unknown kind and a wrong number are both told, the right limit is no fault."""
    limits = {"bus": 1, "staff": 1001, "substitute": "1", "personal": 2, "visitor": True}
    assert _paths({"per_day_by_kind": limits}) == [
        ("per_day_by_kind", name) for name in ("bus", "staff", "substitute", "visitor")
    ]


def test_slots_are_read_by_group() -> None:
    """Several classes share a slot, each has its windows by type of day; one without windows says nothing of that day."""
    rule = parse_rule(
        {"slots": [*SLOTS, {"groups": ["9a"], "trip": [], "exam_day": ["10:00-10:10"]}]}, service="canteen"
    )
    assert (
        rule.slots["7b"]
        == rule.slots["7c"]
        == {
            DayType.SCHOOL_DAY: (Window(690, 710),),
            DayType.EXAM_DAY: (Window(720, 740),),
        }
    )
    assert rule.slots["9a"] == {DayType.EXAM_DAY: (Window(600, 610),)}


@pytest.mark.parametrize(
    ("slots", "path"),
    [
        ([], ("slots",)),
        ({"groups": ["7b"]}, ("slots",)),
        (["7b"], ("slots", 0)),
        ([{"groups": ["7b"]}], ("slots", 0)),
        ([{"groups": ["7b"], "school_day": []}], ("slots", 0)),
        ([{"school_day": ["11:30-11:50"]}], ("slots", 0, "groups")),
        ([{"groups": ["7b", " 7c"], "school_day": ["11:30-11:50"]}], ("slots", 0, "groups", 1)),
        ([*SLOTS, {"groups": ["7b"], "school_day": ["x"]}], ("slots", 2, "school_day", 0)),
        ([*SLOTS, {"groups": ["9a", "8a"], "school_day": ["11:30-11:50"]}], ("slots", 2, "groups")),
        ([{"groups": ["9a"], "sunday": ["11:30-11:50"]}], ("slots", 0, "sunday")),
    ],
)
def test_a_faulty_slot_is_told_with_its_place(slots: object, path: tuple[str | int, ...]) -> None:
    """No group, no window, a group in two slots, a wrong window: each by its own place."""
    assert _paths({"slots": slots}) == [path]


def test_faults_of_a_slots_groups_and_windows_are_told_together() -> None:
    """All at once, as everywhere."""
    assert _paths({"slots": [{"groups": [], "trip": ["x"]}, 5]}) == [
        ("slots", 0, "groups"),
        ("slots", 0, "trip", 0),
        ("slots", 1),
    ]


@pytest.mark.parametrize("prices", [{"staff": -1}, {"staff": 1_000_001}, {"a;b": 1}, {" ": 1}, {"staff": "3.50"}])
def test_a_faulty_price_of_a_group_is_told_with_the_group(prices: dict[str, object]) -> None:
    """In cents, whole, and of a group that a cards file can hold."""
    assert _paths({"price_cents_by_group": prices}) == [("price_cents_by_group", next(iter(prices)))]


def test_faults_within_hours_are_told_with_day_type_and_place() -> None:
    """The path leads through the day type to the window."""
    hours = {"school_day": ["07:30-17:30", "17:30"], "sunday": [], "trip": "always"}
    assert _paths({"hours": hours}) == [
        ("hours", "school_day", 1),
        ("hours", "sunday"),
        ("hours", "trip"),
    ]


@pytest.mark.parametrize("key", ["", "Kinds", "per day", "version", "service", "limit", "per_day "])
def test_an_unknown_key_is_named_with_those_that_there_are(key: str) -> None:
    """Neither the fields that are no keys nor a slip of the pen is taken silently."""
    assert _faults({key: 1}) == [Fault((key,), "an unknown key", f"one of {', '.join(KEYS)}")]


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Each fault of a table comes in one go, in the table's order."""
    table = {"kinds": ["bus"], "per_day": -1, "colour": "red", "exit": "rule", "hours": {"school_day": ["x", "y"]}}
    assert _paths(table) == [
        ("kinds", 0),
        ("per_day",),
        ("colour",),
        ("hours", "school_day", 0),
        ("hours", "school_day", 1),
    ]


@pytest.mark.parametrize("table", [None, 5, "door", [], [("per_day", 1)], True], ids=repr)
def test_what_is_no_table_is_no_rule(table: object) -> None:
    """The whole is at fault, so there is no path."""
    for service in ("door", "canteen"):
        (fault,) = _faults(table, service)
        assert (fault.path, fault.expected) == ((), "a table of a rule's keys")


def test_what_was_found_is_shown_short() -> None:
    """Neither a long nor a deep value makes a long message, or none at all."""
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for value in ("x" * 10_000, deep, [["x"] * 10_000]):
        (fault,) = _faults({"per": value})
        assert len(fault.found) < 100


@given(table=NEARLY_A_RULE | JSON, service=SERVICES)
def test_whatever_json_holds_gives_a_rule_or_faults(table: object, service: str) -> None:
    """No value makes anything but a rule or Faulty, whose every path begins with a key of the table."""
    faults: tuple[Fault, ...] = ()
    try:
        rule = parse_rule(table, service=service)
    except Faulty as faulty:
        faults = faulty.faults
    else:
        assert (rule.service, len(rule.version)) == (service, 16)
        return
    assert faults
    assert all(fault.path[0] in table for fault in faults if isinstance(table, Mapping))


# What a version is


@given(table=TABLE_OF_A_RULE, service=SERVICES, data=st.data())
def test_a_version_does_not_hang_on_how_the_table_is_written(
    table: dict[str, Any], service: str, data: st.DataObject
) -> None:
    """The order of keys and of lists, an entry said twice and a day type without hours change nothing."""
    other = {key: table[key] for key in data.draw(st.permutations(list(table)))}
    for key in ("kinds", "groups"):
        if key in other:
            other[key] = [*data.draw(st.permutations(other[key])), other[key][0]]
    if "hours" in other:
        days = data.draw(st.permutations(list(DayType)))
        other["hours"] = {str(day): other["hours"].get(day, [])[::-1] for day in days}
    if "per_day_by_kind" in other:
        other["per_day_by_kind"] = dict(reversed(other["per_day_by_kind"].items()))
    if "slots" in other:
        one_each = [{**slot, "groups": [group]} for slot in other["slots"] for group in slot["groups"]]
        other["slots"] = data.draw(st.permutations(one_each))
    assert _version(other, service) == _version(table, service)
    assert _version(json.loads(json.dumps(table)), service) == _version(table, service)


@given(table=TABLE_OF_A_RULE, service=SERVICES)
def test_a_version_does_not_change_when_a_default_is_written_out(table: dict[str, Any], service: str) -> None:
    """A key that is given its default says what its absence says."""
    plain = parse_rule({}, service=service)
    words = {key: str(getattr(plain, key)) for key in CHOICES}
    numbers = {key: getattr(plain, key) for key in ("repeat_s", "price_cents", "offline_allowance_cents", "prepaid")}
    assert _version({**words, **numbers, "per_day_by_kind": {}, **table}, service) == _version(table, service)


def _says(table: Mapping[str, Any], service: str) -> object:
    """Tell what a table says, by another way than the one under test."""
    canteen = {"pool_card": "ask", "when_disk_fails": "serve_and_flag"} if service == "canteen" else {}
    defaults = {key: words[0] for key, words in CHOICES.items()} | {"when_disk_fails": "deny"}
    said = {
        **defaults,
        "repeat_s": 0,
        "price_cents": 0,
        "per_day_by_kind": {},
        "price_cents_by_group": {},
        "prepaid": False,
        "offline_allowance_cents": 0,
        **canteen,
        **table,
    }
    for key in ("kinds", "groups"):
        said[key] = sorted(set(said[key])) if key in said else None
    if "hours" in said:
        said["hours"] = {day: sorted(windows) for day, windows in said["hours"].items() if windows}
    return said


@given(one=TABLE_OF_A_RULE, two=TABLE_OF_A_RULE, service=SERVICES)
def test_two_rules_have_one_version_just_when_they_say_the_same(
    one: dict[str, Any], two: dict[str, Any], service: str
) -> None:
    """Whatever two tables say, their versions are equal only if they say the same."""
    assert (_version(one, service) == _version(two, service)) is (_says(one, service) == _says(two, service))


OTHERWISE: dict[str, object] = {
    **{key: words[-1] for key, words in CHOICES.items()},
    "when_disk_fails": "ask_staff",
    **{key: edges[1] for key, edges in NUMBERS.items()},
    **LISTS,
    **TABLES,
    **dict.fromkeys(SWITCHES, True),
}


def test_every_key_is_in_the_version() -> None:
    """Each key said otherwise than by default gives a version of its own, and one number more another one."""
    versions = {_version({}), *(_version({key: value}) for key, value in OTHERWISE.items())}
    assert len(versions) == 1 + len(KEYS)
    assert _version({"per_day": 1}) != _version({"per_day": 2})
    assert _version({"hours": {}}) != _version({})


def test_a_version_does_not_name_the_service() -> None:
    """An event names the service beside it; a canteen's own defaults are in its version."""
    assert _version({}, "door") == _version({}, "library") != _version({}, "canteen")
    assert _version({"pool_card": "ask", "when_disk_fails": "serve_and_flag"}, "door") == _version({}, "canteen")


def test_versions_are_fixed() -> None:
    """Events of former years name these versions: another way of making them would leave those events without a rule."""
    assert _version({}) == "44136fa355b3678a"
    assert _version({**LISTS, **OLD_TABLES, "per_day": 1, "second": "flag"}) == "0957ebfc5adb071b"


# What a rule tells


def test_a_limit_by_kind_goes_before_the_limit_of_all() -> None:
    """A kind that is not named has the limit of all, or none; 0 is a limit like any other."""
    rule = parse_rule({"per_day": 2, "per_day_by_kind": {"substitute": 1, "staff": 0}}, service="canteen")
    assert [rule.limit(kind) for kind in (Kind.PERSONAL, Kind.SUBSTITUTE, Kind.STAFF)] == [2, 1, 0]
    assert parse_rule({"per_day_by_kind": {"staff": 3}}, service="canteen").limit(Kind.PERSONAL) is None


@pytest.mark.parametrize(
    ("table", "counts"),
    [
        ({}, False),
        ({"repeat_s": 0, "per_day_by_kind": {}}, False),
        ({"per_day": 0}, True),
        ({"per_day": 1}, True),
        ({"per_day_by_kind": {"substitute": 0}}, True),
        ({"repeat_s": 1}, True),
        ({"price_cents": 5, "second": "charge", "per": "card"}, False),
    ],
)
def test_a_rule_counts_when_it_asks_how_often_or_when(table: dict[str, object], *, counts: bool) -> None:
    """Only a limit or a repeat window makes a host keep and read usage."""
    assert parse_rule(table, service="door").counts is counts
