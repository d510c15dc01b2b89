"""A row of a roster is read whole, or all that is wrong with it is said."""

from datetime import date

import pytest

from registry.people.roster_row import BadRowFault, read_row, shown

PUPIL = {"external_id": "T-1", "given_name": "Mari", "family_name": "Näidis", "class": "7b"}


def faults(**cells: str) -> dict[str, str]:
    """Return what was found in each bad column."""
    with pytest.raises(BadRowFault) as fault:
        read_row({**PUPIL, **cells}, 3)
    assert {bad.line for bad in fault.value.rows} == {3}
    return {bad.column: bad.found for bad in fault.value.rows}


def test_a_pupil_with_a_card_is_read() -> None:
    """Kinds, days and the UID are values; what is left out has its default."""
    row = read_row({**PUPIL, "from": "2026-09-01", "card_number": "N-1", "uid": "ebf2ce70"}, 2)
    assert row.person is not None
    assert row.stay is not None
    assert row.card is not None
    assert (row.person.external_id, row.stay.class_name, row.stay.kind) == ("T-1", "7b", "pupil")
    assert (row.stay.valid_from, row.stay.valid_until) == (date(2026, 9, 1), None)
    assert (row.card.number, row.card.kind, row.card.uid, row.card.state) == (
        "N-1",
        "personal",
        bytes.fromhex("EBF2CE70"),
        "active",
    )


def test_staff_have_staff_cards_and_a_card_without_a_chip_is_ordered() -> None:
    """Unless the row says otherwise."""
    row = read_row({**PUPIL, "kind": "staff", "card_number": "N-1"}, 2)
    assert row.card is not None
    assert (row.card.kind, row.card.state) == ("staff", "ordered")


def test_a_substitute_of_the_pool_has_no_person() -> None:
    """Any other card needs one."""
    row = read_row({"card_number": "S-1", "card_kind": "substitute", "uid": "6611AA03"}, 2)
    assert (row.person, row.stay) == (None, None)
    assert row.card is not None
    assert row.card.state == "pool"
    with pytest.raises(BadRowFault):
        read_row({"card_number": "N-1", "uid": "6611AA03"}, 2)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Each column with what was found."""
    found = faults(given_name="", **{"from": "1.9.2026", "kind": "pupill", "email": "nobody"}, valid_until="soon")
    assert set(found) == {"given_name", "from", "kind", "email", "valid_until", "card_number"}
    assert "1.9.2026" in found["from"]


def test_secrets_are_never_told_again() -> None:
    """A bad UID or personal code is described, not repeated."""
    found = faults(personal_code="37605030299999", uid="ZZ112233", card_number="N-1")
    assert set(found) == {"personal_code", "uid"}
    assert not any("3760" in text or "ZZ11" in text for text in found.values())
    assert "3760" not in shown("personal_code", "37605030299")


def test_days_stand_in_their_order() -> None:
    """A stay does not end before it begins."""
    assert set(faults(**{"from": "2026-09-01", "until": "2026-08-31"})) == {"until"}


def test_a_random_uid_names_no_card() -> None:
    """Four bytes beginning 08 change at every tap."""
    assert set(faults(card_number="N-1", uid="08112233")) == {"uid"}
