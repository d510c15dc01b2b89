"""Hosts' events as they came, what could not be taken, the facts folded out of them, and the quota that was claimed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from registry.models.card import Card
from registry.models.host import Host
from registry.models.person import Person
from registry.models.school import School


class Event(models.Model):
    """One event of a host's journal. `body` is its canonical bytes, from which all other columns were read.

    `branch` is 0; a host image that was restored and went on with numbers already used begins another (FAULTS.md, Storage).
    """

    host = models.ForeignKey(Host, models.CASCADE, related_name="events", verbose_name=_("host"))
    school = models.ForeignKey(School, models.CASCADE, related_name="events", verbose_name=_("school"))
    epoch = models.BigIntegerField()
    seq = models.BigIntegerField()
    branch = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    link = models.BinaryField()
    kind = models.CharField(_("kind"), max_length=16)
    tap_id = models.CharField(max_length=32, blank=True)
    time = models.DateTimeField(_("time"))
    service_day = models.DateField(_("day"), null=True)
    reader = models.CharField(_("reader"), max_length=100, blank=True)
    service = models.CharField(_("service"), max_length=50, blank=True)
    direction = models.CharField(_("direction"), max_length=8, blank=True)
    verdict = models.CharField(_("answer"), max_length=8, blank=True)
    reason = models.CharField(_("reason"), max_length=32, blank=True)
    flags = models.JSONField(_("flags"), default=list)
    outcome = models.CharField(_("outcome"), max_length=8, blank=True)
    card = models.ForeignKey(Card, models.SET_NULL, related_name="events", null=True, verbose_name=_("card"))
    person = models.ForeignKey(Person, models.SET_NULL, related_name="events", null=True, verbose_name=_("person"))
    holder = models.CharField(max_length=64, blank=True)
    how = models.CharField(max_length=8, blank=True)  # of a hand mark; empty is by hand, and on all that is no mark
    price_cents = models.PositiveIntegerField(null=True)  # None: taken before the column was there, its body knows
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["host", "epoch", "seq", "branch"], name="each_event_exactly_once")
        ]
        indexes = [
            models.Index(fields=["school", "-time"], name="event_by_time"),
            models.Index(fields=["card", "-time"], name="event_by_card"),
            models.Index(fields=["tap_id"], name="event_by_tap"),
            models.Index(fields=["holder", "service_day"], name="event_by_serving", condition=~models.Q(holder="")),
            models.Index(fields=["school", "service_day"], name="event_by_day_served", condition=~models.Q(holder="")),
            models.Index(
                fields=["received_at"], name="event_from_ahead", condition=models.Q(time__gt=models.F("received_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host} {self.epoch}/{self.seq}"


class SetAside(models.Model):
    """An event that could not be taken: kept as it came, with why, while the rest goes on."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="set_aside", verbose_name=_("host"))
    epoch = models.BigIntegerField()
    seq = models.BigIntegerField()
    branch = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    link = models.BinaryField()
    why = models.CharField(_("why"), max_length=300)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("event set aside")
        verbose_name_plural = _("events set aside")
        constraints = [models.UniqueConstraint(fields=["host", "epoch", "seq", "branch"], name="set_aside_once")]

    def __str__(self) -> str:
        return f"{self.host} {self.epoch}/{self.seq}"


class Gap(models.Model):
    """Events that a host does not have any more: said, never passed over. `last_seq` None is the end of the epoch, wherever that was."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="gaps", verbose_name=_("host"))
    epoch = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField(null=True)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("gap")
        verbose_name_plural = _("gaps")

    def __str__(self) -> str:
        return f"{self.host} {self.epoch}/{self.first_seq}-{self.last_seq or ''}"


class Fact(models.Model):
    """A fact that a host told: a loan, a return, a loss, a hand mark. Of two that conflict both stay, one is in force (DESIGN.md §4)."""

    event = models.OneToOneField(Event, models.CASCADE, related_name="fact")
    act = models.CharField(_("act"), max_length=16)
    card = models.ForeignKey(Card, models.CASCADE, related_name="facts", null=True)
    person = models.ForeignKey(Person, models.CASCADE, related_name="facts", null=True)
    is_in_force = models.BooleanField(_("in force"), default=True)
    is_in_conflict = models.BooleanField(_("in conflict"), default=False)
    why = models.CharField(_("why"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("fact")
        verbose_name_plural = _("facts")

    def __str__(self) -> str:
        return f"{self.act} {self.event}"


class Claim(models.Model):
    """One of the day's servings, promised to a host before it serves: `slot` counts from 1 to the rule's limit."""

    school = models.ForeignKey(School, models.CASCADE, related_name="claims")
    place = models.CharField(max_length=60)
    day = models.DateField()
    holder = models.CharField(max_length=64)
    slot = models.PositiveIntegerField()
    tap_id = models.CharField(max_length=32, unique=True)
    host = models.ForeignKey(Host, models.CASCADE, related_name="claims")
    at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["school", "place", "day", "holder", "slot"], name="each_serving_claimed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.day} {self.holder} {self.slot}"
