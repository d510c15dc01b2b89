"""`viipe explain`, as a user types it."""

import json

import pytest

from daemon.clock import boot, boot_ms
from policy.model import Card, Kind, State
from policy.uid import all_forms
from sync import site_key
from tests.rig.host_rig import GOOD, SUBSTITUTE, HostRig, door_and_till
from tests.rig.ifd import EventIfd
from tests.rig.parts import open_journal
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import tell

SCHOOL_HOURS = """
[service.door]
kinds = ["personal"]
hours = { school_day = ["07:30-17:30"] }
[service.canteen]
per_day = 1
"""


def explained(host: HostRig, *options: str, reader: str = "front-in", uid: str = "EBF2CE70") -> dict[str, object]:
    """Return the decision as a table."""
    told = host.viipe("explain", "--reader", reader, "--uid", uid, "--json", *options)
    assert told.returncode == 0, told.stderr
    table: dict[str, object] = json.loads(told.stdout)
    return table


def test_a_grant_has_its_whole_trail(host: HostRig) -> None:
    """Each check is told with what it saw; the phrases stand in three languages."""
    told = explained(host)
    assert (told["verdict"], told["reason"]) == ("grant", "ok")
    trail = told["trail"]
    assert isinstance(trail, list)
    assert [step["check"] for step in trail][:4] == ["uid", "known", "state", "validity"]
    assert {step["said"] for step in trail} == {"pass"}
    assert isinstance(told["phrases"], dict)
    assert set(told["phrases"]) == {"et", "en", "ru"}


def test_a_refusal_says_where_it_came_from(host: HostRig) -> None:
    """In words: each check a line, then the answer and its phrases; the exit code is 0, for it could be told."""
    told = host.viipe("explain", "--reader", "front-in", "--uid", "5a:17:c3:e2")
    assert told.returncode == 0
    lines = told.stdout.splitlines()
    assert lines[0] == "rule       of the host's own file"
    assert "state      closed: closed" in lines
    assert any(line.startswith("→ deny: closed") for line in lines)
    assert "Card closed" in lines[-1]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-11-23T08:00", "ok"),
        ("2026-11-23T18:00", "outside_hours"),
        ("2026-12-24T08:00", "outside_hours"),
        ("2026-11-22T08:00", "outside_hours"),
    ],
    ids=["school day", "evening", "holiday", "Sunday"],
)
def test_another_moment(idle: HostRig, ifd: EventIfd, at: str, reason: str) -> None:
    """--at is school-local without an offset, and knows the school's calendar."""
    idle.write(door_and_till(ifd.names, SCHOOL_HOURS))
    idle.feed()
    assert explained(idle, "--at", at)["reason"] == reason


def test_an_offset_is_heeded(idle: HostRig, ifd: EventIfd) -> None:
    """The same wall time elsewhere is another moment."""
    idle.write(door_and_till(ifd.names, SCHOOL_HOURS))
    idle.feed()
    text = idle.config.read_text()
    idle.config.write_text(text.replace(text.splitlines()[2], 'timezone = "Europe/Tallinn"'))
    assert explained(idle, "--at", "2026-11-23T15:00:00Z")["reason"] == "ok"
    assert explained(idle, "--at", "2026-11-23T15:31:00Z")["reason"] == "outside_hours"


def test_what_was_eaten_counts(host: HostRig, ifd: EventIfd) -> None:
    """After a lunch the next would be refused; explaining changes nothing."""
    host.tap(lambda: ifd.insert(1, SUBSTITUTE))
    events = len(host.events())
    uid = SUBSTITUTE.hex()
    assert explained(host, reader="till-1", uid=uid)["reason"] == "already_today"
    assert explained(host, "--at", "2026-11-20T12:00", reader="till-1", uid=uid)["reason"] == "ok"
    assert len(host.events()) == events


def test_an_unknown_reader_is_told_the_known_ones(host: HostRig) -> None:
    """A wrong name ends with 64."""
    told = host.viipe("explain", "--reader", "back", "--uid", "EBF2CE70")
    assert (told.returncode, told.stdout) == (64, "")
    assert "front-in, till-1" in told.stderr


@pytest.mark.parametrize("uid", ["EBF2CE7", "xyz12345", "EBF2CE7012", "3958558320123456789012345678"])
def test_a_bad_uid_is_never_echoed(host: HostRig, uid: str) -> None:
    """What is no UID may still be a part of one: it is described, not repeated."""
    told = host.viipe("explain", "--reader", "front-in", "--uid", uid)
    assert (told.returncode, told.stdout) == (64, "")
    assert "expected" in told.stderr
    assert uid.lower() not in told.stderr.lower()


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_a_moment_that_is_none(host: HostRig, at: str) -> None:
    """What is no moment, or none that a calendar holds, ends with 64 and a sentence."""
    told = host.viipe("explain", "--reader", "front-in", "--uid", "EBF2CE70", "--at", at)
    assert (told.returncode, told.stdout) == (64, "")
    assert len(told.stderr.splitlines()) == 1
    assert "--at" in told.stderr


def test_no_form_of_the_uid_is_in_the_answer(host: HostRig) -> None:
    """The trail tells the card's number, not its UID."""
    told = host.viipe("explain", "--reader", "front-in", "--uid", GOOD.hex()).stdout.lower()
    assert "thg-0001" in told
    assert not any(form.lower() in told for form in all_forms(GOOD).values() if len(form) > 6)


def test_a_host_that_never_was_says_so(idle: HostRig) -> None:
    """Without a key nothing can be looked up: one sentence, exit code 1."""
    told = idle.viipe("explain", "--reader", "front-in", "--uid", "EBF2CE70")
    assert (told.returncode, len(told.stderr.splitlines())) == (1, 1)
    assert "site key" in told.stderr


def test_the_registrys_rule_is_explained_and_named(idle: HostRig, ifd: EventIfd) -> None:
    """Whose rule it is stands first; facts noted here and the age of the data have their say, as at a tap."""
    idle.write(door_and_till(ifd.names) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    key = site_key.load_or_make(idle.state_dir)
    card = Card("7", "p-1", Kind.PERSONAL, State.ACTIVE)
    stale = {"stale_after_h": 1, "when_stale": "deny"}
    site = PublishedSite(idle.state_dir, key, {GOOD: card}, documents={"rules": {"door": stale}})
    told = explained(idle)
    assert told["rule_of"] == "the registry, version 1"
    tell(idle.state_dir, heard_boot_ms=boot_ms() - 7_200_000, boot_id=boot().boot_id)
    assert explained(idle)["reason"] == "data_stale"
    of_till = explained(idle, reader="till-1")["rule_of"]
    assert of_till == "the host's own file: the registry publishes none for this service"
    journal = open_journal(idle.state_dir)
    fact = {"act": "lost", "card": "7", "person": None}
    event = {"kind": "loan", "tap_id": "00" * 16, "time": "2026-11-23T10:00:00.000Z", "fact": fact}
    journal.transact(lambda transaction: transaction.append(event))
    journal.close()
    site.close()
    assert explained(idle)["reason"] == "closed"


def test_the_days_and_the_slot_of_a_class_are_explained(idle: HostRig, ifd: EventIfd) -> None:
    """A trip of 7b and its time at lunch, as the registry publishes them: at that moment, for that class."""
    idle.write(door_and_till(ifd.names) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    key = site_key.load_or_make(idle.state_dir)
    card = Card("7", "p-1", Kind.PERSONAL, State.ACTIVE, groups=frozenset({"7b"}))
    canteen = {"hours": {"school_day": ["10:00-14:00"]}, "slots": [{"groups": ["7b"], "school_day": ["11:30-11:50"]}]}
    trip = {"class": "7b", "day": "2026-11-25", "day_type": "trip"}
    documents = {
        "rules": {"canteen": canteen},
        "calendar": {"table": {}, "class_days": [trip]},
        "school": {"code": "trial", "timezone": "Europe/Tallinn"},
    }
    site = PublishedSite(idle.state_dir, key, {GOOD: card}, documents=documents)
    site.close()
    in_time, late = (explained(idle, "--at", f"2026-11-24T{at}+02:00", reader="till-1") for at in ("11:30", "11:50"))
    assert (in_time["reason"], in_time["flags"]) == ("ok", [])
    assert (late["reason"], late["flags"]) == ("ok", ["outside_slot"])
    assert {"check": "slot", "saw": "11:50, slot 11:30-11:50", "said": "pass"} in list(late["trail"])  # type: ignore[call-overload]
    assert explained(idle, "--at", "2026-11-25T11:30+02:00", reader="till-1")["reason"] == "outside_hours"
    lines = idle.config.read_text().splitlines()
    lines[2] = (
        'timezone = "Pacific/Auckland"'  # the machine was set up elsewhere: the published zone tells what 11:50 is
    )
    idle.config.write_text("\n".join(lines) + "\n")
    assert explained(idle, "--at", "2026-11-24T11:50", reader="till-1")["flags"] == ["outside_slot"]
