"""Reader hosts: how each is enrolled and known, and what a desk among them is asked to read."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.models.choices import Shows
from registry.models.school import School


class Host(models.Model):
    """A reader host. `public_key` (Ed25519) signs its requests, `box_key` (X25519) is what secrets for it are sealed to; raw, 32 bytes.

    `address` (host:port, empty for none) is where the school's other hosts reach it, `services` what its readers serve, as it says itself.
    The watermark is the last event that was taken in order: its epoch, its number in it, its branch, and its link (`sync.wire.event`).
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="hosts", verbose_name=_("school"))
    name = models.SlugField(_("name"), unique=True)
    is_desk = models.BooleanField(_("is a desk where cards are entered by tapping"), default=False)
    shows = models.CharField(_("names"), max_length=16, choices=Shows.choices, default=Shows.NONE, editable=False)
    public_key = models.BinaryField(null=True, editable=False)
    box_key = models.BinaryField(null=True, editable=False)
    enrolled_at = models.DateTimeField(_("enrolled at"), null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    address = models.CharField(_("address"), max_length=100, blank=True, default="", editable=False)
    services = models.JSONField(_("services"), default=list, editable=False)
    last_heard_at = models.DateTimeField(_("last heard at"), null=True, editable=False)
    held_version = models.BigIntegerField(_("version held"), null=True, editable=False)
    epoch = models.BigIntegerField(default=0, editable=False)
    seq = models.BigIntegerField(default=0, editable=False)
    branch = models.PositiveIntegerField(default=0, editable=False)
    link = models.BinaryField(default=bytes, editable=False)

    class Meta:
        verbose_name = _("host")
        verbose_name_plural = _("hosts")

    def __str__(self) -> str:
        return self.name


class EnrolCode(models.Model):
    """A one-time code by which a host is enrolled; only the SHA-256 of its secret is kept."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="codes")
    secret_sha256 = models.BinaryField(unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"code for {self.host}"


class Nonce(models.Model):
    """A request that was taken, so that it is not taken twice; forgotten when its time has passed."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="nonces")
    value = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["host", "value"], name="a_nonce_is_used_once")]

    def __str__(self) -> str:
        return self.value


class DeskRequest(models.Model):
    """Somebody at the back office waits for a card to be tapped at a desk. `uid` is what came; it is forgotten when it was used."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="desk_requests")
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    uid = models.BinaryField(null=True)
    tapped_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"card at {self.host}"
