"""Questions that are answered from one moment."""

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from registry.models import School
from registry.publishing.one_moment import one_moment
from tests.rig import registered


@pytest.mark.django_db
def test_within_a_transaction_it_is_that_transactions() -> None:
    """Nothing is begun twice."""
    with transaction.atomic(), one_moment():
        registered.school()
    assert School.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_written_meanwhile_is_not_seen() -> None:
    """The second question sees what the first saw; the writer did not have to wait."""
    if connection.vendor == "sqlite" and "mode=memory" in str(connection.settings_dict["NAME"]):
        pytest.skip(
            "SQLite's databases in memory, as the tests have, share their tables without a log: shown on PostgreSQL"
        )
    registered.school("first")

    def write() -> None:
        registered.school("second")
        connection.close()

    with one_moment():
        assert School.objects.count() == 1
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=10)
        assert not writer.is_alive()
        assert School.objects.count() == 1
    assert School.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_after_a_fault_the_next_question_is_answered() -> None:
    """Whatever went wrong within, nothing of it is left over."""
    with pytest.raises(DatabaseError), one_moment(), connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    with one_moment():
        School.objects.count()
    registered.school()
