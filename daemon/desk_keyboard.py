"""The keyboard of a library's desk, made as its table in the host's file says; a library is imported only where it is used."""

import os
from functools import partial
from pathlib import Path

from config.desk_table import DeskSection
from outputs.output import Output, OutputFault
from outputs.worker import OutputWorker


def keyboard(config: DeskSection) -> Output:
    """Make the keyboard. Raises OutputFault when its device cannot be had."""
    device = Path(config.device)
    if config.types == "gadget":
        from outputs.keyboard_gadget import KeyboardGadget  # noqa: PLC0415  see above

        return KeyboardGadget(device, layout=config.layout, suffix=config.suffix, key_ms=config.key_ms)
    try:
        from outputs.keyboard import Keyboard  # noqa: PLC0415  as above
    except ImportError as error:
        raise OutputFault("evdev is not installed: install viipe with its extra `hid`") from error
    return Keyboard(device, layout=config.layout, suffix=config.suffix, key_ms=config.key_ms)


def trouble(config: DeskSection) -> tuple[str, str] | None:
    """Say what keeps this user from typing, and what mends it; None where nothing does. It types nothing, and makes no keyboard."""
    device, is_gadget = Path(config.device), config.types == "gadget"
    if not device.exists():
        unit = "start viipe-keyboard-gadget.service; the board must have a USB port that can be a device"
        module = (
            "load the kernel's module: install systemd/viipe-modules.conf, then systemctl restart systemd-modules-load"
        )
        return "is not there", unit if is_gadget else module
    if not os.access(device, os.W_OK):
        return (
            "this user may not write to it",
            "install systemd/70-viipe.rules, then udevadm control --reload && udevadm trigger",
        )
    return None


def keyboard_worker(config: DeskSection) -> OutputWorker | None:
    """Put the keyboard to work on a thread of its own; None where nothing types. One that is not there yet is tried again."""
    return None if config.types == "none" else OutputWorker("desk keyboard", partial(keyboard, config))
