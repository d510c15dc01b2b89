"""What the tests of publishing share: what hosts hold, summed up anew from the table."""

from collections.abc import Callable

import pytest

from registry.models import PublishedRow, School
from registry.publishing.changes import digest_of
from registry.publishing.state import state_of
from sync.wire.delta import digest_after
from sync.wire.document import digest_text

Whole = Callable[[School], None]


@pytest.fixture
def whole() -> Whole:
    """Return the check that a school's digest is the sum of its rows, and that no row is newer than its version."""

    def check(school: School) -> None:
        rows = list(PublishedRow.objects.filter(school=school))
        shares = [digest_of(row) for row in rows if row.row is not None]
        state = state_of(school)
        assert state.digest == digest_text(digest_after(0, [], shares))
        assert max((row.version for row in rows), default=0) == state.version

    return check
