"""What the link may be asked: its state, a claim on a shared quota, a card tapped for the back office, how many a day has served.

A claim is answered within its deadline whatever the network does: where the registry's answer has not come by then, nothing is known.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from sync.link.gathering import Gathering
from sync.link.lanes import Lanes
from sync.link.neighbours.neighbours import Neighbours
from sync.link.report import Report
from sync.link.transport import Transport
from sync.wire import canonical, times
from sync.wire.day_counts import MAX_BYTES as DAY_BYTES
from sync.wire.day_counts import DayCounts, parse_day
from sync.wire.desk import UID_BYTES, DeskTap
from sync.wire.event import Serving
from sync.wire.neighbour import Reserve
from sync.wire.quota import MAX_BYTES, PRICES, ClaimAnswer, ClaimRequest

LANES: Final = (
    4  # connections kept for claims: so many tills can wait at once, the others hear "unknown" at their deadline
)
DEADLINE_MS: Final = range(1, 5001)
DESK_S: Final = 5.0
DAY_S: Final = 1.5  # a page asks, that can show its own till's count meanwhile
_CLAIM_MEMBERS: Final = ("tap_id", "service", "direction", "day", "card", "person", "kind")


class Questions:
    """Answers them, each on the thread of who asks."""

    def __init__(  # noqa: PLR0913, PLR0917  what it answers by, each once
        self,
        report: Report,
        connect: Callable[[], Transport],
        host: str,
        box_key: Callable[[], bytes | None],
        quota_deadline_ms: int,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`connect` makes a signing connection; `box_key` gives the registry's X25519 key once it is known.

        `quota_deadline_ms` is how long a claim may take whose question names no time of its own. `neighbours` are asked beside the
        registry; None for a host that speaks with none.
        """
        self._neighbours = neighbours
        self._report = report
        self._host = host
        self._box_key = box_key
        self._quota_deadline_ms = quota_deadline_ms
        self._lanes = Lanes(connect, LANES, "the registry")
        self._counting = threading.Lock()  # one connection at the most: the others are for taps

    def answers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, object]]]:
        """Return what answers each question."""
        return {
            "status": lambda _question: self._report.table(),
            "claim": self._claim,
            "release": self._release,
            "desk": self._desk,
            "day_counts": self._day_counts,
        }

    def close(self) -> None:
        """End what is under way."""
        self._lanes.close()

    def _claim(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer as `ClaimAnswer` does, or `{"unknown": why}` once the question's `timeout_ms` are over.

        Where it has `reserve` (`at`, `place`, `holder`, `limit`) the neighbours are asked at the same time; `neighbours` are their answers.
        """
        told = {name: question[name] for name in _CLAIM_MEMBERS + PRICES if name in question}
        request = ClaimRequest.parse(canonical.encode(told))
        timeout_ms = question.get("timeout_ms", self._quota_deadline_ms)
        if not isinstance(timeout_ms, int) or timeout_ms not in DEADLINE_MS:
            raise ValueError(f"timeout_ms: expected {DEADLINE_MS.start} to {DEADLINE_MS.stop - 1}")
        if "reserve" in question and self._neighbours is not None:
            return self._asked_everywhere(self._neighbours, request, question["reserve"], timeout_ms / 1000)
        answer, failure = self._lanes.within(timeout_ms / 1000, lambda lane, total_s: _claimed(lane, request, total_s))
        return {"unknown": failure} if answer is None else answer.to_table()

    def _asked_everywhere(
        self, neighbours: Neighbours, request: ClaimRequest, wanted: Mapping[str, Any], total_s: float
    ) -> Mapping[str, object]:
        serving = Serving(request.day, str(wanted["place"]), str(wanted["holder"]))
        reserve = Reserve("", request.tap_id, times.from_text(wanted["at"], "reserve: at"), serving)
        gathering = Gathering(canonical.whole(wanted["limit"], "reserve: limit"))
        self._lanes.begin(total_s, lambda lane, left_s: _claimed(lane, request, left_s), gathering.registry)
        asked = neighbours.reserve(reserve, request.service, total_s, gathering.neighbour)
        return gathering.told(asked, total_s)

    def _release(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Let the neighbours know that were asked about a tap what came of it."""
        if self._neighbours is not None:
            was_served = canonical.flag(question["served"], "release: served")
            self._neighbours.release(str(question["tap_id"]), was_served=was_served)
        return {}

    def _desk(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Send a tapped card's UID, sealed to the registry: `{"sent": true}`, or `{"error": why}`."""
        number, uid = question["request"], bytes.fromhex(question["uid"])
        if not isinstance(number, int) or len(uid) not in UID_BYTES:
            raise ValueError("request: expected a number; uid: expected 4 to 10 bytes in hex")
        box_key = self._box_key()
        if box_key is None:
            return {"error": "the registry's root is not known yet"}
        tap = DeskTap.make(box_key, number, self._host, uid)

        def send(lane: Transport, total_s: float) -> bool:
            lane.ask("POST", "/v1/desk", tap.to_json(), total_s=total_s, most_bytes=MAX_BYTES)
            self._report.tell(desk=None)
            return True

        sent, failure = self._lanes.within(DESK_S, send)
        return {"sent": True} if sent else {"error": failure}

    def _day_counts(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer `{"service", "day", "served": {class: n}, "others": n}` of all tills, or `{"unknown": why}`."""
        day = parse_day(question["day"])
        query = urlencode({"service": str(question["service"]), "day": day.isoformat()})

        def counted(lane: Transport, total_s: float) -> DayCounts:
            reply = lane.ask("GET", f"/v1/day?{query}", total_s=total_s, most_bytes=DAY_BYTES)
            return DayCounts.parse(reply.body)

        if not self._counting.acquire(blocking=False):
            return {"unknown": "it is being asked already"}
        try:
            told, failure = self._lanes.within(DAY_S, counted)
        finally:
            self._counting.release()
        if told is None:
            return {"unknown": failure}
        return {"service": told.service, "day": day.isoformat(), "served": dict(told.served), "others": told.others}


def _claimed(lane: Transport, request: ClaimRequest, total_s: float) -> ClaimAnswer:
    reply = lane.ask("POST", "/v1/claims", request.to_json(), total_s=total_s, most_bytes=MAX_BYTES)
    return ClaimAnswer.parse(reply.body)
