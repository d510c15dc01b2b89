"""A shared quota's servings are promised before they are served: one atomic statement, so that all tills together never exceed the limit.

Where the holder's account pays (V6.5), the price that applies is held with the promise, or nothing is promised: both under the account's
lock, so that all tills together never bring it below zero.

Servings that are known already count too, claimed or not. A question asked again, with the same `tap_id`, has the same answer. A claim
that came to nothing says yes again to the host that holds it: that host knows from its own journal whether it served. One that came to
nothing at a till which has told of later servings since keeps nobody from a lunch elsewhere. Of one at a till that has fallen silent
nobody knows whether it was served: a till that asks meanwhile is told that the no is unsure, and its rule's `when_quota_unknown`
decides, since no child is refused because of a network (DESIGN.md §5). If both have served, the excess is flagged in the end.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from django.db import connection, transaction

from policy.model import Kind
from policy.rule import Per, Rule, parse_rule
from registry.events.body import Told
from registry.ledger import accounts, holds
from registry.models import Claim, Host
from registry.transactions import deed
from sync.wire.event import place_of
from sync.wire.faults import Malformed
from sync.wire.quota import ClaimAnswer, ClaimRequest, Funds

AT_ONCE: Final = timedelta(seconds=10)  # two readers of one till: whoever asked later may be told of first
SILENT: Final = timedelta(seconds=60)  # four beats of the stream: who was not heard for so long is away
_HOLDER_LETTERS: Final = 64
_TRIES: Final = 100  # each failed one is another till's claim that went in meanwhile: a limit is reached long before


def claim(host: Host, request: ClaimRequest, now: datetime) -> ClaimAnswer:
    """Answer whether the host may serve; `served` counts the holder's other servings and claims at this place on this day.

    A question with prices is answered for the account as well, which says whether they are covered.

    Raises Malformed for a kind of card that there is not. A service that has no published rule, or no limit for this kind, has
    nothing to promise: yes, and nothing is kept.
    """
    rule = _rule(host.school_id, request.service)
    if request.kind not in set(Kind):
        raise Malformed(f"claim: kind: expected one of {', '.join(Kind)}")
    limit = None if rule is None else rule.limit(Kind(request.kind))
    wanted = _Wanted(host, request, holder_of(request, rule), now)
    return _paid(host, request, wanted, limit, now) if request.is_paid else _promised(wanted, limit)


@deed
def _paid(host: Host, request: ClaimRequest, wanted: "_Wanted", limit: int | None, now: datetime) -> ClaimAnswer:
    """Hold the price of what is promised: of a serving within the limit, or of one beyond it where that is charged."""
    account = holds.account_of(host, request.person)
    if account is not None:
        accounts.lock([account])
    with transaction.atomic():
        is_beyond = request.price_cents is None  # the host knows already that the day is used up
        promised = ClaimAnswer(granted=False, served=wanted.served()) if is_beyond else _promised(wanted, limit)
        is_first = promised.granted or promised.is_unsure
        cents = request.price_cents if is_first else request.second_price_cents
        if cents is None:
            return promised
        left_cents = 0 if account is None else accounts.available_cents(account, now)
        credit = Funds.TOO_LITTLE if account is None and cents else Funds.HELD
        if account is not None and cents:
            credit, left_cents = holds.hold(account, host, request.tap_id, cents, now)
        if credit is Funds.TOO_LITTLE:
            transaction.set_rollback(True)  # the day's serving is not used up by one that nobody can pay
        return replace(promised, credit=credit, balance_cents=left_cents)


def _promised(wanted: "_Wanted", limit: int | None) -> ClaimAnswer:
    if limit is None:
        return ClaimAnswer(granted=True, served=wanted.served())
    for _ in range(_TRIES):
        if wanted.insert(limit) or wanted.is_ours() or wanted.take_over():
            return ClaimAnswer(granted=True, served=wanted.served() - 1)
        if (served := wanted.served()) >= limit:
            return ClaimAnswer(granted=False, served=served, is_unsure=served - wanted.in_doubt() < limit)
    return ClaimAnswer(granted=False, served=limit)


def holder_of(request: ClaimRequest, rule: Rule | None) -> str:
    """Return whose servings are counted together, as the host's events name them: the person's, or the card's own, a loan's for itself."""
    loan = f" lent to {request.person}" if request.kind == Kind.SUBSTITUTE else ""
    by_person = request.person is not None and (rule is None or rule.per is Per.PERSON)
    holder = f"person {request.person}" if by_person else f"card {request.card}{loan}"
    if len(holder) > _HOLDER_LETTERS:
        raise Malformed(
            f"claim: card, person: expected ids of this registry, together at most {_HOLDER_LETTERS} letters"
        )
    return holder


def use(host: Host, told: Sequence[Told], now: datetime) -> None:
    """Mark the claims as used whose taps were granted.

    A tap whose claim was taken over by a later one of the same holder uses another claim of the holder at this host, if one is left:
    a serving is counted once.
    """
    servings = {each.tap_id: each for each in told if each.holder and each.tap_id}
    days = {each.service_day for each in servings.values() if each.service_day}
    if not days:
        return
    places = {each.place for each in servings.values()}
    of_days = Claim.objects.filter(
        school=host.school_id, place__in=places, day__in=days
    )  # the index of servings has these
    unused = list(of_days.select_for_update().filter(host=host, used_at=None).order_by("slot"))
    if not unused:
        return
    own = [left for left in unused if servings.pop(left.tap_id, None)]
    Claim.objects.filter(pk__in=[each.pk for each in own]).update(used_at=now)
    for left in unused:
        whose = (left.place, left.day, left.holder)
        tap_id = next(
            (tap for tap, each in servings.items() if (each.place, each.service_day, each.holder) == whose), None
        )
        if left not in own and tap_id is not None:
            del servings[tap_id]
            Claim.objects.filter(pk=left.pk).update(tap_id=tap_id, used_at=now)


_RULE: Final = """
SELECT CAST(r."table" AS text) FROM registry_ruleversion r JOIN registry_service s ON s.id = r.service_id
 WHERE s.school_id = %s AND s.code = %s AND r.published_at IS NOT NULL ORDER BY r.number DESC LIMIT 1
"""


def _rule(school_id: int, service: str) -> Rule | None:
    """Return the rule in force, or None for a service without one. A till waits for it: in plain SQL, and parsed once."""
    with connection.cursor() as cursor:
        cursor.execute(_RULE, [school_id, service])
        found = cursor.fetchone()
    return None if found is None else _parsed(found[0], service)


@lru_cache(maxsize=256)
def _parsed(table: str, service: str) -> Rule:
    return parse_rule(json.loads(table), service=service)


# What counts: claims, and servings that no claim belongs to; a hand mark that was undone is none (`registry.events.facts`).
# In the very words of the holder's index: by another all that the school keeps would be read, while a till waits.
_SERVED: Final = """
    (SELECT count(*) FROM registry_claim c
      WHERE c.school_id = %(school)s AND c.place = %(place)s AND c.day = %(day)s AND c.holder = %(holder)s)
  + (SELECT count(*) FROM registry_event e
      WHERE e.holder = %(holder)s AND NOT (e.holder = '') AND e.service_day = %(day)s AND +e.school_id = %(school)s
        AND e.service = %(service)s AND (e.direction = 'out') = %(is_out)s
        AND NOT EXISTS (SELECT 1 FROM registry_claim k WHERE k.tap_id = e.tap_id)
        AND NOT EXISTS (SELECT 1 FROM registry_fact f WHERE f.event_id = e.id AND NOT f.is_in_force))
"""
# Of two statements at once both may see the same servings, but then both take the same slot, and one of them does nothing.
_INSERT: Final = f"""
INSERT INTO registry_claim (school_id, place, day, holder, slot, tap_id, host_id, at)
SELECT %(school)s, %(place)s, %(day)s, %(holder)s, taken.slot, %(tap)s, %(host)s, %(at)s
  FROM (SELECT {_SERVED} AS served,
               (SELECT coalesce(max(slot), 0) + 1 FROM registry_claim m
                 WHERE m.school_id = %(school)s AND m.place = %(place)s AND m.day = %(day)s AND m.holder = %(holder)s) AS slot
       ) AS taken
 WHERE taken.served < %(limit)s
ON CONFLICT DO NOTHING
RETURNING slot
"""  # noqa: S608  our own text twice, no value in it


class _Wanted:
    """One question, ready to be put to the database."""

    def __init__(self, host: Host, request: ClaimRequest, holder: str, now: datetime) -> None:
        self._host, self._tap_id, self._day, self._now = host, request.tap_id, request.day, now
        self._values: dict[str, str | int | date | None] = {
            "school": host.school_id,
            "host": host.pk,
            "service": request.service,
            "place": place_of(request.service, request.direction),
            "is_out": request.direction == "out",
            "day": connection.ops.adapt_datefield_value(request.day),
            "holder": holder,
            "tap": request.tap_id,
            "at": connection.ops.adapt_datetimefield_value(now),
        }

    def is_ours(self) -> bool:
        """Whether this tap holds a claim at this host already."""
        return Claim.objects.filter(tap_id=self._tap_id, host=self._host).exists()

    def served(self) -> int:
        """Count the holder's servings and claims."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {_SERVED}", self._values)
            return int(cursor.fetchone()[0])

    def in_doubt(self) -> int:
        """Count the holder's promises of which nobody can say whether they were served: of hosts that have been silent since, and long."""
        before = self._now - SILENT
        of_holder = {name: self._values[name] for name in ("place", "holder")} | {"day": self._day}
        unused = Claim.objects.filter(school=self._host.school_id, used_at=None, at__lt=before, **of_holder)
        return unused.exclude(host=self._host).filter(host__last_heard_at__lt=before).count()

    def insert(self, limit: int) -> bool:
        """Take the next serving if there is one left: the one atomic statement."""
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, {**self._values, "limit": limit})
            return cursor.fetchone() is not None

    def take_over(self) -> bool:
        """Put this tap in the place of an unused one of the same holder: of the same host, or of one that let it lie."""
        of_holder = {name: self._values[name] for name in ("place", "holder")} | {"day": self._day}
        unused = Claim.objects.filter(school=self._host.school_id, used_at=None, **of_holder).order_by("pk")
        free = next((each for each in unused if each.host_id == self._host.pk or self._is_forgotten(each)), None)
        if free is None:
            return False
        left = Claim.objects.filter(pk=free.pk, tap_id=free.tap_id, used_at=None)
        return bool(left.update(tap_id=self._tap_id, host=self._host, at=self._now) == 1)

    def _is_forgotten(self, claim: Claim) -> bool:
        """Whether its host went on without it: what it told since, in the order of its journal, was claimed well after."""
        since = Claim.objects.filter(host=claim.host_id, day=claim.day, at__gt=claim.at + AT_ONCE)
        return since.exclude(used_at=None).exists()
