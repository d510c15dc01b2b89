"""DOMAIN.md line by line, through the shipped schools: the registry's tables, what it publishes, the host's cache, the decision.

Each line of §1 whose class names the reader host (a), each row of §3 and each trap that a host must mind is a test by its number.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from policy.model import Decision, Verdict
from policy.reasons import Flag, Reason
from registry.cards import entering, substitutes, transitions
from registry.ledger import accounts, booking
from registry.models import AccountKind, Card, CardKind, CardState, Enrolment, Loan, Service
from registry.people import enrolments
from registry.rules import rules
from tests.rig.shipped_school import TALLINN, ShippedSchool, shipped_school
from tests.simulation.registry_end import ACTOR

pytestmark = pytest.mark.django_db

E_CARD, CLOSED, LEFT, LENT, POOL, STAFF = "THG-0001", "THG-0003", "THG-0004", "THG-S01", "THG-S02", "THG-T01"
EESTI, RUN_OUT, SEB, ARRIVED = "VK-0001", "VK-0002", "VK-0003", "VK-0004"
MONDAY = datetime(2026, 11, 23, 12, tzinfo=TALLINN)
NO_CARD = bytes.fromhex("04999999999999")


@pytest.fixture
def thg(tmp_path: Path) -> Iterator[ShippedSchool]:
    """Tallinna Humanitaargümnaasium on a Monday at noon."""
    with shipped_school(tmp_path, "thg", MONDAY) as school:
        yield school


@pytest.fixture
def viimsi(tmp_path: Path) -> Iterator[ShippedSchool]:
    """Viimsi Kool on a Monday at noon."""
    with shipped_school(tmp_path, "viimsi", MONDAY) as school:
        yield school


def told(decision: Decision) -> tuple[str, str]:
    """Return verdict and reason."""
    return str(decision.verdict), str(decision.reason)


YES = ("grant", "ok")


# §1, THG


def test_T9_the_card_opens_the_door_on_entry_and_exit(thg: ShippedSchool) -> None:
    """Sisenemisel ja väljumisel ukse avamiseks."""
    assert told(thg.tap(E_CARD, "door", "in")) == YES
    assert told(thg.tap(E_CARD, "door", "out")) == YES


def test_T10_the_card_establishes_the_right_to_lunch(thg: ShippedSchool) -> None:
    """Koolilõuna õiguse tuvastamiseks: the pupil's own is a yes, a teacher's card is none."""
    assert told(thg.tap(E_CARD, "canteen")) == YES
    assert told(thg.tap(STAFF, "canteen")) == ("deny", "not_admitted")


def test_T11_the_card_identifies_the_person_in_the_library(thg: ShippedSchool) -> None:
    """Raamatukogus isiku tuvastamiseks: the event names the person."""
    assert told(thg.tap(E_CARD, "library")) == YES
    assert thg.host.last_event()["person"] == str(thg.person("T-1001").pk)


def test_T18_T24_a_lost_card_that_is_closed_works_nowhere(thg: ShippedSchool) -> None:
    """The IT worker closes it; from then on no service takes it."""
    transitions.close(thg.card(E_CARD), "lost", **thg.act(roles=["it"]))
    thg.sync()
    for service in ("door", "canteen", "library"):
        direction = "in" if service == "door" else None
        assert told(thg.tap(E_CARD, service, direction)) == ("deny", "closed")


def test_T25_T26_what_the_guard_lends_works_at_once(thg: ShippedSchool) -> None:
    """From the pool into a pupil's hand: the next tap is the pupil's."""
    transitions.close(thg.card("THG-0002"), "lost", **thg.act())
    substitutes.lend(thg.card(POOL), thg.person("T-1002"), **thg.act())
    thg.sync()
    assert told(thg.tap(POOL, "door", "in")) == YES
    assert thg.host.last_event()["person"] == str(thg.person("T-1002").pk)


def test_T27_the_substitute_lets_the_pupil_in_and_out(thg: ShippedSchool) -> None:
    """Both ways, as one's own card does."""
    assert told(thg.tap(LENT, "door", "in")) == YES
    assert told(thg.tap(LENT, "door", "out")) == YES


def test_T28_the_substitute_lunches_once_a_day(thg: ShippedSchool) -> None:
    """1 kord päevas lõunatada: once today, once tomorrow; an own card has no limit unless the school sets one."""
    assert [told(thg.tap(LENT, "canteen")) for _ in range(2)] == [YES, ("deny", "already_today")]
    assert [told(thg.tap(E_CARD, "canteen")) for _ in range(2)] == [YES, YES]
    thg.go_to(2026, 11, 24, 12)
    assert told(thg.tap(LENT, "canteen")) == YES


def test_T29_T30_a_lost_substitute_is_closed_and_its_duplicate_begins_anew(thg: ShippedSchool) -> None:
    """The lost one works nowhere; the duplicate is of the pool when it has arrived."""
    substitutes.declare_lost(thg.card(LENT), **thg.act())
    duplicate = Card.objects.get(replaces=thg.card(LENT))
    transitions.assign_uid(duplicate, bytes.fromhex("0477889900AABB"), **thg.act())
    transitions.mark_arrived(duplicate, **thg.act())
    thg.sync()
    assert told(thg.tap(LENT, "canteen")) == ("deny", "closed")
    assert told(thg.tap(duplicate.number, "canteen")) == ("ask", "pool_card_not_lent")


def test_T33_a_returned_substitute_is_nobodys(thg: ShippedSchool) -> None:
    """Given back at the office: at the door it is refused, at the till asked about."""
    substitutes.take_back(thg.card(LENT), **thg.act())
    thg.sync()
    assert told(thg.tap(LENT, "door", "in")) == ("deny", "pool_card_not_lent")
    assert told(thg.tap(LENT, "canteen")) == ("ask", "pool_card_not_lent")


# §1, Viimsi


def test_V1_4_the_chip_serves_library_canteen_cloakroom(viimsi: ShippedSchool) -> None:
    """Every valid card, whoever made it: the school's own and the bank's."""
    for card in (EESTI, SEB):
        for service in ("library", "canteen", "cloakroom"):
            assert told(viimsi.tap(card, service)) == YES


def test_V2_3_a_card_works_when_the_school_has_activated_it(viimsi: ShippedSchool) -> None:
    """Arrived is not activated; hosts do not even know the card before."""
    assert told(viimsi.tap(ARRIVED, "canteen")) == ("deny", "unknown")
    transitions.activate(viimsi.card(ARRIVED), **viimsi.act())
    viimsi.sync()
    assert told(viimsi.tap(ARRIVED, "canteen")) == YES


def test_V3_1_1a_V3_4_1a_three_school_years_counted_from_august(viimsi: ShippedSchool) -> None:
    """Ordered on 12 August 2024: valid through 31 December 2027, and not a day longer."""
    assert viimsi.card(EESTI).valid_until == date(2027, 12, 31)
    viimsi.go_to(2027, 12, 31, 12)
    assert told(viimsi.tap(EESTI, "library")) == YES
    viimsi.go_to(2028, 1, 1, 12)
    assert told(viimsi.tap(EESTI, "library")) == ("deny", "expired")


def test_V3_3_1_the_banks_earlier_day_holds(viimsi: ShippedSchool) -> None:
    """A bank card's validity is the bank's: it ends on 31 May 2027, before its three years are over."""
    viimsi.go_to(2027, 5, 31, 12)
    assert told(viimsi.tap(SEB, "canteen")) == YES
    viimsi.go_to(2027, 6, 1, 12)
    assert told(viimsi.tap(SEB, "canteen")) == ("deny", "expired")


def test_V3_4_1b_on_leaving_the_card_loses_validity(viimsi: ShippedSchool) -> None:
    """The leaving date is inclusive; the day after, the card is one of somebody who left."""
    stay = Enrolment.objects.get(person=viimsi.person("V-2001"))
    enrolments.leave(stay, date(2026, 11, 24), **viimsi.act())
    viimsi.go_to(2026, 11, 24, 12)
    assert told(viimsi.tap(EESTI, "canteen")) == YES
    viimsi.go_to(2026, 11, 25, 12)
    assert told(viimsi.tap(EESTI, "canteen")) == ("deny", "left")


def test_V3_4_2_a_replacement_inherits_and_an_extension_begins_anew(viimsi: ShippedSchool) -> None:
    """Asenduspilet and pikenduskaart: the one ends with the first card, the other counts from its own order."""
    ends: dict[str, date | None] = {}
    for succession, card, because in (("replacement", EESTI, "lost"), ("extension", SEB, "renewed")):
        new = entering.NewCard(number=f"VK-{succession}", uid=succession.encode()[:7], ordered_on=date(2026, 11, 20))
        eesti = viimsi.card(EESTI).product
        new = entering.NewCard(number=new.number, uid=new.uid, ordered_on=new.ordered_on, product=eesti)
        made = entering.succeed(viimsi.card(card), new, succession, because, **viimsi.act())
        transitions.activate(made, **viimsi.act())
        ends[succession] = viimsi.card(new.number).valid_until
    viimsi.sync()
    assert ends == {"replacement": date(2027, 12, 31), "extension": date(2029, 12, 31)}
    assert told(viimsi.tap("VK-replacement", "canteen")) == YES
    assert told(viimsi.tap(EESTI, "canteen")) == ("deny", "closed")


def test_V4_1_1_a_stolen_card_is_declared_invalid(viimsi: ShippedSchool) -> None:
    """The office is told: electronic use is impossible from then on."""
    transitions.close(viimsi.card(EESTI), "stolen", **viimsi.act(roles=["secretary"]))
    viimsi.sync()
    assert told(viimsi.tap(EESTI, "cloakroom")) == ("deny", "closed")


def test_V5_3_an_expired_card_is_invalid_by_itself(viimsi: ShippedSchool) -> None:
    """Nobody closed it: it ran out on 31 December 2025, also at a host that has heard nothing since."""
    assert told(viimsi.tap(RUN_OUT, "canteen")) == ("deny", "expired")


def test_V6_4_lunch_library_and_cloakroom_are_what_the_card_is_for(viimsi: ShippedSchool) -> None:
    """Viimsi has no door: a reader of one would let nobody in by this school's rules."""
    codes = set(Service.objects.filter(school=viimsi.registry.school).values_list("code", flat=True))
    assert {"canteen", "library", "cloakroom", "copies"} == codes
    assert told(viimsi.tap(EESTI, "door", "in")) == ("deny", "not_admitted")


def test_V6_5_copies_are_deducted_by_the_price_of_what_was_used(viimsi: ShippedSchool) -> None:
    """Prepaid at the operating company: five cents a copy, booked once when the event has come."""
    _pays_in(viimsi, 20)
    assert told(viimsi.tap(EESTI, "copies")) == YES
    assert viimsi.host.last_event()["price_cents"] == 5
    viimsi.sync()
    viimsi.sync()
    account = accounts.found(viimsi.registry.school, viimsi.person("V-2001"))
    assert account is not None
    assert accounts.balance_cents(account) == 15


def test_V6_5_a_host_that_is_cut_off_lends_its_own_allowance(viimsi: ShippedSchool) -> None:
    """A euro a day and machine, said in the event: twenty copies of five cents."""
    viimsi.network.silence("registry")
    answers = [viimsi.tap(EESTI, "copies") for _ in range(21)]
    assert all(Flag.CHARGED_OFFLINE in each.flags for each in answers[:20])
    assert told(answers[20]) == ("deny", "quota_unknown")


def _pays_in(school: ShippedSchool, cents: int) -> None:
    order = booking.Order(cents, f"slip {cents}", school.time().date(), ACTOR, school.time())
    booking.top_up(school.registry.school, school.person("V-2001"), order, AccountKind.CASH)


# §3, row by row: door in and out, lunch, library, cloakroom


def _row(school: ShippedSchool, card: str | bytes, services: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for service in services:
        for direction in ("in", "out") if service == "door" else (None,):
            uid = bytes(school.card(card).uid or b"") if isinstance(card, str) else card
            decision = school.tap_uid(uid, service, direction)
            flagged = "+flag" if Flag.EXIT_GRANTED in decision.flags else ""
            found.append(("yes" if decision.verdict is Verdict.GRANT else "no") + flagged)
    return found


THG_SERVICES = ("door", "canteen", "library")
VIIMSI_SERVICES = ("canteen", "library", "cloakroom")


def test_row_thg_e_card_active(thg: ShippedSchool) -> None:
    """Door both ways, lunch, library."""
    assert _row(thg, E_CARD, THG_SERVICES) == ["yes", "yes", "yes", "yes"]


def test_row_thg_substitute_lent(thg: ShippedSchool) -> None:
    """Door both ways, lunch once a day, no books."""
    assert _row(thg, LENT, THG_SERVICES) == ["yes", "yes", "yes", "no"]
    assert told(thg.tap(LENT, "canteen")) == ("deny", "already_today")


def test_row_viimsi_cards_active(viimsi: ShippedSchool) -> None:
    """Eesti, ISIC and SEB alike: lunch, library, cloakroom."""
    for card in (EESTI, SEB):
        assert _row(viimsi, card, VIIMSI_SERVICES) == ["yes", "yes", "yes"]


def test_row_viimsi_copies_if_prepaid(viimsi: ShippedSchool) -> None:
    """A card alone copies nothing; with money on the account it does, and no further than that."""
    assert told(viimsi.tap(EESTI, "copies")) == ("deny", "no_credit")
    _pays_in(viimsi, 10)
    assert [told(viimsi.tap(EESTI, "copies")) for _ in range(3)] == [YES, YES, ("deny", "no_credit")]


def test_row_no_valid_card(thg: ShippedSchool, viimsi: ShippedSchool) -> None:
    """Closed, expired, left, not activated, unknown: nothing, but the way out, which is granted and flagged."""
    nothing = ["no", "yes+flag", "no", "no"]
    for card in (CLOSED, LEFT, NO_CARD):
        assert _row(thg, card, THG_SERVICES) == nothing
    for card in (RUN_OUT, ARRIVED, NO_CARD):
        assert _row(viimsi, card, VIIMSI_SERVICES) == ["no", "no", "no"]


# The traps that a host must mind


def test_trap_1_a_substitute_and_a_replacement_are_two_things(thg: ShippedSchool) -> None:
    """The lent card goes back into the pool and is somebody else's tomorrow; a replacement is its person's for good."""
    new = entering.NewCard(number="THG-0003-2", uid=bytes.fromhex("045A17C3E20001"))
    replacement = entering.succeed(thg.card(CLOSED), new, "replacement", "lost", **thg.act())
    transitions.activate(replacement, **thg.act())
    substitutes.take_back(thg.card(LENT), **thg.act())
    thg.sync()
    assert told(thg.tap("THG-0003-2", "library")) == YES
    assert told(thg.tap(LENT, "library")) == ("deny", "pool_card_not_lent")
    assert thg.card("THG-0003-2").kind == CardKind.PERSONAL


def test_trap_2_a_person_has_one_lunch_over_all_cards(thg: ShippedSchool) -> None:
    """The own card is found while a substitute is lent: where all cards are limited, the two are one lunch."""
    service = Service.objects.get(school=thg.registry.school, code="canteen")
    draft = rules.draft(service, {"kinds": ["personal", "substitute"], "per_day": 1}, **thg.act())
    rules.publish(draft, **thg.act())
    transitions.reopen(thg.card(CLOSED), **thg.act())
    thg.sync()
    assert told(thg.tap(LENT, "canteen")) == YES
    assert told(thg.tap(CLOSED, "canteen")) == ("deny", "already_today")


def test_trap_2_a_second_borrower_of_the_same_day_eats_too(thg: ShippedSchool) -> None:
    """A limit on a substitute counts per loan."""
    assert told(thg.tap(LENT, "canteen")) == YES
    substitutes.take_back(thg.card(LENT), **thg.act())
    substitutes.lend(thg.card(LENT), thg.person("T-1002"), **thg.act())
    thg.sync()
    assert told(thg.tap(LENT, "canteen")) == YES
    assert told(thg.tap(LENT, "canteen")) == ("deny", "already_today")


def test_trap_4_services_are_the_schools_configuration(thg: ShippedSchool, viimsi: ShippedSchool) -> None:
    """THG has a door and no cloakroom, Viimsi a cloakroom and no door: the other's is closed to everybody."""
    assert told(thg.tap(E_CARD, "cloakroom")) == ("deny", "not_admitted")
    assert told(viimsi.tap(EESTI, "cloakroom")) == YES
    assert told(viimsi.tap(EESTI, "door", "in")) == ("deny", "not_admitted")


def test_trap_5_the_host_honours_the_leaving_date_without_being_told_again(viimsi: ShippedSchool) -> None:
    """The date was published while it lay ahead; then the network went: the last day works, the next does not."""
    stay = Enrolment.objects.get(person=viimsi.person("V-2001"))
    enrolments.leave(stay, date(2026, 11, 24), **viimsi.act())
    viimsi.sync()
    viimsi.time.go_to(viimsi.time() + timedelta(days=1))
    assert told(viimsi.tap(EESTI, "canteen")) == YES
    viimsi.time.go_to(viimsi.time() + timedelta(days=1))
    assert told(viimsi.tap(EESTI, "canteen"))[0] == "deny"


def test_trap_6_no_card_dies_on_31_july(viimsi: ShippedSchool) -> None:
    """A card in its last autumn feeds its pupil on 1 September: the end is the school's day, 31 December."""
    viimsi.go_to(2027, 9, 1, 12)
    assert told(viimsi.tap(EESTI, "canteen")) == YES


def test_trap_8_exit_is_granted_and_flagged(thg: ShippedSchool) -> None:
    """Whoever would be refused is let out, and it is no serving of anything."""
    decision = thg.tap(CLOSED, "door", "out")
    assert (decision.verdict, decision.reason, decision.flags[0]) == (Verdict.GRANT, Reason.CLOSED, Flag.EXIT_GRANTED)
    assert thg.host.last_event()["holder"] is None


def test_trap_9_no_pupil_is_without_a_card_for_a_defect(viimsi: ShippedSchool) -> None:
    """The old card works until the act that activates the new one."""
    new = entering.NewCard(number="VK-0001-2", uid=bytes.fromhex("041B2C3D4E0001"))
    made = entering.succeed(viimsi.card(EESTI), new, "replacement", "unusable", **viimsi.act())
    viimsi.sync()
    assert told(viimsi.tap(EESTI, "library")) == YES
    transitions.activate(made, **viimsi.act())
    viimsi.sync()
    assert told(viimsi.tap(EESTI, "library")) == ("deny", "closed")
    assert told(viimsi.tap("VK-0001-2", "library")) == YES


def test_trap_10_a_substitute_that_nobody_lent_makes_the_till_ask(thg: ShippedSchool) -> None:
    """The guard wrote on paper: the worker picks the pupil, who eats; a provisional loan awaits the guard at the registry."""
    assert told(thg.tap(POOL, "canteen")) == ("ask", "pool_card_not_lent")
    asked = str(thg.host.last_event()["tap_id"])
    pupil = str(thg.person("T-1002").pk)
    answer = thg.host.note(act="serve", service="canteen", person=pupil, how="hand", asked=asked)
    assert "noted" in answer
    assert told(thg.tap(POOL, "door", "in")) == YES  # lent from now on, at this host at once
    assert told(thg.tap(POOL, "canteen")) == ("deny", "already_today")
    thg.sync()
    loan = Loan.objects.get(card=thg.card(POOL), ended_at=None)
    assert (loan.is_provisional, loan.person_id) == (True, thg.person("T-1002").pk)


def test_trap_10_at_a_door_it_is_refused(thg: ShippedSchool) -> None:
    """By this school's rule, which says nothing of pool cards at its door."""
    assert told(thg.tap(POOL, "door", "in")) == ("deny", "pool_card_not_lent")


def test_trap_11_facts_are_born_on_hosts(thg: ShippedSchool) -> None:
    """A loss told at a desk while the registry is away closes the card here at once, and there when it is back."""
    thg.network.silence("registry")
    card = str(thg.card(E_CARD).pk)
    assert "noted" in thg.host.note(act="lost", card=card, person=None)
    assert told(thg.tap(E_CARD, "door", "in")) == ("deny", "closed")
    assert thg.card(E_CARD).state == CardState.ACTIVE
    thg.network.wake("registry")
    thg.sync()
    assert thg.card(E_CARD).state == CardState.CLOSED


def test_trap_12_a_long_weekend_of_silence_locks_nobody_out(thg: ShippedSchool) -> None:
    """Four days and more without the registry: the door opens on the school day after, and leavings still hold."""
    thg.network.silence("registry")
    thg.time.go_to(thg.time() + timedelta(days=14))
    assert told(thg.tap(E_CARD, "door", "in")) == YES
    assert told(thg.tap(LEFT, "door", "in"))[0] == "deny"
