"""Cards, the loans of substitutes, and each step of a card's life."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models.choices import CardKind, CardState, CloseReason, Succession
from registry.models.person import Person
from registry.models.school import CardProduct, School


class Card(models.Model):
    """One card of one school. Its state is changed by `registry.cards.transitions` alone, which audits each step.

    `uid` is canonical (`policy.uid`), None until the card was tapped at a desk or imported. Dates are inclusive school-local days.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="cards", verbose_name=_("school"))
    number = models.CharField(_("card number"), max_length=32)
    kind = models.CharField(_("kind"), max_length=16, choices=CardKind.choices)
    product = models.ForeignKey(
        CardProduct, models.PROTECT, related_name="cards", null=True, blank=True, verbose_name=_("product")
    )
    person = models.ForeignKey(
        Person, models.PROTECT, related_name="cards", null=True, blank=True, verbose_name=_("person")
    )
    uid = models.BinaryField(null=True, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=CardState.choices)
    close_reason = models.CharField(_("closed because"), max_length=16, choices=CloseReason.choices, blank=True)
    succession = models.CharField(_("succession"), max_length=16, choices=Succession.choices, default=Succession.FIRST)
    replaces = models.ForeignKey(
        "self", models.PROTECT, related_name="successors", null=True, blank=True, verbose_name=_("replaces")
    )
    succeeds_because = models.CharField(  # why its predecessor closes when this card is activated (DOMAIN.md, trap 9)
        _("replaces because"), max_length=16, choices=CloseReason.choices, blank=True
    )
    ordered_on = models.DateField(_("ordered on"), null=True, blank=True)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_until = models.DateField(_("valid until"), null=True, blank=True)
    printed_until = (
        models.DateField(  # an earlier end that the card itself says (V3.4.1a), kept apart from the one that follows
            _("printed until"), null=True, blank=True
        )
    )
    handed_over_on = models.DateField(_("handed over on"), null=True, blank=True)

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        constraints = [
            models.UniqueConstraint(fields=["school", "number"], name="one_card_per_number"),
            models.UniqueConstraint(fields=["school", "uid"], name="one_card_per_uid"),
        ]

    def __str__(self) -> str:
        return self.number


class CardStep(models.Model):
    """One step of a card's life, for ever: from which state to which, when, by whom and why."""

    card = models.ForeignKey(Card, models.CASCADE, related_name="steps", verbose_name=_("card"))
    at = models.DateTimeField(_("when"))
    actor = models.CharField(_("who"), max_length=150)
    action = models.CharField(_("action"), max_length=32)
    from_state = models.CharField(_("from"), max_length=16, choices=CardState.choices, blank=True)
    to_state = models.CharField(_("to"), max_length=16, choices=CardState.choices)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("step of a card")
        verbose_name_plural = _("history of cards")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.action} {self.card}"


class LoanEnd(models.TextChoices):
    """How a loan ended."""

    RETURNED = "returned", _("Returned")
    LOST = "lost", _("Lost")


class Loan(models.Model):
    """A substitute in a person's hands (T25 to T33). `is_provisional`: served at a till before the guard has confirmed it (trap 10)."""

    card = models.ForeignKey(Card, models.CASCADE, related_name="loans", verbose_name=_("substitute"))
    person = models.ForeignKey(Person, models.CASCADE, related_name="loans", verbose_name=_("person"))
    lent_at = models.DateTimeField(_("lent at"))
    lent_by = models.CharField(_("lent by"), max_length=150)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ended_by = models.CharField(_("taken back by"), max_length=150, blank=True)
    end = models.CharField(_("end"), max_length=16, choices=LoanEnd.choices, blank=True)
    is_provisional = models.BooleanField(_("provisional"), default=False)
    fee_cents = models.PositiveIntegerField(
        _("fee, in cents"), null=True, blank=True
    )  # T31: recorded, never a precondition
    fee_paid_on = models.DateField(_("fee paid on"), null=True, blank=True)

    class Meta:
        verbose_name = _("loan")
        verbose_name_plural = _("loans")
        constraints = [
            models.UniqueConstraint(fields=["card"], condition=Q(ended_at__isnull=True), name="one_loan_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.card}: {self.person}"
