"""Names from the registry to a host's disk, and away from it again: the real registry, the real link, nothing stood in for."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from sync import people_report
from sync.link import enrolling
from sync.people import PeopleStore
from tests.rig.host_rig import GOOD
from tests.rig.linked import ask, running, until
from tests.rig.people import PIN as TILL_PIN
from tests.rig.people import WORKER, jpeg
from tests.rig.registry_process import RegistryProcess, a_school
from tests.rig.small_registry import HOST
from tests.rig.till_screen import NAMES, TillScreen, chromium

PHOTO: Final = jpeg(200)
PIN: Final = "86420975"  # no shorter one: four digits stand in many a hash
_DO: Final = """
from registry.people import photos, persons, workers
from registry.publishing import people
from registry.api.enrolment import revoke
from django.db import transaction
now = timezone.now()
school = School.objects.get(code="thg")
first = Person.objects.get(external_id="thg-p0")
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryProcess]:
    """Give a registry that serves a small school whose photos are shown, with a photo and a worker."""
    with RegistryProcess() as running_registry:
        running_registry.do(a_school("thg"))
        running_registry.do(
            _DO + "School.objects.update(shows_photos=True)\nschool.refresh_from_db()\n"
            f"photos.give(school, first, bytes.fromhex('{PHOTO.hex()}'), actor='it', now=now)\n"
            f"workers.add(school, {WORKER!r}, {PIN!r}, actor='it', now=now)\n"
        )
        yield running_registry


@pytest.fixture
def host(tmp_path: Path, registry: RegistryProcess) -> Path:
    """Give the state directory of a host that is enrolled anew, and shows no names yet."""
    code = registry.command("enrol-code", HOST, "--school", "thg").splitlines()[0]
    registry.do(_DO + f"Host.objects.filter(name='{HOST}').update(shows='none')")
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    enrolling.enrol(state_dir, registry.url, code, HOST, ca=None)
    return state_dir


def show(registry: RegistryProcess, what: str) -> None:
    """Let the host show names, as the office's page does."""
    registry.do(_DO + f"with transaction.atomic(): people.let_show(Host.objects.get(name='{HOST}'), '{what}')")


def rename(registry: RegistryProcess, given: str, family: str) -> None:
    """Correct the first pupil's name, as the office's page does."""
    facts = f"persons.PersonFacts(first.external_id, '{given}', '{family}')"
    registry.do(_DO + f"persons.correct(first, {facts}, actor='it', now=now, school=school)")


def names(store: PeopleStore) -> list[str]:
    """Return all names that the store has."""
    return [person.name for name in store.classes() for person in store.of_class(name)]


def scan(state_dir: Path) -> bytes:
    """Return all bytes of all files of a state directory, with what its databases hold."""
    pieces = [path.read_bytes() for path in state_dir.rglob("*") if path.is_file()]
    for path in state_dir.glob("*.db"):
        with sqlite3.connect(path) as database:
            pieces += [line.encode() for line in database.iterdump()]
    return b"\n".join(pieces)


def test_a_name_changed_in_the_office_is_on_the_till(host: Path, registry: RegistryProcess) -> None:
    """Within seconds, down the stream; with its photo and the worker whose PIN opens a shift; and gone when it may be shown no more."""
    store = PeopleStore(host, environ={})
    with running(host, registry.url) as link:
        until(lambda: link.report.table()["held"], str(link.report.faults))
        assert store.version == 0
        show(registry, "canteen")
        until(lambda: names(store) == ["Given Family0", "Given Family1"], str(link.report.faults))
        until(lambda: store.photo(store.of_class("7a")[0].id) == PHOTO, str(link.report.faults))
        worker = store.check_pin(PIN)
        assert worker is not None
        assert worker.name == WORKER
        rename(registry, "Õnne", "Šmidt")
        until(lambda: "Õnne Šmidt" in names(store), str(link.report.faults))
        told = people_report.told(host, datetime.now(UTC))
        assert told is not None
        assert (told["persons"], told["photos"], told["fault"]) == (2, 1, None)
        until(lambda: (people_report.read(host).version) == store.version)
        held = scan(host)
        clear = ["Šmidt", "Family1", "Mallikas", PIN, "10000000", "10000001"]
        assert [each for each in clear if each.encode() in held] == []
        assert bytes.fromhex("10000001") not in held
        assert PHOTO not in held
        assert PHOTO[40:] not in held
        show(registry, "none")
        until(lambda: store.version == 0, str(link.report.faults))
        until(lambda: people_report.read(host).shows == "none")
        left = {path.name for path in host.rglob("*") if "people" in path.name or "photo" in path.name}
        assert left == {"people.json"}
        rename(registry, "Given", "Family0")
        assert link.report.faults == {}


def test_a_revoked_host_keeps_no_name(host: Path, registry: RegistryProcess) -> None:
    """At once, since its stream is ended by the revocation; its cards go on deciding."""
    show(registry, "canteen")
    with running(host, registry.url) as link:
        store = PeopleStore(host, environ={})
        until(lambda: store.version > 0, str(link.report.faults))
        registry.do(_DO + f"revoke(Host.objects.get(name='{HOST}'), now=now, actor='it')")
        until(lambda: not (host / "people.box").exists(), str(link.report.faults), 40)
        until(lambda: not (host / "people.key").exists() and not (host / "photos").exists())
        assert "revoked" in link.report.table()["fault"]


def test_a_door_is_never_given_a_name(host: Path, registry: RegistryProcess) -> None:
    """It is refused, in words that say why; nothing is written down, and that is no fault."""
    with running(host, registry.url) as link:
        until(lambda: link.report.table()["held"], str(link.report.faults))
        rename(registry, "Given", "Family0")
        until(lambda: people_report.read(host).asked_at is not None)
        assert people_report.told(host, datetime.now(UTC)) is None
        assert not (host / "people.box").exists()
        assert link.report.faults == {}


def test_a_till_hears_how_many_were_served_at_all_tills(host: Path, registry: RegistryProcess) -> None:
    """By class, each person once, while the registry is in contact."""
    registry.do(
        _DO + f"host = Host.objects.get(name='{HOST}')\n"
        "Event.objects.create(host=host, school=school, epoch=77, seq=1, body=b'{}', link=bytes(32), kind='tap', tap_id='a1',"
        " time=now, service_day='2026-11-23', service='canteen', verdict='grant', person=first, holder='person 1', received_at=now)"
    )
    with running(host, registry.url) as link:
        until(lambda: link.report.table()["held"], str(link.report.faults))
        told = ask(host, ask="day_counts", service="canteen", day="2026-11-23")
        assert told == {"service": "canteen", "day": "2026-11-23", "served": {"7a": 1}, "others": 0}
        assert "error" in ask(host, ask="day_counts", service="canteen", day="tomorrow")


def test_a_stolen_till_tells_no_name_photo_pin_or_uid() -> None:
    """FAULTS.md, host stolen: daemon, pages and browser at work, a card tapped, a shift opened by PIN; then every file is searched."""
    photos = {"T-1001": PHOTO, "T-1003": jpeg(33)}
    with chromium() as browser, TillScreen(browser, photos=photos) as till:
        page = till.open()
        till.tap(GOOD)
        expect(page.locator(".name")).to_have_text("Mari")
        shift = till.context.new_page()
        shift.goto(f"{till.url}/shift")
        for digit in TILL_PIN:
            shift.get_by_role("button", name=digit, exact=True).click()
        shift.get_by_role("button", name="Ava", exact=True).click()
        expect(shift.locator("#classes button").first).to_be_visible()
        held = scan(till.host.state_dir)
        said = (
            till.host.log()
            + till.log()
            + "".join(till.host.viipe(what).stdout for what in ("status", "doctor", "events"))
        )
    assert len(held) > 100_000
    clear = [part for _, given, family, _ in NAMES for part in (given, family)] + [
        WORKER,
        f'"{TILL_PIN}"',
        GOOD.hex(),
        GOOD.hex().upper(),
    ]
    assert [each for each in clear if each.encode() in held or each in said] == []
    assert [photo for photo in photos.values() if photo in held or photo[40:] in held] == []
    assert GOOD not in held
