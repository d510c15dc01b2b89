"""A host with its link and a real registry: taps while it is silent, the memory of both processes, its start."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

from bench import runtime
from bench.figure import RATIO, Figure, Timed, p50, p99
from bench.host import RunningHost
from bench.memory import held_mb
from bench.plan import Plan
from daemon.control import ask
from tests.rig.ifd import EventIfd
from tests.rig.registry_process import RegistryProcess, a_school

NAME: Final = "linked"
PUPILS: Final = 300
TAPS: Final = 400
BLOCK: Final = 50
LIFTED_S: Final = 0.03
STARTS: Final = 5
GOAL_SILENT: Final = 1.05
GOAL_BOTH_MB: Final = 65.0
WITHIN_S: Final = 20.0


def measure(plan: Plan) -> list[Figure]:
    """Enrol a host, let it sync, and tap at its door in blocks while the registry answers and while it is stopped."""
    pupils = cycle(range(PUPILS))  # never the same card twice in a row: so soon it would be one presentation
    state_dir = plan.folder / NAME
    subprocess.run(["/bin/rm", "-rf", state_dir], check=True)
    state_dir.mkdir(parents=True)
    viipe = runtime.command(runtime.python(plan))
    online: Timed = []
    silent: Timed = []
    with RegistryProcess() as registry, EventIfd() as rig:
        registry.do(a_school("bench", PUPILS))
        host = RunningHost(state_dir, viipe, reader=rig.names[0], environ=rig.environ(), registry_url=registry.url)
        code = registry.command("enrol-code", "bench", "--school", "bench").strip()
        subprocess.run([*viipe, "enrol", registry.url, code, "--config", host.file], check=True, stdout=subprocess.PIPE)
        with host, _link(viipe, host.file) as link:
            host.await_reading()
            _await_cards(state_dir)
            for _ in range(max((plan.taps or TAPS) // BLOCK, 1)):
                online += [_tap(rig, host, pupils) for _ in range(BLOCK)]
                os.kill(registry.pid, signal.SIGSTOP)
                silent += [_tap(rig, host, pupils) for _ in range(BLOCK)]
                os.kill(registry.pid, signal.SIGCONT)
            tap_mb, link_mb = held_mb(host.pid)["Pss"], held_mb(link.pid)["Pss"]
    return [
        Figure(NAME, "tap p99 with the registry silent ÷ online", p99(silent) / p99(online), RATIO, GOAL_SILENT),
        Figure(NAME, "tap p50 with the registry silent ÷ online", p50(silent) / p50(online), RATIO),
        Figure(NAME, "both processes, PSS", tap_mb + link_mb, "MB", GOAL_BOTH_MB, f"with {PUPILS} cards"),
        Figure(NAME, "link process, PSS", link_mb, "MB"),
        *_starts(),
    ]


def _starts() -> list[Figure]:
    """Start a registry again and again that has served before."""
    took_s: list[float] = []
    with RegistryProcess(is_laid=False) as registry:
        first_s = registry.start_s
        for _ in range(STARTS):
            registry.stop()
            registry.start()
            took_s.append(registry.start_s)
    return [
        Figure(NAME, "registry: spawn → serving, p50", p50(took_s), "s"),
        Figure(NAME, "registry: spawn → serving, its very first start", first_s, "s"),
    ]


@contextmanager
def _link(viipe: Sequence[str], file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([*viipe, "link", "--config", file], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _await_cards(state_dir: Path) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not ask(state_dir, "status")["cards"]:
        assert time.monotonic() < give_up, "no cards came"  # noqa: S101  an invariant of the measurement
        time.sleep(0.1)


def _tap(rig: EventIfd, host: RunningHost, pupils: Iterator[int]) -> int:
    """Put the next pupil's card on, wait for the strike, and take it off; returns the ns between the first two."""
    inserted_ns = rig.insert(0, (0x10000000 + next(pupils)).to_bytes(4, "big"))
    took = host.strike.heard_ns() - inserted_ns
    rig.remove(0)
    time.sleep(LIFTED_S)
    return took
