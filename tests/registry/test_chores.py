"""What the registry does by itself."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from registry import chores
from registry.models import Card, CardState, DeskRequest, Enrolment, Nonce, PublishedRow, SiteState
from registry.office import desk
from registry.people import rosters
from registry.publishing import keys
from tests.rig import registered
from tests.rig.registered import NOON
from tests.rig.rosters import line, preview

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory of its own, with keys."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))
    keys.ensure(NOON)


def test_a_day_passes_for_cards_and_stays() -> None:
    """A card whose last day is over is expired, a stay that ended is told, an old nonce forgotten."""
    school = registered.school()
    leaver, stayer = registered.person(school), registered.person(school)
    Enrolment.objects.filter(person=leaver).update(valid_until=date(2026, 11, 23))
    registered.card(school, person=leaver, uid=b"\x01\x02\x03\x04")
    over = registered.card(school, person=stayer, uid=b"\x05\x06\x07\x08", valid_until=date(2026, 11, 23))
    Nonce.objects.create(host=registered.host(school), value="x" * 16, expires_at=NOON)
    chores.perform(now=lambda: NOON)
    assert SiteState.objects.get().refreshed_on == date(2026, 11, 23)
    chores.perform(now=lambda: NOON + timedelta(days=1))
    states = [row[3] for row in PublishedRow.objects.filter(table="cards").values_list("row", flat=True) if row]
    assert sorted(states) == ["active", "left"]
    assert Card.objects.get(pk=over.pk).state == CardState.EXPIRED
    assert not Nonce.objects.exists()


def test_personal_data_that_nobody_needs_is_forgotten(settings: Settings, tmp_path: Path) -> None:
    """A roster's file after a day, a chip that was tapped at a desk and not used after some minutes."""
    settings.DATA_DIR = tmp_path
    school = registered.school()
    path = rosters.path_of(preview(school, line(external_id="T-1", class_="7b")))
    asked = DeskRequest.objects.create(
        host=registered.host(school), asked_by="it", asked_at=NOON, expires_at=NOON + desk.WAIT, uid=b"1234"
    )
    chores.perform(now=lambda: NOON + timedelta(minutes=10))
    assert path.exists()
    assert DeskRequest.objects.get().uid is not None
    chores.perform(now=lambda: NOON + timedelta(minutes=12))
    asked.refresh_from_db()
    assert asked.uid is None
    assert path.exists()
    chores.perform(now=lambda: NOON + timedelta(days=1, minutes=5))
    assert not path.exists()


def test_a_root_is_renewed_in_time() -> None:
    """Without anybody's doing."""
    chores.perform(now=lambda: NOON + timedelta(days=500))
    assert keys.current_root().version == 2


def test_a_chore_that_fails_keeps_no_other_from_being_done(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and tried again later: here the keys are gone when the root is due."""
    (tmp_path / "keys" / "root.key").unlink()
    Nonce.objects.create(host=registered.host(registered.school()), value="x" * 16, expires_at=NOON)
    chores.perform(now=lambda: NOON + timedelta(days=500))
    assert "left undone" in caplog.text
    assert SiteState.objects.get().refreshed_on == date(2028, 4, 6)
    assert not Nonce.objects.exists()
