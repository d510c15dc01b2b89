"""Opening the device that a spec names: the one place that knows which library moves which kind of switch."""

from outputs.output import OutputFault
from outputs.switch import GpioSpec, Switch, SwitchSpec


def open_switch(spec: SwitchSpec) -> Switch:
    """Open what a spec names, switched off; raises OutputFault. A library is imported only where it is used."""
    if isinstance(spec, GpioSpec):
        try:
            from outputs.gpio import GpioSwitch  # noqa: PLC0415  see above
        except ImportError as error:
            raise OutputFault("gpiod is not installed: install viipe with its extra `gpio`") from error
        return GpioSwitch(spec)
    from outputs.serial_relay import RelaySwitch  # noqa: PLC0415  see above

    return RelaySwitch(spec)
