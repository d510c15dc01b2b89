"""The journal's events on their way to the registry: in order, each exactly once, from where the registry stands (DESIGN.md §2.6).

The registry's watermark is asked first at each connection and believed before any memory of ours, so that a lost acknowledgement costs
nothing but sending again, which the registry recognises. What is read at once is bounded, however long the registry was away.
"""

import json
from dataclasses import dataclass
from typing import Final

from sync.durable import replace_file
from sync.faults import JournalFault
from sync.journal_reading import NAME as JOURNAL_NAME
from sync.link.backoff import Backoff
from sync.link.faults import LinkFault, Odd, Refusal
from sync.link.fetch import Means
from sync.link.journal_tail import JournalTail, Place, Run
from sync.link.transport import Transport
from sync.wire.event import GENESIS, chained
from sync.wire.faults import TooLarge, WireFault
from sync.wire.upload import MAX_ANSWER_BYTES, MAX_EVENTS, Batch, GapAnswer, Taken, Watermark, parse_answer

CHAIN_NAME: Final = "upload.json"
POLL_S: Final = 0.15
ANSWER_S: Final = 30.0
MOST_BYTES: Final = 640 << 10  # of canonical events: base64 and JSON make less than 1 MiB of it
_BAD_BATCH: Final = frozenset(
    {400, 413, 422}
)  # of such a batch something cannot be taken as it is; others are tried again
_ASIDE_IN_ROW: Final = 10
_GAPS_IN_ROW: Final = 5


@dataclass(frozen=True, slots=True)
class _Position:
    """Where to go on: behind the event with the number `row_id`; `link` is its link as the registry has it, None where it has none.

    `is_gap` says that events between the registry's watermark and here are lost.
    """

    row_id: int
    link: bytes | None
    is_gap: bool = False


class Uploader:
    """Sends what the daemon records. `run` is a thread's target; `cut` ends it from another."""

    def __init__(self, means: Means, asks: Transport) -> None:
        """Work with a connection of its own."""
        self._means = means
        self._asks = asks
        self._tail = JournalTail(means.state_dir / JOURNAL_NAME)
        self._backoff = Backoff()
        self._most_events = MAX_EVENTS
        self._aside: list[str] = []
        self._aside_in_row = 0
        self._gaps_in_row = 0
        self._file = 0

    def run(self) -> None:
        """Work until stopped."""
        means = self._means
        try:
            while not means.stopping.is_set():
                means.beat()
                try:
                    self._session()
                except (LinkFault, WireFault, JournalFault, OSError) as fault:
                    if not means.stopping.is_set() and means.report.fault("upload", f"events: {fault}"):
                        means.log.error("events wait", why=str(fault))  # noqa: TRY400  told in full, no trace needed
                    means.stopping.wait(self._backoff.next_s())
        finally:
            self._tail.close()
            self._asks.close()

    def cut(self) -> None:
        """End what is under way."""
        self._asks.cut()

    def _session(self) -> None:
        reply = self._asks.ask("GET", "/v1/events/watermark", total_s=ANSWER_S, most_bytes=MAX_ANSWER_BYTES)
        self._gaps_in_row = self._aside_in_row = 0
        self._tail.has_changed()
        self._file = self._tail.file
        position = self._after(Watermark.parse(reply.body))
        while position is not None and not self._means.stopping.is_set():
            run = self._next(position)
            if run is None:
                return
            position = self._send(run, position)
            self._backoff.succeeded()
            self._means.report.fault("upload", "; ".join(self._aside) or None)
            self._means.beat()

    def _next(self, position: _Position) -> Run | None:
        """Wait for events behind a place: the journal's file is looked at some times a second, which costs one page of memory."""
        while not self._means.stopping.is_set():
            self._tail.has_changed()
            if self._tail.file != self._file:
                return None  # the daemon began another journal: its numbers are others
            run = self._tail.after(position.row_id, self._most_events, MOST_BYTES)
            if run is not None:
                return run
            self._means.report.fault("upload", "; ".join(self._aside) or None)
            while not self._means.stopping.wait(POLL_S) and not self._tail.has_changed():
                self._means.beat()
        return None

    # Where the registry stands, and where that is in the journal

    def _after(self, watermark: Watermark) -> _Position | None:
        """Find the place behind the registry's watermark; None to ask it anew, once the daemon has opened a new epoch."""
        self._tell(watermark)
        if watermark.epoch == 0:
            return _Position(0, GENESIS)
        place = self._tail.place_of(watermark.epoch, watermark.seq) if watermark.seq else None
        if place is not None:
            link = self._tail.link_of(place)
            if link is None or link == watermark.link or self._is_translated(watermark, place):
                self._means.report.tell(regressed=None)
                return _Position(place.row_id, watermark.link)
        newest = self._tail.newest_epoch()
        if newest > watermark.epoch:
            self._means.report.tell(regressed=None)
            return self._diverged(watermark)
        if newest:  # else the daemon has not begun a journal yet
            self._regressed(watermark)
        self._means.stopping.wait(POLL_S)
        while not self._means.stopping.wait(POLL_S) and not self._tail.has_changed():
            self._means.beat()
        return None

    def _regressed(self, watermark: Watermark) -> None:
        """The registry has events of ours that we do not have: an image was restored, or the disk lied. The daemon opens a new epoch."""
        self._means.report.tell(regressed={"epoch": watermark.epoch, "seq": watermark.seq})
        text = (
            f"journal: the registry has events up to {watermark.epoch}/{watermark.seq}, which are not here: this disk was restored;"
            " a new epoch is to be opened"
        )
        if self._means.report.fault("upload", text):
            self._means.log.error("journal regressed", epoch=watermark.epoch, seq=watermark.seq)

    def _diverged(self, watermark: Watermark) -> _Position:
        """Go on where a new epoch was opened. What was recorded under numbers that were used already is sent too, from the first of them.

        From where on it differs only the registry can tell: the epoch is offered from its beginning; what is known is passed over.
        """
        first = self._tail.place_of(watermark.epoch, 1)
        if first is not None:
            return _Position(first.row_id - 1, None)
        return _Position(self._tail.first_after(watermark.epoch), None, is_gap=True)

    def _is_translated(self, watermark: Watermark, place: Place) -> bool:
        """Whether the registry's link differs from ours only because it had to begin a chain anew behind a gap (`_remember`)."""
        try:
            table = json.loads((self._means.state_dir / CHAIN_NAME).read_bytes())
            row_id, link = int(table["row_id"]), bytes.fromhex(table["theirs"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        while row_id < place.row_id and (run := self._tail.after(row_id, MAX_EVENTS, MOST_BYTES)):
            for row_id, body in enumerate(run.events, run.first.row_id):
                link = chained(link, body)
                if row_id == place.row_id:
                    return link == watermark.link
        return False

    def _remember(self, row_id: int, theirs: bytes) -> None:
        """Keep which link the registry has behind an event where ours is another or unknown: the event before a gap is gone, and its link.

        Kept before anything is sent: also when the answer is lost, nobody takes the difference for a restored image.
        """
        replace_file(
            self._means.state_dir / CHAIN_NAME, json.dumps({"row_id": row_id, "theirs": theirs.hex()}).encode()
        )

    # Sending

    def _send(self, run: Run, position: _Position) -> _Position | None:
        """Send a run; returns where to go on, None to ask for the watermark anew."""
        self._set_aside(run.passed_over)
        if not run.events:
            return _Position(run.last.row_id, None, is_gap=True)
        is_joined = position.link is not None and not run.is_after_gap and not position.is_gap
        link_before = position.link if is_joined and position.link is not None else run.link_before or GENESIS
        if link_before != run.link_before:
            self._remember(run.first.row_id - 1, link_before)
        batch = Batch(run.first.epoch, run.first.seq, link_before, run.events, run.is_after_gap or position.is_gap)
        try:
            reply = self._asks.ask("POST", "/v1/events", batch.to_json(), total_s=ANSWER_S, most_bytes=MAX_ANSWER_BYTES)
        except (Refusal, TooLarge) as refusal:
            return self._made_smaller(refusal, run, position)
        self._most_events = min(MAX_EVENTS, 2 * self._most_events)
        self._aside_in_row = 0
        return self._answered(parse_answer(reply.body), batch, run)

    def _answered(self, answer: Taken | GapAnswer, batch: Batch, run: Run) -> _Position | None:
        watermark = answer.watermark
        if isinstance(answer, GapAnswer):
            self._gaps_in_row += 1
            if self._gaps_in_row > _GAPS_IN_ROW:
                raise Odd(f"registry: asks again and again for what comes before {batch.epoch}/{batch.first_seq}")
            return self._gone_back(watermark, batch)
        self._gaps_in_row = 0
        if (watermark.epoch, watermark.seq) == (run.last.epoch, run.last.seq):
            self._tell(watermark)
            return _Position(run.last.row_id, watermark.link)
        return _Position(
            run.last.row_id, batch.links()[-1]
        )  # of an epoch before the watermark's: it was known, or is a branch

    def _gone_back(self, watermark: Watermark, batch: Batch) -> _Position:
        """Begin where the registry asks; where the journal has that no more, say that it is lost."""
        place = self._tail.place_of(watermark.epoch, watermark.seq or 1) if watermark.epoch else None
        before = 0 if watermark.seq else 1
        row_id = self._tail.first_after(watermark.epoch) if place is None else place.row_id - before
        if (watermark.epoch, watermark.seq + 1) == (batch.epoch, batch.first_seq) or batch.is_after_gap:
            return _Position(row_id, None, is_gap=True)
        following = self._tail.after(row_id, 1, MOST_BYTES)
        is_lost = place is None or following is None or following.first.row_id != row_id + 1
        return _Position(row_id, None, is_gap=is_lost)

    def _made_smaller(self, refusal: Refusal | TooLarge, run: Run, position: _Position) -> _Position:
        """Find the event that cannot be taken by halving the batch; alone, it is set aside, and the rest goes on."""
        if isinstance(refusal, Refusal) and refusal.status not in _BAD_BATCH:
            raise refusal
        if len(run.events) > 1:
            self._most_events = len(run.events) // 2
            return position
        self._aside_in_row += 1
        if self._aside_in_row > _ASIDE_IN_ROW:
            raise refusal  # it is not the events that are wrong
        self._set_aside((run.first,), f": {refusal}")
        return _Position(run.first.row_id, run.last_link, is_gap=True)

    def _set_aside(self, places: tuple[Place, ...], why: str = ": it cannot be read") -> None:
        for place in places:
            text = f"event {place.epoch}/{place.seq} set aside{why}"
            if text not in self._aside:
                self._aside = [*self._aside[-4:], text]
                self._means.log.error("event set aside", epoch=place.epoch, seq=place.seq, why=why.removeprefix(": "))

    def _tell(self, watermark: Watermark) -> None:
        self._means.report.tell(
            watermark={
                "epoch": watermark.epoch,
                "seq": watermark.seq,
                "version": watermark.version,
                "generation": watermark.generation,
            }
        )
