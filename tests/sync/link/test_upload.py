"""Events on their way to the registry: in order, each exactly once, over whatever lies between."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from sync.journal import Journal
from sync.journal_reading import NAME
from sync.wire.event import GENESIS
from sync.wire.upload import Batch, Watermark, answer_to_json
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.linked import enrolled, open_journal, record, running, told, until
from tests.rig.parts import MONDAY_NOON
from tests.rig.small_registry import Handler, SmallRegistry


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry."""
    with SmallRegistry() as small:
        yield small


@pytest.fixture
def host(tmp_path: Path, registry: SmallRegistry) -> Path:
    """Give the state directory of a host that is enrolled there."""
    return enrolled(tmp_path / "state", registry)


@pytest.fixture
def journal(host: Path) -> Iterator[Journal]:
    """Give the journal that the daemon would write."""
    opened = open_journal(host)
    yield opened
    opened.close()


def bodies(registry: SmallRegistry) -> list[bytes]:
    """Return what the registry took, in the order in which it did."""
    return [body for _, _, body in registry.taken]


def test_what_was_recorded_before_and_while_the_link_runs_arrives(
    host: Path, registry: SmallRegistry, journal: Journal
) -> None:
    """All of it, in order, once; the report tells how far the registry is."""
    record(journal, 1200)
    with running(host, registry.url) as link:
        record(journal, 30, "later")
        until(lambda: len(registry.taken) == 1230)
        until(lambda: link.report.table()["watermark"]["seq"] == 1230)
        assert link.report.faults.get("upload") is None
    assert bodies(registry) == told(host)
    assert registry.gaps == []


def test_a_link_that_starts_before_the_daemon_waits_for_its_journal(host: Path, registry: SmallRegistry) -> None:
    """There is no journal yet: that is no fault."""
    with running(host, registry.url) as link:
        until(lambda: "GET events/watermark" in registry.asked)
        journal = open_journal(host)
        record(journal, 3)
        until(lambda: len(registry.taken) == 3)
        assert link.report.faults.get("upload") is None
    journal.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lost_acknowledgements_double_nothing(host: Path, registry: SmallRegistry, journal: Journal, seed: int) -> None:
    """The registry has a batch, the answer is lost: it is sent again and recognised. The same for every other fault of the way."""
    faults = frozenset({Fault.CUT_ANSWER, Fault.TRUNCATE, Fault.CUT_REQUEST, Fault.REPEAT, Fault.REFUSE})
    record(journal, 40)
    with FaultyProxy(("127.0.0.1", registry.port), seed=seed, faults=faults, share=0.7) as proxy:
        with running(host, proxy.url) as link:
            link._uploader._backoff._most_s = link._fetcher._backoff._most_s = 0.1
            link._uploader._most_events = 7
            for count in range(50, 80, 10):
                record(journal, 10, f"at {count}")
                proxy.cut_all()
                until(lambda n=count: len(registry.taken) >= n, str(link.report.faults), 60)  # type: ignore[misc]
        assert any(proxy.made)
    assert bodies(registry) == told(host)
    assert registry.gaps == []


def test_a_new_epoch_goes_on_in_the_chain(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """A batch is of one epoch, and the next hangs on its last event."""
    record(journal, 5)
    journal.recover()
    record(journal, 5)
    with running(host, registry.url):
        until(lambda: len(registry.taken) == 10)
        journal.recover()
        record(journal, 5)
        until(lambda: len(registry.taken) == 15)
    assert bodies(registry) == told(host)
    assert registry.gaps == []


def test_events_that_were_pruned_are_told_as_a_gap(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """What is gone for ever is said; what follows arrives whole, and a second start goes on without a word of regress."""
    record(journal, 10)
    with closing(sqlite3.connect(host / NAME)) as db:
        db.execute("DELETE FROM events WHERE id <= 4")
        db.commit()
    with running(host, registry.url):
        until(lambda: len(registry.taken) == 6)
    assert [seq for _, seq in registry.gaps] == [5]
    record(journal, 2)
    with running(host, registry.url) as link:
        until(lambda: len(registry.taken) == 8)
        assert link.report.table()["regressed"] is None
    assert bodies(registry) == told(host)
    assert len(registry.gaps) == 1


def test_an_event_that_cannot_be_read_is_set_aside(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """One that rotted is told, and the rest goes on."""
    record(journal, 9)
    with closing(sqlite3.connect(host / NAME)) as db:
        db.execute("UPDATE events SET event = ? WHERE id = 4", (b"rotten",))
        db.execute("UPDATE events SET event = 'text' WHERE id = 5")
        db.commit()
    with running(host, registry.url) as link:
        until(lambda: len(registry.taken) == 7)
        until(lambda: "/4 set aside" in link.report.faults.get("upload", ""))
    assert [seq for _, seq, _ in registry.taken] == [1, 2, 3, 6, 7, 8, 9]
    assert [seq for _, seq in registry.gaps] == [6]


def test_an_event_that_the_registry_never_takes_is_set_aside(
    host: Path, registry: SmallRegistry, journal: Journal
) -> None:
    """A poison event is found by halving, and does not hold up the others for ever."""
    record(journal, 20)
    take = registry.take

    def refuse(handler: Handler) -> None:
        batch = Batch.parse(handler.body)
        if any(b"event 12" in event for event in batch.events):
            handler.refuse(400, "malformed", "The request cannot be read.")
        else:
            handler.send_whole(200, answer_to_json(take(batch)))

    registry.lies["events"] = refuse
    with running(host, registry.url) as link:
        until(lambda: len(registry.taken) == 19)
        until(lambda: "/13 set aside" in link.report.faults.get("upload", ""))
    assert len(registry.gaps) == 1


def test_a_registry_that_refuses_everything_sets_nothing_aside_for_ever(
    host: Path, registry: SmallRegistry, journal: Journal
) -> None:
    """After some refusals in a row it is not the events that are wrong: they wait, and are said to."""
    record(journal, 30)
    registry.lies["events"] = lambda handler: handler.refuse(400, "malformed", "No.")
    with running(host, registry.url) as link:
        until(lambda: link.report.faults.get("upload", "").startswith("events: "), str(link.report.faults))
        registry.lies.clear()
        until(lambda: len(registry.taken) == 30, "all arrive once it takes them")


def test_a_gap_that_the_registry_sees_is_gone_back_over(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """The registry was restored from a backup: it asks for what it lost, and gets it."""
    record(journal, 20)
    with running(host, registry.url):
        until(lambda: len(registry.taken) == 20)
        epoch, seq, body = registry.taken[7]
        assert seq == 8
        del registry.taken[8:]
        kept = list(registry._links)[:8]
        registry._links = dict.fromkeys(kept)
        registry.watermark = Watermark(epoch, 8, kept[-1][2])
        record(journal, 1)
        until(lambda: len(registry.taken) == 21, str(len(registry.taken)))
    assert body == told(host)[7]
    assert bodies(registry) == told(host)
    assert registry.gaps == []


def test_a_restored_image_is_noticed_and_loses_nothing(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """The registry has events that the journal has not: said, until the daemon opens a new epoch; then all goes on, branches included."""
    record(journal, 10)
    journal.close()
    image = (host / NAME).read_bytes()
    again = open_journal(host)
    record(again, 10, "lost with the image")
    with running(host, registry.url):
        until(lambda: len(registry.taken) == 20)
    again.close()
    (host / NAME).write_bytes(image)
    restored = open_journal(host)
    record(restored, 3, "before it was noticed")
    with running(host, registry.url) as link:
        until(lambda: link.report.table()["regressed"] == {"epoch": restored.epoch, "seq": 20})
        assert "restored" in link.report.faults["upload"]
        restored.recover()  # the daemon opens a new epoch
        record(restored, 4, "in the new epoch")
        until(lambda: len(registry.taken) == 27, str(len(registry.taken)))
        until(lambda: link.report.table()["regressed"] is None)
        until(lambda: link.report.faults.get("upload") is None)
    assert bodies(registry)[:10] + bodies(registry)[20:] == told(host)
    assert registry.gaps == []
    restored.close()


def test_a_journal_that_was_lost_goes_on_with_the_new_one(
    host: Path, registry: SmallRegistry, journal: Journal
) -> None:
    """The daemon began another file while the link ran: its events follow, and what is lost is said."""
    record(journal, 5)
    with running(host, registry.url):
        until(lambda: len(registry.taken) == 5)
        journal.close()
        for path in host.glob(f"{NAME}*"):
            path.unlink()
        fresh = open_journal(host, now=lambda: MONDAY_NOON + timedelta(hours=1))
        record(fresh, 3, "anew")
        until(lambda: len(registry.taken) == 8)
    fresh.close()
    assert bodies(registry)[5:] == told(host)
    assert len(registry.gaps) == 1


def test_the_first_event_hangs_on_nothing(host: Path, registry: SmallRegistry, journal: Journal) -> None:
    """The chain begins with 32 zero bytes on both sides."""
    record(journal, 1)
    with running(host, registry.url):
        until(lambda: registry.taken)
    assert registry.watermark.link == journal.link
    assert json.loads(bodies(registry)[0])["seq"] == 1
    assert bytes(32) == GENESIS
