"""Typing into a real kernel, from inside a guest (tests.rig.guest): prints what the kernel's input devices gave, a line of JSON.

Each case names a keyboard, types by it, and reads the event node that the kernel made for it, as a desktop does.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from evdev import InputDevice, KeyEvent, ecodes, list_devices

from outputs.keyboard import NAME, Keyboard
from outputs.keyboard_gadget import KeyboardGadget
from outputs.output import Command, OutputFault

GADGET_NAME: Final = "Viipe Viipe library keyboard"
GADGET_SCRIPT: Final = Path(__file__).parents[2] / "systemd" / "viipe-keyboard-gadget"
TEXT: Final = "THG-0042 a,b.c_/9"
WAIT_S: Final = 20.0
QUIET_S: Final = 2.0  # the guest is some ten times slower than this machine
NOBODY: Final = 65_534
UINPUT, HIDG = Path("/dev/uinput"), Path("/dev/hidg0")

# An Estonian keyboard (Linux's key names, what is printed on them without and with Shift), written from a keyboard, not from the code.
_PRINTED: Final = {
    **{f"KEY_{letter}": (letter.lower(), letter) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **{f"KEY_{digit}": (digit, shifted) for digit, shifted in zip("1234567890", '!"#¤%&/()=', strict=True)},
    "KEY_SPACE": (" ", " "),
    "KEY_COMMA": (",", ";"),
    "KEY_DOT": (".", ":"),
    "KEY_SLASH": ("-", "_"),
    "KEY_ENTER": ("\n", "\n"),
    "KEY_TAB": ("\t", "\t"),
}


def heard(device: "InputDevice[str]") -> str:
    """Read a device until it is quiet, and return what was typed on it."""
    typed, is_shifted = "", False
    while select.select([device.fd], [], [], QUIET_S)[0]:
        for event in device.read():
            if event.type != ecodes.EV_KEY:
                continue
            if event.code == ecodes.KEY_LEFTSHIFT:
                is_shifted = event.value != KeyEvent.key_up
            elif event.value == KeyEvent.key_down:
                typed += _PRINTED[str(ecodes.KEY[event.code])][is_shifted]
    return typed


def heard_while(device: "InputDevice[str]", keyboard: Keyboard | KeyboardGadget, text: str) -> str:
    """Type a text and return what was heard meanwhile: the kernel keeps 64 events for a reader, some ten keys, and drops the rest."""
    with ThreadPoolExecutor(1) as typist:
        typing = typist.submit(keyboard.move, Command("00" * 16, 0.0, text))
        typed = heard(device)
        typing.result()
    return typed


def device_named(name: str) -> "InputDevice[str]":
    """Wait for an input device of this name and open it."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        for path in list_devices():
            device = InputDevice(path)
            if device.name == name:
                return device
            device.close()
        time.sleep(0.05)
    raise TimeoutError(f"no input device {name!r}: {[InputDevice(each).name for each in list_devices()]}")


def uinput() -> dict[str, object]:
    """Type by a virtual keyboard: at its opening, as root, and as somebody who may write to uinput and read no keyboard."""
    keyboard = Keyboard(UINPUT, layout="et", suffix="enter", key_ms=4)
    device = device_named(NAME)
    at_opening = heard(device)
    typed = heard_while(device, keyboard, TEXT)
    again = heard_while(device, keyboard, "11")
    keyboard.close()
    return {"at_opening": at_opening, "typed": typed, "again": again}


def unprivileged() -> dict[str, object]:
    """Try uinput as nobody: refused by 0600, and typing by 0660 without the right to read any input device."""
    os.chown(UINPUT, 0, NOBODY)
    UINPUT.chmod(0o600)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(writing, json.dumps({"refused": _refusal(), "began": time.monotonic()}).encode())
        time.sleep(2.0)  # meanwhile the right is given
        keyboard = Keyboard(UINPUT, layout="et", suffix="none", key_ms=4)
        time.sleep(1.0)  # meanwhile its node is found
        keyboard.move(Command("00" * 16, 0.0, "77"))
        time.sleep(2.0)
        os._exit(0)
    told = json.loads(os.read(reading, 4096))
    UINPUT.chmod(0o660)
    typed = heard_after(device_named(NAME))
    os.waitpid(child, 0)
    return {"refused": told["refused"], "typed": typed}


def heard_after(device: "InputDevice[str]") -> str:
    """Wait for a device to begin, and read it until it is quiet."""
    select.select([device.fd], [], [], WAIT_S)
    return heard(device)


def _refusal() -> str:
    try:
        Keyboard(UINPUT, layout="et", suffix="none", key_ms=4)
    except OutputFault as fault:
        return str(fault)
    return ""


def gadget() -> dict[str, object]:
    """Be a USB keyboard of this same machine (dummy_hcd joins both ends): typed, gone, and back."""
    _script("start")
    _wait_for(HIDG)
    device = device_named(GADGET_NAME)
    keyboard = KeyboardGadget(HIDG, layout="et", suffix="enter", key_ms=4)
    at_opening = heard(device)
    typed = heard_while(device, keyboard, TEXT)
    _port("")  # the cable is pulled
    try:
        keyboard.move(Command("01" * 16, 0.0, "1"))
        unplugged = ""
    except OutputFault as fault:
        unplugged = str(fault)
    keyboard.close()
    _script("stop")
    _script("start")
    _wait_for(HIDG)
    device = device_named(GADGET_NAME)
    keyboard = KeyboardGadget(HIDG, layout="et", suffix="tab", key_ms=4)
    back = heard_while(device, keyboard, "back")
    keyboard.close()
    _script("stop")
    return {"at_opening": at_opening, "typed": typed, "unplugged": unplugged, "back": back, "left": HIDG.exists()}


def _port(name: str) -> None:
    Path("/sys/kernel/config/usb_gadget/viipe/UDC").write_text(name + "\n", encoding="utf-8")


def _script(word: str) -> None:
    subprocess.run(["/bin/sh", str(GADGET_SCRIPT), word], check=True)


def _wait_for(path: Path) -> None:
    until_s = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < until_s:
        time.sleep(0.05)


CASES: Final[Sequence[Callable[[], dict[str, object]]]] = (uinput, unprivileged, gadget)


def main() -> int:
    """Run all cases and tell what was heard."""
    sys.stdout.write(json.dumps({case.__name__: case() for case in CASES}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
