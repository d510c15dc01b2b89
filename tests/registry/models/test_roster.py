"""Rosters, proposed leavings, rollovers: what the tables themselves refuse."""

import pytest

from registry.models import Enrolment, LeavingProposal, RosterImport
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_proposed_leaving_is_undecided_and_ends_no_stay() -> None:
    """Absence proposes, a person decides (DOMAIN.md, trap 7)."""
    school = registered.school()
    stay = Enrolment.objects.get(person=registered.person(school))
    roster = RosterImport.objects.create(school=school, file_name="a.csv", made_at=registered.NOON, made_by="it")
    proposal = LeavingProposal.objects.create(enrolment=stay, roster=roster, proposed_at=registered.NOON)
    assert proposal.is_accepted is None
    stay.refresh_from_db()
    assert stay.valid_until is None
