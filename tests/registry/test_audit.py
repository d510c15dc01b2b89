"""The audit keeps who did what, and refuses to keep what it must not."""

from typing import Any

import pytest

from registry import audit
from registry.models import AuditEntry
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_deed_is_kept_with_its_object() -> None:
    """Who, what, where, to which row, and the details."""
    school = registered.school()
    card = registered.card(school)
    audit.record("it", "card close", school, card, at=registered.NOON, number=card.number)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.school, entry.at) == ("it", "card close", school, registered.NOON)
    assert (entry.object_type, entry.object_id, entry.detail) == ("card", str(card.pk), {"number": card.number})


@pytest.mark.parametrize("secret", sorted(audit.FORBIDDEN))
def test_an_audit_holds_no_secret(secret: str) -> None:
    """A UID or a personal code in the details is a broken invariant, not an entry."""
    told: dict[str, Any] = {secret: "x"}
    with pytest.raises(ValueError, match=secret):
        audit.record("it", "look", **told)
    assert not AuditEntry.objects.exists()
