"""Known traps of readers, and the way out of each: what `viipe doctor` says beside a reader's own fault (FAULTS.md, Readers)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODULES: Final = Path("/proc/modules")
NODES: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class Trap:
    """What was found, and how it is mended."""

    found: str
    mend: str


# By what a reader's own words speak of; the first that fits.
_REMEDIES: Final = (
    ("locked", "another program has the port open: `fuser -v PORT` names it; ModemManager is kept off by systemd/70-viipe.rules"),
    ("Permission denied", "install systemd/70-viipe.rules and viipe.service.d/devices.conf; groups dialout and gpio own these devices"),
    ("Operation not permitted", "the unit's device policy refuses it: leave its line in viipe.service.d/devices.conf"),
    ("polkit", "polkit refuses a PC/SC client without a desktop: install systemd/50-viipe-pcscd.rules"),
    ("refuses this user", "polkit refuses a PC/SC client without a desktop: install systemd/50-viipe-pcscd.rules"),
    ("No module named 'nfc'", "install viipe with its extra: nfc"),
    ("returned no data", "it was pulled, or another program reads too; see its name: ls -l /dev/viipe (systemd/70-viipe.rules)"),
    ("is not there", "plug it in, or see its name: ls -l /dev/viipe (systemd/70-viipe.rules gives names that last)"),
    ("No such file", "plug it in, or see its name: ls -l /dev/viipe (systemd/70-viipe.rules gives names that last)"),
    ("no such NFC reader", "see lsusb and `python -m nfc`; pn533_usb must not hold it: install systemd/viipe-pn533.conf"),
    ("gpioinfo", "compare the host's file with gpiodetect and gpioinfo; group gpio owns the chips (systemd/70-viipe.rules)"),
    ("gpiodetect", "compare the host's file with gpiodetect; group gpio owns the chips (systemd/70-viipe.rules)"),
    ("several readers", "give each of them its usb_port instead of a match"),
)  # fmt: skip
_ELSE: Final = {
    "pcsc": "compare `viipe readers` with the host's file",
    "nfc": "see its cable and its device in the host's file; power_cycle takes its power when it does not come back",
    "serial": "see its cable, its port and its speed in the host's file",
    "output": "see that its device or file can be written by the daemon's user",
}


def remedy(kind: str, why: str) -> str:
    """Say what to do about a reader that does not read, or (as kind "output") about an output that does not move."""
    text = why.lower()
    return next((mend for word, mend in _REMEDIES if word.lower() in text), _ELSE.get(kind, _ELSE["pcsc"]))


def modules(path: Path = MODULES) -> frozenset[str]:
    """Return the names of the kernel's loaded modules; none where that cannot be read."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(line.partition(" ")[0] for line in lines)


def traps(kinds: Mapping[str, str], names: Sequence[str], loaded: frozenset[str]) -> Iterator[Trap]:
    """Find what is known to go wrong: `kinds` are the file's readers by name, `names` PC/SC's own, `loaded` the modules."""
    if "pn533_usb" in loaded and {"pcsc", "nfc"} & set(kinds.values()):
        yield Trap(
            "the kernel's pn533_usb takes the ACR122 and its like before pcscd or nfcpy can",
            "install systemd/viipe-pn533.conf, then: modprobe --remove pn533_usb",
        )
    if any("ACR122" in name for name in names):
        yield Trap(
            "an ACR122U is known to fall silent after USB errors (LIBUSB_TIMEOUT)",
            "give its reader a power_cycle, such as uhubctl on its port; a newer model (ACR1252U) does not need it",
        )
