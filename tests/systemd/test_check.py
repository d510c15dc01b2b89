"""The judge of the unit files is judged: each kind of mistake in a copy of the folder turns it red."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "systemd"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_MISSING = [each for each in ("systemd-analyze", "udevadm", "duk", "modprobe") if shutil.which(each, path=PATH) is None]
pytestmark = pytest.mark.skipif(bool(_MISSING), reason=f"Debian's systemd, udev, duktape, kmod: missing {_MISSING}")

UNIT = "viipe.service"
LINK = "viipe-link.service"
SCREEN = "viipe-screen.service"
TABLETS = "viipe-screen.service.d/tablets.conf.example"
DEVICES = "viipe.service.d/devices.conf.example"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the folder to spoil."""
    return Path(shutil.copytree(FOLDER, tmp_path / "systemd"))


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the folder's own check."""
    return subprocess.run([folder / "check"], capture_output=True, text=True, timeout=60, check=False)


def test_the_folder_is_well(folder: Path) -> None:
    """As it stands, the check finds nothing and says nothing of a fault."""
    result = check(folder)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        (UNIT, "PrivateNetwork=yes", "PrivateNetwork=no", "exposed more than 5 tenths"),
        (UNIT, "ProtectHome=", "ProtectHouse=", "ProtectHouse"),
        (UNIT, "/bin/kill", "/bin/kil", "/bin/kil "),
        (UNIT, "WatchdogSec=8", "WatchdogSec=soon", "soon"),
        (LINK, "ProtectSystem=strict", "ProtectSystem=no\nPrivateUsers=no", "more than 13 tenths"),
        (LINK, "MemoryMax=", "MemoryMost=", "MemoryMost"),
        (SCREEN, "IPAddressDeny=any", "PrivateUsers=no\nProtectSystem=no", "more than 13 tenths"),
        (SCREEN, "WatchdogSec=15", "WatchdogSec=soon", "soon"),
        (TABLETS, "IPAddressAllow=", "IPAddressAlow=", "IPAddressAlow"),
        (DEVICES, "PrivateDevices=no", "PrivateDevices=no\nPrivateNetwork=no\nPrivateUsers=no", "more than 8 tenths"),
        (DEVICES, "DeviceAllow=char-gpiochip rw", "DeviceAlow=char-gpiochip rw", "DeviceAlow"),
        ("viipe.sysusers.conf", "u viipe -", "q viipe -", "viipe.sysusers.conf"),
        ("50-viipe-pcscd.rules", "});", "}", "50-viipe-pcscd.rules"),
        ("50-viipe-pcscd.rules", ".access_card", ".access_cards", "access_card for viipe"),
        ("50-viipe-pcscd.rules", 'subject.user === "viipe" &&', "", "for nobody"),
        ("viipe-pn533.conf", "blacklist nfc", "blaklist nfc", "bad line"),
        ("viipe-pn533.conf", "blacklist pn533_usb", "#", "not blacklisted"),
    ],
)
def test_a_mistake_is_found(folder: Path, file: str, right: str, wrong: str, said: str) -> None:
    """One spoilt line in one file fails the check, which names it."""
    spoil(folder / file, right, wrong)
    result = check(folder)
    assert result.returncode == 1
    assert said in result.stderr


@pytest.mark.skipif(
    subprocess.run(["unshare", "--map-root-user", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="the check judges udev rules in a namespace, and this machine gives none",
)
@pytest.mark.parametrize(("right", "wrong"), [("GROUP=", "GRUOP="), ('LABEL="viipe_end"', 'LABEL="end"')])
def test_a_mistake_in_a_udev_rule_is_found(folder: Path, right: str, wrong: str) -> None:
    """An unknown key and a label that is not there fail the check."""
    spoil(folder / "70-viipe.rules", right, wrong)
    result = check(folder)
    assert result.returncode == 1
    assert "70-viipe.rules:" in result.stderr


def spoil(path: Path, right: str, wrong: str) -> None:
    """Put something wrong in the place of something right."""
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
