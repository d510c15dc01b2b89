"""A tap whose serving is one of so many a day: answered by the registry, by a neighbour till while it is dead, and by nobody.

Two real hosts, each as its two processes, beside a real registry on one machine. What is measured is what a tap's event says: card seen →
decided, the question to others within it.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from bench import runtime
from bench.figure import Figure, p50, p99
from bench.host import RunningHost
from bench.plan import Plan
from daemon.control import NotRunning, ask
from sync.journal_reading import NAME as JOURNAL
from sync.journal_reading import read_events
from tests.rig.ifd import EventIfd
from tests.rig.registry_process import RegistryProcess, a_school

NAME: Final = "quota"
TAPS: Final = 150
LIFTED_S: Final = 0.03
WITHIN_S: Final = 60.0
DEADLINE_MS: Final = 150.0
BY_REGISTRY, BY_NOBODY, BY_NEIGHBOUR = "by the registry", "by nobody: both silent", "by a neighbour, registry dead"
_RULE: Final = """
service = Service.objects.get(school__code="bench", code="door")
RuleVersion.objects.create(
    service=service, number=2, table={"kinds": ["personal"], "per_day": 1}, created_at=now, created_by="bench", published_at=now
)
refresh(school)
"""


class _Till:
    """One host: its two processes, and its file with a port for the other."""

    def __init__(
        self, state_dir: Path, viipe: Sequence[str], reader: str, environ: dict[str, str], registry: RegistryProcess
    ) -> None:
        self.state_dir, self.viipe = state_dir, viipe
        self.state_dir.mkdir(parents=True)
        url, name = registry.url, state_dir.name
        self.host = RunningHost(self.state_dir, self.viipe, reader=reader, environ=environ, registry_url=url)
        text = self.host.file.read_text(encoding="utf-8").replace('name = "bench"', f'name = "{name}"', 1)
        self.host.file.write_text(f'{text}\n[neighbours]\nlisten = "127.0.0.1:{_free_port()}"\n', encoding="utf-8")
        code = registry.command("enrol-code", name, "--school", "bench").strip()
        enrol: list[str | Path] = [*self.viipe, "enrol", url, code, "--config", self.host.file]
        subprocess.run(enrol, check=True, stdout=subprocess.PIPE)

    @contextmanager
    def linked(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the networked process while the block lasts."""
        command: list[str | Path] = [*self.viipe, "link", "--config", self.host.file]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGCONT)
                process.terminate()

    def status(self) -> dict[str, Any]:
        """Ask it how it is."""
        try:
            return ask(self.state_dir, "status")
        except NotRunning:
            return {}

    def is_ready(self) -> bool:
        """Whether it has cards and its neighbour answers."""
        told = self.status()
        neighbours = told.get("neighbours") or [{"reachable": False}]
        return bool(told.get("cards")) and all(each["reachable"] for each in neighbours)

    def latencies_ms(self) -> list[float]:
        """Return of each tap how long it took, in order."""
        found = []
        for _, body in read_events(self.state_dir / JOURNAL):
            if body.startswith(b'{"kind":"tap"'):
                found.append(_latency_ms(body))
        return found


def measure(plan: Plan) -> list[Figure]:
    """Tap new pupils' cards at one of two hosts, while registry and neighbour answer, are silent, and while the registry is dead."""
    count = plan.taps or TAPS
    subprocess.run(["/bin/rm", "-rf", plan.folder / NAME], check=True)
    with ExitStack() as stack:
        registry = stack.enter_context(RegistryProcess())
        rig = stack.enter_context(EventIfd(readers=2))
        registry.do(a_school("bench", 3 * count + 1) + _RULE)
        viipe = runtime.command(runtime.python(plan))
        folders = [plan.folder / NAME / f"bench-{number}" for number in range(2)]
        tills = [_Till(folders[n], viipe, rig.names[n], dict(rig.environ()), registry) for n in range(2)]
        for each in tills:
            stack.enter_context(each.host)
        links = [stack.enter_context(each.linked()) for each in tills]
        _await(tills)
        pupils = iter(range(3 * count + 1))
        _tap(rig, tills[0], pupils, 1)  # connections are made with the first question
        _tap(rig, tills[0], pupils, count)
        silenced = [registry.pid, links[1].pid]
        for pid in silenced:
            os.kill(pid, signal.SIGSTOP)
        _tap(rig, tills[0], pupils, count)
        for pid in silenced:
            os.kill(pid, signal.SIGCONT)
        registry.stop(signal.SIGKILL)
        _await(tills)
        _tap(rig, tills[0], pupils, count)
        took_ms = tills[0].latencies_ms()[1:]
    return [
        figure
        for place, (what, goal) in enumerate(((BY_REGISTRY, None), (BY_NOBODY, DEADLINE_MS), (BY_NEIGHBOUR, None)))
        for figure in _figures(what, took_ms[place * count : (place + 1) * count], goal)
    ]


def _figures(what: str, took_ms: Sequence[float], goal: float | None) -> list[Figure]:
    return [
        Figure(NAME, f"seen → decided, answered {what}, p50", p50(took_ms), "ms"),
        Figure(NAME, f"seen → decided, answered {what}, p99", p99(took_ms), "ms", goal),
    ]


def _tap(rig: EventIfd, till: _Till, pupils: Iterator[int], count: int) -> None:
    """Let so many pupils go through, one after another."""
    for _ in range(count):
        rig.insert(0, (0x10000000 + next(pupils)).to_bytes(4, "big"))
        till.host.strike.heard_ns()
        rig.remove(0)
        time.sleep(LIFTED_S)


def _await(tills: Sequence[_Till]) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not all(each.is_ready() for each in tills):
        told = [each.status().get("neighbours") for each in tills]
        assert time.monotonic() < give_up, f"the hosts do not see each other: {told}"  # noqa: S101  an invariant of the measurement
        time.sleep(0.2)


def _latency_ms(body: bytes) -> float:
    """Return a tap's duration of its event's bytes."""
    return float(body.split(b'"latency_ms":', 1)[1].split(b",", 1)[0])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
