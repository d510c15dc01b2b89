"""Taking a fact that somebody enters at this host: durable first, then in force here at once (DESIGN.md §4)."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from daemon.clock import HostClock
from policy.holder import holder_of
from policy.model import Card
from policy.rule import Per, Rule
from sync.cache_file import CacheInfo
from sync.facts import Facts
from sync.faults import JournalFault
from sync.journal import Journal, Transaction
from sync.link_report import LinkReport
from sync.wire.event import Event, EventKind, utc_text
from sync.wire.facts import Act, Fact
from sync.wire.faults import Malformed

_MARKS: Final = frozenset({Act.SERVE, Act.UNDO})
_NAME_MAX: Final = 50


class FactDesk:
    """Notes facts; asked over the control socket. May be used from any thread."""

    def __init__(  # noqa: PLR0913  what a mark is counted by
        self,
        journal: Journal,
        facts: Facts,
        clock: HostClock,
        zone: Callable[[], ZoneInfo],
        *,
        rule_of: Callable[[str], Rule],
        card_of: Callable[[str], Card | None],
    ) -> None:
        """Take the parts; `zone` gives the school's time zone of now, the last two a service's rule and the card of a number."""
        self._journal = journal
        self._facts = facts
        self._clock = clock
        self._zone = zone
        self._rule_of = rule_of
        self._card_of = card_of

    def answer(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Note the fact that a question holds: `act`, `card`, `person`, `provisional`, `undoes`, and `service` for a mark.

        Answers `{"noted": {"epoch", "seq", "tap_id"}}`, or `{"error": why}` and nothing is noted.
        """
        try:
            event = self._note(question)
        except (Malformed, JournalFault) as fault:
            return {"error": str(fault)}
        return {"noted": {name: event[name] for name in ("epoch", "seq", "tap_id")}}

    def _note(self, question: Mapping[str, Any]) -> Event:
        told = {name: question[name] for name in ("provisional", "undoes") if question.get(name) is not None}
        fact = Fact.from_table({"act": None, "card": None, "person": None, **_own(question), **told})
        event = self._event(fact, question.get("service"))
        noted: list[Event] = []

        def append(transaction: Transaction) -> None:
            transaction.append(event)
            noted[:] = transaction.appended[-1:]

        self._journal.transact(append)
        row_id = self._journal.id_of(int(str(noted[0]["epoch"])), int(str(noted[0]["seq"])))
        assert row_id is not None, "an event that was just appended has its place"  # noqa: S101  an invariant
        self._facts.add(row_id, noted[0])
        return noted[0]

    def _event(self, fact: Fact, service: object) -> Event:
        is_mark = fact.act in _MARKS
        if fact.act is Act.SERVE and not (isinstance(service, str) and 0 < len(service) <= _NAME_MAX):
            raise Malformed("fact: service: expected the service that a mark counts at")
        at = self._clock.moment().at
        return {
            "kind": EventKind.MARK if is_mark else EventKind.LOAN,
            "tap_id": secrets.token_bytes(16).hex(),
            "time": utc_text(at),
            "service_day": at.astimezone(self._zone()).date().isoformat(),
            "service": service if isinstance(service, str) else None,
            "direction": None,
            "card": fact.card,
            "person": fact.person,
            "holder": self._holder(fact, str(service)) if fact.act is Act.SERVE else None,
            "fact": fact.to_table(),
        }

    def _holder(self, fact: Fact, service: str) -> str:
        """Return whose serving a mark is, as of a tap at this service (`policy.holder`). Raises Malformed where that cannot be told."""
        rule = self._rule_of(service)
        if rule.per is Per.PERSON and fact.person is not None:
            return f"person {fact.person}"
        if fact.card is None:
            raise Malformed("fact: card: found none, expected the card: its servings are what this service counts")
        card = self._facts.overlay(self._card_of(fact.card))
        if card is None:
            raise Malformed(
                "fact: card: found one that this host does not know, expected one whose servings can be counted"
            )
        return holder_of(card, rule)


def _own(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: question[name] for name in ("act", "card", "person") if name in question}


def settled_id(journal: Journal, facts: Facts, report: LinkReport | None, info: CacheInfo | None) -> int:
    """Return the id up to which what serves holds the facts noted here, 0 where that cannot be told.

    Of the registry: it has taken them, and its version that holds them, or a later one, serves here; one of a former generation is none,
    however high. Of cards fed by hand: they were imported later.
    """
    if info is None:
        return 0
    if info.generation is None:
        return facts.last_before(info.imported_at)
    mark = report.watermark if report else None
    if mark is None or mark.version is None or mark.generation is None:
        return 0
    if (info.generation, info.version) < (mark.generation, mark.version):
        return 0
    return journal.id_of(mark.epoch, mark.seq) or 0
