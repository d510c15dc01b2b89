"""A school's file in the tables; the two schools of DOMAIN.md among them, with the cards that the host's samples know."""

from datetime import date
from typing import Any

import pytest

from policy.calendar import DayType
from policy.decide import decide
from policy.model import Card as HostCard
from policy.model import Circumstances, Direction, Kind, State, Tap, Usage, Verdict
from policy.rule import parse_rule
from registry import samples
from registry.cards import substitutes
from registry.models import Card, CardKind, CardState, Host, Loan, PublishedRow, School, Service
from registry.refusal import Refused
from registry.rules import rules
from registry.schools import school_file, school_load
from sync.wire.card_key import SiteKey
from tests.rig import registered
from tests.rig.published_card import told_row

pytestmark = pytest.mark.django_db
NOW = registered.NOON
IT: dict[str, Any] = {"actor": "it", "now": NOW}


def card_at_hosts(school: School, uid: str) -> HostCard:
    """Return a card as hosts of the school hold it, by the UID that its chip sends."""
    key = SiteKey(bytes(school.site_key)).card_key(bytes.fromhex(uid)).hex()
    card, person, kind, state, first, last, groups = told_row(school=school, key=key)
    assert card is not None
    valid_from, valid_until = (date.fromisoformat(day) if day else None for day in (first, last))
    in_groups = frozenset(filter(None, (groups or "").split(";")))
    return HostCard(card, person, Kind(kind or ""), State(state or ""), valid_from, valid_until, in_groups)


def verdict(
    school: School, uid: str, service: str, served_today: int = 0, direction: Direction | None = None
) -> Verdict:
    """Decide a tap as a host of the school would, on a school day's noon."""
    held = rules.in_force(Service.objects.get(school=school, code=service))
    assert held is not None
    tap = Tap(bytes(16), "reader", service, direction, bytes.fromhex(uid), 0)
    noon = Circumstances(NOW, NOW.date(), DayType.SCHOOL_DAY)
    rule = parse_rule(held.table, service=service)
    return decide(
        tap, card_at_hosts(school, uid), rule, Usage(served_today, 7200.0 if served_today else None), noon
    ).verdict


def test_THG_as_an_example() -> None:
    """The cards of the host's samples mean the same here; entitlements are those of DOMAIN.md §3."""
    thg, _viimsi = samples.load(NOW)
    grant, deny, ask = Verdict.GRANT, Verdict.DENY, Verdict.ASK
    for good in ("EBF2CE70", "04A1B2C3D4E5F6"):
        assert [verdict(thg, good, "door", direction=Direction.IN), verdict(thg, good, "library")] == [grant, grant]
        assert [verdict(thg, good, "canteen"), verdict(thg, good, "canteen", 1)] == [grant, grant]
    for service in ("canteen", "library"):
        assert verdict(thg, "5A17C3E2", service) is deny  # T24: a closed card works nowhere
        assert verdict(thg, "3C44D1A0", service) is deny  # V3.4.1b: left
    assert card_at_hosts(thg, "3C44D1A0").state is State.LEFT
    substitute = "77E01B2D"
    assert verdict(thg, substitute, "door", direction=Direction.IN) is grant  # T27
    assert [verdict(thg, substitute, "canteen", served) for served in (0, 1)] == [grant, deny]  # T28
    assert verdict(thg, substitute, "library") is deny
    assert verdict(thg, "6611AA03", "canteen") is ask  # trap 10
    assert verdict(thg, "6611AA03", "door", direction=Direction.IN) is deny
    assert Loan.objects.get().person.external_id == "T-1003"
    assert not Card.objects.filter(school=thg).exclude(valid_until=None).exists()  # THG states no years


def test_Viimsi_as_an_example() -> None:
    """Three school years counted from August, ending on 31 December; what has run out works nowhere; no door, no substitutes."""
    _thg, viimsi = samples.load(NOW)
    ends = dict(Card.objects.filter(school=viimsi).values_list("number", "valid_until"))
    assert ends == {
        "VK-0001": date(2027, 12, 31),
        "VK-0002": date(2025, 12, 31),
        "VK-0003": date(2027, 5, 31),
        "VK-0004": date(2029, 12, 31),
    }
    services = ("canteen", "library", "cloakroom", "copies")
    assert {verdict(viimsi, "1B2C3D4E", service) for service in services} == {Verdict.GRANT}
    assert {verdict(viimsi, "04BB10203040F0", service) for service in services} == {Verdict.DENY}
    assert not PublishedRow.objects.filter(row__0=str(Card.objects.get(number="VK-0004").pk)).exists()


def test_loading_again_changes_nothing() -> None:
    """Neither rows nor rules nor what hosts hold; a pupil who was lent the card keeps it."""
    samples.load(NOW)
    versions = [school.state.version for school in School.objects.order_by("pk")]
    parsed = school_file.parse((samples.FOLDER / "thg.toml").read_text(encoding="utf-8"))
    loaded = school_load.load(parsed, **IT)
    assert (loaded.is_new, loaded.changes) == (False, 0)
    assert [school.state.version for school in School.objects.order_by("pk")] == versions


def test_a_file_that_is_silent_of_a_card_closes_none() -> None:
    """Only what it says is brought about: a new name, a new rule, a desk."""
    samples.load(NOW)
    text = """
    [school]
    code = "thg"
    name = "THG"
    [[service]]
    code = "library"
    name = "Raamatukogu"
    rule = { kinds = ["personal", "substitute"] }
    [[host]]
    name = "thg-library"
    is_desk = true
    """
    loaded = school_load.load(school_file.parse(text), **IT)
    assert (loaded.school.name, loaded.changes) == ("THG", 0)
    assert Card.objects.filter(school=loaded.school, state=CardState.ACTIVE).count() == 4
    assert verdict(loaded.school, "77E01B2D", "library") is Verdict.GRANT
    assert Host.objects.get(name="thg-library").is_desk


def test_T33_a_changed_longest_loan_is_in_the_rows_that_hosts_hold() -> None:
    """A substitute that is lent ends a day later or earlier from then on, as when the office changes it."""
    school = registered.school("thg", max_loan_days=1)
    card = registered.card(school, kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=b"\x11\x22\x33\x44")
    substitutes.lend(card, registered.person(school), actor="valvur", now=NOW)
    assert told_row(card=card)[5] == "2026-11-23"
    text = '[school]\ncode = "thg"\nname = "THG"\nmax_loan_days = 3\ntimezone = "Pacific/Auckland"\n'
    school_load.load(school_file.parse(text), **IT)
    assert told_row(card=card)[5] == "2026-11-25"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[[host]]\nname = "thg-door"\n', "other_school"),
        (
            '[[card]]\nnumber = "N-1"\nkind = "substitute"\nproduct = "none"\n',
            "bad_row",
        ),
    ],
)
def test_a_file_that_contradicts_what_is_known_changes_nothing(text: str, code: str) -> None:
    """Not even the school of which it speaks is made."""
    samples.load(NOW)
    parsed = school_file.parse(f'[school]\ncode = "other"\nname = "Other"\n{text}')
    with pytest.raises(Refused) as refused:
        school_load.load(parsed, **IT)
    assert refused.value.code == code
    assert not School.objects.filter(code="other").exists()
