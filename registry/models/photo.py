"""Photos that a school has given of its persons, for hosts that may show them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.person import Person
from registry.models.school import School


class Photo(models.Model):
    """One person's photo at one school: a JPEG as `registry.people.photos` has checked it. `sha256` is in hex, and names it to hosts."""

    school = models.ForeignKey(School, models.CASCADE, related_name="photos", verbose_name=_("school"))
    person = models.ForeignKey(Person, models.CASCADE, related_name="photos", verbose_name=_("person"))
    jpeg = models.BinaryField()
    sha256 = models.CharField(max_length=64, db_index=True)
    given_at = models.DateTimeField(_("given at"))
    given_by = models.CharField(_("given by"), max_length=150)

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        constraints = [models.UniqueConstraint(fields=["school", "person"], name="one_photo_per_person_and_school")]

    def __str__(self) -> str:
        return self.sha256[:16]
