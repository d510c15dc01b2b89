"""A ledger for tests: a school whose copies are prepaid, pupils with money on their accounts, a printer's host that tells of taps."""

import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from registry.events.ingest import take
from registry.ledger import accounts, booking
from registry.models import AccountKind, Host, LedgerAccount, Person, RuleVersion, School, Service, Transfer
from sync.wire.quota import ClaimRequest
from tests.rig import registered
from tests.rig.registered import NOON
from tests.rig.telling import Telling

DAY: Final = NOON.date()
COPIES: Final = {"price_cents": 30, "prepaid": True, "offline_allowance_cents": 60}
_keys = itertools.count(1)


@dataclass(slots=True)
class Printer:
    """A host beside a copying machine, and what it has told so far."""

    host: Host
    telling: Telling = field(default_factory=Telling)

    def copied(self, person: Person, cents: int = 30, **given: Any) -> dict[str, Any]:  # noqa: ANN401  fields of an event
        """Let it note a copy that the person's account pays; it is told by `tell`."""
        whole = {
            "service": "copies",
            "direction": None,
            "person": str(person.pk),
            "holder": f"person {person.pk}",
            "price_cents": cents,
            "prepaid": True,
            **given,
        }
        return self.telling.tell(**whole)

    def tell(self, first: int = 1) -> None:
        """Let the registry take all that was noted, from an event on; what it has already it has."""
        take(self.host, self.telling.batch(first), NOON)


def printer(school: School, name: str = "printer", rule: dict[str, Any] | None = None) -> Printer:
    """Make the host, and the rule of copies if there is none."""
    service, is_new = Service.objects.get_or_create(school=school, code="copies", defaults={"name": "Copies"})
    if is_new:
        table = COPIES if rule is None else rule
        RuleVersion.objects.create(
            service=service, number=1, table=table, created_at=NOON, created_by="test", published_at=NOON
        )
    return Printer(registered.host(school, name), Telling(host=name))


def order(cents: int, **given: Any) -> booking.Order:  # noqa: ANN401  fields of an order
    """An order by the office, with a key of its own."""
    whole = {"key": f"form {next(_keys)}", "day": DAY, "actor": "secretary", "now": NOON, **given}
    return booking.Order(cents, **whole)


def paid_in(school: School, person: Person, cents: int) -> LedgerAccount:
    """Put money on a person's account, in cash."""
    booking.top_up(school, person, order(cents), AccountKind.CASH)
    return accounts.of_person(school, person)


def asked(person: Person, cents: int | None = 30, **given: Any) -> ClaimRequest:  # noqa: ANN401  fields of the question
    """A question for a copy that the person's account pays."""
    whole = {
        "tap_id": secrets.token_hex(16),
        "service": "copies",
        "direction": None,
        "day": DAY,
        "card": "4711",
        "person": str(person.pk),
        "kind": "personal",
        "price_cents": cents,
        **given,
    }
    return ClaimRequest(**whole)


def all_cents() -> int:
    """Add up what is on all accounts there are."""
    return sum(accounts.balance_cents(account) for account in LedgerAccount.objects.all())


def transfers() -> list[tuple[str, int]]:
    """Return what was booked, in order: what it was, and how much."""
    return list(Transfer.objects.order_by("pk").values_list("act", "cents"))
