"""Names fetched, kept and let go of, against a registry that can lie."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sync import people_report
from sync.people import PeopleStore
from sync.people_box import PeopleBox
from sync.people_report import PeopleReport
from sync.wire.keys import BoxKey, SigningKey, seal
from sync.wire.stream import PeopleLine, to_line
from tests.rig.linked import enrolled, running, until
from tests.rig.people import jpeg, some_people
from tests.rig.small_registry import SmallRegistry

PEOPLE, PHOTOS = some_people()


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry in small."""
    with SmallRegistry() as small:
        yield small


@pytest.fixture
def host(tmp_path: Path, registry: SmallRegistry) -> Path:
    """Give the state directory of an enrolled host."""
    return enrolled(tmp_path / "state", registry)


def asked(registry: SmallRegistry) -> int:
    """Count how often names were asked for."""
    return registry.asked.count("GET people")


def test_names_come_at_the_start_and_with_the_stream(host: Path, registry: SmallRegistry) -> None:
    """With their photos; those that are no more named go."""
    registry.show(PEOPLE, PHOTOS)
    store = PeopleStore(host, environ={})
    with running(host, registry.url) as link:
        until(lambda: store.version == 1 and people_report.read(host).photos == 5, str(link.report.faults))
        assert store.photo("2") == jpeg(80)
        fewer, photos = some_people(photos=["1"])
        registry.show(fewer, photos)
        until(lambda: store.version == 2 and people_report.read(host).photos == 1, str(link.report.faults))
        assert link.report.faults == {}
    report = people_report.read(host)
    assert (report.audience, report.shows, report.persons, report.fault) == ("thg/main-hall", "canteen", 6, None)


def test_what_is_held_is_not_fetched_again(host: Path, registry: SmallRegistry) -> None:
    """Neither after a restart nor when the stream repeats the version; photos that were missed are."""
    registry.show(PEOPLE, dict(list(PHOTOS.items())[:2]))
    with running(host, registry.url):
        until(lambda: people_report.read(host).photos == 2)
    stamp = PeopleBox(host, {}).stamp()
    registry.photos = PHOTOS
    with running(host, registry.url):
        until(lambda: people_report.read(host).photos == 5)
        registry.tell(to_line(PeopleLine(1)))
        before = asked(registry)
        registry.put()
        until(lambda: "GET stream" in registry.asked)
        assert asked(registry) == before
    assert PeopleBox(host, {}).stamp() == stamp


def test_a_host_that_may_show_nothing_removes_all_and_asks_no_more(host: Path, registry: SmallRegistry) -> None:
    """At once; the version stays known, so that nothing older is taken when it may again."""
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url) as link:
        until(lambda: people_report.read(host).photos == 5)
        old = registry.people_document()
        registry.show(None)
        until(lambda: not (host / "people.box").exists())
        until(lambda: people_report.read(host).shows == "none")
        assert not (host / "people.key").exists()
        assert not (host / "photos").exists()
        assert people_report.read(host).version == 1
        before = asked(registry)
        registry.tell(to_line(PeopleLine(0)))
        registry.show(PEOPLE)
        until(lambda: people_report.read(host).version == 3, str(link.report.faults))
        assert asked(registry) == before + 1
        registry.lies["people"] = old
        registry.tell(to_line(PeopleLine(9)))
        until(lambda: "older than what is held" in link.report.faults.get("people", ""))
        assert PeopleStore(host, environ={}).version == 3


def test_a_revoked_host_removes_all(host: Path, registry: SmallRegistry) -> None:
    """As soon as the registry says so to any question of the link."""
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url):
        until(lambda: people_report.read(host).photos == 5)
        registry.revoked.add("main-hall")
        registry.tell(None)
        until(lambda: not (host / "people.box").exists() and not (host / "photos").exists())


@pytest.mark.parametrize("lie", ["signer", "host", "generation", "garbage", "sealed to another", "endless"])
def test_a_lie_changes_nothing_and_is_said(host: Path, registry: SmallRegistry, lie: str) -> None:
    """Whatever is wrong with it; and in no fault stands a name."""
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url) as link:
        until(lambda: people_report.read(host).photos == 5)
        registry.people = replace(PEOPLE, persons=PEOPLE.persons[:1])
        registry.people_version = 2
        registry.lies["people"] = {
            "signer": lambda: registry.people_document(signer=SigningKey.generate()),
            "host": lambda: registry.people_document(host="front-door"),
            "generation": lambda: registry.people_document(generation=7),
            "garbage": lambda: seal(registry.box_keys["main-hall"], b"Kadri", b"people thg/main-hall"),
            "sealed to another": lambda: registry.people_document(box_key=BoxKey.generate().public),
            "endless": lambda: bytes(9 << 20),
        }[lie]()
        registry.tell(to_line(PeopleLine(2)))
        until(lambda: link.report.faults.get("people"))
        assert "Kadri" not in str(link.report.faults)
        assert PeopleStore(host, environ={}).version == 1
        until(lambda: people_report.read(host).fault)
        del registry.lies["people"]
        until(lambda: PeopleStore(host, environ={}).version == 2, str(link.report.faults), 40)
        until(lambda: people_report.read(host).fault is None)


def test_a_photo_of_another_is_not_kept(host: Path, registry: SmallRegistry) -> None:
    """Its hash is that which the signed document names, or it is none."""
    other = jpeg(250)
    registry.show(PEOPLE, dict.fromkeys(PHOTOS, other))
    with running(host, registry.url) as link:
        until(lambda: link.report.faults.get("people"))
        assert PeopleBox(host, {}).photos() == frozenset()
        assert PeopleStore(host, environ={}).version == 1


def test_a_store_that_was_spoilt_is_fetched_again(host: Path, registry: SmallRegistry) -> None:
    """Damaged, or its key lost: without anybody's help, and not below the version that was held."""
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url):
        until(lambda: people_report.read(host).photos == 5)
    (host / "people.key").unlink()
    with running(host, registry.url) as link:
        until(lambda: PeopleStore(host, environ={}).photo("1") is not None, str(link.report.faults))
    first = next((host / "photos").iterdir())
    first.write_bytes(b"spoilt")
    with running(host, registry.url) as link:
        until(lambda: first.exists() and first.read_bytes() != b"spoilt", str(link.report.faults))


def test_names_of_another_enrolment_go(host: Path, registry: SmallRegistry) -> None:
    """What another school or name of this host had held is none of this one's."""
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url):
        until(lambda: people_report.read(host).photos == 5)
    replace(people_report.read(host), audience="viimsi/main-hall").write(host)
    registry.people = None
    with running(host, registry.url):
        until(lambda: not (host / "people.box").exists())
        until(lambda: people_report.read(host).audience == "thg/main-hall")


def test_a_registry_of_before_there_were_names_is_no_fault(host: Path, registry: SmallRegistry) -> None:
    """It knows no such address."""
    registry.lies["people"] = lambda handler: handler.refuse(404, "not_found", "There is no such address.")
    with running(host, registry.url) as link:
        until(lambda: asked(registry))
        until(lambda: link.report.table()["held"])
        assert link.report.faults == {}
        assert people_report.read(host) == PeopleReport()


def test_a_disk_that_refuses_ends_no_link(host: Path, registry: SmallRegistry) -> None:
    """Neither the report nor what is to be removed can be written: names are taken and let go of all the same, once that can be done."""
    (host / "people.json.new").mkdir()  # the report cannot be laid aside
    registry.show(PEOPLE, PHOTOS)
    with running(host, registry.url) as link:
        store = PeopleStore(host, environ={})
        until(lambda: store.version == 1 and len(PeopleBox(host, {}).photos()) == 5, str(link.report.faults))
        registry.lies["people"] = b"garbage"
        registry.tell(to_line(PeopleLine(2)))
        until(lambda: link.report.faults.get("people"))
        del registry.lies["people"]
        (host / "photos" / "in the way.d").mkdir()  # which no unlink removes
        registry.show(None)
        until(lambda: "cannot be removed" in str(link.report.faults.get("people")))
        (host / "photos" / "in the way.d").rmdir()
        (host / "people.json.new").rmdir()
        until(lambda: not (host / "photos").exists(), str(link.report.faults), 40)
        until(lambda: people_report.read(host).shows == "none" and people_report.read(host).version == 1)
        assert link.report.faults == {}
