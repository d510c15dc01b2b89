"""Servings marked by hand, judged as a tap would be: one lunch a person and day over cards, tills and marks (DESIGN.md §5).

Who marks stands beside the pupil: a card that was forgotten, closed or never made is no reason to refuse, and what a till would ask the
staff about is answered by the mark itself. What refuses is what refuses everybody: the day's limit, the hours, the admitted groups.
`anyway` and `paper` are noted whatever was served: the registry flags the excess. A class is marked for those who have not eaten: whoever
has is refused there also where the rule flags or charges a second serving, which nobody orders for a whole class.

Where the disk refuses, a mark follows the service's `when_disk_fails` as a tap does (DESIGN.md §2.4): it waits in memory, flagged. A paper
list does not: it was served long ago, and can be entered when the disk is whole.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple, Self

from daemon.basis import Basis, Local, basis
from daemon.clock import HostClock
from daemon.judge import Judge, Judged, UsageOf
from daemon.noted import Noted, derived_id
from daemon.tap_record import price_told
from policy.holder import holder_of
from policy.model import Card, Decision, Kind, Quota, State, Tap, Verdict
from policy.reasons import Reason
from policy.rule import Fallback, Per, Rule, Second
from sync.cache import CardCache
from sync.cache_file import Gathered
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.wire.canonical import from_hex, text, text_or_none
from sync.wire.event import Event, EventKind, utc_text
from sync.wire.facts import Act, Fact, How
from sync.wire.faults import Malformed

MOST_PERSONS: Final = 60
PAPER_DAYS: Final = 60
AT_ONCE: Final = 8  # marks in a transaction: few pages of the laid log, and no tap waits for a whole class
ASKING_S: Final = 0.8  # for all questions about one class: whoever marks it waits, and so does the next who does
NO_CARD: Final = "-"  # stands in a claim for the card of somebody who has none: the person is what is counted
_JUDGED: Final = frozenset({How.HAND, How.CLASS})
_KINDS: Final = (Kind.PERSONAL, Kind.STAFF, Kind.VISITOR, Kind.SUBSTITUTE)
_SERVED_ALREADY: Final = frozenset({Reason.ALREADY_TODAY, Reason.ALREADY_JUST_NOW})

Answer = dict[str, object]


class Refusal(Exception):
    """A mark is refused, and nothing is noted. `reason` is a word of the answer."""

    def __init__(self, reason: str, **more: object) -> None:
        """Say why."""
        super().__init__(reason)
        self.told: Answer = {"reason": reason, **more}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be marked: `tap_id` is the asker's own id of the request, `asked` the tap that this answers (hex both)."""

    service: str
    how: How
    persons: tuple[str, ...]
    tap_id: str
    card: str | None
    day: date | None
    why: str | None
    by: str | None
    asked: str | None

    @classmethod
    def read(cls, question: Mapping[str, Any], tap_id: str) -> Self:
        """Read a question. Raises Malformed."""
        how = question.get("how", How.HAND)
        if how not in set(How):
            raise Malformed(f"mark: how: expected one of {', '.join(How)}")
        many = question.get("persons")
        if many is not None and not (isinstance(many, list) and 0 < len(many) <= MOST_PERSONS):
            raise Malformed(f"mark: persons: expected a list of 1 to {MOST_PERSONS}")
        given = many if many is not None else [question.get("person")]
        wanted = cls(
            service=text(question.get("service"), "fact: service: the service that a mark counts at", 50),
            how=How(how),
            persons=tuple(dict.fromkeys(text(each, "fact: person", 64) for each in given)),
            tap_id=tap_id,
            card=text_or_none(question.get("card"), "fact: card", 64),
            day=_day(question.get("day")),
            why=text_or_none(question.get("why"), "fact: why"),
            by=text_or_none(question.get("by"), "fact: by", 64),
            asked=None if question.get("asked") is None else from_hex(question["asked"], "fact: asked", 16).hex(),
        )
        if many is not None and (wanted.card or wanted.asked):
            raise Malformed("mark: card, asked: expected with one person alone")
        if (wanted.day is not None) and wanted.how is not How.PAPER:
            raise Malformed("mark: day: expected for paper alone")
        return wanted

    def id_of(self, person: str) -> str:
        """Return the `tap_id` of one person's mark: each of many has its own, the same when the question comes again."""
        return self.tap_id if len(self.persons) == 1 else derived_id(self.tap_id, f"mark {person}")

    def fact(self, act: Act, person: str, card: str | None, *, is_provisional: bool = False) -> Fact:
        """Return the fact as the event holds it. Raises Malformed for one that the wire does not know."""
        is_serve = act is Act.SERVE
        made = Fact(
            act,
            card,
            person,
            is_provisional,
            how=self.how if is_serve else None,
            why=self.why if is_serve else None,
            by=self.by,
            asked=self.asked,
        )
        return Fact.from_table(made.to_table())


class _Candidate(NamedTuple):
    """One person's mark on its way: what it is judged on, and the substitute that is lent with it."""

    person: str
    tap: Tap
    given: Basis
    fact: Fact
    lends: Fact | None


class Marks:
    """Notes hand marks. Used by one thread at a time (the desk's lock)."""

    def __init__(  # noqa: PLR0913  what a mark is judged by
        self,
        *,
        journal: Journal,
        facts: Facts,
        cache: CardCache,
        clock: HostClock,
        judge: Judge,
        noted: Noted,
        local: Callable[[], Local],
    ) -> None:
        """Take the parts; `local` gives what the host's own file says now."""
        self._journal = journal
        self._facts = facts
        self._cache = cache
        self._clock = clock
        self._judge = judge
        self._noted = noted
        self._local = local

    def serve(self, wanted: Wanted) -> tuple[list[Answer], list[Event]]:
        """Mark each person; returns an answer for each in order, and the events that were noted, the loans among them.

        An answer is `{"person", "noted": event}` or `{"person", "refused": {"reason", …}}`. Raises Malformed, Refusal for a question that
        is as wrong for all, JournalFault where the disk refuses and the service does not serve without it: what was answered before
        stands, and comes back when it is asked again. What is kept in memory has no epoch nor number yet.
        """
        answers: dict[str, Answer] = {}
        waiting: list[str] = []
        for person in wanted.persons:
            former = self._noted.event(wanted.id_of(person))
            if former is None:
                waiting.append(person)
            else:
                answers[person] = _same(former, person)
        noted: list[Event] = []
        asked: list[Tap] = []
        try:
            candidates = self._candidates(wanted, waiting, asked, answers) if waiting else []
            for first in range(0, len(candidates), AT_ONCE):
                told, events = self._note(wanted, candidates[first : first + AT_ONCE])
                answers |= told
                noted += events
        finally:  # also of those who were not come to: a neighbour keeps what was asked for until it hears
            served = {str(event["tap_id"]) for event in noted}
            for tap in asked:
                self._judge.settle(tap, was_served=tap.tap_id.hex() in served)
        return [{"person": person, **answers[person]} for person in wanted.persons], noted

    def _candidates(
        self, wanted: Wanted, persons: Sequence[str], asked_about: list[Tap], answers: dict[str, Answer]
    ) -> list[_Candidate]:
        """Gather what each is judged on, and ask others about their quota where that may refuse: those are put into `asked_about`.

        Who of a class cannot be marked at all is put into `answers`, and keeps nobody else from it.
        """
        asked = self._asked_card(wanted) if wanted.asked else None
        number = asked or wanted.card
        gathered, cards = self._cache.cards_of(persons, number)
        held = [each for each in (self._facts.overlay(card) for card in cards) if each is not None]
        given = self._basis(gathered, wanted.service)
        self._check_day(wanted, given)
        until_s = time.monotonic() + ASKING_S
        made = []
        for person in persons:
            try:
                card, lends = _card(wanted, person, held, number, given.rule)
            except Refusal as refusal:
                if len(wanted.persons) == 1:
                    raise
                answers[person] = {"refused": refusal.told}
                continue
            tap = Tap(bytes.fromhex(wanted.id_of(person)), "", wanted.service, None, b"", 0)
            own = replace(given, card=card)
            if wanted.how in _JUDGED:
                asked_about.append(tap)
                is_in_time = time.monotonic() < until_s
                own = self._judge.with_quota(tap, own) if is_in_time else self._judge.without_asking(tap, own)
                if own.quota is Quota.UNKNOWN:
                    until_s = 0.0  # nobody answers: the others of the class are not kept waiting for it
            fact_card = None if card.card == NO_CARD or number is None else number
            lend = wanted.fact(Act.LEND, person, number, is_provisional=True) if lends else None
            made.append(_Candidate(person, tap, own, wanted.fact(Act.SERVE, person, fact_card), lend))
        return made

    def _basis(self, gathered: Gathered, service: str) -> Basis:
        local, told = self._local(), gathered.documents
        if service not in local.rules and not (told and service in told.rules):
            raise Malformed("fact: service: expected one that is served here")
        return basis(gathered, service, local, self._facts)

    def _check_day(self, wanted: Wanted, given: Basis) -> None:
        """Take no list of a day to come, nor of one long ago. Raises Malformed."""
        today = self._clock.moment().at.astimezone(given.zone).date()
        if wanted.day is not None and not 0 <= (today - wanted.day).days <= PAPER_DAYS:
            raise Malformed(f"mark: day: expected one of the last {PAPER_DAYS} days")

    def _asked_card(self, wanted: Wanted) -> str:
        """Return the card of the tap that asked. Raises Refusal where that tap is not known, or was answered."""
        tap = self._noted.tap(wanted.asked or "")
        if tap is None or tap["service"] != wanted.service or tap["card"] is None:
            raise Refusal("asked_unknown")
        if wanted.card not in {None, tap["card"]}:
            raise Malformed("fact: card: expected the card of the tap that asked")
        if self._noted.answer_of(str(tap["tap_id"])) is not None:
            raise Refusal("asked_answered")
        return str(tap["card"])

    def _note(self, wanted: Wanted, candidates: Sequence[_Candidate]) -> tuple[dict[str, Answer], list[Event]]:
        answers: dict[str, Answer] = {}
        noted: list[Event] = []

        def decide_and_append(transaction: Transaction) -> None:
            answers.clear()
            before = len(transaction.appended)
            for each in candidates:
                answer, events = self._decided(wanted, each, transaction.usage)
                place = len(transaction.appended)
                for event in events:
                    transaction.append(event)
                answers[each.person] = answer or {"noted": transaction.appended[place]}
            noted[:] = transaction.appended[before:]

        try:
            self._journal.transact(decide_and_append)
        except JournalFault:
            if not _may_wait(wanted.how, candidates[0].given.rule):
                raise
            return self._keep(wanted, candidates)
        for event in noted:
            row_id = self._journal.id_of(int(str(event["epoch"])), int(str(event["seq"])))
            assert row_id is not None, "an event that was just appended has its place"  # noqa: S101  an invariant
            self._facts.add(row_id, event)
            self._noted.add(event)
        return answers, noted

    def _keep(self, wanted: Wanted, candidates: Sequence[_Candidate]) -> tuple[dict[str, Answer], list[Event]]:
        """Decide what may be done without the disk, and keep it in memory; a substitute's loan is in force when the disk has it."""
        answers: dict[str, Answer] = {}
        kept: list[Event] = []
        for each in candidates:

            def decide(usage_of: UsageOf, each: _Candidate = each) -> Sequence[Event]:
                answer, events = self._decided(wanted, each, usage_of, disk_ok=False)
                answers[each.person] = answer
                return events

            of_person = self._journal.ring.decide(decide)
            if of_person:
                answers[each.person] = {"noted": of_person[0]}
            kept += of_person
        for event in kept:
            self._noted.add(event)
        return answers, kept

    def _decided(
        self, wanted: Wanted, candidate: _Candidate, usage_of: UsageOf, *, disk_ok: bool = True
    ) -> tuple[Answer, list[Event]]:
        """Return why a person's mark is refused, or nothing and its events: the mark, and the loan that goes with it."""
        judged = self._judge.judged(candidate.tap, candidate.given, usage_of, disk_ok=disk_ok, day=wanted.day)
        if _is_refused(wanted.how, judged.decision):
            return {"refused": _refused(judged, candidate.given)}, []
        event = self._event(wanted, candidate, judged)
        return {}, [event] if candidate.lends is None else [event, _loan(event, candidate.lends)]

    def _event(self, wanted: Wanted, candidate: _Candidate, judged: Judged) -> Event:
        card, rule = candidate.given.card, candidate.given.rule
        assert card is not None, "a mark is judged on a card, if only a supposed one"  # noqa: S101  an invariant
        decision = judged.decision
        price_cents = decision.price_cents or _price_cents(decision, card, rule)
        return {
            "kind": EventKind.MARK,
            "tap_id": candidate.tap.tap_id.hex(),
            "time": utc_text(judged.moment.at),
            "service_day": judged.now.service_day.isoformat(),
            "service": wanted.service,
            "direction": None,
            "reason": None if decision.reason is Reason.OK or wanted.how is How.PAPER else decision.reason,
            "flags": [flag.value for flag in decision.flags],
            "card": candidate.fact.card,
            "person": candidate.person,
            "holder": holder_of(card, rule),
            "fact": candidate.fact.to_table(),
            **price_told(price_cents, rule),
        }


def _day(value: object) -> date | None:
    try:
        day = None if value is None else date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed("mark: day: expected a day like 2026-09-01") from error
    if day is not None and day.isoformat() != value:
        raise Malformed("mark: day: expected a day like 2026-09-01")
    return day


def _card(wanted: Wanted, person: str, held: Sequence[Card], number: str | None, rule: Rule) -> tuple[Card, bool]:
    """Return the card that a person's mark is judged on, and whether it is lent to the person with it. Raises Malformed, Refusal."""
    own = _own_card(person, held)
    if number is None:
        if own is None and rule.per is Per.CARD:
            raise Refusal("no_card")  # its servings are what this service counts
        return own or Card(NO_CARD, person, Kind.PERSONAL, State.ACTIVE), False
    named = next((each for each in held if each.card == number), None)
    if named is None:
        raise Malformed(
            "fact: card: found one that this host does not know, expected one whose servings can be counted"
        )
    if named.person == person:
        return _usable(named), False
    is_free_substitute = named.kind is Kind.SUBSTITUTE and named.state is State.POOL
    if wanted.asked is None or not is_free_substitute:
        raise Refusal("card_of_another")
    groups = named.groups | (own.groups if own else frozenset())
    return replace(named, state=State.ACTIVE, person=person, groups=groups), True


def _own_card(person: str, held: Sequence[Card]) -> Card | None:
    """Return the person's card that says most of what the person may: one that is in use, a personal one before others."""
    own = [each for each in held if each.person == person]
    own.sort(key=lambda card: (card.state is not State.ACTIVE, _KINDS.index(card.kind), card.card))
    return _usable(own[0]) if own else None


def _usable(card: Card) -> Card:
    """Return the card as if it were in order: it lies at home, and may be lost; the person stands here. Who left the school has left."""
    state = State.LEFT if card.state is State.LEFT else State.ACTIVE
    return replace(card, state=state, valid_from=None, valid_until=None)


def _is_refused(how: How, decision: Decision) -> bool:
    """Whether a mark is refused. What asks the staff is answered by whoever marks; a second lunch is no whole class's."""
    is_second = decision.reason is Reason.ALREADY_TODAY
    return how in _JUDGED and (decision.verdict is Verdict.DENY or (how is How.CLASS and is_second))


def _may_wait(how: How, rule: Rule) -> bool:
    """Whether a mark may be kept in memory while the disk refuses: whoever marks is the staff that the rule may ask."""
    return how is not How.PAPER and rule.when_disk_fails is not Fallback.DENY


def _refused(judged: Judged, given: Basis) -> Answer:
    """Tell why, and how often the person was served; `last_s` is how long ago the last was, where it is known here."""
    told: Answer = {"reason": str(judged.decision.reason)}
    if judged.decision.reason in _SERVED_ALREADY:
        told["served"] = max(judged.usage.served_today, 1 if given.quota is Quota.USED_UP else 0)
        told["last_s"] = None if judged.usage.last_served_s_ago is None else round(judged.usage.last_served_s_ago)
    return told


def _same(former: Event, person: str) -> Answer:
    """Answer a question that came again. Raises Malformed where its id was used for something else."""
    if former["kind"] != EventKind.MARK or former["person"] != person or former["holder"] is None:
        raise Malformed("mark: tap_id: found one that was used for another request, expected a new one")
    return {"noted": former}


def _price_cents(decision: Decision, card: Card, rule: Rule) -> int:
    """Price what was refused and is served all the same: beyond the day's limit as the rule prices a second serving."""
    is_second = decision.reason is Reason.ALREADY_TODAY and rule.second is Second.CHARGE
    return rule.price(card.groups, is_charged_second=is_second)


def _loan(mark: Event, lends: Fact) -> Event:
    """Return the provisional loan that goes with a mark: of the same moment, and in the same transaction (DOMAIN.md, trap 10)."""
    same = ("time", "service_day", "service", "direction", "card", "person")
    return {
        **{name: mark[name] for name in same},
        "kind": EventKind.LOAN,
        "tap_id": derived_id(str(mark["tap_id"]), "lend"),
        "holder": None,
        "fact": lends.to_table(),
    }
