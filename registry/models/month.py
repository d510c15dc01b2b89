"""Months of a service that somebody closed, with their figures as they were then, and what became known after."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.service import Service


class ClosedMonth(models.Model):
    """A month of a service, closed for good by a named person: there is no way back, and `figures` is never written again.

    `figures` are the lines of `registry.reports.counting` as lists; `first_day` is the month's first.
    """

    service = models.ForeignKey(Service, models.PROTECT, related_name="closed_months", verbose_name=_("service"))
    first_day = models.DateField(_("month"))
    closed_at = models.DateTimeField(_("closed at"))
    closed_by = models.CharField(_("closed by"), max_length=150)
    figures = models.JSONField(_("figures"), default=list)

    class Meta:
        verbose_name = _("closed month")
        verbose_name_plural = _("closed months")
        ordering = ["-first_day"]
        constraints = [models.UniqueConstraint(fields=["service", "first_day"], name="a_month_is_closed_once")]

    def __str__(self) -> str:
        return f"{self.service} {self.first_day:%Y-%m}"


class Cause(models.TextChoices):
    """Why a closed month would have other figures now."""

    LATE = "late", _("told late")
    UNDONE = "undone", _("taken back")


class Adjustment(models.Model):
    """What one of a host's messages changed of a closed month: `served` and `excess` are differences, and may be negative."""

    month = models.ForeignKey(ClosedMonth, models.CASCADE, related_name="adjustments", verbose_name=_("month"))
    at = models.DateTimeField(_("when"))
    why = models.CharField(_("why"), max_length=16, choices=Cause.choices)
    host = models.CharField(_("host"), max_length=50)
    line = models.JSONField(_("line"), default=list)
    served = models.IntegerField(_("lunches"))
    excess = models.IntegerField(_("flagged excess"))

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.month}: {self.served:+d}"
