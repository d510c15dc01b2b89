"""The versions of a service's rule."""

import pytest

from policy.fault import Faulty
from registry.models import AuditEntry, PublishedRow, RuleVersion, School, Service
from registry.publishing import changes
from registry.refusal import Refused
from registry.rules import rules
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_a_draft_is_published_to_hosts(school: School, canteen: Service) -> None:
    """Before it is, nobody is told of it; both acts are audited."""
    draft = rules.draft(canteen, {"kinds": ["personal"], "per_day": 1}, actor="it", now=NOON)
    assert rules.in_force(canteen) is None
    rules.publish(draft, actor="it", now=NOON)
    assert rules.in_force(canteen) == draft
    row = PublishedRow.objects.get(school=school, key="rules").row
    assert row == {"canteen": {"kinds": ["personal"], "per_day": 1}}
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "rule drafted",
        "rule published",
    ]


def test_faults_are_told_by_key_and_nothing_is_kept(canteen: Service) -> None:
    """All at once, as in a host's file."""
    with pytest.raises(Faulty) as faulty:
        rules.draft(canteen, {"per_day": -1, "hour": {}, "kinds": ["teacher"]}, actor="it", now=NOON)
    assert {fault.path for fault in faulty.value.faults} == {("per_day",), ("hour",), ("kinds", 0)}
    with pytest.raises(Faulty):
        rules.draft(canteen, ["per_day"], actor="it", now=NOON)
    assert not RuleVersion.objects.exists()


def test_a_published_version_never_changes(canteen: Service) -> None:
    """It is not published twice, and one that was overtaken not at all; drafts are numbered on."""
    first, second = (rules.draft(canteen, {"per_day": day}, actor="it", now=NOON) for day in (1, 2))
    assert (first.number, second.number) == (1, 2)
    rules.publish(second, actor="it", now=NOON)
    for late, code in ((first, "overtaken"), (second, "already_published")):
        with pytest.raises(Refused) as refused:
            rules.publish(late, actor="it", now=NOON)
        assert refused.value.code == code
    held = rules.in_force(canteen)
    assert held is not None
    assert held.table == {"per_day": 2}


def test_a_preview_counts_the_cards_that_it_would_let_in_or_keep_out(school: School, canteen: Service) -> None:
    """Of those in use; and tells what the rule says anew."""
    uids = iter((0x10000000 + n).to_bytes(4, "big") for n in range(9))
    for name in ("7a", "7b", "8c"):
        registered.card(school, person=registered.person(school, name), uid=next(uids))
    registered.card(school, kind="staff", person=registered.person(school, ""), uid=next(uids))
    registered.card(school, person=registered.person(school), uid=next(uids), state="closed")
    changes.refresh(school, now=lambda: NOON)
    rules.publish(rules.draft(canteen, {"kinds": ["personal"]}, actor="it", now=NOON), actor="it", now=NOON)
    seen = rules.preview(
        rules.draft(canteen, {"kinds": ["personal", "staff"], "groups": ["grade-7", "pupil"]}, actor="it", now=NOON)
    )
    assert (seen.admitted, seen.refused) == ({"staff": 1}, {})
    narrow = rules.draft(canteen, {"kinds": ["staff"], "groups": ["8c"]}, actor="it", now=NOON)
    assert rules.preview(narrow).refused == {"personal": 3}
    assert str(rules.preview(narrow)).splitlines() == [
        '+ groups = ["8c"]',
        '- kinds = ["personal"]',
        '+ kinds = ["staff"]',
    ]
