"""The small school of `tests.rig.office`, for all tests of the back office."""

import pytest

from tests.rig.office import OfficeRig, make_office


@pytest.fixture
def office(db: None) -> OfficeRig:  # noqa: ARG001 the database must be there first
    """Lay the school into the database."""
    return make_office()
