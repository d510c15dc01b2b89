"""The link as the deciding process sees it: its report, read when the file changes, and the questions it is asked, with a deadline.

Nothing here waits for the network: the link answers on a unix socket, and where it does not answer in time that is an answer, too.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from daemon.control import LINK as SOCKET
from daemon.control import NotRunning, ask
from daemon.neighbourhood import Neighbourhood, Wanted, granted_told
from policy.decide import Prices
from policy.model import Card, Credit, Quota, Tap
from sync import link_report
from sync.link_report import LinkReport, Stamp
from sync.reservations import Reservation
from sync.servings import Boot
from sync.wire import times

DESK_WITHIN_S: Final = (
    4.5  # somebody stands at the desk and waits; a reader that says nothing for 6 s counts as hanging
)
_ANSWERS_SHARE: Final = 0.9  # of the deadline, within which the tap is still to be decided and recorded
_LINKS_SHARE: Final = 0.75  # of the deadline: its answer has still to come here, on a machine with other things to do
_SETTLE_S: Final = 0.05
_HOUR_MS: Final = 3_600_000
_NO_PRICES: Final[Mapping[str, int]] = {}
_CREDITS: Final[Mapping[object, Credit]] = {"held": Credit.HELD, "too_little": Credit.TOO_LITTLE}
_MOST_DESK_REQUESTS: Final = 100  # answered lately: a report of a second ago may still name one


class Ask(Protocol):
    """How the link is asked: `daemon.control.ask`, which the simulator replaces by its own network."""

    def __call__(
        self, state_dir: Path, question: Mapping[str, Any], *, name: str, within_s: float
    ) -> Mapping[str, Any]:
        """Return the answer. Raises NotRunning where none comes within the time."""


class LinkWatch:
    """What is known of the link. `look` is the housekeeper's; the rest may be asked from any thread."""

    def __init__(  # noqa: PLR0913  what surrounds it
        self,
        state_dir: Path,
        boot: Boot,
        quota_deadline_ms: int,
        *,
        neighbours: Neighbourhood | None = None,
        ask: Ask = ask,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what the link told last. `neighbours` is None for a host that does not speak with the site's others."""
        self._neighbours = neighbours
        self._ask = ask
        self._monotonic_s = monotonic_s
        self._state_dir = state_dir
        self._boot = boot
        self._quota_deadline_s = quota_deadline_ms / 1000
        self._stamp: Stamp | None = None
        self._answered: list[int] = []
        self._lock = threading.Lock()
        self.report = LinkReport()
        self.look()

    def look(self) -> bool:
        """Read the report if it has changed; says whether it had. One that is gone leaves what it said.

        That the registry was heard stays true, also when a link that has begun anew, or a spoilt report, does not know it.
        """
        stamp = link_report.stamp(self._state_dir)
        if stamp is None or stamp == self._stamp:
            return False
        self._stamp = stamp
        self.report = _with_latest_heard(link_report.read(self._state_dir), self.report, self._boot.boot_id)
        return True

    def data_age_h(self, now: datetime, issued_at: datetime | None) -> float | None:
        """Return the hours since the registry was last heard; `issued_at` is when it issued what is held, None where it fed nothing.

        Within one run of the machine the boot clock tells, and no wall clock that was wrong (DESIGN.md §6).
        """
        if issued_at is None:
            return None
        report = self.report
        if report.heard_boot_ms is not None and report.boot_id == self._boot.boot_id:
            return max(0, self._boot.now_ms() - report.heard_boot_ms) / _HOUR_MS
        last = max(filter(None, (report.heard_at, issued_at)))
        return max(0.0, (now - last).total_seconds() / 3600)

    def vouched(self) -> tuple[int, int] | None:
        """Return (how much the wall clock must be put forward, until when on the boot clock that is good), None where nobody vouches."""
        return self.report.vouched(self._boot.boot_id)

    def claim(self, tap: Tap, card: Card, day: str, wanted: Wanted | None = None) -> Quota:
        """Ask whether this serving may still be one of the day's: registry and neighbours know the other tills. Bounded by the deadline.

        `wanted` is what neighbours are asked for; None asks none of them.
        """
        return self._asked_all(tap, card, day, wanted)[0]

    def claim_paid(
        self, tap: Tap, card: Card, day: str, prices: Prices, wanted: Wanted | None = None
    ) -> tuple[Quota, Credit]:
        """Ask the same, and for the price to be held on the person's account. Whoever does not say what it holds answers for no money."""
        asked = {"price_cents": prices.cents, "second_price_cents": prices.second_cents}
        given = {name: cents for name, cents in asked.items() if cents is not None}
        quota, told = self._asked_all(tap, card, day, wanted, given)
        return quota, _CREDITS.get(told.get("credit"), Credit.UNKNOWN)

    def settle(self, tap_id: str, *, was_served: bool) -> None:
        """Tell what came of a tap, once it is recorded, so that no neighbour waits for it; no word where none of them was asked."""
        if self._neighbours is None or not self._neighbours.end(tap_id):
            return
        with suppress(NotRunning):  # what the link cannot tell now, neighbours ask, and hear of
            question = {"ask": "release", "tap_id": tap_id, "served": was_served}
            self._ask(self._state_dir, question, name=SOCKET, within_s=_SETTLE_S)

    def _asked_all(
        self, tap: Tap, card: Card, day: str, wanted: Wanted | None, prices: Mapping[str, int] = _NO_PRICES
    ) -> tuple[Quota, Mapping[str, Any]]:
        """Return what the day's limit has left, and all that was answered."""
        neighbours = self._neighbours
        if neighbours is None or wanted is None:
            told = self._claimed(tap, card, day, prices)
            return _quota_told(told), told
        until_s = self._monotonic_s() + self._quota_deadline_s * _ANSWERS_SHARE
        own = neighbours.begin(tap.tap_id.hex(), wanted)
        told = self._claimed(tap, card, day, {**prices, **self._reserving(own, wanted)})
        return neighbours.quota(own, wanted.limit, told, until_s), told

    def _reserving(self, own: Reservation, wanted: Wanted) -> Mapping[str, object]:
        """Return what the link is to ask neighbours. It answers before the deadline with what it has by then, though others are silent."""
        return {
            "timeout_ms": max(1, round(self._quota_deadline_s * 1000 * _LINKS_SHARE)),
            "reserve": {
                "at": times.to_text(own.at),
                "place": own.serving.place,
                "holder": own.serving.holder,
                "limit": wanted.limit,
            },
        }

    def _claimed(self, tap: Tap, card: Card, day: str, more: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what was answered, nothing where nobody answered in time."""
        question = {
            **more,
            "ask": "claim",
            "tap_id": tap.tap_id.hex(),
            "service": tap.service,
            "direction": tap.direction,
            "day": day,
            "card": card.card,
            "person": card.person,
            "kind": card.kind,
        }
        try:
            told = self._ask(self._state_dir, question, name=SOCKET, within_s=self._quota_deadline_s * _ANSWERS_SHARE)
        except NotRunning:
            return {}
        return told if isinstance(told, dict) else {}

    def desk_request(self, now: datetime) -> int | None:
        """Return the office's request for the next card, if one waits that is not over: it is answered once."""
        desk = self.report.desk
        if desk is None or desk.request in self._answered or desk.expires_at <= now:
            return None
        return desk.request

    def answer_desk(self, request: int, uid: bytes) -> str | None:
        """Give the office the card's UID, sealed by the link on its way; returns why it was not sent, None when it was."""
        with self._lock:
            if request in self._answered:
                return "a card at another reader was quicker"
            self._answered = [*self._answered[-_MOST_DESK_REQUESTS:], request]
        try:
            told = self._ask(
                self._state_dir,
                {"ask": "desk", "request": request, "uid": uid.hex()},
                name=SOCKET,
                within_s=DESK_WITHIN_S,
            )
        except NotRunning as error:
            failure = str(error)
        else:
            failure = str(told["error"]) if "error" in told else ""
        if failure:
            with self._lock:
                self._answered = [each for each in self._answered if each != request]  # the next card may do
        return failure or None


def _quota_told(told: Mapping[str, Any]) -> Quota:
    granted = granted_told(told)
    return Quota.UNKNOWN if granted is None else Quota.FREE if granted else Quota.USED_UP


def _with_latest_heard(told: LinkReport, former: LinkReport, boot_id: str) -> LinkReport:
    """Return a report with the later of the two moments when the registry was heard, told by the boot clock where it can be."""
    boots = [each.heard_boot_ms if each.boot_id == boot_id else None for each in (told, former)]
    if boots[0] is not None and boots[1] is not None:
        is_later = boots[1] > boots[0]
    else:
        is_later = former.heard_at is not None and (told.heard_at is None or former.heard_at > told.heard_at)
    if not is_later:
        return told
    # In a report of another run of the machine the moment of that run's boot clock would be misread.
    is_same_run = told.boot_id == former.boot_id
    return replace(told, heard_at=former.heard_at, heard_boot_ms=former.heard_boot_ms if is_same_run else None)
