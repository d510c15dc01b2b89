"""The network between hosts and registry: which lines work, and what becomes of each message on one that does not quite.

A line between two ends is `up`, `down`, or `bad`: then each exchange is lost on its way, answered too late, answered into the void or
delivered twice, as the step's own randomness says. What arrives after the asker gave up waits in `late` until the next step begins.
"""

from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from sync.link.faults import TooSlow, Unreachable

REGISTRY: Final = "registry"
ANSWER_MS: Final = 3
T = TypeVar("T")


class Line(StrEnum):
    """How a line is."""

    UP = "up"
    DOWN = "down"
    BAD = "bad"


class Fate(StrEnum):
    """What becomes of one exchange."""

    WHOLE = "whole"
    REQUEST_LOST = "request lost"
    REQUEST_LATE = "request late"  # it arrives when nobody waits for the answer any more
    ANSWER_LOST = "answer lost"
    TWICE = "twice"


_OF_A_BAD_LINE: Final = (Fate.WHOLE, Fate.REQUEST_LOST, Fate.REQUEST_LATE, Fate.ANSWER_LOST, Fate.TWICE)


class Network:
    """All lines. `random` is set anew by each step, so that a step does the same whichever steps stand before it."""

    def __init__(self, pass_ms: Callable[[int], None]) -> None:
        """Begin with all lines up; `pass_ms` lets time pass."""
        self.random = Random(0)  # noqa: S311  a game of chance, no secret
        self._pass_ms = pass_ms
        self._lines: dict[frozenset[str], Line] = {}
        self._silent: set[str] = set()
        self._late: list[Callable[[], object]] = []
        self.meanwhile: list[Callable[[], object]] = []  # what happens elsewhere while the next question is under way

    def set(self, one: str, other: str, line: Line) -> None:
        """Change a line."""
        self._lines[frozenset((one, other))] = line

    def silence(self, end: str) -> None:
        """Let an end hear and answer nothing: its program does not run."""
        self._silent.add(end)

    def wake(self, end: str) -> None:
        """Let it answer again."""
        self._silent.discard(end)

    def heal(self) -> None:
        """Mend all lines; programs that do not run are not mended by that."""
        self._lines.clear()

    def line(self, one: str, other: str) -> Line:
        """Return how a line is now."""
        if one in self._silent or other in self._silent:
            return Line.DOWN
        return self._lines.get(frozenset((one, other)), Line.UP)

    def is_up(self, one: str, other: str) -> bool:
        """Whether every message gets through in time."""
        return self.line(one, other) is Line.UP

    def exchange(self, one: str, other: str, deliver: Callable[[], T], *, deadline_ms: int) -> T:
        """Carry a request to `other` and its answer back. Raises Unreachable, TooSlow; what `deliver` raises comes back as an answer."""
        fate = self._fate(one, other)
        if fate is Fate.REQUEST_LOST:
            self._pass_ms(deadline_ms)
            raise TooSlow(f"{other}: no answer in time")
        if fate is Fate.REQUEST_LATE:
            self._late.append(deliver)
            self._pass_ms(deadline_ms)
            raise TooSlow(f"{other}: no answer in time")
        is_before = self.random.random() < 0.5  # as likely before as after
        if is_before:
            self.go_on_elsewhere()
        if fate is Fate.TWICE:
            deliver()
        answer = deliver()
        if not is_before:
            self.go_on_elsewhere()
        if fate is Fate.ANSWER_LOST:
            self._pass_ms(deadline_ms)
            raise TooSlow(f"{other}: no answer in time")
        self._pass_ms(ANSWER_MS)
        return answer

    def deliver_late(self) -> None:
        """Deliver what is still under way; whoever asked has gone on, and what the other end refuses is nobody's concern."""
        late, self._late = self._late, []
        for deliver in late:
            try:
                deliver()
            except (Unreachable, TooSlow):  # sent on to an end that is away by now
                continue

    def go_on_elsewhere(self) -> None:
        """Let happen what was to happen while a question was under way."""
        waiting, self.meanwhile = self.meanwhile, []
        for happen in waiting:
            happen()

    def _fate(self, one: str, other: str) -> Fate:
        match self.line(one, other):
            case Line.DOWN:
                self._pass_ms(ANSWER_MS)
                raise Unreachable(f"{other}: no connection")
            case Line.BAD:
                return self.random.choice(_OF_A_BAD_LINE)
            case _:
                return Fate.WHOLE
