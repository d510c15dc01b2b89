"""What hosts of a school are to know, row by row with the version that last changed it; and the chain of root documents."""

from django.db import models

from registry.models.card import Card
from registry.models.school import School


class SiteState(models.Model):
    """The newest version of what a school's hosts know, and the digest of that state (sum mod 2²⁵⁶ of the rows' SHA-256, in hex).

    `refreshed_on` is the school-local day up to which rows are computed: enrolments begin and end as days pass.
    """

    school = models.OneToOneField(School, models.CASCADE, related_name="state", primary_key=True)
    generation = models.BigIntegerField(default=1)
    version = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="0" * 64)
    changed_at = models.DateTimeField(null=True)
    refreshed_on = models.DateField(null=True)
    people_version = models.BigIntegerField(default=1)  # of the people documents (`registry.publishing.people`)

    def __str__(self) -> str:
        return f"{self.school.code} {self.version}"


class PublishedRow(models.Model):
    """One row as hosts hold it: of table `cards` (`key` is the keyed UID in hex) or `documents` (`key` is the document's name).

    `row` is None for a row that is gone: kept, so that a delta can say so. What changed after version V is all rows above V.
    `card` is whose row it is: a card that was given another UID leaves its former row behind.
    """

    school = models.ForeignKey(School, models.CASCADE, related_name="published")
    table = models.CharField(max_length=16)
    key = models.CharField(max_length=64)
    card = models.ForeignKey(Card, models.SET_NULL, related_name="published", null=True)
    row = models.JSONField(null=True)
    version = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["school", "table", "key"], name="one_published_row_per_key")]
        indexes = [models.Index(fields=["school", "version"], name="published_by_version")]

    def __str__(self) -> str:
        return f"{self.table} {self.version}"


class RootDocument(models.Model):
    """One signed root document: which keys hold, and since which generation. Version follows version."""

    version = models.PositiveIntegerField(unique=True)
    document = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"root {self.version}"
