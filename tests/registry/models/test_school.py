"""A school, its card products and its people: what the tables themselves refuse."""

import pytest
from django.db import IntegrityError

from registry.models import CardProduct, Membership, Role, School
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_each_school_has_a_key_of_its_own() -> None:
    """Hosts of one school cannot know the cards of another."""
    keys = {bytes(registered.school(code).site_key) for code in ("thg", "viimsi")}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 2


def test_unless_the_school_says_otherwise_the_it_worker_closes() -> None:
    """T24: the IT worker closes the card."""
    assert School.objects.get(pk=registered.school().pk).roles_that_close == [Role.IT]


def test_a_code_stands_once() -> None:
    """It is the audience of signed documents."""
    registered.school("thg")
    with pytest.raises(IntegrityError):
        registered.school("thg")


def test_a_product_says_its_name_and_school() -> None:
    """As lists of two schools show it."""
    product = CardProduct(school=registered.school(), code="isic", name="ISIC")
    assert str(product) == "ISIC (thg)"


def test_a_role_is_held_once(django_user_model: type) -> None:
    """Two schools and two roles are two memberships, the same again is none."""
    user = django_user_model.objects.create(username="valvur")  # type: ignore[attr-defined]
    school = registered.school()
    Membership.objects.create(school=school, user=user, role=Role.GUARD)
    Membership.objects.create(school=school, user=user, role=Role.SECRETARY)
    with pytest.raises(IntegrityError):
        Membership.objects.create(school=school, user=user, role=Role.GUARD)
