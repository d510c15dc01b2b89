"""What a tap is decided on: whose rule, whose calendar, and the card as facts have it."""

from datetime import date
from zoneinfo import ZoneInfo

from daemon.basis import basis
from daemon.tap_way import Settings
from policy.calendar import Calendar, DayType
from policy.model import Card, Kind, State
from policy.rule import parse_rule
from sync.cache_file import CacheInfo, Gathered
from sync.documents import Documents
from sync.facts import Facts
from tests.rig.parts import MONDAY_NOON

CARD = Card("c-2", None, Kind.SUBSTITUTE, State.POOL)
LOCAL = Settings(
    zone=ZoneInfo("Europe/Tallinn"),
    calendar=Calendar(),
    rules={"door": parse_rule({"kinds": ["staff"]}, service="door")},
    outputs={},
    pulses_s={},
)
INFO = CacheInfo("cache-1.db", 1, 1, MONDAY_NOON, 0, "", generation=1)
PUBLISHED = Documents(
    rules={"door": parse_rule({}, service="door")},
    calendar=Calendar(special_days=((date(2026, 12, 19), DayType.SCHOOL_DAY),)),
    zone=ZoneInfo("Europe/Riga"),
)


def test_a_host_without_a_registry_goes_by_its_own_file() -> None:
    """Rule, zone and calendar are the file's; what was fed by hand has no age."""
    given = basis(Gathered(CARD, INFO, None), "door", LOCAL, Facts())
    assert (given.card, given.rule, given.zone, given.calendar) == (
        CARD,
        LOCAL.rules["door"],
        LOCAL.zone,
        LOCAL.calendar,
    )
    assert given.issued_at is None


def test_the_registry_goes_before_the_hosts_file() -> None:
    """From the first snapshot on its rules, calendar and zone serve."""
    given = basis(Gathered(CARD, INFO, PUBLISHED), "door", LOCAL, Facts())
    assert (given.rule, given.zone, given.calendar) == (PUBLISHED.rules["door"], PUBLISHED.zone, PUBLISHED.calendar)
    assert given.issued_at == MONDAY_NOON


def test_where_the_registry_says_nothing_the_hosts_file_speaks() -> None:
    """A service without a published rule, and a calendar that could not be read, leave the host's own."""
    given = basis(Gathered(CARD, INFO, Documents()), "door", LOCAL, Facts())
    assert (given.rule, given.zone, given.calendar) == (LOCAL.rules["door"], LOCAL.zone, LOCAL.calendar)


def test_the_card_is_as_the_facts_have_it() -> None:
    """A substitute that was lent here is its person's, whatever row is held."""
    facts = Facts()
    lent = {"act": "lend", "card": "c-2", "person": "p-1"}
    facts.add(
        1,
        {
            "host": "trial",
            "epoch": 1,
            "seq": 1,
            "tap_id": "00" * 16,
            "time": "2026-11-23T10:00:00.000Z",
            "fact": lent,
        },
    )
    for documents in (None, PUBLISHED):
        card = basis(Gathered(CARD, INFO, documents), "door", LOCAL, facts).card
        assert card is not None
        assert (card.state, card.person) == (State.ACTIVE, "p-1")
