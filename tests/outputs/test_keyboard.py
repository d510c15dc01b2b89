"""Typing on this machine: the virtual keyboard, in a real kernel (a guest of QEMU) and where there is no device for it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outputs.keyboard import KEY_CODES, Keyboard
from outputs.keystrokes import LAYOUTS, SUFFIXES
from outputs.output import OutputFault
from tests.rig import guest, typing_guest

MODULES = ("evdev", "uinput", "usb_f_hid", "dummy_hcd", "usbhid", "hid_generic")


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the kernel's input devices gave of what was typed (tests.rig.typing_guest), one guest for all tests here."""
    if (why := guest.missing()) is not None:
        pytest.skip(f"no guest with a kernel that has uinput: {why}")
    argv = [sys.executable, "-m", typing_guest.__name__]
    ended = guest.run(tmp_path_factory.mktemp("guest"), MODULES, argv)
    assert ended.code == 0, ended.said
    told: Mapping[str, Any] = json.loads(ended.said.splitlines()[-1])
    return told


@pytest.mark.timeout(300)
def test_T11_the_number_is_typed_on_this_machine(typed: Mapping[str, Any]) -> None:
    """The kernel hears from the virtual keyboard what an Estonian keyboard's keys print, then Enter; twice the same digit is two."""
    assert typed["uinput"]["typed"] == typing_guest.TEXT + "\n"
    assert typed["uinput"]["again"] == "11\n"


@pytest.mark.timeout(300)
def test_a_keyboard_that_is_made_types_nothing(typed: Mapping[str, Any]) -> None:
    """Neither the virtual nor the USB one, when it appears."""
    assert [typed[kind]["at_opening"] for kind in ("uinput", "gadget")] == ["", ""]


@pytest.mark.timeout(300)
def test_typing_needs_no_right_to_read_keyboards(typed: Mapping[str, Any]) -> None:
    """A user who may write to uinput alone types; one who may not is told what mends it."""
    assert typed["unprivileged"]["typed"] == "77"
    assert "70-viipe.rules" in typed["unprivileged"]["refused"]


@pytest.mark.timeout(300)
def test_T11_the_number_is_typed_on_the_librarians_own_machine(typed: Mapping[str, Any]) -> None:
    """Through the shipped gadget's script, the kernel's USB stack and its HID driver at the other end."""
    assert typed["gadget"]["typed"] == typing_guest.TEXT + "\n"


@pytest.mark.timeout(300)
def test_a_pulled_cable_is_told_and_a_new_one_types(typed: Mapping[str, Any]) -> None:
    """A text into nowhere fails; what is typed after the gadget was made anew is that text alone."""
    assert "is the cable in" in typed["gadget"]["unplugged"]
    assert typed["gadget"]["back"] == "back\t"
    assert not typed["gadget"]["left"], "stop leaves no device"


def test_no_device_is_told_with_what_mends_it(tmp_path: Path) -> None:
    """Missing: the module; no device at all: what was found."""
    with pytest.raises(OutputFault, match="load the kernel's module uinput"):
        Keyboard(tmp_path / "uinput", layout="et", suffix="enter", key_ms=8)
    (tmp_path / "plain").touch()
    with pytest.raises(OutputFault, match="plain"):
        Keyboard(tmp_path / "plain", layout="et", suffix="enter", key_ms=8)
    with pytest.raises(OutputFault, match="/dev/null"):
        Keyboard(Path("/dev/null"), layout="et", suffix="enter", key_ms=8)


def test_every_key_of_every_layout_has_its_code() -> None:
    """Two tables, one keyboard: no text is accepted that could not be typed whole."""
    wanted = {stroke.usage for layout in LAYOUTS.values() for stroke in layout.values()}
    wanted |= {stroke.usage for suffix in SUFFIXES.values() for stroke in suffix}
    assert wanted <= set(KEY_CODES)
    assert len(set(KEY_CODES.values())) == len(KEY_CODES)
