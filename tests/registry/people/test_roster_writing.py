"""What a roster brings is written with history and audit, and told to the hosts."""

from datetime import date

import pytest
from stdnum.ee import ik

from registry.models import AuditEntry, Card, CardStep, Enrolment, Person
from registry.people import enrolments, rollover
from registry.people.roster_diff import CHUNK
from registry.publishing.state import state_of
from tests.rig import registered
from tests.rig.published_card import told_row
from tests.rig.rosters import bring, counts, line, preview

pytestmark = pytest.mark.django_db
CODE = "3760503029" + ik.calc_check_digit("37605030290")


def test_persons_stays_and_cards_are_written() -> None:
    """Each with its audit, the card with its first step, and hosts know the card."""
    bring(
        registered.school(), line(external_id="T-1", personal_code=CODE, class_="7b", card_number="N-1", uid="EBF2CE70")
    )
    person, stay, card = Person.objects.get(), Enrolment.objects.get(), Card.objects.get()
    assert (person.personal_code, stay.person, stay.valid_from, card.person) == (
        CODE,
        person,
        date(2026, 11, 23),
        person,
    )
    assert (CardStep.objects.get().note, CardStep.objects.get().to_state) == ("roster.csv", "active")
    row = told_row()
    assert (row[0], row[1], row[3], row[6]) == (str(card.pk), str(person.pk), "active", "7b;grade-7;pupil")
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"person added", "enrolled", "card enter", "roster applied"} <= actions
    assert CODE not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_a_class_change_ends_the_old_stay_the_day_before() -> None:
    """A leaving that was set goes on in the new class; hosts know the new group."""
    school = registered.school()
    bring(
        school,
        line(external_id="T-1", class_="7b", from_="2025-09-01", until="2027-06-20", card_number="N-1", uid="EBF2CE70"),
    )
    bring(school, line(external_id="T-1", class_="8b"))
    stays = Enrolment.objects.order_by("valid_from").values_list("class_name", "valid_from", "valid_until")
    assert list(stays) == [
        ("7b", date(2025, 9, 1), date(2026, 11, 22)),
        ("8b", date(2026, 11, 23), date(2027, 6, 20)),
    ]
    assert told_row()[6] == "8b;grade-8;pupil"


def test_a_class_that_was_brought_today_is_replaced() -> None:
    """A roster that was wrong this morning leaves no trace of a stay that held for no day."""
    school = registered.school()
    bring(school, line(external_id="T-1", class_="7b"))
    bring(school, line(external_id="T-1", class_="7c"))
    assert Enrolment.objects.get().class_name == "7c"


def test_a_roster_of_more_rows_than_a_question_takes_is_whole() -> None:
    """Nobody who was just brought is taken for absent or moved, and a person's rows may lie far apart."""
    school = registered.school()
    rows = [line(external_id=f"T-{number}", class_="7b") for number in range(CHUNK + 50)]
    rows.append(line(external_id="T-0", class_="choir"))
    roster = bring(school, *rows)
    assert roster.diff["counts"]["person_new"] == Person.objects.count() == CHUNK + 50
    assert Enrolment.objects.filter(valid_until=None).count() == CHUNK + 51
    again = bring(school, *rows)
    assert {name for name, count in again.diff["counts"].items() if count} == {"rows"}


def test_changes_of_what_is_known_are_written() -> None:
    """A name, a leaving, a chip and an end."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b", card_number="N-1", state="active"))
    bring(
        school,
        line(
            external_id="T-1",
            family_name="Uus",
            class_="7b",
            until="2027-06-20",
            card_number="N-1",
            uid="EBF2CE70",
            valid_until="2027-12-31",
        ),
    )
    card = Card.objects.get()
    assert Person.objects.get().family_name == "Uus"
    assert Enrolment.objects.get().valid_until == date(2027, 6, 20)
    assert (bytes(card.uid or b"").hex(), card.valid_until) == ("ebf2ce70", date(2027, 12, 31))
    row = told_row()
    assert row[5] == "2027-06-20"
    assert AuditEntry.objects.get(action="card changed by a roster").detail["chip"] is True


def test_an_earlier_end_takes_away_what_goes_on_from_the_stay() -> None:
    """After an early rollover, the `until` of a roster ends the next class too; it is shown before, and can be taken back."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b", from_="2026-09-01", card_number="N-1", uid="EBF2CE70"))
    planned = rollover.plan(school, date(2027, 9, 1), actor="it", now=registered.NOON)
    rollover.apply(planned, actor="it", now=registered.NOON)
    leaver = line(external_id="T-1", class_="7b", until="2027-05-15")
    assert counts(preview(school, leaver)) == {"stay_changed": 1, "stay_cut": 1}
    bring(school, leaver)
    stay = Enrolment.objects.get()
    assert stay.valid_until == date(2027, 5, 15)
    assert counts(preview(school, leaver)) == {}
    enrolments.cancel_leaving(stay, actor="it", now=registered.NOON)
    assert list(Enrolment.objects.order_by("valid_from").values_list("class_name", "valid_until")) == [
        ("7b", date(2027, 8, 31)),
        ("8b", None),
    ]


def test_a_later_stay_that_the_roster_has_too_is_kept() -> None:
    """Only the day of the move was wrong."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b", from_="2026-09-01"))
    bring(school, line(external_id="T-1", class_="7c"))
    former = line(external_id="T-1", class_="7b", from_="2026-09-01", until="2026-11-20")
    bring(school, former, line(external_id="T-1", class_="7c", from_="2026-11-21"))
    assert list(Enrolment.objects.order_by("valid_from").values_list("class_name", "valid_from", "valid_until")) == [
        ("7b", date(2026, 9, 1), date(2026, 11, 20)),
        ("7c", date(2026, 11, 21), None),
    ]


def test_a_move_takes_along_what_a_leaving_cut_off() -> None:
    """The leaving goes on in the new class; cancelled there, it leads to next year's."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b", from_="2026-09-01"))
    rollover.apply(
        rollover.plan(school, date(2027, 9, 1), actor="it", now=registered.NOON), actor="it", now=registered.NOON
    )
    enrolments.leave(Enrolment.objects.get(class_name="7b"), date(2027, 5, 15), actor="it", now=registered.NOON)
    bring(school, line(external_id="T-1", class_="7c"))
    stay = Enrolment.objects.get(class_name="7c")
    assert stay.valid_until == date(2027, 5, 15)
    enrolments.cancel_leaving(stay, actor="it", now=registered.NOON)
    assert list(Enrolment.objects.order_by("valid_from").values_list("class_name", "valid_until")) == [
        ("7b", date(2026, 11, 22)),
        ("7c", date(2027, 8, 31)),
        ("8b", None),
    ]


def test_a_library_number_comes_with_a_roster_and_an_empty_one_changes_nothing() -> None:
    """A column that may be left out; hosts that show names are told of another name or number."""
    school = registered.school()
    host = registered.host(school, shows="library")
    assert host.shows == "library"
    bring(school, line(external_id="T-1", library_number=" L-17 "))
    assert Person.objects.get().library_number == "L-17"
    before = state_of(school).people_version
    bring(school, line(external_id="T-1", library_number="L-18"))
    assert Person.objects.get().library_number == "L-18"
    assert state_of(school).people_version > before
    bring(school, line(external_id="T-1", library_number=""))
    assert Person.objects.get().library_number == "L-18"
