"""A canteen at the registry: its rule, and a till's question for a lunch."""

import secrets
from datetime import date
from typing import Any

from registry.models import Host, RuleVersion, Service
from sync.wire.quota import ClaimRequest
from tests.rig.registered import NOON

DAY = date(2026, 11, 23)


def rule(host: Host, table: dict[str, Any]) -> None:
    """Publish another version of the canteen's rule."""
    service, _ = Service.objects.get_or_create(school=host.school, code="canteen", defaults={"name": "Canteen"})
    number = 1 + RuleVersion.objects.filter(service=service).count()
    RuleVersion.objects.create(
        service=service, number=number, table=table, created_at=NOON, created_by="test", published_at=NOON
    )


def asked(**given: Any) -> ClaimRequest:  # noqa: ANN401  fields of the question
    """A question for person 12's lunch, with a tap of its own."""
    whole = {
        "tap_id": secrets.token_hex(16),
        "service": "canteen",
        "direction": "in",
        "day": DAY,
        "card": "4711",
        "person": "12",
        "kind": "personal",
    }
    return ClaimRequest(**{**whole, **given})
