"""What is due between taps, with a real journal and a clock that the tests turn."""

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.clock import HostClock
from daemon.housekeeping import (
    CLOCK_EVERY_S,
    IDLE_AFTER_S,
    KEEP_UPLOADED_DAYS,
    LINK_EVERY_S,
    NO_DESK,
    PRUNE_EVERY_S,
    RECOVER_EVERY_S,
    Housekeeping,
)
from daemon.link_watch import LinkWatch
from policy.model import ClockTrust
from sync import site_key
from sync.cache import CardCache
from sync.facts import Facts
from sync.journal import Journal
from sync.journal_file import BALLAST
from sync.journal_reading import read_events
from sync.servings import Boot
from sync.wire.event import utc_text
from tests.rig.parts import MONDAY_NOON, ONE_CARD, Entry, fail_the_disk, feed, heard_log, open_journal
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import tell

KEEP_DAYS = 7


class House:
    """A housekeeper and what it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_s = 1000.0
        self.vouched = False
        self.cache = CardCache(folder, site_key.load_or_make(folder))
        self.at = MONDAY_NOON
        self.journal = open_journal(folder, lambda: self.at)
        self.clock = HostClock(None, wall=lambda: self.at, vouched=lambda: self.vouched, boot_ms=lambda: self.up_ms)
        self.log, self.logged = heard_log()
        self.link: LinkWatch | None = None
        self.facts = Facts()
        self.up_ms = 0
        self.has_desk = True
        self.keeper = self.hire()

    def join_registry(self, keep_days: int = KEEP_DAYS) -> None:
        """Have a registry from now on."""
        self.link = LinkWatch(self.folder, Boot("boot", lambda: self.up_ms), 150)
        self.keeper = self.hire(keep_days)

    def hire(self, keep_days: int = KEEP_DAYS) -> Housekeeping:
        """Return another housekeeper of the same house."""
        return Housekeeping(
            journal=self.journal,
            cache=self.cache,
            clock=self.clock,
            state_dir=self.folder,
            keep_days=keep_days,
            log=self.log,
            link=self.link,
            has_desk=lambda: self.has_desk,
            facts=self.facts,
            monotonic_s=lambda: self.now_s,
        )

    def after(self, seconds: float) -> list[Entry]:
        """Let time pass and have a look round; return what was logged at it."""
        self.now_s += seconds
        before = len(self.logged)
        self.keeper.look_round()
        return self.logged[before:]

    def record(self, name: str, days_ago: int = 0) -> None:
        """Append an event, or keep it where the disk refuses."""
        self.journal.transact(lambda transaction: transaction.append(event(name, days_ago)))

    def readers(self) -> list[str]:
        """Return what the events tell of, in order."""
        return [json.loads(body)["reader"] for _, body in read_events(self.journal.path)]


def event(name: str, days_ago: int = 0) -> dict[str, object]:
    """Return an event of a few days ago."""
    at = MONDAY_NOON - timedelta(days=days_ago)
    day = at.date().isoformat()
    return {
        "kind": "system",
        "reader": name,
        "time": utc_text(at),
        "service_day": day,
        "direction": None,
        "service": None,
    }


def moved(journal: Journal, to: Path) -> int:
    """Return how many events stand in the database itself, without its log."""
    shutil.copy(journal.path, to)
    return sum(1 for _ in read_events(to))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Give a house, and close it."""
    feed(tmp_path, ONE_CARD).close()
    made = House(tmp_path)
    yield made
    made.journal.close()
    made.cache.close()


def test_after_a_fault_all_is_appended_in_order(house: House) -> None:
    """The journal is reopened and verified, a new epoch begins, and what waited goes in as it happened."""
    house.record("before")
    epoch = house.journal.epoch
    fail_the_disk(house.journal)
    for name in ("first", "second"):
        with pytest.raises(Exception, match=r"journal\.db"):
            house.record(name)
        house.journal.ring.keep(event(name))
    logged = house.after(0)
    assert house.readers() == ["before", "first", "second"]
    assert house.journal.epoch > epoch
    assert (house.journal.fault, len(house.journal.ring)) == (None, 0)
    assert [(entry["event"], entry["waiting"]) for entry in logged] == [("journal recovered", 2)]


def test_a_disk_that_still_refuses_is_asked_once_a_second(house: House) -> None:
    """While it refuses, that is said with what waits, and nothing else is done; when it is back, the journal is too."""
    aside = house.journal.path.with_name("aside")
    fail_the_disk(house.journal)
    house.journal.fault = "gone"
    house.journal.path.rename(aside)
    house.journal.path.mkdir()
    house.journal.ring.keep(event("waits"))
    assert [(entry["event"], entry["waiting"]) for entry in house.after(0)] == [("journal still fails", 1)]
    assert house.after(RECOVER_EVERY_S / 2) == []
    assert len(house.after(RECOVER_EVERY_S)) == 1
    house.journal.path.rmdir()
    aside.rename(house.journal.path)
    assert [entry["event"] for entry in house.after(RECOVER_EVERY_S)] == ["journal recovered"]
    assert house.readers() == ["waits"]


def test_what_waits_without_a_fault_is_poured(house: House) -> None:
    """After a full disk nothing needs reopening: the next look round appends what waits."""
    house.journal.ring.keep(event("waited"))
    house.after(RECOVER_EVERY_S)
    assert house.readers() == ["waited"]


def test_a_checkpoint_waits_until_nobody_taps(house: House, tmp_path: Path) -> None:
    """Events reach the database itself when it has been quiet for a second, not before."""
    house.after(IDLE_AFTER_S)
    house.record("one")
    house.after(0)
    assert moved(house.journal, tmp_path / "copy-1") == 0
    house.after(IDLE_AFTER_S / 2)
    house.record("two")
    house.after(IDLE_AFTER_S / 2)
    assert moved(house.journal, tmp_path / "copy-2") == 0
    house.after(IDLE_AFTER_S)
    assert moved(house.journal, tmp_path / "copy-3") == 2


def test_old_events_go_when_it_is_quiet(house: House) -> None:
    """What is older than it is kept for is taken away, the newest always stays; it is said, and done hourly."""
    for days_ago in (KEEP_DAYS + 2, KEEP_DAYS + 1, KEEP_DAYS - 1):
        house.record(f"{days_ago}", days_ago)
    house.after(0)
    assert len(house.readers()) == 3
    logged = house.after(IDLE_AFTER_S)
    assert house.readers() == [f"{KEEP_DAYS - 1}"]
    assert [(each["event"], each["events"], each["older_than_days"]) for each in logged] == [("pruned", 2, KEEP_DAYS)]
    house.record("new")
    house.after(IDLE_AFTER_S * 2)
    house.at += timedelta(days=2)
    house.after(IDLE_AFTER_S * 2)
    assert house.readers() == [f"{KEEP_DAYS - 1}", "new"]
    house.after(PRUNE_EVERY_S)
    assert house.readers() == ["new"]


def test_more_than_one_batch_is_pruned(house: House) -> None:
    """However many are too old, one round takes all."""

    def work(transaction: object) -> None:
        for number in range(1200):
            transaction.append(event(str(number), KEEP_DAYS + 1))  # type: ignore[attr-defined]

    house.journal.transact(work)
    house.record("new")
    house.after(0)
    house.after(IDLE_AFTER_S)
    assert house.readers() == ["new"]


def test_the_ballast_is_laid_and_laid_again(house: House) -> None:
    """Given up on a full disk, it is back within a minute of there being room."""
    ballast = house.folder / BALLAST
    house.after(0)
    assert ballast.stat().st_size == 8 << 20
    ballast.unlink()
    house.after(CLOCK_EVERY_S / 2)
    assert not ballast.exists()
    house.after(CLOCK_EVERY_S)
    assert ballast.exists()


def test_the_clock_is_looked_at_every_minute(house: House) -> None:
    """That the machine is synchronised is noticed, but not before each tap."""
    house.after(0)
    house.vouched = True
    house.after(CLOCK_EVERY_S / 2)
    assert house.clock.moment().trust is ClockTrust.UNSYNCED
    house.after(CLOCK_EVERY_S)
    assert house.clock.moment().trust is ClockTrust.VOUCHED


def test_what_mended_itself_is_said_loudly(tmp_path: Path) -> None:
    """A journal that was set aside and a cache that was stepped back from are errors in the log, once."""
    feed(tmp_path, ONE_CARD).close()
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 400)
    (tmp_path / "current").write_bytes(b"neither")
    house = House(tmp_path)
    told = [entry for entry in house.after(0) if entry["event"] == "mended"]
    assert {entry["log_level"] for entry in told} == {"error"}
    assert any("journal damaged" in entry["what"] for entry in told)
    assert any("current" in entry["what"] for entry in told)
    assert [entry for entry in house.after(0) if entry["event"] == "mended"] == []
    house.journal.close()
    house.cache.close()


def test_a_loan_that_waited_in_memory_is_in_force_once_the_disk_has_it(house: House) -> None:
    """Whoever's transaction took it along, and without a fault of the disk that would have the facts read anew."""
    lend = {"act": "lend", "card": "9", "person": "1"}
    house.journal.ring.keep({**event("waited"), "kind": "loan", "tap_id": "ab" * 16, "card": "9", "fact": lend})
    house.journal.transact(lambda _transaction: None)
    assert len(house.facts) == 0
    house.after(0)
    assert len(house.facts) == 1


def test_it_works_by_itself_until_it_is_stopped(house: House) -> None:
    """The thread looks round on its own, and ends when told to."""
    house.journal.ring.keep(event("waited"))
    house.keeper.start()
    pause = threading.Event()
    for _ in range(500):
        if len(house.journal.ring) == 0:
            break
        pause.wait(0.01)
    house.keeper.stop(5)
    assert house.readers() == ["waited"]
    house.journal.ring.keep(event("later"))
    assert not any(thread.name == "housekeeping" for thread in threading.enumerate())


def test_what_befell_the_host_stands_in_the_journal(house: House) -> None:
    """Events that memory could not keep, and a cache that was set aside, are events of their own; each is told once."""
    house.journal.ring.lost = 3
    house.after(0)
    house.after(1)
    house.journal.ring.lost = 5
    house.after(1)
    told = [json.loads(body) for _, body in read_events(house.journal.path)]
    assert [each["kind"] for each in told] == ["system", "system"]
    assert [each["detail"][:20] for each in told] == ["3 events were lost: ", "2 events were lost: "]


def test_the_links_report_is_looked_at_every_second(house: House) -> None:
    """What it tells is taken up when it changes; the registry's time vouches for the clock while it is good."""
    house.join_registry()
    house.after(0)
    house.at += timedelta(hours=3)
    tell(house.folder, boot_id="boot", clock_offset_ms=-3 * 3_600_000, clock_vouched_until_boot_ms=60_000)
    house.after(LINK_EVERY_S / 2)
    assert house.clock.moment().trust is ClockTrust.UNSYNCED
    house.after(LINK_EVERY_S)
    assert (house.clock.moment().at, house.clock.moment().trust) == (MONDAY_NOON, ClockTrust.VOUCHED)
    house.up_ms = 60_001
    assert house.clock.moment().trust is ClockTrust.UNSYNCED


def test_a_request_that_no_reader_answers_is_said_once(house: House) -> None:
    """The office waits in vain where no reader is the desk's; a reload that marks one mends it."""
    house.join_registry()
    house.has_desk = False
    house.after(0)
    faults = [house.keeper.desk_fault]
    for heard_at in ("2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"):
        tell(house.folder, desk={"request": 4, "expires_at": "2026-11-23T10:00:30Z"}, heard_at=heard_at)
        house.after(LINK_EVERY_S)
    assert [entry["why"] for entry in house.logged if entry["event"] == "desk request ignored"] == [NO_DESK]
    faults.append(house.keeper.desk_fault)
    house.has_desk = True
    assert [*faults, house.keeper.desk_fault] == [None, NO_DESK, None]


def test_a_restored_image_begins_a_new_epoch_once(house: House) -> None:
    """Where the registry has more than this journal a new epoch begins, said loudly and in the journal, once however often it is told."""
    house.record("restored")
    house.join_registry()
    epoch = house.journal.epoch
    for again in range(3):
        tell(house.folder, regressed={"epoch": epoch, "seq": 50}, fault=str(again))
        house.after(LINK_EVERY_S)
    assert house.journal.epoch > epoch
    assert [entry["event"] for entry in house.logged] == ["mended"]
    (_, noted) = [json.loads(body) for _, body in read_events(house.journal.path)]
    assert f"{epoch}/50" in noted["detail"]
    assert (noted["kind"], noted["epoch"], noted["seq"]) == ("system", house.journal.epoch, 1)
    later = house.journal.epoch
    house.keeper = house.hire()
    tell(house.folder, regressed={"epoch": epoch, "seq": 50})
    house.after(LINK_EVERY_S)
    assert house.journal.epoch == later


def test_a_new_epoch_waits_for_the_disk(house: House) -> None:
    """Where the disk refuses, the next report brings it; the recovery begins an epoch of its own in any case."""
    house.join_registry()
    epoch = house.journal.epoch
    fail_the_disk(house.journal)
    tell(house.folder, regressed={"epoch": epoch, "seq": 50})
    logged = house.after(LINK_EVERY_S)
    assert "no new epoch" in [entry["event"] for entry in logged]
    assert house.journal.epoch > epoch
    assert house.journal.fault is None


def uploaded(house: House, seq: int) -> None:
    """Have the registry take events up to a number."""
    tell(house.folder, watermark={"epoch": house.journal.epoch, "seq": seq, "version": 1})


def test_what_the_registry_has_goes_after_a_week(house: House) -> None:
    """Only events that it has taken go, and only when they are a week old; what it does not have stays."""
    house.join_registry(keep_days=90)
    for days_ago in (KEEP_UPLOADED_DAYS + 3, KEEP_UPLOADED_DAYS + 2, KEEP_UPLOADED_DAYS + 1, 0):
        house.record(str(days_ago), days_ago)
    uploaded(house, 2)
    house.after(LINK_EVERY_S)
    house.after(IDLE_AFTER_S)
    assert house.readers() == [str(KEEP_UPLOADED_DAYS + 1), "0"]
    uploaded(house, 4)
    house.after(PRUNE_EVERY_S)
    assert house.readers() == ["0"]


def test_what_the_registry_never_took_goes_at_last_and_that_is_said(house: House) -> None:
    """Unsent events are kept as long as without a registry; then they go, loudly."""
    house.join_registry()
    for days_ago in (KEEP_DAYS + 2, KEEP_DAYS + 1, 0):
        house.record(str(days_ago), days_ago)
    house.after(0)
    house.after(IDLE_AFTER_S)
    *kept, noted = [json.loads(body) for _, body in read_events(house.journal.path)]
    assert [event["reader"] for event in kept] == ["0"]
    assert noted["detail"].startswith("2 events older than")
    assert "pruned unsent" in [entry["event"] for entry in house.logged]


def lend(house: House) -> None:
    """Note a loan."""
    fact = {"act": "lend", "card": "c-2", "person": "p-1"}
    told = {**event("desk"), "kind": "loan", "tap_id": "00" * 16, "fact": fact}
    house.journal.transact(lambda transaction: transaction.append(told))
    house.facts.rebuild(house.journal.waiting_facts())


def test_facts_are_let_go_when_the_registrys_data_hold_them(house: House) -> None:
    """Taken by the registry and published back: it need not be remembered, at the next start neither."""
    house.join_registry()
    lend(house)
    site = PublishedSite(house.folder, site_key.load(house.folder), {})
    seq = house.journal.seq
    told = {"epoch": house.journal.epoch, "seq": seq, "generation": 1, "version": site.version + 1}
    tell(house.folder, watermark=told)
    house.after(LINK_EVERY_S)
    assert len(house.facts) == 1
    site.change()
    house.after(LINK_EVERY_S)
    assert (len(house.facts), house.journal.waiting_facts()) == (0, [])
    site.close()


def test_facts_are_read_anew_after_a_recovery(house: House) -> None:
    """A journal that could not be opened at the start tells its facts when it can."""
    lend(house)
    house.facts.rebuild([])
    fail_the_disk(house.journal)
    with pytest.raises(Exception, match=r"journal\.db"):
        house.record("refused")
    house.after(RECOVER_EVERY_S)
    assert len(house.facts) == 1
