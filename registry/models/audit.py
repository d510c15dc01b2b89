"""Who did or looked at what, for ever: the answer to every later question."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.school import School


class AuditEntry(models.Model):
    """One deed or look. `actor` is a user's name, `host NAME` or `command`; `detail` never holds a UID or a personal code."""

    at = models.DateTimeField(_("when"), db_index=True)
    actor = models.CharField(_("who"), max_length=150)
    action = models.CharField(_("action"), max_length=64)
    school = models.ForeignKey(School, models.SET_NULL, null=True, verbose_name=_("school"))
    object_type = models.CharField(_("of what"), max_length=32, blank=True)
    object_id = models.CharField(_("which"), max_length=64, blank=True)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"
