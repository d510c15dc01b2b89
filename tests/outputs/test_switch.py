"""How a switch is named to its guardian."""

import pytest

from outputs.switch import GpioSpec, RelaySpec, SwitchSpec, from_json, to_json


@pytest.mark.parametrize(
    "spec",
    [
        GpioSpec("/dev/gpiochip0", 17),
        GpioSpec("/dev/gpiochip0", "GPIO17", active_low=True),
        RelaySpec("/dev/viipe/relay", "a0"),
        RelaySpec("/dev/ttyUSB0", "at", channel=4, baud=115_200),
    ],
)
def test_a_spec_crosses_the_pipe(spec: SwitchSpec) -> None:
    """What the parent names is what the guardian opens."""
    assert from_json(to_json(spec)) == spec
