"""Somebody decides what a roster proposed."""

from datetime import date
from typing import Any

import pytest

from registry.models import AuditEntry, LeavingProposal
from registry.people import leavings, rollover
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.rosters import bring, line

pytestmark = pytest.mark.django_db
IT: dict[str, Any] = {"actor": "kantselei", "now": registered.NOON}


@pytest.fixture
def proposal() -> LeavingProposal:
    """Return the leaving that a roster proposes of one of two pupils."""
    school = registered.school(removal_limit_percent=50)
    bring(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b", from_="2026-09-01"))
    bring(school, line(external_id="T-1", class_="7b"))
    (only,) = leavings.waiting(school)
    return only


def test_an_accepted_leaving_ends_the_stay_on_its_day(proposal: LeavingProposal) -> None:
    """Who decided and when is kept; nothing waits any more."""
    decided = leavings.accept(proposal, date(2026, 11, 20), **IT)
    proposal.enrolment.refresh_from_db()
    assert proposal.enrolment.valid_until == date(2026, 11, 20)
    assert (decided.is_accepted, decided.decided_by, decided.decided_at) == (True, "kantselei", registered.NOON)
    assert leavings.waiting(proposal.enrolment.school) == []


def test_a_declined_leaving_lets_the_stay_go_on(proposal: LeavingProposal) -> None:
    """The roster was wrong."""
    leavings.decline(proposal, **IT)
    proposal.enrolment.refresh_from_db()
    assert proposal.enrolment.valid_until is None


def test_a_leaving_is_decided_once(proposal: LeavingProposal) -> None:
    """The second decision is refused, whatever it is."""
    leavings.decline(proposal, **IT)
    with pytest.raises(Refused) as refused:
        leavings.accept(proposal, date(2026, 11, 20), **IT)
    assert refused.value.code == "decided_already"


def test_a_day_before_the_stay_is_refused_and_decides_nothing(proposal: LeavingProposal) -> None:
    """The proposal still waits."""
    with pytest.raises(Refused):
        leavings.accept(proposal, date(2026, 8, 1), **IT)
    assert leavings.waiting(proposal.enrolment.school) == [proposal]


def test_an_accepted_leaving_ends_next_years_class_too(proposal: LeavingProposal) -> None:
    """Rolled over before somebody decided: the pupil does not come back in September."""
    school, person = proposal.enrolment.school, proposal.enrolment.person
    rollover.apply(rollover.plan(school, date(2027, 9, 1), **IT), **IT)
    leavings.accept(proposal, date(2026, 11, 20), **IT)
    assert [stay.valid_until for stay in person.enrolments.all()] == [date(2026, 11, 20)]


def test_a_withdrawn_proposal_is_audited(proposal: LeavingProposal) -> None:
    """It is told from one that somebody declined."""
    leavings.withdraw(proposal, **IT)
    assert AuditEntry.objects.filter(action="leaving withdrawn").count() == 1
    assert leavings.waiting(proposal.enrolment.school) == []
