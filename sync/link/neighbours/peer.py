"""One other host of the site, as the link speaks with it: its connections, whether it answers, and what it was asked."""

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from sync.link.faults import LinkFault, Refusal
from sync.link.identity import Identity
from sync.link.lanes import Lanes
from sync.link.neighbours.directory import Neighbour
from sync.link.registry_clock import RegistryClock
from sync.link.transport import Transport
from sync.wire import times
from sync.wire.faults import WireFault
from sync.wire.neighbour import RELEASE, RESERVE, TELL, Release, Reserve, ReserveAnswer, Tell, TellAnswer
from sync.wire.neighbour_answer import MAX_BYTES, open_answer
from sync.wire.request import MAX_SKEW_S, sign_request

LANES: Final = 2  # so many questions of taps at once; a third waits
TELL_S: Final = 5.0
RELEASE_S: Final = 1.0
_UNAUTHORISED: Final = 401
_LEAST_OFFSET: Final = timedelta(seconds=MAX_SKEW_S / 2)


class Line:
    """One connection to a neighbour: each question signed as to the registry, each answer held against the neighbour's key."""

    def __init__(self, peer: "Peer") -> None:
        """Make the connection when it is needed."""
        self._peer = peer
        self._signature = ""
        self._transport = Transport(f"http://{peer.address}", sign=self._sign)

    def ask(self, path: str, body: bytes, total_s: float) -> dict[str, Any]:
        """Ask one question. Raises LinkFault, WireFault."""
        try:
            reply = self._transport.ask("POST", path, body, total_s=total_s, most_bytes=MAX_BYTES)
        except Refusal as refusal:
            if refusal.status == _UNAUTHORISED:
                self._peer.learn_time(refusal.date)
            raise
        return open_answer(reply.body, self._peer.neighbour.public_key, self._peer.name, self._signature)

    def cut(self) -> None:
        """End what is under way, for good."""
        self._transport.cut()

    def close(self) -> None:
        """Let go."""
        self._transport.close()

    def _sign(self, method: str, path_and_query: str, body: bytes) -> Mapping[str, str]:
        headers = self._peer.sign(method, path_and_query, body)
        self._signature = headers["Signature"]
        return headers


class Peer:
    """A neighbour that has an address. May be used from any thread; the line of `tell` by one alone."""

    def __init__(self, neighbour: Neighbour, who: Identity, clock: RegistryClock) -> None:
        """Know of it; it counts as away until it answers."""
        assert neighbour.address is not None, "nobody reaches a host without an address"  # noqa: S101  an invariant
        self.neighbour = neighbour
        self.name = neighbour.name
        self.address = neighbour.address
        self.wake = threading.Event()
        self.gone = threading.Event()
        self._who = who
        self._clock = clock
        self._offset = timedelta()
        self._lock = threading.Lock()
        self._fault: str | None = "not heard yet"
        self._heard_at: datetime | None = None
        self._lanes = Lanes(lambda: Line(self), LANES, self.name)
        self._line = Line(self)

    @property
    def is_away(self) -> bool:
        """Whether it gave no answer to what it was asked last."""
        return self._fault is not None

    def status(self) -> dict[str, object]:
        """Tell how it is."""
        with self._lock:
            return {
                "name": self.name,
                "address": self.address,
                "reachable": self._fault is None,
                "heard_at": times.to_text(self._heard_at) if self._heard_at else None,
                "fault": self._fault,
            }

    def reserve(self, asked: Reserve, total_s: float, done: Callable[[ReserveAnswer | None], object]) -> None:
        """Ask for a serving; `done` hears the answer, None where there is none in time."""

        def work(line: Line, left_s: float) -> ReserveAnswer:
            return ReserveAnswer.from_table(line.ask(RESERVE, asked.to_json(), left_s))

        def came(answer: ReserveAnswer | None, failure: str) -> None:
            self._note(failure or None)
            done(answer)

        self._lanes.begin(total_s, work, came)

    def release(self, told: Release) -> None:
        """Tell what came of it, as far as it can be told at once: whoever does not hear it asks, and hears of the serving."""
        self._lanes.begin(
            RELEASE_S, lambda line, left_s: line.ask(RELEASE, told.to_json(), left_s), lambda _answer, _failure: None
        )

    def tell(self, told: Tell) -> TellAnswer:
        """Tell events, on the one line for that. Raises LinkFault, WireFault."""
        try:
            answer = TellAnswer.from_table(self._line.ask(TELL, told.to_json(), TELL_S))
        except (LinkFault, WireFault) as fault:
            self._note(str(fault) or type(fault).__name__)
            raise
        self._note(None)
        return answer

    def heard(self) -> None:
        """It spoke to us by itself, verified. That we reach it is another question."""
        with self._lock:
            self._heard_at = self._clock.now()

    def sign(self, method: str, path_and_query: str, body: bytes) -> Mapping[str, str]:
        """Return the headers that sign a question, by the time that the neighbour goes by."""
        at = self._clock.now() + self._offset
        nonce = secrets.token_urlsafe(18)
        return sign_request(self._who.key, self._who.enrolment.host, method, path_and_query, body, at, nonce)

    def learn_time(self, date: str | None) -> None:
        """Take the time that a refusal bears, where the two clocks are too far apart: believed for nothing but to sign by."""
        try:
            offset = parsedate_to_datetime(date or "") - self._clock.now()
        except (ValueError, TypeError, OverflowError):
            return
        self._offset = offset if abs(offset) > _LEAST_OFFSET else timedelta()

    def cut(self) -> None:
        """End what is under way, for good."""
        self.gone.set()
        self._lanes.close()
        self._line.cut()
        self.wake.set()

    def close(self) -> None:
        """Let go of the line that tells."""
        self._line.close()

    def _note(self, failure: str | None) -> None:
        with self._lock:
            was_away, self._fault = self._fault is not None, failure
            if failure is None:
                self._heard_at = self._clock.now()
        if failure is not None and not was_away:
            self.wake.set()  # whoever tells it looks at once whether it is there
