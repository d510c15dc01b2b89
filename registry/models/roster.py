"""Rosters that were brought in, the leavings they propose, and the yearly rollover of classes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.person import Enrolment
from registry.models.school import School


class RosterImport(models.Model):
    """One roster: its dry run (`diff`) and, once somebody applied it, when and who."""

    school = models.ForeignKey(School, models.CASCADE, related_name="imports", verbose_name=_("school"))
    file_name = models.CharField(_("file"), max_length=200)
    made_at = models.DateTimeField(_("made at"))
    made_by = models.CharField(_("made by"), max_length=150)
    diff = models.JSONField(_("difference"), default=dict)
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    applied_by = models.CharField(_("applied by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("roster import")
        verbose_name_plural = _("roster imports")

    def __str__(self) -> str:
        return self.file_name


class LeavingProposal(models.Model):
    """An enrolment that a roster no longer has. Somebody decides: absence never ends a stay by itself (trap 7)."""

    enrolment = models.ForeignKey(
        Enrolment, models.CASCADE, related_name="leaving_proposals", verbose_name=_("enrolment")
    )
    roster = models.ForeignKey(RosterImport, models.CASCADE, related_name="proposals", verbose_name=_("roster"))
    proposed_at = models.DateTimeField(_("proposed at"))
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.CharField(_("decided by"), max_length=150, blank=True)
    is_accepted = models.BooleanField(_("accepted"), null=True)

    class Meta:
        verbose_name = _("proposed leaving")
        verbose_name_plural = _("proposed leavings")

    def __str__(self) -> str:
        return str(self.enrolment)


class Rollover(models.Model):
    """The turn of the class year (DOMAIN.md, trap 7): planned for a day, seen before, undone if need be."""

    school = models.ForeignKey(School, models.CASCADE, related_name="rollovers", verbose_name=_("school"))
    day = models.DateField(_("first day of the new classes"))
    plan = models.JSONField(_("plan"), default=list)
    planned_at = models.DateTimeField(_("planned at"))
    planned_by = models.CharField(_("planned by"), max_length=150)
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("rollover")
        verbose_name_plural = _("rollovers")

    def __str__(self) -> str:
        return f"{self.school} {self.day}"
