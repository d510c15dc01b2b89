"""A GPIO line as a switch, over libgpiod's v2 interface (`gpiod`).

The kernel hands a line to one program and takes it back when that program ends, however it ends. What the pin shows
then is the driver's affair: newer kernels of the Raspberry Pi leave it as it is. So the line is driven to rest before
it is let go, and one that was left moved is at rest again as soon as it is opened.
"""

import errno
from typing import Final

import gpiod
from gpiod.line import Direction, Value

from outputs.output import OutputFault
from outputs.switch import GpioSpec

CONSUMER: Final = "viipe"  # as gpioinfo(1) shows who holds the line
_FIXES: Final = {
    errno.ENOENT: "there is no such chip or line: see gpioinfo",
    errno.ENOTTY: "that is no GPIO chip: see gpiodetect",
    errno.ENODEV: "that is no GPIO chip, or it is gone: see gpiodetect",
    errno.EACCES: "this user may not use the chip: see the udev rule that is shipped",
    errno.EPERM: "this user may not use the chip: see the udev rule that is shipped",
    errno.EBUSY: "another program, or the kernel, holds the line: see gpioinfo",
    errno.EINVAL: "the chip has no such line, or it cannot be an output",
}


class GpioSwitch:
    """One requested line."""

    def __init__(self, spec: GpioSpec) -> None:
        """Request the line as an output at rest; raises OutputFault with what mends it."""
        self._where = f"{spec.chip} line {spec.line}"
        self._line = spec.line
        settings = gpiod.LineSettings(
            direction=Direction.OUTPUT, active_low=spec.active_low, output_value=Value.INACTIVE
        )
        try:
            self._request = gpiod.request_lines(spec.chip, consumer=CONSUMER, config={spec.line: settings})
        except (OSError, ValueError) as error:  # ValueError: an offset past the chip's last line
            raise OutputFault(f"{self._where}: {_in_words(error)}") from error

    def on(self) -> None:
        """Drive the line to its active level."""
        self._set(Value.ACTIVE)

    def off(self) -> None:
        """Drive it to rest."""
        self._set(Value.INACTIVE)

    def close(self) -> None:
        """Give the line back."""
        self._request.release()

    def watched(self) -> int | None:
        """Return None: what is soldered on is not pulled."""
        return None

    def _set(self, value: Value) -> None:
        try:
            self._request.set_value(self._line, value)
        except OSError as error:
            raise OutputFault(f"{self._where}: {_in_words(error)}") from error


def _in_words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno in _FIXES:
        return f"{_FIXES[error.errno]} ({errno.errorcode[error.errno]})"
    return str(error)
