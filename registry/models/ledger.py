"""The ledger of prepaid accounts: accounts, transfers between two of them, amounts held for taps, and files of top-ups (V6.5)."""

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.enums import TextChoices
from django.utils.translation import gettext_lazy as _

from registry.models.host import Host
from registry.models.person import Person
from registry.models.school import School

_NAMELESS: Final = Q(person__isnull=True)


class AccountKind(TextChoices):
    """What an account stands for. A person's is what the school owes them; the others are whence it came and whither it went."""

    PREPAID = "prepaid", _("Prepaid")
    CASH = "cash", _("Cash at the office")
    TRANSFERS = "transfers", _("Transfers to the operating company")
    REVENUE = "revenue", _("Charged for a service")
    CORRECTIONS = "corrections", _("Corrections")
    NOBODY = "nobody", _("Charged to nobody that is known")


class TransferAct(TextChoices):
    """Why money was moved."""

    TOP_UP = "top_up", _("Top-up")
    CHARGE = "charge", _("Charge")
    PAY_OUT = "pay_out", _("Paid out")
    CORRECTION = "correction", _("Correction")
    REVERSAL = "reversal", _("Reversal")


class LedgerAccount(models.Model):
    """One account of a school: a person's, or one of the school's own; `service` is the code of what revenue is of."""

    school = models.ForeignKey(School, models.PROTECT, related_name="accounts", verbose_name=_("school"))
    kind = models.CharField(_("kind"), max_length=16, choices=AccountKind.choices)
    person = models.ForeignKey(Person, models.PROTECT, related_name="accounts", null=True, verbose_name=_("person"))
    service = models.CharField(_("service"), max_length=50, blank=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(fields=["school", "person"], name="one_account_per_person"),
            models.UniqueConstraint(
                fields=["school", "kind", "service"], condition=_NAMELESS, name="one_account_per_kind"
            ),
            models.CheckConstraint(
                condition=Q(kind=AccountKind.PREPAID, person__isnull=False)
                | (~Q(kind=AccountKind.PREPAID) & _NAMELESS),
                name="a_prepaid_account_is_somebodys",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.service or self.person_id or ''}".strip()


class Transfer(models.Model):
    """Money moved from one account to another: one row is both entries of double entry, so that no transaction can fail to add up.

    Written once and never changed, by this class nor, where the database is asked, by a statement (`registry.ledger.guard`): a mistake is
    made good by another transfer that `reverses` it. `key` is what it is known by, so that it is booked once however often it is told.
    `day` is the school's own; `happened_at` when, `booked_at` when it was written here. `is_offline`: charged while nobody could ask.
    """

    school = models.ForeignKey(School, models.PROTECT, related_name="transfers", verbose_name=_("school"))
    act = models.CharField(_("what"), max_length=16, choices=TransferAct.choices)
    source = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="transfers_out")
    target = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="transfers_in")
    cents = models.PositiveBigIntegerField(_("amount"))
    key = models.CharField(max_length=100)
    day = models.DateField(_("day"))
    happened_at = models.DateTimeField(_("when"))
    booked_at = models.DateTimeField(_("booked at"))
    actor = models.CharField(_("who"), max_length=150)
    reference = models.CharField(_("reference"), max_length=100, blank=True)
    service = models.CharField(_("service"), max_length=50, blank=True)
    place = models.CharField(_("where"), max_length=210, blank=True)
    is_offline = models.BooleanField(default=False)
    reverses = models.OneToOneField("self", models.PROTECT, related_name="reversed_by", null=True)

    class Meta:
        verbose_name = _("transfer")
        verbose_name_plural = _("transfers")
        constraints = [
            models.UniqueConstraint(fields=["school", "key"], name="each_transfer_once"),
            models.CheckConstraint(condition=Q(cents__gt=0), name="a_transfer_moves_something"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="a_transfer_has_two_sides"),
            models.CheckConstraint(
                condition=Q(act=TransferAct.REVERSAL, reverses__isnull=False)
                | (~Q(act=TransferAct.REVERSAL) & Q(reverses__isnull=True)),
                name="a_reversal_names_what_it_reverses",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act} {self.cents} {self.key}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Write it, once. Raises TypeError for one that is written already: that is our own mistake."""
        if not self._state.adding:
            raise TypeError("a transfer is never changed: book one that reverses it")
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # Django's own arguments

    def delete(self, *_args: object, **_kwargs: object) -> tuple[int, dict[str, int]]:
        """Never done: raises TypeError."""
        raise TypeError("a transfer is never taken away: book one that reverses it")


class Hold(models.Model):
    """An amount set aside for one tap until its event comes, or its time is over: the promise of a claim (V6.5)."""

    account = models.ForeignKey(LedgerAccount, models.CASCADE, related_name="holds")
    host = models.ForeignKey(Host, models.CASCADE, related_name="holds")
    tap_id = models.CharField(max_length=32, unique=True)
    cents = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="hold_by_expiry")]

    def __str__(self) -> str:
        return f"{self.cents} {self.tap_id}"


class TopUpFile(models.Model):
    """A file of top-ups by the operating company: read, shown, then booked or left. `rows` are those that were read, `bad` what was wrong.

    A row is `[line, reference, person's id, cents, day in ISO, whether it is booked already]`.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="topup_files", verbose_name=_("school"))
    file_name = models.CharField(_("file"), max_length=200)
    rows = models.JSONField(default=list)
    bad = models.JSONField(default=list)
    bad_count = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(_("when"))
    made_by = models.CharField(_("who"), max_length=150)
    applied_at = models.DateTimeField(_("booked at"), null=True)
    applied_by = models.CharField(_("booked by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("file of top-ups")
        verbose_name_plural = _("files of top-ups")

    def __str__(self) -> str:
        return self.file_name
