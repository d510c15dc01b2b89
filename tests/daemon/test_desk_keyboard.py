"""The keyboard of a library's desk as the host's file says, and what keeps it from typing."""

import os
from pathlib import Path

import pytest

from config.desk_table import DeskSection
from config.host import parse
from daemon.desk_keyboard import keyboard, keyboard_worker, trouble
from daemon.diagnosis import Level, examine
from outputs.keyboard_gadget import KeyboardGadget
from outputs.output import Command, OutputFault


def test_nothing_types_unless_the_file_says_so() -> None:
    """`types = "none"` makes no keyboard."""
    assert keyboard_worker(DeskSection()) is None


def test_a_gadget_is_made_of_its_table(tmp_path: Path) -> None:
    """Device, layout, suffix and timing go in; what is typed comes out at the other end."""
    device = tmp_path / "hidg0"
    os.mkfifo(device)
    end = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    made = keyboard(DeskSection(types="gadget", device=str(device), suffix="none", key_ms=2))
    assert isinstance(made, KeyboardGadget)
    made.move(Command("00" * 16, 0.0, "7"))
    made.close()
    assert os.read(end, 64)[8:] == bytes.fromhex("0000240000000000 0000000000000000")
    os.close(end)


def test_a_device_that_is_not_there_is_a_fault_with_its_remedy(tmp_path: Path) -> None:
    """Both ways of typing say what mends it; the worker tries again by itself, and the page shows the fault meanwhile."""
    for types, mend in (("uinput", "module uinput"), ("gadget", "viipe-keyboard-gadget")):
        with pytest.raises(OutputFault, match=mend):
            keyboard(DeskSection(types=types, device=str(tmp_path / "missing")))


def test_the_doctor_says_what_keeps_the_desk_from_typing(tmp_path: Path) -> None:
    """Missing: the module or the unit; there: in order. It is a warning: the page shows the number all the same."""
    text = (
        f'[host]\nname = "library"\ntimezone = "Europe/Tallinn"\nstate_dir = "{tmp_path}"\n[screen]\n'
        f'[desk]\ntypes = "gadget"\ndevice = "{tmp_path}/hidg0"\n'
    )
    (found,) = [each for each in examine(parse(text)) if each.check == "desk's keyboard"]
    assert (found.level, "viipe-keyboard-gadget" in found.mend) == (Level.WARNING, True)
    os.mkfifo(tmp_path / "hidg0")
    (found,) = [each for each in examine(parse(text)) if each.check == "desk's keyboard"]
    assert (found.level, found.mend) == (Level.OK, "")
    quiet = list(examine(parse(text.replace('types = "gadget"', "").split("device =")[0])))
    assert not any(each.check == "desk's keyboard" for each in quiet)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up root to be refused")
def test_a_device_that_may_not_be_written_names_the_rule(tmp_path: Path) -> None:
    """As nobody, of a node that root alone may write to."""
    device = tmp_path / "uinput"
    device.touch(mode=0o600)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.name.startswith(("pytest", "popen", "test_")):
            folder.chmod(0o755)
    section = DeskSection(types="uinput", device=str(device))
    trouble(section)  # what is imported at need is imported as root, who may read it
    child = os.fork()
    if child == 0:
        found: tuple[str, str] | None = None
        try:
            os.setgid(65_534)
            os.setuid(65_534)
            found = trouble(section)
        finally:  # whatever happens the child ends here: the rest of the test is its parent's
            os._exit(0 if found and "70-viipe.rules" in found[1] else 1)
    assert os.waitpid(child, 0)[1] == 0
