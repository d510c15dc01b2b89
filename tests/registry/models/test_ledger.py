"""The ledger's tables."""

import pytest

from registry.models import AccountKind, Hold, LedgerAccount, TopUpFile, Transfer
from tests.rig import registered
from tests.rig.registered import NOON


@pytest.mark.django_db
def test_rows_are_named_by_what_they_are() -> None:
    """In a log or a shell, without a person's name."""
    school = registered.school()
    person = registered.person(school)
    account = LedgerAccount.objects.create(school=school, kind=AccountKind.PREPAID, person=person)
    assert str(account).endswith(str(person.pk))
    assert str(Transfer(act="charge", cents=5, key="tap ab")) == "charge 5 tap ab"
    assert str(Hold(cents=5, tap_id="ab")) == "5 ab"
    assert str(TopUpFile(file_name="maksed.csv", made_at=NOON)) == "maksed.csv"
