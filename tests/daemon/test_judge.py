"""The judgement that taps and marks share: asked of others only where it may refuse, and decided on what was used."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemon.basis import Basis
from daemon.judge import Judge
from daemon.link_watch import LinkWatch
from policy.calendar import Calendar
from policy.model import Card, Credit, Kind, Quota, State, Tap, Usage, Verdict
from policy.reasons import Reason
from policy.rule import parse_rule
from sync.journal import Journal
from sync.servings import Boot
from tests.rig.parts import MONDAY_NOON, open_journal, standing_clock
from tests.rig.told_link import ToldLink

TAP = Tap(bytes(16), "till-1", "canteen", None, b"1234", 0)
CARD = Card("1", "p-1", Kind.PERSONAL, State.ACTIVE)
GIVEN = Basis(
    CARD, parse_rule({"per_day": 1}, service="canteen"), ZoneInfo("Europe/Tallinn"), Calendar(), issued_at=MONDAY_NOON
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give an empty journal."""
    made = open_journal(tmp_path)
    yield made
    made.close()


def judge(journal: Journal, *, link: bool = True) -> Judge:
    """Return a judge of a host with a registry, or of one without."""
    watch = LinkWatch(journal.path.parent, Boot("boot", lambda: 0), 300) if link else None
    return Judge(journal, standing_clock(), watch)


def test_what_was_used_and_the_answer_are_told_together(journal: Journal) -> None:
    """Whoever is refused can be told how often they were served."""
    judged = judge(journal).judged(TAP, GIVEN, lambda _serving, _now: Usage(1, 60.0))
    assert (judged.decision.verdict, judged.decision.reason) == (Verdict.DENY, Reason.ALREADY_TODAY)
    assert judged.usage == Usage(1, 60.0)
    assert judged.serving is not None
    assert judged.serving.holder == "person p-1"


def test_an_unknown_card_used_nothing(journal: Journal) -> None:
    """And is no serving of anybody."""
    judged = judge(journal).judged(TAP, replace(GIVEN, card=None), lambda _serving, _now: Usage(9))
    assert (judged.serving, judged.usage, judged.decision.reason) == (None, Usage(), Reason.UNKNOWN)


@pytest.mark.parametrize("granted", [True, False])
def test_the_registrys_answer_is_the_quota(journal: Journal, granted: bool) -> None:  # noqa: FBT001  the answer itself
    """Free or used up, as it says."""
    with ToldLink(journal.path.parent, claim=lambda _question: {"granted": granted, "served": 0}) as link:
        told = judge(journal).with_quota(TAP, GIVEN)
    assert told.quota is (Quota.FREE if granted else Quota.USED_UP)
    assert len(link.asked) == 1


def test_nobody_is_asked_where_nothing_can_be_used_up(journal: Journal) -> None:
    """No limit, no registry, cards fed by hand, an unknown card: the basis stays as it was."""
    plain = parse_rule({}, service="canteen")
    with ToldLink(journal.path.parent, claim=lambda _question: {"granted": False}) as link:
        for given in (replace(GIVEN, rule=plain), replace(GIVEN, issued_at=None), replace(GIVEN, card=None)):
            assert judge(journal).with_quota(TAP, given) == given
            assert judge(journal).without_asking(TAP, given) == given
        assert judge(journal, link=False).with_quota(TAP, GIVEN) == GIVEN
    assert link.asked == []


def test_without_asking_it_is_as_if_nobody_had_answered(journal: Journal) -> None:
    """For the last of many that wait."""
    with ToldLink(journal.path.parent, claim=lambda _question: {"granted": False}) as link:
        assert judge(journal).without_asking(TAP, GIVEN).quota is Quota.UNKNOWN
    assert link.asked == []


def test_V65_without_a_registry_no_account_is_known(journal: Journal) -> None:
    """A prepaid service that can ask nobody says so; the rule's allowance decides."""
    prepaid = replace(GIVEN, rule=parse_rule({"prepaid": True, "price_cents": 10}, service="copies"), issued_at=None)
    assert judge(journal, link=False).with_quota(TAP, prepaid).credit is Credit.UNKNOWN
