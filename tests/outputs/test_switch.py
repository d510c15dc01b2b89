"""How a switch is named to its guardian."""

import pytest

from outputs.output import OutputFault
from outputs.switch import GpioSpec, RelaySpec, SwitchSpec, from_json, open_switch, to_json


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


@pytest.mark.parametrize("spec", [GpioSpec("/dev/viipe-none", 1), RelaySpec("/dev/viipe-none", "a0")])
def test_a_device_that_is_not_there_is_a_fault(spec: SwitchSpec) -> None:
    """Each kind says which device it is that is missing."""
    with pytest.raises(OutputFault, match="/dev/viipe-none"):
        open_switch(spec)
