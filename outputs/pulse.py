"""How long an output stays moved: one pulse, extended by further grants, never past its longest; pure.

A grant during a pulse extends it to the grant's own end, up to `max_pulse_ms` after the pulse began (DESIGN.md §2.5): a
queue of pupils is let in by one long pulse, and a stuck queue holds no door open. Times are milliseconds of any clock
that never steps back.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pulse:
    """The pulse of one output; `ends_ms` is None while it is at rest."""

    max_pulse_ms: int
    ends_ms: int | None = None
    _began_ms: int = 0

    def grant(self, pulse_ms: int, at_ms: int) -> bool:
        """Take a grant in; return True when it begins a pulse, False when it extends one."""
        begins = self.ends_ms is None
        if begins:
            self._began_ms = at_ms
        ends_ms = min(at_ms + pulse_ms, self._began_ms + self.max_pulse_ms)
        self.ends_ms = ends_ms if self.ends_ms is None else max(self.ends_ms, ends_ms)
        return begins

    def is_over(self, at_ms: int) -> bool:
        """Whether the output must be at rest again by now and may not be: answer with `rest`."""
        return self.ends_ms is not None and at_ms >= self.ends_ms

    def rest(self) -> None:
        """Take in that the output is at rest."""
        self.ends_ms = None
