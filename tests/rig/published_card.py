"""What hosts are told of a card, for tests."""

from registry.models import PublishedRow


def told_row(**which: object) -> list[str | None]:
    """Return the published row of a card, the only one unless `which` says more: card, person, kind, state, first, last, groups."""
    row: list[str | None] | None = PublishedRow.objects.get(table="cards", **which).row
    assert row is not None
    return row
