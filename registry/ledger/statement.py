"""A person's statement: each movement of the account in the order in which it was booked, with what was left after it (V6.5)."""

from dataclasses import dataclass

from django.db.models import Q

from registry.ledger.accounts import balance_cents, found
from registry.models import Person, School, Transfer


@dataclass(frozen=True, slots=True)
class Line:
    """One movement: `cents` is what it added, below zero what it took; `balance_cents` what was left after it."""

    transfer: Transfer
    cents: int
    balance_cents: int

    @property
    def is_reversed(self) -> bool:
        """Whether it was taken back since."""
        return hasattr(self.transfer, "reversed_by")


def statement(school: School, person: Person, most: int | None = None) -> list[Line]:
    """Return the lines, newest first, at most so many of the newest. Nobody's name or card stands in them."""
    account = found(school, person)
    if account is None:
        return []
    moved = Transfer.objects.filter(Q(source=account) | Q(target=account)).select_related("reversed_by", "reverses")
    rows = moved.select_related("source", "target").order_by("-pk")
    lines: list[Line] = []
    left = balance_cents(account)
    for transfer in rows if most is None else rows[:most]:
        cents = transfer.cents if transfer.target_id == account.pk else -transfer.cents
        lines.append(Line(transfer, cents, left))
        left -= cents
    return lines
