"""Where a host is reached by the others of its school, as it says itself: published to them, when it changes (`sync.wire.neighbour`)."""

from datetime import datetime

from django.db import transaction

from registry.models import Host
from registry.publishing.changes import documents_changed
from sync.wire.listens import Listens


def take(host: Host, told: Listens, now: datetime) -> None:
    """Keep what the host says, and let the school's hosts know; the same again changes nothing and tells nobody."""
    address, services = told.address or "", list(told.services)
    if (host.address, host.services) == (address, services):
        return
    with transaction.atomic():
        Host.objects.filter(pk=host.pk).update(address=address, services=services)
        documents_changed(host.school, now=lambda: now)
