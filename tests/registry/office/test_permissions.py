"""The table of roles."""

import pytest

from registry.models import Role
from registry.models.choices import CLOSERS
from registry.office.permissions import ALLOWED, BY_SCHOOL, Deed, allowed


def test_every_role_stands_in_the_table() -> None:
    """A role that is added without a row may nothing by accident, and is found here."""
    assert set(ALLOWED) == set(Role)


@pytest.mark.parametrize("deed", sorted(BY_SCHOOL))
@pytest.mark.parametrize("role", CLOSERS)
def test_T24_V4_1_1_who_closes_is_the_schools_choice(role: Role, deed: Deed) -> None:
    """No row of ours decides who may close a card: the school's own list does."""
    assert not any(deed in deeds for deeds in ALLOWED.values())
    assert allowed(role, deed, [role])
    assert not allowed(role, deed, [])


@pytest.mark.parametrize("deed", list(Deed))
def test_a_class_teacher_sees_the_own_class_and_does_nothing(deed: Deed) -> None:
    """Not even a school that writes it down lets the teacher of one class close the cards of all."""
    assert allowed(Role.CLASS_TEACHER, deed, list(Role)) is (deed is Deed.OWN_CLASS)


@pytest.mark.parametrize("role", [Role.CANTEEN, Role.LIBRARIAN, Role.GUARD, Role.AUDITOR])
def test_contacts_are_for_it_and_the_office(role: Role) -> None:
    """A child's address and personal code are nobody else's business."""
    assert not allowed(role, Deed.CONTACT, [])


def test_canteen_and_library_find_people_and_nothing_more() -> None:
    """What a role need not see it does not see: of the reports the canteen has the numbers, of no person."""
    assert ALLOWED[Role.LIBRARIAN] == {Deed.FIND}
    assert ALLOWED[Role.CANTEEN] == {Deed.FIND, Deed.REPORTS}
