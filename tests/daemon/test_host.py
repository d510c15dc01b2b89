"""The running host's parts together, without readers: brought up, reloaded, told of, brought down."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.host import HostConfig, parse
from daemon.clock import SYNCED, boot, boot_ms
from daemon.control import NotRunning, ask
from daemon.host import Host
from daemon.sole import AlreadyRuns
from policy.model import Card, ClockTrust, Kind, State
from sync import site_key
from sync.journal_reading import NAME, read_events
from sync.wire.event import Event, utc_text
from tests.rig.parts import MONDAY_NOON, ONE_CARD, feed, heard_log, open_journal
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import tell

HEAD = '[host]\nname = "{name}"\ntimezone = "Europe/Tallinn"\nstate_dir = "{folder}"\n'
OUTPUT = '[[output]]\nname = "{name}"\nkind = "record"\npath = "{folder}/{name}.log"\n'
WAIT_S = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a fed state directory."""
    feed(tmp_path, ONE_CARD).close()
    return tmp_path


def config(folder: Path, *outputs: str, name: str = "trial", more: str = "") -> HostConfig:
    """Return the configuration of a host with outputs and no reader."""
    text = HEAD.format(name=name, folder=folder)
    return parse(text + "".join(OUTPUT.format(name=each, folder=folder) for each in outputs) + more)


@pytest.fixture
def host(folder: Path) -> Iterator[Host]:
    """Give a host at work with one output."""
    log, _ = heard_log()
    made = Host(config(folder, "strike"), log)
    made.start()
    yield made
    made.stop()


def events(folder: Path) -> list[Event]:
    """Return all events."""
    return [json.loads(body) for _, body in read_events(folder / NAME)]


def test_it_tells_how_it_is(host: Host, folder: Path) -> None:
    """Status and headline tell cards, journal, outputs and clock, over the control socket."""
    told = ask(folder, "status")
    assert (told["host"], told["cards"]["cards"], told["config_fault"]) == ("trial", 1, None)
    assert told["outputs"] == [{"name": "strike", "fault": None}]
    assert told["journal"]["fault"] is None
    assert told["clock"]["trust"] in {"vouched", "unsynced"}
    assert host.headline() == told["headline"] == "0 of 0 readers reading; 1 cards"


def test_a_second_host_is_refused(host: Host, folder: Path) -> None:
    """Two daemons in one state directory cannot be; the first goes on, still reachable."""
    assert host.config.host.name == "trial"
    log, _ = heard_log()
    with pytest.raises(AlreadyRuns):
        Host(config(folder), log)
    assert ask(folder, "status")["host"] == "trial"


def test_after_the_end_all_is_let_go(folder: Path) -> None:
    """A stopped host answers nobody, leaves no thread, and its directory can be taken at once."""
    before = threading.active_count()
    for _ in range(2):
        log, _logged = heard_log()
        host = Host(config(folder, "strike"), log)
        host.start()
        host.stop()
    with pytest.raises(NotRunning):
        ask(folder, "status")
    assert threading.active_count() <= before + 1  # the control's thread may be on its way out


def test_a_grant_without_an_outcome_is_told_unknown(folder: Path) -> None:
    """What a crash left open is closed at the next start: nobody knows whether the strike moved."""
    journal = open_journal(folder)
    tap = dict.fromkeys(("card", "person", "direction")) | {
        "kind": "tap",
        "tap_id": "ab" * 16,
        "time": utc_text(MONDAY_NOON),
        "service_day": "2026-11-23",
        "reader": "front-in",
        "service": "door",
        "verdict": "grant",
        "outputs": ["strike"],
    }
    journal.transact(lambda transaction: transaction.append(tap))
    journal.close()
    log, logged = heard_log()
    host = Host(config(folder, "strike"), log)
    host.start()
    host.stop()
    (outcome,) = [event for event in events(folder) if event["kind"] == "outcome"]
    assert (outcome["outcome"], outcome["tap_id"]) == ("unknown", "ab" * 16)
    assert ("grants without an outcome", 1) in [(entry["event"], entry.get("count")) for entry in logged]
    assert (folder / "strike.log").read_text() == ""


def test_a_reload_keeps_what_did_not_change(host: Host, folder: Path) -> None:
    """An unchanged output goes on as it is, a new one comes, a former one goes; nothing moves."""
    kept = host._outputs["strike"]
    host.reload(config(folder, "strike", "lamp"))
    assert host._outputs["strike"] is kept
    assert [each["name"] for each in ask(folder, "status")["outputs"]] == ["strike", "lamp"]
    host.reload(config(folder, "lamp"))
    assert [each["name"] for each in ask(folder, "status")["outputs"]] == ["lamp"]
    assert not any(thread.name == "output strike" for thread in threading.enumerate())
    assert [(folder / f"{name}.log").read_text() for name in ("strike", "lamp")] == ["", ""]


def test_a_host_cannot_become_another_while_it_runs(host: Host, folder: Path) -> None:
    """A new name is refused, said in the status, and forgotten once the file is right again."""
    host.reload(config(folder, name="other"))
    assert "at a restart only" in ask(folder, "status")["config_fault"]
    assert "at a restart only" in host.headline()
    host.reload(config(folder, "strike"))
    assert ask(folder, "status")["config_fault"] is None


def test_a_broken_invariant_asks_for_the_end(folder: Path) -> None:
    """It is logged with its trace but not with its words, which could hold a UID; the main thread then ends the daemon."""
    log, logged = heard_log()
    host = Host(config(folder), log)
    assert not host.broken.is_set()
    host.failed(ValueError("EBF2CE70"))
    assert host.broken.is_set()
    assert (logged[-1]["event"], logged[-1]["error"]) == ("broken invariant", "ValueError")
    assert "EBF2CE70" not in str(logged)
    host.start()
    host.stop()


def test_an_output_that_cannot_be_opened_stops_nothing(folder: Path) -> None:
    """The host comes up, and says which output is at fault."""
    log, _ = heard_log()
    missing = '[[output]]\nname = "strike"\nkind = "record"\npath = "/not/there/strike.log"\n'
    host = Host(config(folder, more=missing), log)
    host.start()
    pause = threading.Event()
    for _ in range(500):
        if "No such file" in host.headline():
            break
        pause.wait(0.01)
    assert "No such file" in ask(folder, "status")["outputs"][0]["fault"]
    host.stop()


def test_the_clock_begins_at_what_is_known(folder: Path) -> None:
    """The last event and the import bound the clock from below: a host that starts in 1970 knows better."""
    journal = open_journal(folder)
    last = {"kind": "system", "time": "2038-01-01T00:00:00.000Z", "service_day": "2038-01-01"}
    journal.transact(lambda transaction: transaction.append({**last, "direction": None, "service": None}))
    journal.close()
    log, _ = heard_log()
    host = Host(config(folder), log)
    host.start()
    trusted = ask(folder, "status")["clock"]
    host.stop()
    assert trusted["trust"] == "vouched" or (trusted["trust"], trusted["time"]) == ("wrong", "2038-01-01T00:00:00.000Z")


def test_without_readers_there_is_always_progress(host: Host) -> None:
    """Nobody hangs where nobody reads, and the watchdog's food is fresh."""
    first = host.proved_ns()
    assert host.hanging() == []
    assert host.proved_ns() > first


REGISTRY = '[registry]\nurl = "http://127.0.0.1:9"\n'


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[PublishedSite]:
    """Give a site whose state a host holds."""
    key = site_key.load_or_make(tmp_path)
    pool = Card("8", None, Kind.SUBSTITUTE, State.POOL)
    made = PublishedSite(tmp_path, key, {bytes.fromhex("6611AA03"): pool})
    yield made
    made.close()


@pytest.fixture
def linked(fed: PublishedSite, tmp_path: Path) -> Iterator[Host]:
    """Give a host at work that the registry feeds."""
    tell(tmp_path, heard_at="2026-11-23T10:00:00Z", heard_boot_ms=boot_ms(), boot_id=boot().boot_id)
    log, _ = heard_log()
    made = Host(config(tmp_path, "strike", more=REGISTRY), log)
    made.start()
    yield made
    made.stop()
    assert fed.version >= 1


def test_it_tells_whose_rules_serve_and_how_the_registry_is(linked: Host, tmp_path: Path) -> None:
    """Version, age and backlog are told; a fault of the link is told as it is and is none of the host's."""
    told = ask(tmp_path, "status")
    assert told["rules"] == {"of": "registry", "version": 1}
    link = told["link"]
    assert (link["version"], link["generation"], link["fault"], link["is_backlog_known"]) == (1, 1, None, False)
    assert 0 <= link["data_age_s"] < 60
    tell(tmp_path, fault="certificate expired", watermark={"epoch": linked._journal.epoch, "seq": 0, "version": 1})
    linked._link.look()  # type: ignore[union-attr]
    link = ask(tmp_path, "status")["link"]
    assert (link["fault"], link["is_backlog_known"], link["backlog"]) == ("certificate expired", True, 0)
    assert "certificate" not in linked.headline()


def test_a_host_without_a_registry_has_no_link(host: Host, folder: Path) -> None:
    """Its own file's rules serve, and there is nothing to be heard."""
    told = ask(folder, "status")
    assert (host.config.registry, told["rules"]["of"], told["link"]) == (None, "host file", None)


def test_a_fact_is_noted_over_the_socket_and_outlives_a_restart(fed: PublishedSite, tmp_path: Path) -> None:
    """Noted durably, in force, counted in the status; at the next start it is read from the journal."""
    for starts in range(2):
        log, _ = heard_log()
        host = Host(config(tmp_path, more=REGISTRY), log)
        host.start()
        if not starts:
            answer = ask(tmp_path, {"ask": "fact", "act": "lend", "card": "8", "person": "p-5"})
            assert answer["noted"]["seq"] >= 1
            assert ask(tmp_path, {"ask": "fact", "act": "lend"})["error"].startswith("fact: ")
        assert ask(tmp_path, "status")["facts_waiting"] == 1
        host.stop()
    assert fed.version == 1


def test_the_registrys_time_is_known_from_the_start(fed: PublishedSite, tmp_path: Path) -> None:
    """A report of this run of the machine vouches for the clock before the first tap."""
    up_ms = boot_ms()
    tell(tmp_path, boot_id=boot().boot_id, clock_offset_ms=7_200_000, clock_vouched_until_boot_ms=up_ms + 3_600_000)
    log, _ = heard_log()
    made = Host(config(tmp_path, more=REGISTRY), log)
    moment = made._clock.moment()
    made.start()
    made.stop()
    assert moment.trust is ClockTrust.VOUCHED
    ahead_s = (moment.at - datetime.now(UTC)).total_seconds()
    assert SYNCED.exists() or 7000 < ahead_s < 7300
    assert fed.version == 1
