"""Accounts of the ledger: found or opened, locked in one order, and what is on them: the sum of their transfers, and nothing else."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from django.db.models import Q, QuerySet, Sum

from registry.models import AccountKind, Enrolment, Hold, LedgerAccount, Person, School, Transfer


def of_person(school: School, person: Person) -> LedgerAccount:
    """Return the person's prepaid account at the school, opened if there was none."""
    return LedgerAccount.objects.get_or_create(school=school, kind=AccountKind.PREPAID, person=person, service="")[0]


def found(school: School, person: Person) -> LedgerAccount | None:
    """Return the person's account if there is one: looking opens none."""
    return LedgerAccount.objects.filter(school=school, kind=AccountKind.PREPAID, person=person).first()


def of_school(school: School, kind: AccountKind, service: str = "") -> LedgerAccount:
    """Return one of the school's own accounts, opened if there was none."""
    return LedgerAccount.objects.get_or_create(school=school, kind=kind, person=None, service=service)[0]


def lock(accounts: Iterable[LedgerAccount]) -> None:
    """Lock accounts until the transaction ends, always in the same order, so that no two who charge wait for each other.

    Only persons' accounts need it: nothing is refused for what is on another. On SQLite the transaction itself is the lock.
    """
    keys = {account.pk for account in accounts}
    if keys:
        list(LedgerAccount.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk"))


def balance_cents(account: LedgerAccount) -> int:
    """Return what came in less what went out, in cents. Below zero on a person's account: owed to the school."""
    came = Transfer.objects.filter(target=account).aggregate(cents=Sum("cents"))["cents"] or 0
    went = Transfer.objects.filter(source=account).aggregate(cents=Sum("cents"))["cents"] or 0
    return int(came - went)


def held_cents(account: LedgerAccount, now: datetime) -> int:
    """Return what is set aside for taps whose events have not come yet."""
    return int(Hold.objects.filter(account=account, expires_at__gt=now).aggregate(cents=Sum("cents"))["cents"] or 0)


def available_cents(account: LedgerAccount, now: datetime) -> int:
    """Return what may still be spent."""
    return balance_cents(account) - held_cents(account, now)


def totals(school: School) -> list[tuple[LedgerAccount | None, int]]:
    """Return what is on each of the school's own accounts, and on all persons' together (None): they add up to zero."""
    own: list[tuple[LedgerAccount | None, int]] = [
        (account, balance_cents(account))
        for account in LedgerAccount.objects.filter(school=school, person=None).order_by("kind", "service")
    ]
    persons = Transfer.objects.filter(school=school)
    came = persons.filter(target__kind=AccountKind.PREPAID).aggregate(cents=Sum("cents"))["cents"] or 0
    went = persons.filter(source__kind=AccountKind.PREPAID).aggregate(cents=Sum("cents"))["cents"] or 0
    return [(None, int(came - went)), *own]


def below_zero(school: School) -> list[tuple[Person, int]]:
    """Return who owes, and how much: a host that was cut off charged more than there was (V6.5)."""
    rows = LedgerAccount.objects.filter(school=school, kind=AccountKind.PREPAID)
    return [(person, cents) for person, cents in _balances(school, rows) if cents < 0]


def left_behind(school: School, today: date) -> list[tuple[Person, int]]:
    """Return who has left the school for good, as far as is known, with how much is still theirs: it is to be paid out."""
    lasts = Q(valid_until=None) | Q(valid_until__gte=today)
    there = Enrolment.objects.filter(lasts, school=school).values("person")
    rows = LedgerAccount.objects.filter(school=school, kind=AccountKind.PREPAID).exclude(person__in=there)
    return [(person, cents) for person, cents in _balances(school, rows) if cents > 0]


def _balances(school: School, rows: QuerySet[LedgerAccount]) -> Iterator[tuple[Person, int]]:
    came = dict(_sums(school, "target"))
    went = dict(_sums(school, "source"))
    for row in rows.select_related("person").order_by("pk"):
        if row.person is not None:
            yield row.person, came.get(row.pk, 0) - went.get(row.pk, 0)


def _sums(school: School, side: str) -> Iterable[tuple[int, int]]:
    rows = Transfer.objects.filter(school=school, **{f"{side}__kind": AccountKind.PREPAID}).order_by()
    return rows.values_list(side).annotate(cents=Sum("cents"))
