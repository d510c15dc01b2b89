"""What a roster would change, told before anything changes."""

from datetime import date

import pytest
from stdnum.ee import ik

from registry.models import Card, Enrolment, Person
from tests.rig import registered
from tests.rig.rosters import bring, counts, line, preview

pytestmark = pytest.mark.django_db
CODE = "3760503029" + ik.calc_check_digit("37605030290")


def test_a_dry_run_changes_nothing() -> None:
    """It says whom it would bring, and brings nobody."""
    school = registered.school()
    roster = preview(school, line(external_id="T-1", class_="7b", card_number="N-1", uid="EBF2CE70"))
    assert counts(roster) == {"person_new": 1, "stay_new": 1, "card_new": 1}
    assert roster.diff["shown"]["card_new"] == [{"line": 2, "who": "N-1", "what": "personal, active"}]
    assert (Person.objects.count(), Enrolment.objects.count(), Card.objects.count()) == (0, 0, 0)


def test_what_is_known_is_no_change() -> None:
    """The same roster twice brings nothing the second time."""
    school = registered.school()
    rows = [
        line(external_id="T-1", class_="7b", card_number="N-1", uid="EBF2CE70", personal_code=CODE),
        line(external_id="T-9", kind="staff"),
        line(card_number="S-1", card_kind="substitute", uid="6611AA03"),
    ]
    bring(school, *rows)
    assert counts(preview(school, *rows)) == {}


def test_what_differs_is_named() -> None:
    """A name, a leaving, and a card's end; neither UID nor code is told."""
    school = registered.school()
    bring(school, line(external_id="T-1", class_="7b", card_number="N-1"))
    changed = line(
        external_id="T-1",
        family_name="Uus",
        class_="7b",
        until="2027-06-20",
        personal_code=CODE,
        card_number="N-1",
        uid="EBF2CE70",
        valid_until="2027-12-31",
    )
    roster = preview(school, changed)
    assert counts(roster) == {"person_changed": 1, "stay_changed": 1, "card_changed": 1}
    assert "Uus" in str(roster.diff["shown"]["person_changed"])
    assert CODE not in str(roster.diff)
    assert "EBF2CE70" not in str(roster.diff).upper()


def test_a_pupil_in_another_class_has_moved_and_not_left() -> None:
    """The old class is told as ended, nobody is told as leaving."""
    school = registered.school()
    bring(school, line(external_id="T-1", class_="7b", from_="2025-09-01"))
    assert counts(preview(school, line(external_id="T-1", class_="8b"))) == {"stay_new": 1, "stay_moved": 1}


def test_trap_7_who_is_absent_is_told_as_leaving() -> None:
    """Only stays of the kinds that the roster has, that hold today, of this school."""
    school = registered.school()
    registered.person(registered.school("viimsi"))
    bring(school, *(line(external_id=f"T-{number}", class_="7b") for number in range(3)))
    bring(school, line(external_id="T-9", kind="staff"))
    gone = Enrolment.objects.get(person__external_id="T-2")
    Enrolment.objects.filter(pk=gone.pk).update(valid_from=date(2025, 9, 1), valid_until=date(2026, 6, 20))
    roster = preview(school, line(external_id="T-0", class_="7b"))
    assert counts(roster) == {"leaving": 1}
    assert [change["who"] for change in roster.diff["shown"]["leaving"]] == ["T-1"]
    assert (roster.diff["current"], roster.diff["leaving_percent"]) == (2, 50.0)


@pytest.mark.parametrize(
    ("rows", "line_number", "column"),
    [
        ([line(external_id="T-1", class_="7b"), line(external_id="T-1", class_="7b")], 3, "class"),
        (
            [line(external_id="T-1", personal_code=CODE), line(external_id="T-2", personal_code=CODE)],
            3,
            "personal_code",
        ),
        ([line(external_id="T-1", card_number="N-1", product="isic")], 2, "product"),
        ([line(external_id="T-1", card_number="N-1"), line(external_id="T-2", card_number="N-1")], 3, "card_number"),
        (
            [
                line(external_id="T-1", card_number="N-1", uid="EBF2CE70"),
                line(external_id="T-2", card_number="N-2", uid="EBF2CE70"),
            ],
            3,
            "uid",
        ),
        ([line(external_id="T-1", card_number="N-0")], 2, "card_number"),
        ([line(external_id="T-1", card_number="N-9", uid="11223344")], 2, "uid"),
        ([line(external_id="T-1", card_number="S-9", card_kind="substitute")], 2, "external_id"),
        ([line(external_id="T-1", card_number="N-9", state="pool")], 2, "state"),
        ([line(external_id="T-1", until="2020-01-01")], 2, "until"),
    ],
)
def test_a_row_that_contradicts_what_is_known_is_bad(rows: list[str], line_number: int, column: str) -> None:
    """Its line and column are named, and secrets are not."""
    school = registered.school()
    registered.card(school, number="N-0", person=registered.person(), uid=bytes.fromhex("11223344"))
    bad = preview(school, *rows).diff["bad"]
    assert [(one["line"], one["column"]) for one in bad] == [(line_number, column)]
    assert CODE not in str(bad)
    assert "EBF2CE70" not in str(bad)


def test_a_second_card_is_a_second_row() -> None:
    """The same person and stay, another card."""
    school = registered.school()
    rows = [line(external_id="T-1", class_="7b", card_number=number) for number in ("N-1", "N-2")]
    assert counts(preview(school, *rows)) == {"person_new": 1, "stay_new": 1, "card_new": 2}


def test_another_schools_number_is_somebody_else() -> None:
    """Both schools have a 17: neither overwrites the other's pupil, nor sees the card."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    bring(thg, line(external_id="17", family_name="Tamm", email="mari@thg.ee", class_="7b", card_number="N-1"))
    bring(viimsi, line(external_id="17", given_name="Peeter", family_name="Kask", class_="3a"))
    assert list(Person.objects.order_by("pk").values_list("issuer__code", "family_name", "email")) == [
        ("thg", "Tamm", "mari@thg.ee"),
        ("viimsi", "Kask", ""),
    ]
    assert Card.objects.get().person == Person.objects.get(issuer=thg)
    assert not Enrolment.objects.filter(school=viimsi, person__issuer=thg).exists()


def test_the_personal_code_makes_one_person_of_two_schools() -> None:
    """Whom another school knows already is enrolled here too, and keeps the name and address that are known."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    bring(thg, line(external_id="17", family_name="Tamm", email="mari@thg.ee", class_="7b", personal_code=CODE))
    theirs = line(external_id="9", family_name="Kask", email="x@viimsi.ee", class_="3a", personal_code=CODE)
    assert counts(preview(viimsi, theirs)) == {"stay_new": 1}
    both = (theirs, line(external_id="9", class_="choir", personal_code=CODE, card_number="V-1"))
    bring(viimsi, *both)
    assert counts(preview(viimsi, *both)) == {}
    person = Person.objects.get()
    assert (person.external_id, person.family_name, person.email) == ("17", "Tamm", "mari@thg.ee")
    assert set(person.enrolments.values_list("school__code", "class_name")) == {
        ("thg", "7b"),
        ("viimsi", "3a"),
        ("viimsi", "choir"),
    }
    assert Card.objects.get().person == person


@pytest.mark.parametrize("codes", [(CODE, ""), ("", CODE)])
def test_a_number_means_one_person_in_all_rows(codes: tuple[str, str]) -> None:
    """With the code it is another school's pupil, without it somebody new: a roster cannot mean both."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    bring(thg, line(external_id="17", class_="7b", personal_code=CODE))
    rows = [
        line(external_id="9", class_=f"3{letter}", personal_code=code) for letter, code in zip("ab", codes, strict=True)
    ]
    (bad,) = preview(viimsi, *rows).diff["bad"]
    assert (bad["line"], bad["column"]) == (3, "personal_code")


def test_another_schools_number_is_not_told() -> None:
    """Whose code it is, is named to the own school alone."""
    thg, viimsi = registered.school(), registered.school("viimsi")
    bring(thg, line(external_id="SECRET-17", class_="7b", personal_code=CODE))
    bring(viimsi, line(external_id="9", class_="3a"))
    (bad,) = preview(viimsi, line(external_id="9", class_="3a", personal_code=CODE)).diff["bad"]
    assert bad["column"] == "personal_code"
    assert "SECRET-17" not in str(bad)


def test_a_file_of_one_class_says_nothing_of_the_others() -> None:
    """Absence is looked at within it alone, and so is the share of removals; the dry run says so."""
    school = registered.school()
    rows = [line(external_id=f"T-{number}", class_="7b" if number < 2 else "8a") for number in range(6)]
    bring(school, *rows)
    roster = preview(school, rows[0])
    assert [change["who"] for change in roster.diff["shown"]["leaving"]] == ["T-1"]
    assert (roster.diff["classes"], roster.diff["current"], roster.diff["leaving_percent"]) == (["7b"], 2, 50.0)
    whole = preview(school, rows[0], rows[2])
    assert (whole.diff["classes"], counts(whole)) == ([], {"leaving": 4})
