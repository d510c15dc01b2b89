"""The host's file: what loads, what is warned of, and that every fault is told with its line."""

import dataclasses
import datetime as dt
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from config.finding import ConfigError, Finding
from config.host import SIZE_MAX_BYTES, OutputConfig, ReaderConfig, RegistrySection, ScreenSection, load, parse
from config.toml_lines import lines
from policy.calendar import Calendar, DayType
from policy.model import Direction, Kind
from policy.rule import parse_rule
from policy.uid import UidForm

FIXED = (Path(__file__).parent / "fixed.toml").read_text()
EXAMPLES = Path(__file__).parents[2] / "config"

FULL = """\
[host]
name = "main-hall"
timezone = "Europe/Tallinn"
state_dir = "/var/lib/viipe"
[[reader]]
name = "front-in"
kind = "pcsc"
match = "*00 00"
service = "door"
direction = "in"
outputs = ["strike", "lamp"]
uid_form = "reversed"
absent_ms = 300
tap_on_start = true
[[reader]]
name = "front-out"
kind = "pcsc"
usb_port = "1-1.2"
service = "door"
direction = "out"
[[output]]
name = "strike"
kind = "record"
path = "/var/lib/viipe/strike.log"
pulse_s = 2.5
max_pulse_s = 10
[[output]]
name = "lamp"
kind = "record"
path = "/var/lib/viipe/lamp.log"
[service.door]
kinds = ["personal", "staff"]
hours = { school_day = ["07:30-17:30"] }
per_day = 5
[calendar]
school_days = ["mon", "sat"]
breaks = ["2026-10-19..2026-10-25"]
special_days = { "2026-12-19" = "school_day" }
"""


def findings(text: str) -> tuple[Finding, ...]:
    """Give what is wrong with a text that must be refused."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.findings


def told(text: str) -> list[tuple[int, str]]:
    """Give the lines and keys of what is wrong with a text that must be refused."""
    return [(finding.line, finding.key) for finding in findings(text)]


# What loads


def test_a_registry_may_have_its_own_authority_and_deadline() -> None:
    """Whose certificates are trusted, and how long a till waits for the other tills, can be said."""
    text = FIXED.replace("[registry]", '[registry]\nca = "/etc/viipe/ca.pem"\nquota_deadline_ms = 300')
    assert parse(text).registry == RegistrySection("http://127.0.0.1:8440", Path("/etc/viipe/ca.pem"), 300)
    assert parse(FIXED).registry == RegistrySection("http://127.0.0.1:8440", None, 150)


@pytest.mark.parametrize("line", ['ca = "ca.pem"', "quota_deadline_ms = 5", "quota_deadline_ms = 60000"])
def test_a_registrys_keys_are_checked(line: str) -> None:
    """A path that depends on who starts the host, and a wait of a minute at a till, are faults."""
    with pytest.raises(ConfigError):
        parse(FIXED.replace("[registry]", f"[registry]\n{line}"))


def test_the_fixed_file_loads_as_it_stands() -> None:
    """The file of DESIGN.md §7 becomes the configuration it means; its one warning is that of its local services."""
    config = parse(FIXED)
    assert (config.host.name, config.host.timezone.key) == ("main-hall", "Europe/Tallinn")
    assert config.host.state_dir == Path("/var/lib/viipe")
    assert config.registry == RegistrySection("http://127.0.0.1:8440")
    assert config.readers == (
        ReaderConfig(
            name="front-in",
            kind="pcsc",
            service="door",
            match="*Virtual PCD*00 00",
            direction=Direction.IN,
            outputs=("front-strike",),
        ),
        ReaderConfig(name="till-1", kind="pcsc", service="canteen", match="*Virtual PCD*00 01"),
    )
    assert config.outputs == (OutputConfig("front-strike", "record", Path("/var/lib/viipe/front-strike.log")),)
    assert config.services == {
        "door": parse_rule(
            {"kinds": ["personal", "substitute", "staff"], "hours": {"school_day": ["07:30-17:30"]}}, service="door"
        ),
        "canteen": parse_rule({"kinds": ["personal", "substitute"], "per_day": 1}, service="canteen"),
    }
    assert config.calendar == Calendar()
    (warning,) = config.warnings
    assert (warning.line, warning.key) == (29, "service")
    assert "local service tables serve until the first snapshot" in str(warning)


def test_every_key_reaches_its_field() -> None:
    """A file that sets each key differs from the defaults in each field, and has nothing to warn of."""
    config = parse(FULL)
    assert config.warnings == ()
    assert config.registry is None
    assert config.host.timezone is ZoneInfo("Europe/Tallinn")
    first, second = config.readers
    assert first == ReaderConfig(
        name="front-in",
        kind="pcsc",
        service="door",
        match="*00 00",
        direction=Direction.IN,
        outputs=("strike", "lamp"),
        uid_form=UidForm.REVERSED,
        absent_ms=300,
        tap_on_start=True,
    )
    assert (second.match, second.usb_port, second.direction) == (None, "1-1.2", Direction.OUT)
    assert (second.uid_form, second.absent_ms, second.tap_on_start) == (UidForm.AS_SENT, 200, False)
    strike, lamp = config.outputs
    assert (strike.path, strike.pulse_s, strike.max_pulse_s) == (Path("/var/lib/viipe/strike.log"), 2.5, 10.0)
    assert (lamp.pulse_s, lamp.max_pulse_s) == (3.0, 15.0)
    assert config.services["door"].kinds == frozenset({Kind.PERSONAL, Kind.STAFF})
    assert config.calendar.school_weekdays == {0, 5}
    assert config.calendar.special_days == ((dt.date(2026, 12, 19), DayType.SCHOOL_DAY),)


def test_nothing_in_it_can_be_changed() -> None:
    """The configuration is one frozen object, its mapping of services too."""
    config = parse(FULL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.host.name = "other"  # type: ignore[misc]  # the point of the test
    with pytest.raises(TypeError):
        config.services["door"] = config.services["door"]  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.name)
def test_each_example_file_loads_without_a_doubt(file: Path) -> None:
    """What we hand to a school has neither faults nor warnings."""
    assert load(file).warnings == ()


def test_there_is_an_example_for_each_service_of_both_schools() -> None:
    """DOMAIN.md §3: THG has a door, a canteen and a library; Viimsi a canteen, a library, a cloakroom and copies."""
    services = {file.name.split(".")[0]: set(load(file).services) for file in EXAMPLES.glob("*-*.example.toml")}
    assert services == {
        f"{school}-{service}": {service}
        for school, service in [
            ("thg", "door"),
            ("thg", "canteen"),
            ("thg", "library"),
            ("viimsi", "canteen"),
            ("viimsi", "library"),
            ("viimsi", "cloakroom"),
            ("viimsi", "copies"),
        ]
    }


def test_the_examples_rules_are_those_of_the_schools() -> None:
    """A substitute lunches once a day (T28) and lends no books; a door lets out whom it would not let in (T9)."""
    canteen = load(EXAMPLES / "thg-canteen.example.toml").services["canteen"]
    assert (canteen.limit(Kind.SUBSTITUTE), canteen.limit(Kind.PERSONAL)) == (1, None)
    library = load(EXAMPLES / "thg-library.example.toml").services["library"]
    assert library.kinds == frozenset({Kind.PERSONAL})
    door = load(EXAMPLES / "thg-door.example.toml")
    assert [reader.direction for reader in door.readers] == [Direction.IN, Direction.OUT]
    assert door.services["door"].exit == "grant_and_flag"


def test_the_main_example_explains_each_key_of_a_rule_free_host() -> None:
    """Each key that a host, reader or output can have stands in the example file, in use or as a note."""
    example = (EXAMPLES / "host.example.toml").read_text()
    for noun in (ReaderConfig, OutputConfig, ScreenSection):
        assert all(f"{field.name} =" in example for field in dataclasses.fields(noun))


# What is doubtful


def test_what_nobody_uses_is_warned_of() -> None:
    """A service and an output without a reader are told with their lines, and stop nothing."""
    text = FULL.replace(', "lamp"', "") + "[service.library]\n"
    assert [(warning.line, warning.key) for warning in parse(text).warnings] == [
        (27, "output[2]"),
        (39, "service.library"),
    ]


def test_a_local_calendar_beside_a_registry_is_warned_of() -> None:
    """Like local services it serves until the first snapshot."""
    text = without("service") + '[registry]\nurl = "http://a"\n'
    assert [warning.key for warning in parse(text).warnings] == ["calendar"]


def test_a_host_without_readers_is_warned_of() -> None:
    """It reads nothing, which is rarely meant."""
    (warning,) = parse(FULL.partition("[[reader]]")[0]).warnings
    assert (warning.line, warning.key, warning.found) == (1, "", "no reader")


def test_a_registry_may_know_services_that_the_file_does_not() -> None:
    """Without local services a reader's service cannot be judged here; without a registry it can."""
    text = FULL.partition("[service.door]")[0]
    assert told(text) == [(9, "reader[1].service"), (19, "reader[2].service")]
    assert parse(text + '[registry]\nurl = "http://a"').warnings == ()


# What is wrong


@pytest.mark.parametrize("form", [UidForm.AS_SENT, UidForm.REVERSED, UidForm.BCC])
def test_a_pcsc_reader_has_a_form_of_bytes(form: UidForm) -> None:
    """PC/SC answers with bytes: as sent, reversed, or with their check bytes."""
    config = parse(FULL.replace('uid_form = "reversed"', f'uid_form = "{form}"'))
    assert config.readers[0].uid_form is form


@pytest.mark.parametrize(
    "form", [*(f'"{form}"' for form in UidForm if form not in {"as_sent", "reversed", "bcc"}), '"hex"', "4"]
)
def test_a_form_that_no_pcsc_reader_writes_is_told_with_the_reason(form: str) -> None:
    """Decimals, Wiegand frames, cut UIDs and nonsense are faults that name the three forms and say why there are no more."""
    (fault,) = findings(FULL.replace('uid_form = "reversed"', f"uid_form = {form}"))
    assert (fault.line, fault.key, fault.found) == (12, "reader[1].uid_form", form)
    assert fault.expected == "one of as_sent, reversed, bcc: a PC/SC reader answers with bytes"


FAULTY = """\
[host]
name = "Main Hall"
timezone = "Europe/Talin"
state_dir = "var/lib"
colour = "red"

[registry]
url = "cards.school.example"

[[reader]]
name = "front"
kind = "pcsc"
match = "*00 00"
usb_port = "1-1.2"
service = "dor"

[[reader]]
name = "front"
kind = "osdp"
device = "tty:AMA0"
service = "door"
directoin = "in"
outputs = [
  "strike",
  "lamp",
]

[[reader]]
name = "till"
kind = "pcsc"
match = "*00 00"
service = "door"
direction = "inwards"
absent_ms = true

[[output]]
name = "strike"
kind = "record"
pulse_s = 20

[service.door]
kinds = ["personal", "guest"]
per_dy = 1

[outputs]
"""


def test_a_dozen_faults_are_told_at_once_in_line_order() -> None:
    """Each has its line, its key, what was found and what is expected instead."""
    told_now = [(each.line, each.key, each.found, each.expected) for each in findings(FAULTY)]
    assert told_now == [
        (2, "host.name", '"Main Hall"', "a name of 1 to 40 characters from a-z, 0-9 and -"),
        (3, "host.timezone", '"Europe/Talin"', 'a time zone such as "Europe/Tallinn"'),
        (4, "host.state_dir", '"var/lib"', 'an absolute path, such as "/var/lib/viipe"'),
        (5, "host.colour", "an unknown key", "one of name, timezone, state_dir"),
        (
            8,
            "registry.url",
            '"cards.school.example"',
            'an address such as "https://cards.school.example:8440", without user, query or fragment',
        ),
        (14, "reader[1].usb_port", "usb_port beside match", "only one of them"),
        (15, "reader[1].service", '"dor"', 'a service of this file: "door"'),
        (18, "reader[2].name", '"front"', "another one: another reader has it already"),
        (19, "reader[2].kind", '"osdp", which is not in this version yet', '"serial", "nfc" or "pcsc"'),
        (25, "reader[2].outputs[2]", '"lamp"', 'an output of this file: "strike"'),
        (31, "reader[3].match", '"*00 00"', "another one: another reader has it already"),
        (33, "reader[3].direction", '"inwards"', '"in" or "out"'),
        (34, "reader[3].absent_ms", "true", "a whole number from 50 to 5000"),
        (36, "output[1].path", "nothing", 'an absolute path, such as "/var/lib/viipe"'),
        (39, "output[1].pulse_s", "20", "at most max_pulse_s, which is 15"),
        (42, "service.door.kinds[2]", '"guest"', "one of personal, substitute, staff, visitor"),
        (43, "service.door.per_dy", "an unknown key", '"per_day", the nearest known key'),
        (45, "outputs", "an unknown key", '"output", the nearest known key'),
    ]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('match = "*00 00"\n', "", [(5, "reader[1]")]),
        ('match = "*00 00"', 'match = ""', [(8, "reader[1].match")]),
        ('usb_port = "1-1.2"', 'match = "*00 00"', [(18, "reader[2].match")]),
        ('match = "*00 00"', 'usb_port = "1-1.2"', [(18, "reader[2].usb_port")]),
        ('name = "front-out"', 'name = "front-in"', [(16, "reader[2].name")]),
        ('name = "lamp"', 'name = "strike"', [(11, "reader[1].outputs[2]"), (28, "output[2].name")]),
        ('"strike", "lamp"', '"strike", "strike"', [(11, "reader[1].outputs[2]")]),
        ("max_pulse_s = 10", "max_pulse_s = 2", [(25, "output[1].pulse_s")]),
        ("pulse_s = 2.5\nmax_pulse_s = 10", "max_pulse_s = 2", [(25, "output[1].max_pulse_s")]),
        ("pulse_s = 2.5", "pulse_s = nan", [(25, "output[1].pulse_s")]),
        ("pulse_s = 2.5", "pulse_s = 0.09", [(25, "output[1].pulse_s")]),
        ("max_pulse_s = 10", "max_pulse_s = 61", [(26, "output[1].max_pulse_s")]),
        ("absent_ms = 300", "absent_ms = 49", [(13, "reader[1].absent_ms")]),
        ("absent_ms = 300", "absent_ms = 5001", [(13, "reader[1].absent_ms")]),
        ("absent_ms = 300", "absent_ms = 300.0", [(13, "reader[1].absent_ms")]),
        ('kind = "record"', 'kind = "osdp"\naddress = 17', [(23, "output[1].kind")]),
        ('kind = "record"', 'kind = "tape"', [(23, "output[1].kind")]),
        ('kind = "record"', 'knd = "record"', [(21, "output[1].kind"), (23, "output[1].knd")]),
        ('[host]\nname = "main-hall"', "[host]", [(1, "host.name")]),
        ('["07:30-17:30"]', '["07:30-17:30", "7-8"]', [(33, "service.door.hours.school_day[2]")]),
        (
            "[service.door]",
            '[service."The Door"]',
            [(9, "reader[1].service"), (19, "reader[2].service"), (31, 'service."The Door"')],
        ),
        ("2026-10-19..", "2026-13-19..", [(37, "calendar.breaks[1]")]),
        ("2026-12-19", "2026-12-32", [(38, "calendar.special_days.2026-12-32")]),
        ("[calendar]", "[calender]", [(35, "calender")]),
    ],
)
def test_each_fault_has_its_line(old: str, new: str, where: list[tuple[int, str]]) -> None:
    """One slip in a good file is told at the line and key where it is to be mended, and nowhere else."""
    assert old in FULL
    assert told(FULL.replace(old, new, 1)) == where


def test_a_section_that_is_missing_is_told_at_the_top() -> None:
    """An empty file lacks its host."""
    assert findings("# nothing\n") == (Finding(1, "host", "nothing", "a table"),)


def test_too_many_tables_are_one_fault() -> None:
    """A list of a thousand readers is not walked."""
    assert told(FULL.partition("[[reader]]")[0] + "[[reader]]\n" * 1000) == [(5, "reader")]
    services = "".join(f"[service.s{n}]\n" for n in range(33))
    assert told(FULL.partition("[[reader]]")[0] + services) == [(5, "service")]


# Every value in every wrong type

WRONG: Mapping[str, str] = {
    "text": '"\u2603"',
    "truth": "true",
    "whole number": "-7",
    "number": "-7.5",
    "nan": "nan",
    "wide number": "9223372036854775808",
    "wider number": f"0x{'f' * 5000}",
    "endless number": "9" * 5000,
    "date": "2026-09-01",
    "time": "07:30:00",
    "moment": "2026-09-01T07:30:00Z",
    "empty list": "[]",
    "list of numbers": "[-7]",
    "list of lists": '[[["\u2603"]]]',
    "list of tables": '[{ "\u2603" = -7 }]',
    "empty table": "{}",
    "table": '{ "\u2603" = -7 }',
}
# A type that a key may have; where it is not named here, it is text.
RIGHT = {
    "tap_on_start": "truth",
    "outputs": "empty list",
    "breaks": "empty list",
    "hours": "empty table",
    "special_days": "empty table",
    **dict.fromkeys(("absent_ms", "pulse_s", "max_pulse_s", "per_day", "kinds", "school_days"), "none of these"),
}
VALUES = [(number, line) for number, line in enumerate(FULL.splitlines(), 1) if " = " in line]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("number", "line"), VALUES, ids=[f"{number} {line[:15]}" for number, line in VALUES])
def test_a_value_of_a_wrong_type_is_told_on_its_line_alone(number: int, line: str, wrong: str) -> None:
    """Whatever stands in place of a value, its line is reported and no other."""
    key = line.partition(" = ")[0]
    text_lines = FULL.splitlines()
    text_lines[number - 1] = f"{key} = {WRONG[wrong]}"
    if RIGHT.get(key, "text") == wrong:
        return
    assert {finding.line for finding in findings("\n".join(text_lines))} == {number}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("section", ["host", "registry", "reader", "output", "service", "calendar"])
def test_a_section_of_a_wrong_type_is_told_on_its_line_alone(section: str, wrong: str) -> None:
    """So it is with whole sections, except where readers then name what is gone."""
    if (section, wrong) in {
        ("reader", "empty list"),  # may be left out, and so be empty
        ("calendar", "empty table"),
        ("output", "empty list"),
        ("service", "empty table"),
        ("service", "table"),
    }:
        return
    text = f"{section} = {WRONG[wrong]}\n{without(section)}"
    assert {finding.line for finding in findings(text)} == {1}


def without(section: str) -> str:
    """Take the tables of one section out of the full file."""
    tables = ("\n" + FULL).split("\n[")
    return "\n[".join(each for each in tables if not each.lstrip("[").startswith(section))


# Anything at all

values = st.recursive(
    st.one_of(
        st.none().map(lambda _: ""),
        st.text(max_size=10),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.booleans(),
        st.dates(min_value=dt.date(1000, 1, 1)),
        st.times(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def refused_or_taken(text: str) -> None:
    """Check that a text either loads or is refused with findings that can be shown."""
    try:
        parse(text)
    except ConfigError as error:
        told_now, shown = error.findings, str(error)
    else:
        return
    assert told_now
    assert all(1 <= finding.line <= text.count("\n") + 1 for finding in told_now)
    assert list(told_now) == sorted(told_now)
    assert shown.replace("\n", "").isprintable()


@given(st.sampled_from([FULL, FIXED, FAULTY]), st.data())
def test_any_value_in_any_place_is_taken_or_refused(text: str, data: st.DataObject) -> None:
    """A good file with something else somewhere never fails in another way than ConfigError."""
    document: Any = tomllib.loads(text)
    path = data.draw(st.sampled_from(sorted(lines(text), key=str)))
    inner = document
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = data.draw(values)
    refused_or_taken(tomli_w.dumps(document))


@given(st.sampled_from([FULL, FIXED, FAULTY]), st.floats(0, 1), st.integers(0, 20), st.text(max_size=5))
def test_a_damaged_text_is_taken_or_refused(text: str, where: float, length: int, instead: str) -> None:
    """A good file with a cut or an insertion never fails in another way than ConfigError."""
    start = int(where * len(text))
    refused_or_taken(text[:start] + instead + text[start + length :])


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Garbage never fails in another way than ConfigError."""
    refused_or_taken(text)


# Files


@given(st.binary())
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """A file of garbage is refused with its own name."""
    file = tmp_path_factory.mktemp("garbage") / "host.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.path == file


def refused(file: Path) -> Finding:
    """Give the one thing that is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.path == file
    (finding,) = caught.value.findings
    return finding


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible name are told apart."""
    assert refused(tmp_path / "none.toml").found == "No such file or directory"
    assert refused(tmp_path).found == "Is a directory"
    assert refused(tmp_path / "a\x00b").found == "embedded null byte"
    assert refused(tmp_path / "none.toml").line == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_says_why(tmp_path: Path) -> None:
    """A file without the permission to read is told as that."""
    file = tmp_path / "host.toml"
    file.touch(mode=0o000)
    assert refused(file).found == "Permission denied"


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """One MiB is the bound, and a good file of that size still loads."""
    file = tmp_path / "host.toml"
    file.write_text(FULL + "#" * (SIZE_MAX_BYTES - len(FULL)))
    assert load(file) == parse(FULL)
    file.write_text(FULL + "#" * (SIZE_MAX_BYTES - len(FULL) + 1))
    assert refused(file).found == "more than 1 MiB"


def test_a_file_in_another_encoding_has_the_line_of_the_byte(tmp_path: Path) -> None:
    """What is not UTF-8 is told with its line; an editor's byte order mark is let through."""
    file = tmp_path / "host.toml"
    file.write_bytes(FULL.encode() + "# öö".encode("latin-1"))
    finding = refused(file)
    assert (finding.line, finding.found) == (len(FULL.splitlines()) + 1, "the byte 0xF6")
    file.write_text(FULL, encoding="utf-8-sig")
    assert load(file) == parse(FULL)


def test_faults_of_a_file_name_the_file(tmp_path: Path) -> None:
    """What is wrong in a file is told with the file's name."""
    file = tmp_path / "host.toml"
    file.write_text(FULL.replace("Tallinn", "Talin"))
    assert refused(file).line == 3


def test_a_reader_says_that_it_is_the_desks() -> None:
    """And nothing but yes or no."""
    both = [each.desk for each in parse(FULL.replace("tap_on_start = true", "desk = true")).readers]
    assert both == [True, False]
    (finding,) = findings(FULL.replace("tap_on_start = true", 'desk = "yes"'))
    assert (finding.key, finding.found) == ("reader[1].desk", '"yes"')
