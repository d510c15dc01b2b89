"""What was served today, as it is told to the pages."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from daemon.today import Today
from policy.calendar import Calendar, DayType
from sync.wire.event import Event, utc_text
from tests.rig.parts import MONDAY_NOON, open_journal, standing_clock

TALLINN = ZoneInfo("Europe/Tallinn")


def serving(holder: str, service: str = "canteen", day: str = "2026-11-23") -> Event:
    """Return a granted tap that counts."""
    return {
        "kind": "tap",
        "tap_id": holder.encode().hex().ljust(32, "0"),
        "time": utc_text(MONDAY_NOON),
        "service_day": day,
        "service": service,
        "verdict": "grant",
        "holder": holder,
    }


def test_the_servings_of_this_service_and_day_are_told(tmp_path: Path) -> None:
    """By person, as the limit of a day counts; those counted by card in a sum; of another service or day nothing."""
    journal = open_journal(tmp_path)
    for event in (
        serving("person 1"),
        serving("person 2"),
        serving("card 7"),
        serving("person 3", service="library"),
        serving("person 4", day="2026-11-22"),
    ):
        journal.transact(lambda transaction, event=event: transaction.append(event))  # type: ignore[misc]
    trip = Calendar(class_days={(date(2026, 11, 23), "7a"): DayType.TRIP, (date(2026, 11, 24), "8a"): DayType.TRIP})
    told = Today(journal, standing_clock(), lambda: TALLINN, lambda: trip).answer({"service": "canteen"})
    assert told == {
        "day": "2026-11-23",
        "service": "canteen",
        "served": {"1": 1, "2": 1},
        "others": 1,
        "day_type": "school_day",
        "class_days": {"7a": "trip"},
    }
    journal.close()


def test_the_day_is_the_schools(tmp_path: Path) -> None:
    """A host's own zone says nothing: what is today is told by the school's."""
    journal = open_journal(tmp_path)
    today = Today(journal, standing_clock(), lambda: ZoneInfo("Pacific/Kiritimati"), Calendar)
    assert today.answer({"service": "canteen"})["day"] == "2026-11-24"
    journal.close()


def test_without_a_service_nothing_is_told(tmp_path: Path) -> None:
    """A question that names none is answered by what is missing."""
    journal = open_journal(tmp_path)
    assert "expected the service" in str(
        Today(journal, standing_clock(), lambda: TALLINN, Calendar).answer({})["error"]
    )
    journal.close()


def test_what_waits_for_a_failing_disk_was_served_too(tmp_path: Path) -> None:
    """The till's page counts it as the limit does, in memory and beside what is durable, and once when the disk has it."""
    journal = open_journal(tmp_path)
    journal.transact(lambda transaction: transaction.append(serving("person 1")))
    journal.ring.keep({**serving("person 2"), "direction": None})
    journal.ring.keep({**serving("person 3", day="2026-11-22"), "direction": None})
    today = Today(journal, standing_clock(), lambda: TALLINN, Calendar)
    assert today.answer({"service": "canteen"})["served"] == {"1": 1, "2": 1}
    journal.transact(lambda _transaction: None)
    assert today.answer({"service": "canteen"})["served"] == {"1": 1, "2": 1}
    journal.close()
