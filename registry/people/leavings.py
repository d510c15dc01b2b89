"""Leavings that a roster proposed: somebody accepts them with a last day, or declines them; a roster alone ends no stay (trap 7)."""

from datetime import date, datetime

from django.utils.translation import gettext as _

from registry import audit
from registry.models import LeavingProposal, School
from registry.people import enrolments
from registry.refusal import Refused
from registry.transactions import deed


def waiting(school: School) -> list[LeavingProposal]:
    """Return what is to be decided at a school, by class and name."""
    proposals = LeavingProposal.objects.filter(enrolment__school=school, decided_at=None)
    return list(
        proposals.select_related("enrolment__person", "roster").order_by(
            "enrolment__class_name", "enrolment__person__family_name", "enrolment__person__given_name", "pk"
        )
    )


@deed
def accept(proposal: LeavingProposal, last_day: date, *, actor: str, now: datetime) -> LeavingProposal:
    """Let the stay end on a day, which still counts. Raises Refused when it was decided, or the day lies before the stay."""
    held = _undecided(proposal)
    enrolments.leave(held.enrolment, last_day, actor=actor, now=now)
    return _decide(held, is_accepted=True, actor=actor, now=now)


@deed
def decline(proposal: LeavingProposal, *, actor: str, now: datetime) -> LeavingProposal:
    """Let the stay go on. Raises Refused when it was decided already."""
    return _decide(_undecided(proposal), is_accepted=False, actor=actor, now=now)


@deed
def withdraw(proposal: LeavingProposal, *, actor: str, now: datetime) -> LeavingProposal:
    """Take a proposal back since a later roster has the person. Raises Refused when it was decided already."""
    return _decide(_undecided(proposal), is_accepted=False, actor=actor, now=now, action="leaving withdrawn")


def _undecided(proposal: LeavingProposal) -> LeavingProposal:
    proposals = LeavingProposal.objects.select_for_update(of=("self",)).select_related(
        "enrolment__person", "enrolment__school"
    )
    held = proposals.get(pk=proposal.pk)
    if held.decided_at is not None:
        where = _("person %(person)s") % {"person": held.enrolment.person.external_id}
        found = _("accepted") if held.is_accepted else _("declined")
        raise Refused("decided_already", where, found, _("a leaving that is yet to be decided"))
    return held


def _decide(
    proposal: LeavingProposal, *, is_accepted: bool, actor: str, now: datetime, action: str = ""
) -> LeavingProposal:
    proposal.decided_at, proposal.decided_by, proposal.is_accepted = now, actor, is_accepted
    proposal.save(update_fields=["decided_at", "decided_by", "is_accepted"])
    audit.record(
        actor,
        action or ("leaving accepted" if is_accepted else "leaving declined"),
        proposal.enrolment.school,
        proposal,
        at=now,
        person=proposal.enrolment.person.external_id,
    )
    return proposal
