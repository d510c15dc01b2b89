"""Taking a fact that somebody enters at this host: durable first, then in force here at once (DESIGN.md §4)."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from daemon.clock import HostClock
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

    def __init__(self, journal: Journal, facts: Facts, clock: HostClock, zone: Callable[[], ZoneInfo]) -> None:
        """Take the parts; `zone` gives the school's time zone of now."""
        self._journal = journal
        self._facts = facts
        self._clock = clock
        self._zone = zone

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
            "holder": f"person {fact.person}" if fact.act is Act.SERVE else None,
            "fact": fact.to_table(),
        }


def _own(question: Mapping[str, Any]) -> dict[str, Any]:
    return {name: question[name] for name in ("act", "card", "person") if name in question}


def settled_id(journal: Journal, facts: Facts, report: LinkReport | None, info: CacheInfo | None) -> int:
    """Return the id up to which what serves holds the facts noted here, 0 where that cannot be told.

    Of the registry: it has taken them, and its version that holds them serves here. Of cards fed by hand: they were imported later.
    """
    if info is None:
        return 0
    if info.generation is None:
        return facts.last_before(info.imported_at)
    mark = report.watermark if report else None
    if mark is None or mark.version is None or info.version < mark.version:
        return 0
    return journal.id_of(mark.epoch, mark.seq) or 0
