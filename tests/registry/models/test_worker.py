"""Workers."""

import pytest

from registry.models import Worker
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_worker_without_a_pin_is_nobody_whom_a_pin_fits() -> None:
    """What is kept of a PIN is empty until one is given."""
    worker = Worker.objects.create(school=registered.school(), name="Mall", added_at=registered.NOON)
    assert (bytes(worker.pin_salt), bytes(worker.pin_hash), worker.is_active, str(worker)) == (b"", b"", True, "Mall")
