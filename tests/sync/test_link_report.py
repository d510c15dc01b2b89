"""The link's report: read whole, or taken for silence."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.link_report import NAME, DeskRequest, LinkReport, Watermark, parse, read, stamp

HEARD = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
TABLE: dict[str, object] = {
    "heard_at": "2026-11-23T10:00:00.000Z",
    "heard_boot_ms": 5000,
    "boot_id": "boot",
    "clock_vouched_until_boot_ms": 9000,
    "clock_offset_ms": -1500,
    "watermark": {"epoch": 7, "seq": 12, "version": 3, "generation": 2},
    "regressed": {"epoch": 7, "seq": 20},
    "desk": {"request": 4, "expires_at": "2026-11-23T10:01:00Z"},
    "fault": "the registry does not answer",
    "held": {"version": 3},
}


def test_a_report_is_read_whole(tmp_path: Path) -> None:
    """Each field has its place; what a later link says beside them is passed over."""
    (tmp_path / NAME).write_text(json.dumps(TABLE))
    assert read(tmp_path) == LinkReport(
        heard_at=HEARD,
        heard_boot_ms=5000,
        boot_id="boot",
        clock_vouched_until_boot_ms=9000,
        clock_offset_ms=-1500,
        watermark=Watermark(7, 12, 3, 2),
        regressed=Watermark(7, 20),
        desk=DeskRequest(4, HEARD.replace(minute=1)),
        fault="the registry does not answer",
    )


def test_nothing_is_silence(tmp_path: Path) -> None:
    """No file, an empty one, and one of nulls say nothing."""
    assert read(tmp_path) == LinkReport()
    assert stamp(tmp_path) is None
    assert parse(dict.fromkeys(TABLE)) == LinkReport()
    assert parse({}) == LinkReport()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"heard_at": 5}',
        b'{"heard_at": "yesterday"}',
        b'{"heard_boot_ms": true}',
        b'{"watermark": {}}',
        b'{"watermark": []}',
        b'{"watermark": {"epoch": 1e999, "seq": 1}}',
        b'{"desk": {"request": 1}}',
        b'{"clock_offset_ms": "1"}',
        b'{"heard_boot_ms": 1' + b" " * 70_000 + b"}",
    ],
)
def test_what_cannot_be_read_is_silence(tmp_path: Path, text: bytes) -> None:
    """The file is never synced: whatever a power cut left of it, taps go on."""
    (tmp_path / NAME).write_bytes(text)
    assert read(tmp_path) == LinkReport()


def test_a_new_report_has_another_stamp(tmp_path: Path) -> None:
    """Renaming over is seen without opening the file."""
    (tmp_path / NAME).write_text("{}")
    before = stamp(tmp_path)
    (tmp_path / "new").write_text("{}")
    (tmp_path / "new").replace(tmp_path / NAME)
    assert stamp(tmp_path) != before


def test_how_neighbours_are_is_told() -> None:
    """By name and address; one that says too little spoils the report, which then stands for silence."""
    there = {"name": "till-2", "address": "10.1.2.3:8441", "reachable": True, "fault": None}
    heard = {**there, "heard_at": "2026-11-23T10:00:00.000Z"}
    (found,) = parse({"neighbours": [heard]}).neighbours
    assert (found.name, found.address, found.is_reachable, found.fault) == ("till-2", "10.1.2.3:8441", True, None)
    assert found.heard_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert parse({}).neighbours == ()
    with pytest.raises(ValueError, match="KeyError"):
        parse({"neighbours": [there]})
