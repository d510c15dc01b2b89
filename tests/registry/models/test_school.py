"""A school, its card products and its people: what the tables themselves refuse."""

from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError
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


def test_a_day_is_the_schools() -> None:
    """22:30 UTC is the next day in Tallinn."""
    assert registered.school().local_day(datetime(2026, 11, 23, 22, 30, tzinfo=UTC)) == date(2026, 11, 24)


def test_a_code_stands_once() -> None:
    """It is the audience of signed documents."""
    registered.school("thg")
    with pytest.raises(IntegrityError):
        registered.school("thg")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Europe/Talinn"),
        ("timezone", "../Tallinn"),
        ("keep_events_days", 0),
        ("keep_events_days", 3661),
        ("max_loan_days", 0),
        ("max_loan_days", 2_147_483_647),
    ],
)
def test_what_a_school_cannot_be_reckoned_with_is_refused(field: str, value: object) -> None:
    """A zone that there is not, and days beyond ten years: the form says so, and nothing fails later."""
    school = registered.school()
    school.full_clean()
    setattr(school, field, value)
    with pytest.raises(ValidationError) as refused:
        school.full_clean()
    assert set(refused.value.message_dict) == {field}


def test_a_card_is_made_for_years_that_can_be_counted() -> None:
    """Not for more than a calendar has."""
    product = CardProduct(school=registered.school(), code="isic", name="ISIC", years=21)
    with pytest.raises(ValidationError, match="years"):
        product.full_clean()


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
