"""What the doctor finds in a host without readers: each check, whole and damaged."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.host import HostConfig, parse
from daemon.clock import SYNCED, boot, boot_ms
from daemon.diagnosis import Finding, Level, examine
from daemon.host import Host
from sync import site_key
from sync.wire.event import utc_text
from tests.rig.linked import until
from tests.rig.parts import ONE_CARD, feed, heard_log, open_journal
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import tell

FILE = """
[host]
name = "trial"
timezone = "Europe/Tallinn"
state_dir = "{folder}"
[[output]]
name = "strike"
kind = "record"
path = "{folder}/strike.log"
"""


@pytest.fixture
def config(tmp_path: Path) -> HostConfig:
    """Give a host that was fed and ran once."""
    feed(tmp_path, ONE_CARD).close()
    open_journal(tmp_path).close()
    return parse(FILE.format(folder=tmp_path))


@pytest.fixture
def running(config: HostConfig) -> Iterator[Host]:
    """Give the same host at work."""
    log, _ = heard_log()
    host = Host(config, log)
    host.start()
    yield host
    host.stop()


def found(config: HostConfig, check: str) -> Finding:
    """Return the first finding of a check."""
    return next(finding for finding in examine(config) if finding.check == check)


def test_a_whole_host_is_in_order(running: Host) -> None:
    """Daemon, disk, key, cards and journal are found well; nothing without a fault has a remedy."""
    findings = list(examine(running.config))
    levels = {finding.check: finding.level for finding in findings if finding.check not in {"clock", "disk"}}
    assert set(levels) == {"daemon", "output strike", "site key", "cards", "journal"}
    assert set(levels.values()) == {Level.OK}
    assert all(bool(finding.mend) == (finding.level is not Level.OK) for finding in findings)
    assert found(running.config, "cards").found == "1 cards, whole"


def test_no_daemon_is_a_failure(config: HostConfig) -> None:
    """A host that does not run opens no door."""
    finding = found(config, "daemon")
    assert (finding.level, finding.found) == (Level.FAILURE, "is not running")
    assert "systemctl start viipe" in finding.mend


def test_a_host_that_never_was(tmp_path: Path) -> None:
    """On the first day key, cards and journal are not there, and each says what to do."""
    empty = parse(FILE.format(folder=tmp_path))
    told = {check: found(empty, check) for check in ("site key", "cards", "journal")}
    assert {check: finding.level for check, finding in told.items()} == {
        "site key": Level.FAILURE,
        "cards": Level.WARNING,
        "journal": Level.WARNING,
    }
    assert "viipe cards import" in told["cards"].mend
    assert all(finding.mend for finding in told.values())


def test_a_flipped_byte_in_the_cards_is_found(config: HostConfig, tmp_path: Path) -> None:
    """The whole file is held against its digest."""
    path = tmp_path / "cache-1.db"
    whole = path.read_bytes()
    place = whole.index(b"THG-0001")
    path.write_bytes(whole[:place] + b"X" + whole[place + 1 :])
    finding = found(config, "cards")
    assert finding.level is Level.FAILURE
    assert "viipe cards import" in finding.mend


def test_a_damaged_journal_is_found(config: HostConfig, tmp_path: Path) -> None:
    """A file that is no database is a failure, with the way out."""
    (tmp_path / "journal.db").write_bytes(b"garbage " * 1000)
    finding = found(config, "journal")
    assert finding.level is Level.FAILURE
    assert "restart the daemon" in finding.mend


def test_what_was_set_aside_is_a_warning(config: HostConfig, tmp_path: Path) -> None:
    """Damaged files that were put aside are told until somebody has looked at them."""
    shutil.copy(tmp_path / "cache-1.db", tmp_path / "damaged-cache-1.db")
    shutil.copy(tmp_path / "journal.db", tmp_path / "damaged-1-journal.db")
    aside = [finding for finding in examine(config) if "set aside" in finding.found]
    assert Counter(finding.check for finding in aside) == {"cards": 1, "journal": 1}
    assert {finding.level for finding in aside} == {Level.WARNING}


def test_a_damaged_key_is_a_failure(config: HostConfig, tmp_path: Path) -> None:
    """A key of another length is none."""
    (tmp_path / "site.key").write_bytes(b"short")
    assert "found 5 bytes" in found(config, "site key").found


def test_an_impossible_clock_is_a_failure(config: HostConfig, tmp_path: Path) -> None:
    """Cards that were imported in the future say that the clock is wrong, unless synchronisation vouches for it."""
    if SYNCED.exists():
        pytest.skip("this machine's clock is synchronised, so it is believed")
    assert found(config, "clock").level is Level.WARNING
    table = json.loads((tmp_path / "current").read_text())
    from datetime import UTC, datetime  # noqa: PLC0415  this test alone makes cards of the future

    from sync import site_key  # noqa: PLC0415
    from sync.cards_import import import_cards  # noqa: PLC0415
    from tests.rig.parts import HEADER  # noqa: PLC0415

    lines = (HEADER + ONE_CARD).encode().splitlines(keepends=True)
    import_cards(lines, tmp_path, site_key.load(tmp_path), now=lambda: datetime(2050, 1, 1, tzinfo=UTC))
    assert json.loads((tmp_path / "current").read_text()) != table
    finding = found(config, "clock")
    assert finding.level is Level.FAILURE
    assert "2050-01-01" in finding.found


def test_a_running_hosts_faults_are_told(running: Host, tmp_path: Path) -> None:
    """A bad file, a failing journal and a failing output of the running daemon each have their line."""
    running.config_fault = "host.toml: 3 faults"
    running._journal.fault = "journal.db: disk I/O error"
    running._outputs["strike"]._fault = "strike.log: Permission denied"
    for check in ("settings", "recording", "output strike"):
        finding = found(running.config, check)
        assert finding.level is Level.FAILURE
        assert finding.mend
    assert (tmp_path / "journal.db").exists()


def test_a_full_disk_is_told(config: HostConfig) -> None:
    """The free room is told, whatever it is."""
    assert "MiB free" in found(config, "disk").found


REGISTRY = '[registry]\nurl = "http://127.0.0.1:9"\n'


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Host]:
    """Give a host at work with a registry that has fed it nothing."""
    log, _ = heard_log()
    host = Host(parse(FILE.format(folder=tmp_path) + REGISTRY), log)
    host.start()
    yield host
    host.stop()


def test_a_registry_that_fed_nothing_says_what_to_do(linked: Host, tmp_path: Path) -> None:
    """Before the enrolment the host is to be enrolled; after it, the link is to be looked at."""
    finding = found(linked.config, "registry")
    assert (finding.level, finding.mend) == (Level.WARNING, "viipe enrol URL CODE")
    (tmp_path / "enrolment.json").write_text("{}")
    assert "systemctl status viipe-link" in found(linked.config, "registry").mend


@pytest.mark.parametrize(
    ("fault", "mend"),
    [
        ("the certificate has expired", "[registry] ca"),
        ("this host was revoked", "viipe enrol"),
        ("not enrolled", "viipe enrol"),
        ("clock is 3 days off", "timedatectl"),
        ("Connection refused", "journalctl -u viipe-link"),
    ],
)
def test_a_fault_of_the_link_is_a_warning_with_its_remedy(linked: Host, tmp_path: Path, fault: str, mend: str) -> None:
    """Decisions go on whatever it is, so it is no failure."""
    tell(tmp_path, fault=fault)
    assert linked._link is not None
    linked._link.look()
    finding = found(linked.config, "registry")
    assert (finding.level, finding.found) == (Level.WARNING, fault)
    assert mend in finding.mend


def test_a_desk_that_no_reader_is_says_what_to_mark(linked: Host, tmp_path: Path) -> None:
    """The office asked, and no reader may take the next card: that is a warning, since taps go on."""
    assert not [each for each in examine(linked.config) if each.check == "desk"]
    expires_at = utc_text(datetime.now(UTC) + timedelta(minutes=1))
    tell(tmp_path, desk={"request": 4, "expires_at": expires_at})
    until(lambda: linked._house.desk_fault is not None)
    finding = found(linked.config, "desk")
    assert finding.level is Level.WARNING
    assert "desk = true" in finding.mend


@pytest.mark.parametrize(("hours", "level"), [(0, Level.OK), (2, Level.WARNING)])
def test_a_long_silence_is_a_warning(linked: Host, tmp_path: Path, hours: int, level: Level) -> None:
    """Version, age and backlog are told either way."""
    site = PublishedSite(tmp_path, site_key.load(tmp_path), {})
    tell(tmp_path, heard_boot_ms=boot_ms() - hours * 3_600_000, boot_id=boot().boot_id)
    assert linked._link is not None
    linked._link.look()
    linked._cache.refresh()
    finding = found(linked.config, "registry")
    site.close()
    assert finding.level is level
    assert finding.found.startswith("version 1, last heard ")
    assert "events not uploaded" in finding.found
