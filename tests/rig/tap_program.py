"""A host without PC/SC, to be traced or killed: taps go the real way (journal, cache, decision, outputs) as fast as they can.

`python -m tests.rig.tap_program HOST.toml TAPS WAY`, where no number of taps is endless (0), and WAY says how it is built: `sound` as
it should be, `lax` with a journal that does not wait for the disk, `hasty` with an output that moves before the commit. It says
"tapping" once its first tap is answered.
"""

import itertools
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config import host as host_file
from config.host import HostConfig, ReaderConfig
from daemon import build
from daemon.clock import HostClock, boot
from daemon.housekeeping import Housekeeping
from daemon.log import LineWriter, make_log
from daemon.tap_way import TapWay
from outputs.output import Command
from outputs.record import Record
from outputs.worker import OutputWorker
from readers.reader import Presented, now_ns
from sync import site_key
from sync.cache import CardCache
from sync.journal import Journal, Transaction, Work
from sync.wire.event import EventKind
from tests.rig import school

STOP_S: Final = 1.0


class LaxJournal(Journal):
    """A journal that does not wait for the disk: what DESIGN.md §3 forbids."""

    def _open(self, *, thorough: bool = False) -> None:
        super()._open(thorough=thorough)
        self.db.execute("PRAGMA synchronous = NORMAL")


class HastyJournal(Journal):
    """A journal under which the strike moves before the commit: what DESIGN.md §2.4 forbids."""

    def transact(self, work: Work) -> None:
        def work_and_move(transaction: Transaction) -> None:
            before = len(transaction.appended)
            work(transaction)
            for event in transaction.appended[before:]:
                if event["kind"] == EventKind.TAP and event["outputs"]:
                    self._move(str(event["tap_id"]))

        super().transact(work_and_move)

    def _move(self, tap_id: str) -> None:
        strike = Record(self.path.with_name("front-strike.log"))
        strike.move(Command(tap_id, pulse_s=1))
        strike.close()


WAYS: Final = {"sound": Journal, "lax": LaxJournal, "hasty": HastyJournal}


def main(path: Path, taps: int, way: str) -> None:
    """Bring the parts up as `daemon.host` does, and tap at all readers at once."""
    config = host_file.load(path)
    state_dir = config.host.state_dir
    with Path(os.devnull).open("w") as nowhere:
        log = make_log(LineWriter(nowhere), readable=False)
        cache = CardCache(state_dir, site_key.load_or_make(state_dir))
        journal = WAYS[way](state_dir, config.host.name, boot())
        clock = HostClock(None)
        journal.finish_grants(clock.moment().at)
        outputs = {each.name: build_output(config, each.name) for each in config.outputs}
        tap_way = TapWay(cache=cache, journal=journal, clock=clock, settings=build.settings(config, outputs), log=log)
        house = Housekeeping(journal=journal, cache=cache, clock=clock, state_dir=state_dir, keep_days=90, log=log)
        house.start()
        tap_at_all(tap_way, config, taps)
        for output in outputs.values():
            output.stop(STOP_S)
        house.stop(STOP_S)
        journal.close()
        cache.close()


def build_output(config: HostConfig, name: str) -> OutputWorker:
    """Make an output at work."""
    (output,) = (each for each in config.outputs if each.name == name)
    return OutputWorker(name, lambda: build.output(output))


def tap_at_all(way: TapWay, config: HostConfig, taps: int) -> None:
    """Tap at each reader from a thread of its own, `taps` in all."""
    numbers = itertools.count() if taps == 0 else iter(range(taps))
    shared = _Shared(numbers)
    threads = [threading.Thread(target=_tap_at, args=(way, reader, shared)) for reader in config.readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Shared:
    """Numbers handed out to threads, each once."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            yield number


def _tap_at(way: TapWay, reader: ReaderConfig, numbers: _Shared) -> None:
    for number in numbers:
        way.take(reader, Presented(school.uid(number), b"", now_ns()))
        if number == 0:
            print("tapping", flush=True)  # noqa: T201  it is waited for


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
