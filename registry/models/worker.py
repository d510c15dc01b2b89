"""Workers of a school's canteen or library, who open a shift at a host's page by a PIN."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.school import School


class Worker(models.Model):
    """A worker. Of the PIN a salt and a hash are kept (`sync.wire.pin`); of a worker who was removed neither, but the name."""

    school = models.ForeignKey(School, models.CASCADE, related_name="workers", verbose_name=_("school"))
    name = models.CharField(_("name"), max_length=100)
    pin_salt = models.BinaryField(default=bytes, editable=False)
    pin_hash = models.BinaryField(default=bytes, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    added_at = models.DateTimeField(_("added at"))

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name
