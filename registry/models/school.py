"""A school, which is one site: the audience of what is published, and the bounds of what its people may see and do."""

import secrets
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.choices import CardKind, LibraryIdentifier, Role
from sync.wire.card_key import KEY_BYTES

MAX_DAYS: Final = 3_660
"""Ten years: what a school may say of days, so that no count of them runs out of the calendar."""

MAX_YEARS: Final = 20
"""What a school may say of a card's school years, for the same."""


def check_timezone(name: str) -> None:
    """Raise ValidationError for what is no time zone: each day of the school would be none."""
    if name not in available_timezones():
        told = {"name": name[:64]}
        raise ValidationError(_("“%(name)s” is no time zone; one is Europe/Tallinn"), "unknown_timezone", told)


def new_site_key() -> bytes:
    """Return 32 random bytes: the key under which this school's hosts hold its cards."""
    return secrets.token_bytes(KEY_BYTES)


def closing_roles() -> list[str]:
    """Return who may close a card unless the school says otherwise: the IT worker (T24)."""
    return [Role.IT]


class School(models.Model):
    """A school. Its `code` is the audience of its signed documents and never changes."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=200)
    timezone = models.CharField(_("time zone"), max_length=64, default="Europe/Tallinn", validators=[check_timezone])
    site_key = models.BinaryField(default=new_site_key, editable=False)
    roles_that_close = models.JSONField(_("who may close a card"), default=closing_roles)
    keep_events_days = models.PositiveIntegerField(
        _("days that events are kept"),
        default=92,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
    )
    removal_limit_percent = models.PositiveIntegerField(
        _("share of removals that an import may propose, in percent"), default=10, validators=[MaxValueValidator(100)]
    )
    final_grade = models.PositiveSmallIntegerField(_("final grade"), default=12)
    lends_forgotten = models.BooleanField(_("substitutes are lent for forgotten cards too"), default=True)
    max_loan_days = models.PositiveIntegerField(
        _("days that a substitute is lent at the most"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)],
    )
    two_places_s = models.PositiveSmallIntegerField(  # FAULTS.md, Decisions and quotas: a cloned UID
        _("seconds within which a card at two computers is flagged (0: never)"),
        default=3,
        validators=[MaxValueValidator(600)],
    )
    substitute_fee_cents = models.PositiveIntegerField(_("fee for a lost substitute, in cents"), null=True, blank=True)
    shows_photos = models.BooleanField(_("photos are shown where names are"), default=False)
    library_identifier = models.CharField(  # T11
        _("what is handed over to the library's program"),
        max_length=16,
        choices=LibraryIdentifier.choices,
        default=LibraryIdentifier.LIBRARY_NUMBER,
    )

    class Meta:
        verbose_name = _("school")
        verbose_name_plural = _("schools")

    def __str__(self) -> str:
        return self.name

    def local_day(self, at: datetime) -> date:
        """Return the school's own day at a moment: what is a day's, whether a lunch or a stay, is of this one."""
        return at.astimezone(ZoneInfo(self.timezone)).date()

    @property
    def events_kept_for(self) -> timedelta:
        """How long events are kept; whatever stands in the table, it can be reckoned with."""
        return timedelta(days=min(self.keep_events_days, MAX_DAYS))

    @property
    def last_loan_day(self) -> timedelta | None:
        """The last day of a loan, counted from the day it was lent, which is its first; None is without limit."""
        if self.max_loan_days is None:
            return None
        return timedelta(days=max(min(self.max_loan_days, MAX_DAYS) - 1, 0))


class CardProduct(models.Model):
    """A make of card that a school knows, such as its own e-card or an ISIC, and how long one is valid (V3.*; DOMAIN.md, trap 6).

    `years` is the number of school years, None until leaving. An order from `counts_from_month` on counts for the coming school
    year; validity ends on `end_day`.`end_month` of its last year.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="products", verbose_name=_("school"))
    code = models.SlugField(_("code"))
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=16, choices=CardKind.choices, default=CardKind.PERSONAL)
    years = models.PositiveSmallIntegerField(
        _("school years of validity"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_YEARS)],
    )
    counts_from_month = models.PositiveSmallIntegerField(
        _("month from which an order counts for the coming year"),
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(12)],
    )
    end_month = models.PositiveSmallIntegerField(
        _("last month"), default=12, validators=[MinValueValidator(1), MaxValueValidator(12)]
    )
    end_day = models.PositiveSmallIntegerField(
        _("last day"), default=31, validators=[MinValueValidator(1), MaxValueValidator(31)]
    )
    ends_with_stage = models.BooleanField(_("not for more years than are left at this stage"), default=False)  # V3.2.2
    is_banks = models.BooleanField(_("its life cycle is the bank's"), default=False)

    class Meta:
        verbose_name = _("card product")
        verbose_name_plural = _("card products")
        constraints = [models.UniqueConstraint(fields=["school", "code"], name="one_product_per_code")]

    def __str__(self) -> str:
        return f"{self.name} ({self.school.code})"


class Membership(models.Model):
    """As what a user of the back office serves a school. One may serve several, and in several ways.

    A class teacher is one of `classes`, and of no other, until `classes_until` (included): after the summer 7a is another 7a.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="memberships", verbose_name=_("school"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    classes = models.JSONField(_("classes of a class teacher"), default=list, blank=True)
    classes_until = models.DateField(_("classes until"), null=True, blank=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["school", "user", "role"], name="one_membership_per_role")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}, {self.school}"
