"""The state of a school as hosts are to hold it."""

from pathlib import Path

import pytest

from registry.models import SiteState
from registry.publishing import keys
from registry.publishing.state import locked_state, state_of
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_a_school_of_which_nothing_was_told_is_at_version_0() -> None:
    """To look makes no row."""
    school = registered.school()
    assert (state_of(school).generation, state_of(school).version) == (1, 0)
    assert not SiteState.objects.exists()


def test_the_lock_makes_the_row() -> None:
    """The first publication finds something to lock."""
    school = registered.school()
    assert locked_state(school).pk == school.pk
    assert locked_state(school).version == 0


def test_a_new_school_begins_in_the_newest_generation(tmp_path: Path) -> None:
    """After a restore no school may be left in the generation before."""
    keys.ensure(NOON, folder=tmp_path)
    keys.new_generation(NOON, folder=tmp_path)
    school = registered.school()
    assert state_of(school).generation == locked_state(school).generation == 2
