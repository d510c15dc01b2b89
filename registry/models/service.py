"""Services, their rules version by version, and the school's calendar version by version."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from policy.calendar import DayType
from registry.models.school import School


class Service(models.Model):
    """A service of a school, such as `door` or `canteen`; readers name it by its `code`."""

    school = models.ForeignKey(School, models.CASCADE, related_name="services", verbose_name=_("school"))
    code = models.SlugField(_("code"))
    name = models.CharField(_("name"), max_length=100)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        constraints = [models.UniqueConstraint(fields=["school", "code"], name="one_service_per_code")]

    def __str__(self) -> str:
        return f"{self.name} ({self.school.code})"


class RuleVersion(models.Model):
    """One version of a service's rule, as a table of the keys of DESIGN.md §7. The newest published one is in force; none is changed."""

    service = models.ForeignKey(Service, models.CASCADE, related_name="rules", verbose_name=_("service"))
    number = models.PositiveIntegerField(_("version"))
    table = models.JSONField(_("rule"), default=dict)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["service", "-number"]
        constraints = [models.UniqueConstraint(fields=["service", "number"], name="one_rule_per_number")]

    def __str__(self) -> str:
        return f"{self.service} {self.number}"


class CalendarVersion(models.Model):
    """One version of a school's calendar, as the table of a host file's `[calendar]`. The newest published one is in force."""

    school = models.ForeignKey(School, models.CASCADE, related_name="calendars", verbose_name=_("school"))
    number = models.PositiveIntegerField(_("version"))
    table = models.JSONField(_("calendar"), default=dict)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150)
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ["school", "-number"]
        constraints = [models.UniqueConstraint(fields=["school", "number"], name="one_calendar_per_number")]

    def __str__(self) -> str:
        return f"{self.school} {self.number}"


class ClassDay(models.Model):
    """A day that is another kind of day for one class, such as a trip (DESIGN.md §5)."""

    school = models.ForeignKey(School, models.CASCADE, related_name="class_days", verbose_name=_("school"))
    class_name = models.CharField(_("class"), max_length=32)
    day = models.DateField(_("day"))
    day_type = models.CharField(_("kind of day"), max_length=16, choices=[(str(kind), str(kind)) for kind in DayType])

    class Meta:
        verbose_name = _("day of a class")
        verbose_name_plural = _("days of classes")
        constraints = [models.UniqueConstraint(fields=["school", "class_name", "day"], name="one_kind_per_class_day")]

    def __str__(self) -> str:
        return f"{self.class_name}, {self.day}"
