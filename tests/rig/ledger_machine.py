"""The ledger driven by lot against plain arithmetic: top-ups, charges, refunds, reversals, files, questions, resends, in any order."""

import io
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.events.claims import claim
from registry.events.ingest import take
from registry.ledger import accounts, booking, holds, topup_files
from registry.ledger.statement import statement
from registry.models import AccountKind, Transfer, TransferAct
from registry.refusal import Refused
from sync.wire.quota import Funds
from tests.rig import registered
from tests.rig.ledger import asked, order, printer
from tests.rig.registered import NOON

PERSONS: Final = 3
WHO: Final = st.integers(0, PERSONS - 1)
CENTS: Final = st.integers(1, 200)
PLACE: Final = st.integers(0, 1000)


class LedgerMachine(RuleBasedStateMachine):
    """One school in a transaction that is never committed. The model is a balance a person, and what is set aside for whom."""

    def __init__(self) -> None:
        """Lay the school."""
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.school = registered.school("viimsi")
        self.persons = [registered.person(self.school) for _ in range(PERSONS)]
        self.printers = [printer(self.school, name, {"price_cents": 30, "prepaid": True}) for name in ("one", "two")]
        self.now = NOON
        self.balances = [0] * PERSONS
        self.held: dict[str, tuple[int, int, int]] = {}  # tap id: person, cents, printer
        self.waiting: list[list[tuple[int, int]]] = [[], []]  # what each printer has not told yet: person, cents
        self.has_owed = [False] * PERSONS
        self.references: dict[str, tuple[int, int]] = {}
        self.reversed: set[int] = set()
        self.orders: list[tuple[int, Any]] = []

    def teardown(self) -> None:
        """Take all of it back."""
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    def available(self, who: int) -> int:
        """What the model says may be spent."""
        return self.balances[who] - sum(cents for person, cents, _ in self.held.values() if person == who)

    @rule(who=WHO, cents=CENTS, way=st.sampled_from([AccountKind.CASH, AccountKind.TRANSFERS]))
    def top_up(self, who: int, cents: int, way: AccountKind) -> None:
        """By the office."""
        asked_for = order(cents)
        booking.top_up(self.school, self.persons[who], asked_for, way)
        self.balances[who] += cents
        self.orders.append((who, asked_for))

    @precondition(lambda self: self.orders)
    @rule(place=PLACE)
    def press_twice(self, place: int) -> None:
        """The same form again, by whichever way it was: nothing is booked."""
        who, asked_for = self.orders[place % len(self.orders)]
        way = AccountKind(Transfer.objects.get(school=self.school, key=asked_for.key).source.kind)
        booking.top_up(self.school, self.persons[who], asked_for, way)

    @rule(who=WHO, cents=CENTS)
    def pay_out(self, who: int, cents: int) -> None:
        """Never more than is left."""
        may = cents <= self.available(who)
        try:
            booking.pay_out(self.school, self.persons[who], order(cents, now=self.now), AccountKind.CASH)
        except Refused:
            assert not may
        else:
            assert may
            self.balances[who] -= cents

    @rule(
        lines=st.lists(st.tuples(st.integers(0, 9), WHO, CENTS), min_size=1, max_size=4, unique_by=lambda line: line[0])
    )
    def import_file(self, lines: list[tuple[int, int, int]]) -> None:
        """Lines of the operator's, some of them known from another file; one that contradicts makes the file bad."""
        told = [(f"R{number}", who, cents) for number, who, cents in lines]
        contradicts = any(self.references.get(ref, (who, cents)) != (who, cents) for ref, who, cents in told)
        text = "reference;external_id;amount;date\n" + "".join(
            f"{ref};{self.persons[who].external_id};{cents // 100},{cents % 100:02d};{NOON:%d.%m.%Y}\n"
            for ref, who, cents in told
        )
        made = topup_files.preview(self.school, "f.csv", io.BytesIO(text.encode()), actor="it", now=self.now)
        assert bool(made.bad_count) is contradicts
        if contradicts:
            return
        topup_files.apply(made, actor="it", now=self.now)
        assert topup_files.apply(made, actor="it", now=self.now) == 0
        for ref, who, cents in told:
            if ref not in self.references:
                self.references[ref] = (who, cents)
                self.balances[who] += cents

    @rule(who=WHO, cents=CENTS, at=st.integers(0, 1))
    def copy_in_contact(self, who: int, cents: int, at: int) -> None:
        """The printer asks, and notes the copy only where the price is held."""
        question = asked(self.persons[who], cents)
        may = cents <= self.available(who)
        answer = claim(self.printers[at].host, question, self.now)
        assert (answer.credit is Funds.HELD) is may
        assert answer.balance_cents == self.available(who) - (cents if may else 0)
        if may:
            self.held[question.tap_id] = (who, cents, at)
            self.printers[at].copied(self.persons[who], cents, tap_id=question.tap_id)
            self.waiting[at].append((who, cents))

    @rule(who=WHO, cents=CENTS, at=st.integers(0, 1))
    def ask_and_crash(self, who: int, cents: int, at: int) -> None:
        """The printer asks and is never heard of this tap again: the amount is set aside until its time is over."""
        question = asked(self.persons[who], cents)
        if claim(self.printers[at].host, question, self.now).credit is Funds.HELD:
            self.held[question.tap_id] = (who, cents, at)

    @rule(who=WHO, cents=CENTS, at=st.integers(0, 1))
    def copy_cut_off(self, who: int, cents: int, at: int) -> None:
        """On the printer's own allowance: whatever is on the account, it is told later."""
        self.printers[at].copied(self.persons[who], cents, flags=["charged_offline"])
        self.waiting[at].append((who, cents))
        self.has_owed[who] = True

    @rule(at=st.integers(0, 1), is_whole=st.booleans())
    def tell(self, at: int, *, is_whole: bool) -> None:
        """The printer uploads what it has; sometimes all of its history again."""
        telling = self.printers[at].telling
        if not telling.seq:
            return
        first = 1 if is_whole or not self.waiting[at] else telling.seq - len(self.waiting[at]) + 1
        take(self.printers[at].host, telling.batch(first), self.now)
        for who, cents in self.waiting[at]:
            self.balances[who] -= cents
        told = {
            event_id
            for event_id, (_, _, printer_) in self.held.items()
            if printer_ == at and self._is_charged(event_id)
        }
        for tap_id in told:
            del self.held[tap_id]
        self.waiting[at] = []

    def _is_charged(self, tap_id: str) -> bool:
        return Transfer.objects.filter(school=self.school, key=holds.tap_key(tap_id)).exists()

    @rule()
    def wait(self) -> None:
        """An hour goes by: what was asked and never told is free again."""
        self.now += holds.HELD_FOR + timedelta(seconds=1)
        for tap_id, (who, _, _) in list(self.held.items()):
            del self.held[tap_id]
            self.has_owed[who] = True  # whose copy is told after this is out of contact

    @rule(place=PLACE, is_again=st.booleans())
    def reverse(self, place: int, *, is_again: bool) -> None:
        """Any transfer that is none itself, on purpose, once or twice."""
        rows = list(Transfer.objects.filter(school=self.school).exclude(act=TransferAct.REVERSAL).order_by("pk"))
        if not rows:
            return
        transfer = rows[place % len(rows)]
        for _ in range(1 + is_again):
            booking.reverse(transfer, actor="it", now=self.now, may_owe=True)
        if transfer.pk in self.reversed:
            return
        self.reversed.add(transfer.pk)
        side = transfer.target if transfer.target.kind == AccountKind.PREPAID else transfer.source
        who = next(place for place, person in enumerate(self.persons) if person.pk == side.person_id)
        self.balances[who] += -transfer.cents if side == transfer.target else transfer.cents
        self.has_owed[who] = True

    @invariant()
    def adds_up(self) -> None:
        """All accounts together are zero; each person's is what the model says, and the end of the statement."""
        totals = accounts.totals(self.school)
        assert sum(cents for _, cents in totals) == 0
        for person, balance in zip(self.persons, self.balances, strict=True):
            assert accounts.balance_cents(accounts.of_person(self.school, person)) == balance
            lines = statement(self.school, person)
            assert (lines[0].balance_cents if lines else 0) == balance
            assert sum(line.cents for line in lines) == balance

    @invariant()
    def never_below_zero_in_contact(self) -> None:
        """Whoever was neither charged by a host that was cut off nor reversed on purpose has what is held, and more."""
        for who in range(PERSONS):
            assert self.has_owed[who] or self.available(who) >= 0
