"""Files of top-ups: previewed, booked whole or not at all, and never twice."""

import io
from datetime import timedelta

import pytest

from registry.ledger import accounts, topup_files
from registry.models import AuditEntry, Person, School, TopUpFile
from registry.refusal import Refused
from tests.rig import registered
from tests.rig.ledger import all_cents, transfers
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db
HEADER = "reference;external_id;amount;date\n"


def laid() -> tuple[School, Person]:
    """A school with a pupil V-1."""
    school = registered.school("viimsi")
    return school, registered.person(school, external_id="V-1")


def read(school: School, lines: str) -> TopUpFile:
    """Preview a file."""
    file = io.BytesIO((HEADER + lines).encode())
    return topup_files.preview(school, "maksed.csv", file, actor="secretary", now=NOON)


def test_V6_5_a_file_is_shown_then_booked() -> None:
    """A preview books nothing; applied, each payment is on its account, by the operator's transfers."""
    school, person = laid()
    made = read(school, "R1;V-1;5,00;2026-11-20\nR2;V-1;0.50;23.11.2026\n")
    assert not transfers()
    assert topup_files.apply(made, actor="secretary", now=NOON) == 2
    assert accounts.balance_cents(accounts.of_person(school, person)) == 550
    assert all_cents() == 0
    assert AuditEntry.objects.get(action="prepaid file booked").detail == {"booked": 2, "lines": 2}


def test_the_same_payment_is_booked_once() -> None:
    """The same file again, the button pressed twice, and another file with some of the same payments."""
    school, person = laid()
    made = read(school, "R1;V-1;5;2026-11-20\n")
    topup_files.apply(made, actor="secretary", now=NOON)
    assert topup_files.apply(made, actor="secretary", now=NOON) == 0
    again = read(school, "R1;V-1;5;2026-11-20\nR2;V-1;1;2026-11-21\n")
    assert [row[-1] for row in again.rows] == [True, False]
    assert topup_files.apply(again, actor="secretary", now=NOON) == 1
    assert accounts.balance_cents(accounts.of_person(school, person)) == 600


def test_one_bad_line_and_nothing_is_booked() -> None:
    """Each is told by its line: a stranger, somebody of another school, a bad amount."""
    school, _ = laid()
    registered.person(registered.school("thg"), external_id="T-1")
    made = read(school, "R1;V-1;5;2026-11-20\nR2;V-9;5;2026-11-20\nR3;T-1;5;2026-11-20\nR4;V-1;x;2026-11-20\n")
    assert [(line, column) for line, column, *_ in made.bad] == [(3, "external_id"), (4, "external_id"), (5, "amount")]
    with pytest.raises(Refused, match="3 bad lines"):
        topup_files.apply(made, actor="secretary", now=NOON)
    assert not transfers()


def test_all_that_is_wrong_in_a_line_is_told() -> None:
    """Also that nobody has its id, where the amount is bad as well: who puts it right does it once. Lines are counted, not faults."""
    school, _ = laid()
    made = read(school, "R1;V-9;x;2026-13-01\nR2;V-1;x;2026-11-20\n")
    assert [(line, column) for line, column, *_ in made.bad] == [
        (2, "amount"),
        (2, "date"),
        (2, "external_id"),
        (3, "amount"),
    ]
    assert made.bad_count == 2


def test_a_reference_that_changed_its_mind_is_a_bad_line() -> None:
    """Another amount or another person under a reference that is booked is looked at by somebody, also if it was booked since."""
    school, _ = laid()
    registered.person(school, external_id="V-2")
    early = read(school, "R1;V-2;5;2026-11-20\nR7;V-2;5;2026-11-20\n")
    topup_files.apply(read(school, "R1;V-1;5;2026-11-20\n"), actor="secretary", now=NOON)
    assert read(school, "R1;V-1;6;2026-11-20\n").bad_count == 1
    assert read(school, "R1;V-2;5;2026-11-20\n").bad_count == 1
    with pytest.raises(Refused, match="R1"):
        topup_files.apply(early, actor="secretary", now=NOON)
    assert len(transfers()) == 1


def test_the_schools_own_number_goes_first() -> None:
    """Two schools may give the same number; one that says nothing clear is nobody's."""
    school, person = laid()
    other = registered.school("thg")
    guest = registered.person(other, external_id="V-1")
    guest.enrolments.create(school=school, valid_from=NOON.date())
    [row] = read(school, "R1;V-1;5;2026-11-20\n").rows
    assert row[2] == person.pk
    person.issuer = registered.school("third")
    person.save()
    assert read(school, "R1;V-1;5;2026-11-20\n").bad_count == 1


def test_what_is_never_booked_is_forgotten() -> None:
    """After a week; what was booked stays."""
    school, _ = laid()
    booked = read(school, "R1;V-1;5;2026-11-20\n")
    topup_files.apply(booked, actor="secretary", now=NOON)
    read(school, "R2;V-1;5;2026-11-20\n")
    assert topup_files.forget_old(NOON) == 0
    assert topup_files.forget_old(NOON + topup_files.KEPT_FOR + timedelta(seconds=1)) == 1
    assert TopUpFile.objects.get() == booked
