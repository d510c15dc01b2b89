"""The database is brought to the layout of this version."""

import pytest
from django.core.management import call_command
from django.db import connection

from registry import tables


@pytest.mark.django_db(transaction=True)
def test_what_is_missing_is_laid_and_what_is_there_is_left() -> None:
    """Told whether there was anything to do."""
    assert not tables.bring_up_to_date()
    call_command("migrate", "sessions", "zero", verbosity=0)
    assert "django_session" not in connection.introspection.table_names()
    assert tables.bring_up_to_date()
    assert "django_session" in connection.introspection.table_names()
    assert not tables.bring_up_to_date()
