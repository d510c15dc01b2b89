"""The face of every output: it takes a command and has moved when it returns, or says why it has not."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


class OutputFault(Exception):
    """An output did not move: the text says which and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """One granted tap's command. `pulse_s` is how long the output stays moved; it ends the pulse by itself.

    `text` is what a keyboard types: somebody's number, so that no log shows it.
    """

    tap_id: str
    pulse_s: float
    text: str = field(default="", repr=False)


class Output(Protocol):
    """Something that a granted tap moves. Making one, closing it or making it anew moves nothing."""

    def move(self, command: Command, /) -> None:
        """Carry the command out. Returns when the output has taken it; raises OutputFault when it has not."""

    def close(self) -> None:
        """Let go of the device, unmoved."""


@runtime_checkable
class Watched(Protocol):
    """An output that finds out by itself that its device is gone, before anybody stands at the door."""

    def trouble(self) -> str | None:
        """Say why it could not move just now, None when it could; from any thread, without waiting."""
