"""What may be said of the names that a host holds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync import people_report
from sync.people_report import PeopleReport

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And a host that holds nothing has none, whatever stands in the file."""
    assert people_report.read(tmp_path) == PeopleReport()
    report = PeopleReport("kool/till", 1, 7, "canteen", 612, 3, NOW, "why")
    report.write(tmp_path)
    assert people_report.read(tmp_path) == report
    for spoilt in ("", "[]", "{}", '{"audience": 1}'):
        (tmp_path / "people.json").write_text(spoilt)
        assert people_report.read(tmp_path) == PeopleReport()


def test_the_status_has_numbers_and_no_names(tmp_path: Path) -> None:
    """Version, how many, how old, what is wrong; nothing at all where none may be shown."""
    assert people_report.told(tmp_path, NOW) is None
    PeopleReport("kool/till", 1, 7, "canteen", 612, 3, NOW).write(tmp_path)
    assert people_report.told(tmp_path, NOW + timedelta(minutes=2)) == {
        "shows": "canteen",
        "version": 7,
        "persons": 612,
        "photos": 3,
        "age_s": 120,
        "fault": None,
    }
    PeopleReport("kool/till", 1, 7).write(tmp_path)
    assert people_report.told(tmp_path, NOW) is None
