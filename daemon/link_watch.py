"""The link as the deciding process sees it: its report, read when the file changes, and the questions it is asked, with a deadline.

Nothing here waits for the network: the link answers on a unix socket, and where it does not answer in time that is an answer, too.
"""

import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from daemon.control import NotRunning, ask
from policy.model import Card, Quota, Tap
from sync import link_report
from sync.link_report import LinkReport, Stamp
from sync.servings import Boot

SOCKET: Final = "link.sock"
DESK_WITHIN_S: Final = (
    4.5  # somebody stands at the desk and waits; a reader that says nothing for 6 s counts as hanging
)
_HOUR_MS: Final = 3_600_000
_MOST_DESK_REQUESTS: Final = 100  # answered lately: a report of a second ago may still name one


class LinkWatch:
    """What is known of the link. `look` is the housekeeper's; the rest may be asked from any thread."""

    def __init__(self, state_dir: Path, boot: Boot, quota_deadline_ms: int) -> None:
        """Read what the link told last."""
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

    def claim(self, tap: Tap, card: Card, day: str) -> Quota:
        """Ask whether this serving may still be one of the day's: the registry knows the other tills. Bounded by the deadline."""
        question = {
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
            told = ask(self._state_dir, question, name=SOCKET, within_s=self._quota_deadline_s)
        except NotRunning:
            return Quota.UNKNOWN
        granted = told.get("granted") if isinstance(told, dict) else None
        return (
            {True: Quota.FREE, False: Quota.USED_UP}.get(granted, Quota.UNKNOWN)
            if granted is not None
            else Quota.UNKNOWN
        )

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
            told = ask(
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
