"""The tap's way laid out for measuring: the daemon's own parts, put together as it puts them, with the outputs' threads at work."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Final, Self

from bench.cards import uid
from bench.figure import Timed
from config import host as host_file
from config.host import ReaderConfig
from daemon import build
from daemon.clock import HostClock, boot
from daemon.log import LineWriter, make_log
from daemon.tap_way import TapWay
from outputs.output import Command
from outputs.worker import OutputWorker
from policy.model import Verdict
from readers.reader import Presented, now_ns
from sync import site_key
from sync.cache import CardCache
from sync.journal import Journal

COUNTED: Final = "counted"  # a door that asks about hours, kinds and what the holder had today
PLAIN: Final = "plain"  # a door that asks about kinds alone
MOST_READERS: Final = 8
OUTCOMES_WITHIN_S: Final = 10.0

_HOST: Final = """\
[host]
name = "bench"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[[output]]
name = "strike"
kind = "record"
path = "{state_dir}/strike.log"

[service.counted]
kinds = ["personal", "substitute", "staff"]
hours = {{ school_day = ["00:00-24:00"], weekend = ["00:00-24:00"], holiday = ["00:00-24:00"], break = ["00:00-24:00"] }}
per_day = 1000

[service.plain]
kinds = ["personal", "substitute", "staff"]
"""
_READER: Final = """
[[reader]]
name = "{name}"
kind = "pcsc"
match = "{name}"
service = "{service}"
direction = "in"
outputs = ["strike"]
"""
_ATR: Final = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")


class CommandedOnly(OutputWorker):
    """An output that notes when it was commanded and moves nothing: what follows a command is no part of a tap's own time."""

    commanded_ns = 0

    def hand_over(self, command: Command, told: Callable[[str | None], None]) -> bool:
        """Note the time."""
        del command, told
        self.commanded_ns = perf_counter_ns()
        return True


class HeldLines(LineWriter):
    """A log's lines, kept and written by nobody: in a row of taps without a pause the log's thread would meet the next tap."""

    def __init__(self) -> None:
        """Begin empty; there is no thread."""
        self.last = ""

    def info(self, line: str) -> None:
        """Keep the line in place of the one before."""
        self.last = line


class Door:
    """A host without a reader's library: whoever measures presents the cards. Opening one is a start of the host.

    Where `in_earnest`, its output moves, outcomes are recorded and the log is written; else the output is a `CommandedOnly`.
    """

    def __init__(self, state_dir: Path, *, in_earnest: bool = False) -> None:
        """Open the journal and the cache afresh, and start the output and the log."""
        config = host_file.parse(_host_file(state_dir))
        self._readers = {each.name: each for each in config.readers}
        self._cache = CardCache(state_dir, site_key.load_or_make(state_dir))
        self.journal = Journal(state_dir, "bench", boot())
        self._log_file = (state_dir / "log").open("w")
        self._writer = LineWriter(self._log_file) if in_earnest else None
        make = partial(build.output, config.outputs[0])
        self.strike = OutputWorker("strike", make) if in_earnest else CommandedOnly("strike", make)
        self._way = TapWay(
            cache=self._cache,
            journal=self.journal,
            clock=HostClock(self.journal.last_time),
            settings=build.settings(config, {"strike": self.strike}),
            log=make_log(self._writer or HeldLines(), readable=False),
        )

    def __enter__(self) -> Self:
        """Return the door itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self.strike.stop(OUTCOMES_WITHIN_S)
        self.journal.close()
        self._cache.close()
        if self._writer is not None:
            self._writer.close()
        self._log_file.close()

    def reader(self, service: str, number: int = 0) -> ReaderConfig:
        """Return one of the eight readers of a service."""
        return self._readers[f"{service}-{number}"]

    def tap(self, reader: ReaderConfig, card: int) -> None:
        """Present a card. Raises AssertionError unless it was granted."""
        self.take(reader, Presented(uid(card), _ATR, now_ns()))

    def take(self, reader: ReaderConfig, presented: Presented) -> None:
        """Take a presentation its way. Raises AssertionError unless it was granted."""
        decision = self._way.take(reader, presented)
        assert decision is not None, "the UID was not understood"  # noqa: S101  an invariant of the measurement
        assert decision.verdict is Verdict.GRANT, decision.reason  # noqa: S101  the same

    def block(self, service: str, cards: Sequence[int]) -> Timed:
        """Tap one card after another at an output that is `CommandedOnly`; returns the ns from each tap to its command."""
        assert isinstance(self.strike, CommandedOnly), "this output moves"  # noqa: S101  an invariant of the measurement
        reader = self.reader(service)
        timed = []
        for card in cards:
            presented = Presented(uid(card), _ATR, now_ns())
            began = perf_counter_ns()
            self.take(reader, presented)
            timed.append(self.strike.commanded_ns - began)
        self.journal.tend(idle=False)  # as the housekeeping does between taps
        return timed

    def await_events(self, last_id: int) -> None:
        """Wait until the journal holds so many events: the outcomes come from the output's thread."""
        give_up = time.monotonic() + OUTCOMES_WITHIN_S
        while self.journal.last_id < last_id:
            assert time.monotonic() < give_up, "an outcome was not recorded"  # noqa: S101  an invariant of the measurement
            time.sleep(0.001)


def _host_file(state_dir: Path) -> str:
    return _HOST.format(state_dir=state_dir) + "".join(
        _READER.format(name=f"{service}-{number}", service=service)
        for service in (COUNTED, PLAIN)
        for number in range(MOST_READERS)
    )
