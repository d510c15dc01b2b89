"""Where a host is reached by the others of its school: kept, published once, forgotten when it says so."""

import pytest

from registry.api.listening import take
from registry.models import Host, PublishedRow
from registry.publishing.state import state_of
from sync.wire.listens import Listens
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
KEY = bytes(range(32))
HERE = Listens("10.1.2.3:8441", ("canteen",))


def listed(host: Host) -> object:
    """Return how the published document lists the hosts."""
    return PublishedRow.objects.get(school=host.school, key="hosts").row


def tell(host: Host, told: Listens) -> int:
    """Have the host say so; returns the version that is published then."""
    take(Host.objects.get(pk=host.pk), told, NOON)
    return state_of(host.school).version


def test_it_is_published_to_the_schools_hosts() -> None:
    """With its services, so that tills ask tills; a host that tells of none has neither member."""
    school = registered.school()
    till, _ = registered.host(school, "till-1", public_key=KEY), registered.host(school, "door", public_key=KEY)
    tell(till, HERE)
    assert listed(till) == [
        {"name": "door", "public_key": KEY.hex()},
        {"name": "till-1", "public_key": KEY.hex(), "address": "10.1.2.3:8441", "services": ["canteen"]},
    ]


def test_only_what_changes_is_published_anew() -> None:
    """A host says it at each start: a school is not told a new version for nothing."""
    host = registered.host(registered.school(), "till-1", public_key=KEY)
    first = tell(host, HERE)
    assert tell(host, HERE) == first
    assert tell(host, Listens("10.1.2.4:8441", ("canteen",))) == first + 1
    assert tell(host, Listens(None, ("canteen",))) == first + 2
    assert "address" not in str(listed(host))
