"""What a host is told of names, over the wire as it is served."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sync.wire import people
from sync.wire.day_counts import DayCounts
from sync.wire.faults import BadSignature
from tests.rig.people import jpeg
from tests.rig.protocol_host import ProtocolHost
from tests.rig.registry_process import RegistryProcess, a_school

PHOTO = jpeg(77)
SHA256 = hashlib.sha256(PHOTO).hexdigest()
_DO = """
from registry.people import photos
from registry.publishing import people
from django.db import transaction
now = timezone.now()
def show(name, what):
    with transaction.atomic(): people.let_show(Host.objects.get(name=name), what)
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryProcess]:
    """A registry with two schools, the first with a photo."""
    with RegistryProcess() as running:
        running.do(a_school("thg") + a_school("viimsi"))
        running.do(
            _DO + "School.objects.update(shows_photos=True)\n"
            "school, person = School.objects.get(code='thg'), Person.objects.get(external_id='thg-p0')\n"
            f"photos.give(school, person, bytes.fromhex('{PHOTO.hex()}'), actor='it', now=now)\n"
        )
        yield running


def enrolled(registry: RegistryProcess, shows: str = "none", school: str = "thg") -> ProtocolHost:
    """Return an enrolled host that may show names, or none."""
    host = ProtocolHost(registry.port, f"host-{secrets.token_hex(4)}")
    code = registry.command("enrol-code", host.name, "--school", school).splitlines()[0]
    assert asyncio.run(host.enrol(code)).status == 200
    if shows != "none":
        registry.do(_DO + f"show('{host.name}', '{shows}')")
    asyncio.run(host.catch_up())
    return host


def refused(host: ProtocolHost, path: str) -> tuple[int, str]:
    """Return how it is refused."""
    reply = asyncio.run(host.ask("GET", path))
    return reply.status, reply.json["error"]


def opened(host: ProtocolHost, site: str = "thg") -> tuple[int, people.People]:
    """Fetch the document and open it; returns its version and what it says."""
    reply = asyncio.run(host.ask("GET", "/v1/people?after=0"))
    assert reply.status == 200
    header, raw = people.open_sealed(
        reply.body, box=host.box, root=host.held.root, site=site, host=host.name, held=None, now=datetime.now(UTC)
    )
    return header.version, people.parse(raw)


def test_a_door_is_refused_in_words(registry: RegistryProcess) -> None:
    """Names and photos, whatever it asks for."""
    door = enrolled(registry)
    assert refused(door, "/v1/people") == (403, "shows_nothing")
    assert refused(door, f"/v1/photos/{SHA256}") == (403, "shows_nothing")
    reply = asyncio.run(door.ask("GET", "/v1/people?after=0"))
    assert "shows no names" in json.dumps(reply.json)


def test_a_till_is_given_its_own_document_and_its_photos(registry: RegistryProcess) -> None:
    """Which opens for nobody else; the same version is not sent again."""
    till, other = enrolled(registry, "canteen"), enrolled(registry, "canteen")
    version, told = opened(till)
    assert [person.family_name for person in told.persons] == ["Family0", "Family1"]
    assert told.persons[0].photo == SHA256
    sealed = asyncio.run(till.ask("GET", f"/v1/photos/{SHA256}")).body
    assert people.open_photo(sealed, till.box, SHA256) == PHOTO
    with pytest.raises(BadSignature):
        people.open_photo(sealed, other.box, SHA256)
    newest, _ = opened(other)
    assert newest >= version
    generation = till.held.generation
    assert asyncio.run(till.ask("GET", f"/v1/people?after={newest}&generation={generation}")).status == 204
    assert asyncio.run(till.ask("GET", f"/v1/people?after={newest}&generation={generation + 1}")).status == 200
    assert refused(till, "/v1/people?after=x") == (400, "malformed")


def test_a_photo_that_the_document_does_not_name_is_not_given(registry: RegistryProcess) -> None:
    """Another school's, one that there is not, or what is no hash."""
    stranger = enrolled(registry, "canteen", "viimsi")
    till = enrolled(registry, "canteen")
    assert refused(stranger, f"/v1/photos/{SHA256}") == (404, "no_such_photo")
    assert refused(till, f"/v1/photos/{'00' * 32}") == (404, "no_such_photo")
    assert refused(till, "/v1/photos/..%2Fregistry.db") == (404, "not_found")
    assert refused(till, "/v1/photos/registry.db") == (400, "malformed")
    assert refused(till, "/v1/photos/") == (400, "malformed")
    assert refused(till, "/v1/photos") == (404, "not_found")
    assert [person.photo for person in opened(stranger, "viimsi")[1].persons] == [None, None]


def test_how_many_were_served_is_told_to_any_host_of_the_school(registry: RegistryProcess) -> None:
    """Numbers by class alone."""
    host = enrolled(registry)
    reply = asyncio.run(host.ask("GET", "/v1/day?service=canteen&day=2026-11-23"))
    assert DayCounts.parse(reply.body).served == {}
    assert refused(host, "/v1/day?service=canteen&day=23.11.2026") == (400, "malformed")
    assert refused(host, "/v1/day?day=2026-11-23") == (400, "malformed")
