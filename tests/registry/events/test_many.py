"""Many values in one question, on both databases."""

from datetime import date

import pytest

from registry.events.many import among, as_day, asked, listed
from registry.models import School
from tests.rig import registered


@pytest.mark.django_db
def test_any_number_of_values_is_one() -> None:
    """Texts, numbers and none at all."""
    kept = registered.school("thg")
    registered.school("viimsi")
    codes = [f"c{number}" for number in range(2000)]
    question = f"SELECT code FROM {School._meta.db_table} WHERE {among('code', 'text')} AND {among('id', 'bigint')}"  # noqa: S608
    assert asked(question, listed([*codes, "thg"]), listed([kept.pk])) == [("thg",)]
    assert asked(question, listed([]), listed([kept.pk])) == []


def test_a_day_is_one_from_either_database() -> None:
    """SQLite gives a text."""
    assert as_day("2026-11-23") == as_day(date(2026, 11, 23)) == date(2026, 11, 23)
