"""The versions of a service's rule: drafted, previewed, published (DESIGN.md §5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max
from django.db.models.fields.json import KeyTextTransform

from policy.rule import Rule, parse_rule
from registry import audit
from registry.models import PublishedRow, RuleVersion, Service
from registry.publishing import changes
from registry.rules.drafts import Change, as_json, differences, refuse_unless_publishable
from registry.transactions import deed


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a draft would change.

    `admitted` and `refused` count, by kind, the cards in use that the rule's `kinds` and `groups` would newly let in or keep out.
    """

    changes: tuple[Change, ...]
    admitted: Mapping[str, int]
    refused: Mapping[str, int]

    def __str__(self) -> str:
        """Tell the changes line by line."""
        return "\n".join(map(str, self.changes))


@deed
def draft(service: Service, table: object, *, actor: str, now: datetime) -> RuleVersion:
    """Keep a new version of the rule. Raises `policy.fault.Faulty` with all that is wrong, each by its key."""
    parse_rule(table, service=service.code)
    Service.objects.select_for_update().get(pk=service.pk)  # two drafts at once: one number each
    newest = RuleVersion.objects.filter(service=service).aggregate(number=Max("number"))["number"] or 0
    version = RuleVersion.objects.create(
        service=service, number=newest + 1, table=as_json(table), created_at=now, created_by=actor
    )
    audit.record(actor, "rule drafted", school=service.school, object=version, service=service.code, number=newest + 1)
    return version


def in_force(service: Service) -> RuleVersion | None:
    """Return the newest published version."""
    return RuleVersion.objects.filter(service=service, published_at__isnull=False).order_by("-number").first()


def preview(version: RuleVersion) -> Preview:
    """Return what would change if this version were published now."""
    held = in_force(version.service)
    before: Mapping[str, object] = held.table if held else {}
    old, new = (parse_rule(table, service=version.service.code) for table in (before, version.table))
    admitted: dict[str, int] = {}
    refused: dict[str, int] = {}
    for kind, groups, count in _cards_in_use(version.service):
        was, will = (_admits(rule, kind, groups) for rule in (old, new))
        if was != will:
            counts = admitted if will else refused
            counts[kind] = counts.get(kind, 0) + count
    return Preview(differences(before, version.table), admitted, refused)


@deed
def publish(version: RuleVersion, *, actor: str, now: datetime) -> None:
    """Put a draft in force at all hosts. Raises Refused for one that was published, or that a newer one has overtaken."""
    service = Service.objects.select_for_update().get(pk=version.service_id)
    version.refresh_from_db()
    held = in_force(service)
    refuse_unless_publishable(version, held)
    version.published_at = now
    version.save(update_fields=["published_at"])
    audit.record(
        actor, "rule published", school=service.school, object=version, service=service.code, number=version.number
    )
    changes.documents_changed(service.school)


def _cards_in_use(service: Service) -> list[tuple[str, frozenset[str], int]]:
    """Return the kinds and groups of the cards that hosts hold as active, and how many cards have each."""
    active = PublishedRow.objects.filter(school=service.school, table=changes.CARDS, row__3="active")
    counted = (
        active.annotate(kind=KeyTextTransform("2", "row"), groups=KeyTextTransform("6", "row"))
        .values_list("kind", "groups")
        .annotate(count=Count("pk"))
        .order_by("kind", "groups")
    )
    return [(kind, frozenset(filter(None, groups.split(";"))), count) for kind, groups, count in counted]


def _admits(rule: Rule, kind: str, groups: frozenset[str]) -> bool:
    """Kinds and groups are and-ed, groups among themselves or-ed, as in `policy.decide`."""
    return (rule.kinds is None or kind in rule.kinds) and (rule.groups is None or bool(groups & rule.groups))
