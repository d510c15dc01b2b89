"""The link's log."""

import json
import os
from datetime import UTC, datetime

from sync.link.line_log import LineLog

NOON = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def test_a_line_is_one_json_object() -> None:
    """In the daemon's form: what is told, the event, its level and the time."""
    reading, writing = os.pipe()
    told_to = LineLog(writing, now=lambda: NOON)
    told_to.info("running", host="hall")
    told_to.warning("ä", why="õ")
    told_to.error("failed", why=OSError("x"))
    told_to.critical("broken", ValueError("secret"))
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    assert told[0] == {"host": "hall", "event": "running", "level": "info", "timestamp": "2026-11-23T10:00:00Z"}
    assert [each["level"] for each in told] == ["info", "warning", "error", "critical"]
    assert told[1]["why"] == "õ"
    assert told[3]["error"] == "ValueError"
    assert "secret" not in json.dumps(told[3])


def test_one_who_does_not_read_holds_nobody_up() -> None:
    """A full pipe drops lines; when it is read again, how many is told."""
    reading, writing = os.pipe()
    log = LineLog(writing)
    for number in range(5000):
        log.info("line", number=number, filling="x" * 100)
    assert os.read(reading, 1 << 20).count(b"\n") < 5000
    log.info("heard again")
    told = os.read(reading, 1 << 20)
    assert b"lines were dropped" in told
    assert b"heard again" in told
    os.close(reading)
    log.info("to nobody")
    os.close(writing)
    log.info("to less than nobody")
