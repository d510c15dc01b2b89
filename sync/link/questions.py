"""What the deciding process may ask of the link: its state, a claim on a shared quota, a tapped card to be sent to the back office.

A claim is answered within its deadline whatever the network does: where the registry's answer has not come by then, nothing is known.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from sync.link.faults import LinkFault
from sync.link.report import Report
from sync.link.transport import Transport
from sync.wire import canonical
from sync.wire.desk import UID_BYTES, DeskTap
from sync.wire.faults import WireFault
from sync.wire.quota import MAX_BYTES, ClaimAnswer, ClaimRequest

T = TypeVar("T")
LANES: Final = (
    4  # connections kept for claims: so many tills can wait at once, the others hear "unknown" at their deadline
)
DEADLINE_MS: Final = range(1, 5001)
DESK_S: Final = 5.0
_CLAIM_MEMBERS: Final = ("tap_id", "service", "direction", "day", "card", "person", "kind")


class Questions:
    """Answers them, each on the thread of who asks."""

    def __init__(
        self,
        report: Report,
        connect: Callable[[], Transport],
        host: str,
        box_key: Callable[[], bytes | None],
        quota_deadline_ms: int,
    ) -> None:
        """`connect` makes a signing connection; `box_key` gives the registry's X25519 key once it is known.

        `quota_deadline_ms` is how long a claim may take whose question names no time of its own.
        """
        self._report = report
        self._host = host
        self._box_key = box_key
        self._quota_deadline_ms = quota_deadline_ms
        self._free = [connect() for _ in range(LANES)]
        self._all = tuple(self._free)
        self._change = threading.Condition()

    def answers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, object]]]:
        """Return what answers each question."""
        return {"status": lambda _question: self._report.table(), "claim": self._claim, "desk": self._desk}

    def close(self) -> None:
        """End what is under way."""
        for lane in self._all:
            lane.cut()
            lane.close()

    def _claim(self, question: Mapping[str, Any]) -> Mapping[str, object]:
        """Answer `{"granted", "served"}`, or `{"unknown": why}` once the question's `timeout_ms` are over."""
        request = ClaimRequest.parse(canonical.encode({name: question[name] for name in _CLAIM_MEMBERS}))
        timeout_ms = question.get("timeout_ms", self._quota_deadline_ms)
        if not isinstance(timeout_ms, int) or timeout_ms not in DEADLINE_MS:
            raise ValueError(f"timeout_ms: expected {DEADLINE_MS.start} to {DEADLINE_MS.stop - 1}")
        told, failure = self._within(timeout_ms / 1000, lambda lane, total_s: _claimed(lane, request, total_s))
        return {"unknown": failure} if told is None else {"granted": told.granted, "served": told.served}

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

        sent, failure = self._within(DESK_S, send)
        return {"sent": True} if sent else {"error": failure}

    def _within(self, total_s: float, work: Callable[[Transport, float], T]) -> tuple[T | None, str]:
        """Do the work on a free connection, on a thread that may be left behind: looking a name up knows no deadline.

        Returns what came of it, or None and why nothing did.
        """
        until_s = time.monotonic() + total_s
        told: list[tuple[T | None, str]] = []
        with self._change:
            if not self._change.wait_for(lambda: bool(self._free), total_s):
                return None, "all connections wait for the registry"
            lane = self._free.pop()

        def run() -> None:
            answer: tuple[T | None, str]
            try:
                answer = work(lane, max(0.01, until_s - time.monotonic())), ""
            except (LinkFault, WireFault) as fault:
                answer = None, str(fault)
            with self._change:
                told.append(answer)
                self._free.append(lane)
                self._change.notify_all()

        threading.Thread(target=run, name="claim", daemon=True).start()
        with self._change:
            self._change.wait_for(lambda: bool(told), until_s - time.monotonic())
            return told[0] if told else (None, "no answer in time")


def _claimed(lane: Transport, request: ClaimRequest, total_s: float) -> ClaimAnswer:
    reply = lane.ask("POST", "/v1/claims", request.to_json(), total_s=total_s, most_bytes=MAX_BYTES)
    return ClaimAnswer.parse(reply.body)
