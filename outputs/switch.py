"""What a guardian holds: something that is on or off, and is off when it has just been opened.

`SwitchSpec` names one, and crosses the pipe to the guardian's process as JSON.
"""

import json
from dataclasses import dataclass
from typing import Protocol


class Switch(Protocol):
    """One opened device. Opening it switched it off; whoever lets go of it switches it off before."""

    def on(self) -> None:
        """Switch on; raises OutputFault."""

    def off(self) -> None:
        """Switch off; raises OutputFault."""

    def close(self) -> None:
        """Let go of the device."""

    def watched(self) -> int | None:
        """Return a descriptor that hangs up when the device is pulled (POLLHUP); None where there is none."""


@dataclass(frozen=True, slots=True)
class GpioSpec:
    """One line of a GPIO chip: its number, or the name that the device tree gives it."""

    chip: str
    line: int | str
    active_low: bool = False


@dataclass(frozen=True, slots=True)
class RelaySpec:
    """One channel, from 1, of a relay board on a serial line; `protocol` as in `outputs.serial_relay`."""

    path: str
    protocol: str
    channel: int = 1
    baud: int = 9600


SwitchSpec = GpioSpec | RelaySpec
_KINDS: dict[str, type[GpioSpec] | type[RelaySpec]] = {"gpio": GpioSpec, "serial-relay": RelaySpec}


def to_json(spec: SwitchSpec) -> str:
    """Write a spec as the guardian's argument."""
    (kind,) = (kind for kind, made in _KINDS.items() if isinstance(spec, made))
    return json.dumps({"kind": kind, **{name: getattr(spec, name) for name in spec.__slots__}})


def from_json(text: str) -> SwitchSpec:
    """Read what `to_json` wrote."""
    fields = json.loads(text)
    return _KINDS[fields.pop("kind")](**fields)
