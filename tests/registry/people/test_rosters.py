"""A roster is read, seen and applied: whole, once, and only if it still does what was shown."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings
from stdnum.ee import ik

from registry.models import AuditEntry, Enrolment, LeavingProposal, Person, RosterImport
from registry.people import rosters
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.rosters import bring, counts, line, preview

pytestmark = pytest.mark.django_db
CODE = "3760503029" + ik.calc_check_digit("37605030290")
NOW = registered.NOON


@pytest.fixture(autouse=True)
def _own_data_dir(tmp_path: Path, settings: Settings) -> None:
    """Uploads wait in a folder of the test's own."""
    settings.DATA_DIR = tmp_path


def test_trap_7_absence_proposes_a_leaving_and_never_sets_it() -> None:
    """Who is not in the roster goes on until somebody decides; once proposed they are not proposed again."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b"))
    for _ in range(2):
        bring(school, line(external_id="T-1", class_="7b"))
    proposal = LeavingProposal.objects.get()
    assert (proposal.enrolment.person.external_id, proposal.decided_at) == ("T-2", None)
    assert proposal.enrolment.valid_until is None


def test_who_is_back_in_the_next_roster_is_proposed_no_more() -> None:
    """The proposal is taken back by the roster that has the pupil again."""
    school = registered.school(removal_limit_percent=100)
    both = (line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b"))
    bring(school, *both)
    bring(school, both[0])
    bring(school, *both)
    assert LeavingProposal.objects.get().is_accepted is False
    assert AuditEntry.objects.get(action="leaving withdrawn").detail["person"] == "T-2"


def test_who_is_back_in_another_class_is_proposed_no_more() -> None:
    """The pupil has moved and not left."""
    school = registered.school(removal_limit_percent=100)
    bring(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b", from_="2026-09-01"))
    bring(school, line(external_id="T-1", class_="7b"))
    bring(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7c"))
    assert LeavingProposal.objects.get().is_accepted is False


def test_a_roster_that_does_not_speak_of_somebody_leaves_the_proposal() -> None:
    """A list of the staff says nothing of a pupil, nor does a list of another class."""
    school = registered.school(removal_limit_percent=100)
    pupils = [line(external_id=f"T-{number}", class_="7b") for number in range(3)]
    bring(school, *pupils, line(external_id="T-8", class_="8a"))
    bring(school, *pupils[:2], line(external_id="T-8", class_="8a"))
    bring(school, line(external_id="T-9", kind="staff"))
    bring(school, line(external_id="T-8", class_="8a"))
    proposal = LeavingProposal.objects.get()
    assert (proposal.enrolment.person.external_id, proposal.decided_at) == ("T-2", None)


@pytest.mark.parametrize(
    "days",
    [
        {"until": "2026-11-20"},
        {"until": "2026-11-24"},
        {"from_": "2030-01-01"},
        {"class_": "7c", "until": "2026-11-24"},
    ],
)
def test_ended_stays_count_as_removals(days: dict[str, str]) -> None:
    """A file that ends everybody needs a confirmation, as one in which everybody is absent."""
    school = registered.school(removal_limit_percent=25)
    bring(school, *(line(external_id=f"T-{number}", class_="7b", from_="2026-09-01") for number in range(4)))
    roster = preview(school, *(line(**{"external_id": f"T-{number}", "class_": "7b", **days}) for number in range(4)))
    assert (roster.diff["ended"], roster.diff["leaving_percent"]) == (4, 100.0)
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "too_many_removals"
    rosters.apply(roster, actor="it", now=NOW, confirm_removals=True)


def test_other_changes_of_the_same_number_are_refused() -> None:
    """Somebody swaps whom the roster would change: as many changes as were shown, and not the same."""
    school = registered.school()
    bring(school, line(external_id="T-1", family_name="Tamm", class_="7b"), line(external_id="T-2", class_="7b"))
    roster = preview(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b"))
    assert counts(roster) == {"person_changed": 1}
    Person.objects.filter(external_id="T-1").update(family_name="Proov")
    Person.objects.filter(external_id="T-2").update(family_name="Kask")
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "overtaken"
    assert Person.objects.get(external_id="T-2").family_name == "Kask"


def test_a_roster_that_would_remove_many_is_refused_unless_confirmed() -> None:
    """More than the school's share of those who are there: nothing happens without a confirmation."""
    school = registered.school(removal_limit_percent=25)
    rows = [line(external_id=f"T-{number}", class_="7b") for number in range(4)]
    bring(school, *rows)
    assert preview(school, *rows[:3]).diff["needs_confirmation"] is False
    roster = preview(school, *rows[:2], line(external_id="T-9", class_="7b"))
    assert roster.diff["needs_confirmation"] is True
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "too_many_removals"
    assert not LeavingProposal.objects.exists()
    assert not Person.objects.filter(external_id="T-9").exists()
    rosters.apply(roster, actor="it", now=NOW, confirm_removals=True)
    assert LeavingProposal.objects.count() == 2
    assert not Enrolment.objects.exclude(valid_until=None).exists()


def test_a_roster_with_a_bad_row_brings_nobody() -> None:
    """The good rows beside it wait too."""
    school = registered.school()
    roster = preview(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", from_="soon"))
    assert counts(roster)["bad"] == 1
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "bad_rows"
    assert not Person.objects.exists()


def test_a_roster_is_applied_once() -> None:
    """The second time it is refused; its file is gone by then, and with it the personal codes."""
    roster = preview(registered.school(), line(external_id="T-1", class_="7b"))
    path = rosters.path_of(roster)
    assert path.stat().st_mode & 0o777 == 0o600
    applied = rosters.apply(roster, actor="it", now=NOW)
    assert (applied.applied_by, applied.applied_at) == ("it", NOW)
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "applied_already"


@pytest.mark.django_db(transaction=True)
def test_the_file_goes_when_it_was_applied() -> None:
    """It holds personal codes, and nobody needs it any more."""
    roster = preview(registered.school(), line(external_id="T-1", class_="7b"))
    rosters.apply(roster, actor="it", now=NOW)
    assert not rosters.path_of(roster).exists()


def test_nothing_else_is_done_than_was_shown() -> None:
    """When somebody changed the tables meanwhile, the roster is refused and changes nothing."""
    school = registered.school()
    roster = preview(school, line(external_id="T-1", class_="7b"), line(external_id="T-2", class_="7b"))
    Person.objects.create(issuer=school, external_id="T-1", given_name="Mari", family_name="Proov")
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "overtaken"
    assert (Person.objects.count(), Enrolment.objects.count()) == (1, 0)


def test_another_file_than_was_shown_is_refused() -> None:
    """Whoever changes what waits on the disk changes nothing here."""
    roster = preview(registered.school(), line(external_id="T-1", class_="7b"))
    rosters.path_of(roster).write_text("external_id,given_name,family_name\nT-2,A,B\n")
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "overtaken"
    rosters.path_of(roster).unlink()
    with pytest.raises(Refused) as refused:
        rosters.apply(roster, actor="it", now=NOW)
    assert refused.value.code == "roster_gone"


def test_what_is_no_roster_is_refused_and_leaves_nothing() -> None:
    """Another kind of file, or one without end, within bounded memory."""
    school = registered.school()
    with pytest.raises(Refused) as refused:
        preview(school, name="roster.pdf")
    assert refused.value.code == "unknown_format"

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"x" * size

    with pytest.raises(Refused) as refused:
        rosters.preview(school, "roster.csv", Endless(), actor="it", now=NOW)  # type: ignore[arg-type]  # it is read alone
    assert refused.value.code == "too_large"
    assert not RosterImport.objects.exists()
    assert list(rosters.path_of(RosterImport(pk=1)).parent.iterdir()) == []


def test_eKools_file_brings_pupils_by_their_personal_code() -> None:
    """A second file knows them again, also by another name; the external id is made up and is not the code."""
    school = registered.school()
    for name in ("Proov", "Uus"):
        pupil = f"<s><name1>Mari</name1><name2>{name}</name2><idCode>{CODE}</idCode><class>7</class><parallelId>b</parallelId></s>"
        file = io.BytesIO(f"<students>{pupil}</students>".encode())
        rosters.apply(rosters.preview(school, "pupils.xml", file, actor="it", now=NOW), actor="it", now=NOW)
    person = Person.objects.get()
    assert (person.family_name, person.personal_code, Enrolment.objects.get().class_name) == ("Uus", CODE, "7b")
    assert CODE not in person.external_id


def test_what_nobody_applied_is_forgotten() -> None:
    """A dry run's file is removed after a day, with nobody's doing; one with bad rows, which nobody can apply, at once."""
    school = registered.school()
    old = preview(school, line(external_id="T-1", class_="7b"))
    rosters.forget_old(NOW + timedelta(hours=23))
    assert rosters.path_of(old).exists()
    rosters.forget_old(NOW + timedelta(hours=25))
    assert not rosters.path_of(old).exists()
    bad = preview(school, line(external_id="T-1", class_="7b", from_="soon"))
    assert not rosters.path_of(bad).exists()
    stray = rosters.path_of(RosterImport(pk=10**9))
    stray.write_text("left by a crash")
    rosters.forget_old(datetime.now(UTC) + timedelta(hours=25))
    assert not stray.exists()


def test_a_returner_has_a_new_stay() -> None:
    """Who left in June and is in the roster of November begins anew, on the roster's day."""
    school = registered.school()
    bring(school, line(external_id="T-1", class_="7b", from_="2025-09-01", until="2026-06-20"))
    bring(school, line(external_id="T-1", class_="7b"))
    assert list(Enrolment.objects.order_by("pk").values_list("valid_from", flat=True)) == [
        date(2025, 9, 1),
        date(2026, 11, 23),
    ]
