"""What the registry saw in the events of hosts and flagged beside them: nothing that a host told is rewritten (DESIGN.md §5)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.event import Event
from registry.models.school import School


class Seen(models.TextChoices):
    """What was seen."""

    EXCESS = "excess", _("beyond the limit of the day")
    REAPPEARED = "reappeared", _("own card used while a substitute is lent")
    TWO_PLACES = "two_places", _("one card at two places at once")


class EventFlag(models.Model):
    """One thing that was seen of an event; `other` is the event that it is held against: the serving that keeps the day, the other place.

    For `reappeared` there is no other event: the loan stands in the loans.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="event_flags")
    event = models.ForeignKey(Event, models.CASCADE, related_name="seen")
    other = models.ForeignKey(Event, models.SET_NULL, related_name="+", null=True)
    why = models.CharField(_("why"), max_length=16, choices=Seen.choices)
    service = models.CharField(_("service"), max_length=50, blank=True)
    day = models.DateField(_("day"))
    holder = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(_("flagged at"))

    class Meta:
        verbose_name = _("flag of an event")
        verbose_name_plural = _("flags of events")
        constraints = [models.UniqueConstraint(fields=["event", "why"], name="each_thing_seen_once")]
        indexes = [
            models.Index(fields=["school", "day"], name="flag_by_day"),
            models.Index(fields=["holder", "day"], name="flag_by_holder"),
        ]

    def __str__(self) -> str:
        return f"{self.why} {self.event_id}"
