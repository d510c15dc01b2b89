"""What the link tells the deciding process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync import link_report
from sync.link.registry_clock import RegistryClock
from sync.link.report import Report
from sync.servings import Boot

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def make(state_dir: Path) -> Report:
    """Return a report of a machine whose boot clock stands at 5 s."""
    clock = RegistryClock(lambda: 5000, wall=lambda: NOON)
    clock.learn(NOON, 5000, vouched=True)
    return Report(state_dir, Boot("boot", lambda: 5000), clock)


def test_the_deciding_process_reads_what_the_link_writes(tmp_path: Path) -> None:
    """Each member comes through: one defines the file's form, the other reads it."""
    report = make(tmp_path)
    report.heard(NOON)
    report.tell(
        watermark={"epoch": 7, "seq": 8, "version": 9, "generation": 2},
        regressed={"epoch": 7, "seq": 8},
        desk={"request": 3, "expires_at": "2026-11-23T10:01:00.000Z"},
    )
    report.fault("upload", "events wait")
    assert report.write_news()
    told = link_report.read(tmp_path)
    assert (told.heard_at, told.heard_boot_ms, told.boot_id) == (NOON, 5000, "boot")
    assert (told.clock_offset_ms, told.clock_vouched_until_boot_ms) == (0, 5000 + 6 * 3600 * 1000)
    assert told.watermark == link_report.Watermark(7, 8, 9, 2)
    assert told.regressed == link_report.Watermark(7, 8)
    assert told.desk is not None
    assert told.desk.request == 3
    assert told.fault == "events wait"


def test_nothing_is_written_without_news(tmp_path: Path) -> None:
    """The disk is left alone while nothing changes."""
    report = make(tmp_path)
    assert report.write_news()
    assert not report.write_news()
    report.tell(held=None)
    assert not report.write_news()
    report.tell(held=4)
    assert report.write_news()


def test_a_fault_is_news_once_and_goes_when_it_is_mended(tmp_path: Path) -> None:
    """Faults are told by part, so that one part's mending hides no other's fault."""
    report = make(tmp_path)
    assert report.fault("registry", "silent")
    assert not report.fault("registry", "silent")
    assert report.fault("upload", "refused")
    assert report.table()["fault"] == "silent; refused"
    assert report.fault("registry", None)
    assert report.table()["fault"] == "refused"
    assert not report.fault("registry", None)


def test_a_link_that_begins_anew_knows_when_the_registry_was_heard(tmp_path: Path) -> None:
    """By the boot clock within one run of the machine, by the registry's own time after it; nothing else of before is told."""
    former = make(tmp_path)
    former.heard(NOON)
    former.tell(watermark={"epoch": 7, "seq": 8, "version": 9, "generation": 2})
    former.write_news()
    told = make(tmp_path).table()
    assert (told["heard_at"], told["heard_boot_ms"], told["watermark"]) == (former.table()["heard_at"], 5000, None)
    rebooted = Report(tmp_path, Boot("another", lambda: 100), RegistryClock(lambda: 100, wall=lambda: NOON)).table()
    assert (rebooted["heard_at"], rebooted["heard_boot_ms"]) == (told["heard_at"], None)


def test_where_the_report_is_lost_the_ratchet_tells(tmp_path: Path) -> None:
    """A power cut may empty the report: it is never synced, and the ratchet is."""
    (tmp_path / link_report.NAME).write_bytes(b"")
    clock = RegistryClock(lambda: 5000, wall=lambda: NOON)
    lost = Report(tmp_path, Boot("boot", lambda: 5000), clock, NOON - timedelta(hours=2))
    lost.write_news()
    told = link_report.read(tmp_path)
    assert (told.heard_at, told.heard_boot_ms) == (NOON - timedelta(hours=2), None)
