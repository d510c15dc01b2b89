"""`viipe replay`, as a user types it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rig.host_rig import CLOSED, GOOD, STAFF, SUBSTITUTE, HostRig, door_and_till
from tests.rig.ifd import EventIfd

NOBODYS = "[service.canteen]\nkinds = ['staff']\n"


@pytest.fixture(scope="module")
def lived(ifd: EventIfd) -> Iterator[HostRig]:
    """Give a host whose till served a pupil and a substitute, and refused a closed card and a second lunch."""
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as rig:
        rig.feed()
        rig.start()
        for uid in (GOOD, SUBSTITUTE, CLOSED, STAFF):
            rig.tap(lambda uid=uid: ifd.insert(1, uid))  # type: ignore[misc]
            ifd.remove(1)
        yield rig


def replayed(host: HostRig, rules: str, *options: str) -> list[dict[str, Any]]:
    """Return what is told under these rules: a table a line."""
    told = host.viipe("replay", "--rules", written(host, rules), "--json", *options)
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def written(host: HostRig, rules: str) -> str:
    """Write the rules to try."""
    path = host.folder / "rules.toml"
    path.write_text(rules)
    return str(path)


def test_the_rules_that_serve_change_nothing(lived: HostRig) -> None:
    """The host's own file is a file of rules."""
    (totals,) = replayed(lived, lived.config.read_text())
    assert totals["totals"] == {
        "taps": 4,
        "otherwise": 0,
        "not_replayed": 0,
        "pupils_then": 2,
        "pupils_now": 2,
        "others_then": 0,
        "others_now": 0,
    }


def test_each_tap_that_changes_is_a_line(lived: HostRig) -> None:
    """What was answered and what would be; the closed card stays closed, and nothing is recorded."""
    events = len(lived.events())
    *lines, totals = replayed(lived, NOBODYS)
    assert [(line["then"]["reason"], line["now"]["reason"]) for line in lines] == [
        ("ok", "not_admitted"),
        ("ok", "not_admitted"),
        ("not_admitted", "ok"),
    ]
    assert {line["service"] for line in lines} == {"canteen"}
    assert (totals["totals"]["pupils_now"], totals["totals"]["others_now"]) == (0, 1)
    assert len(lived.events()) == events


def test_in_words_for_a_person(lived: HostRig) -> None:
    """A line each, then the sums; no UID."""
    told = lived.viipe(
        "replay", "--rules", written(lived, "[service.canteen]\nprice_cents = 150\nkinds = ['personal']")
    )
    assert told.returncode == 0
    plain = told.stdout.replace(" (clock_unsynced)", "")  # as the machine's clock is
    first, second, counted, servings = plain.splitlines()
    assert " till-1 canteen: grant ok → grant ok 1.50 € (card " in first
    assert " till-1 canteen: grant ok → deny not_admitted (card " in second
    assert counted == "4 taps at these services, 2 would have been answered otherwise"
    assert servings == "servings of pupils 2 → 1, of others 0 → 0"
    assert GOOD.hex() not in told.stdout.lower()


def test_since_when(lived: HostRig) -> None:
    """From a moment on; a moment that is none ends with 64."""
    (totals,) = replayed(lived, NOBODYS, "--since", "2100-01-01")
    assert totals["totals"]["taps"] == 0
    wrong = lived.viipe("replay", "--rules", written(lived, NOBODYS), "--since", "yesterday")
    assert (wrong.returncode, wrong.stdout) == (64, "")
    assert "--since" in wrong.stderr


def test_faulty_rules_are_told_with_their_lines(lived: HostRig) -> None:
    """As a host's file is, with 78; the rules must be given."""
    told = lived.viipe("replay", "--rules", written(lived, "[service.canteen]\nper_day = -1\n"))
    assert (told.returncode, told.stdout) == (78, "")
    assert "line 2: service.canteen.per_day" in told.stderr
    assert lived.viipe("replay").returncode == 2


def test_a_service_that_nobody_serves_is_said(lived: HostRig) -> None:
    """A mistyped name changes no answer of any tap: that is not told as if the rule were harmless."""
    told = lived.viipe("replay", "--rules", written(lived, "[service.cantine]\nper_day = 1\n[service.canteen]\n"))
    assert told.returncode == 0
    assert told.stderr.count("warning") == 1
    assert "service.cantine: found a service that no reader here serves" in told.stderr


def test_a_host_that_never_ran_has_nothing_to_replay(idle: HostRig) -> None:
    """Fed, but without a journal: no tap."""
    idle.feed()
    (totals,) = replayed(idle, NOBODYS)
    assert totals["totals"]["taps"] == 0
