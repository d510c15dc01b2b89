"""Persons, and as what, where and when they are enrolled."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from registry.models.choices import EnrolmentKind
from registry.models.school import School


class Person(models.Model):
    """A pupil, a teacher, a guest. The personal code (isikukood) is optional, stays here, and is never logged.

    The external id is a number of the school that wrote the person down (`issuer`): another school's 17 is somebody else.
    """

    issuer = models.ForeignKey(
        School, models.PROTECT, related_name="+", null=True, blank=True, verbose_name=_("school of the external id")
    )
    external_id = models.CharField(_("external id"), max_length=64)
    given_name = models.CharField(_("given name"), max_length=100)
    family_name = models.CharField(_("family name"), max_length=100)
    personal_code = models.CharField(_("personal code"), max_length=11, unique=True, null=True, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    library_number = models.CharField(_("library number"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("persons")
        indexes = [models.Index(fields=["family_name", "given_name"], name="person_by_name")]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "external_id"], name="one_person_per_external_id"),
            models.UniqueConstraint(
                fields=["external_id"], condition=Q(issuer__isnull=True), name="one_person_per_external_id_of_no_school"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.given_name} {self.family_name}"


class Enrolment(models.Model):
    """One stay of a person at a school; both dates are inclusive school-local days, `until` None is open (DOMAIN.md §2).

    `cut` is what went on from it and was taken away when its leaving was set, so that the leaving can be cancelled whole: a list, by day,
    of `{"pk", "class_name", "valid_from", "valid_until"}`, days in ISO or None.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="enrolments", verbose_name=_("person"))
    school = models.ForeignKey(School, models.CASCADE, related_name="enrolments", verbose_name=_("school"))
    class_name = models.CharField(_("class"), max_length=32, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=EnrolmentKind.choices, default=EnrolmentKind.PUPIL)
    valid_from = models.DateField(_("from"))
    valid_until = models.DateField(_("until"), null=True, blank=True)
    cut = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        indexes = [models.Index(fields=["school", "class_name"], name="enrolment_by_class")]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=models.F("valid_from")),
                name="enrolment_ends_after_it_begins",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person}, {self.class_name or self.get_kind_display()}"
