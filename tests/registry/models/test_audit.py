"""The audit: what the tables themselves refuse."""

import pytest

from registry.models import AuditEntry
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_the_newest_entry_comes_first_and_outlives_its_school() -> None:
    """A school that goes takes no deed with it."""
    school = registered.school()
    for action in ("close", "reopen"):
        AuditEntry.objects.create(at=registered.NOON, actor="it", action=action, school=school)
    school.delete()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["reopen", "close"]
