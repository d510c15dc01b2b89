"""Opening what a spec names."""

import pytest

from outputs.opening import open_switch
from outputs.output import OutputFault
from outputs.switch import GpioSpec, RelaySpec, SwitchSpec


@pytest.mark.parametrize("spec", [GpioSpec("/dev/viipe-none", 1), RelaySpec("/dev/viipe-none", "a0")])
def test_a_device_that_is_not_there_is_a_fault(spec: SwitchSpec) -> None:
    """Each kind says which device it is that is missing."""
    with pytest.raises(OutputFault, match="/dev/viipe-none"):
        open_switch(spec)
