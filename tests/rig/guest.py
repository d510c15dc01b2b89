"""A machine of its own with Debian's kernel, for drivers that this one has not: `run(modules, argv)` runs a program in it.

QEMU without hardware support starts the kernel with a small root of busybox, which loads modules, mounts this machine's own files
read-only (9p) and runs the program there as root, as if it had been run here; all else it can touch is its own. `missing` says what
stands in the way.

The kernel is that of Debian's package linux-image-amd64: installed, or unpacked in var/kernel (docs/library.md), or in the folder
that VIIPE_KERNEL names.
"""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
QEMU: Final = "qemu-system-x86_64"
BUSYBOX: Final = Path("/bin/busybox")
WITHIN_S: Final = 240.0  # a guest is up in 3 s on an idle machine, and ten times slower than it
_SHARED: Final = ("virtio_pci", "9p", "9pnet_virtio")
_EMPTY: Final = ("proc", "sys", "dev", "host", "modules", "bin")
_SCRATCH: Final = ("/tmp", "/mnt")  # noqa: S108  the guest's own, laid over a folder in which this repository does not lie
_ENDED: Final = "guest-ended-with"

_INIT: Final = """#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod "/modules/$module" || echo "insmod $module"; done
/bin/busybox mount -t configfs none /sys/kernel/config 2>/dev/null
/bin/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=131072 root /host
for folder in proc sys dev; do /bin/busybox mount --move /$folder /host/$folder; done
/bin/busybox mount -t tmpfs none /hostSCRATCH
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=SCRATCH TMPDIR=SCRATCH LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
/bin/busybox chroot /host sh -c "cd FOLDER; COMMAND"
code=$?
echo
echo "ENDED $code"
/bin/busybox poweroff -f
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program in the guest said, standard error beside standard output, and its exit code."""

    said: str
    code: int


def kernel() -> tuple[Path, str] | None:
    """Return the newest Debian kernel at hand: the root of its files, and its version."""
    named = [Path(given)] if (given := os.environ.get("VIIPE_KERNEL")) else []
    for root in (*named, REPOSITORY / "var" / "kernel", Path("/")):
        for image in sorted(root.glob("boot/vmlinuz-*-amd64"), reverse=True):
            version = image.name.removeprefix("vmlinuz-")
            if (root / "lib/modules" / version / "modules.dep").exists():
                return root, version
    return None


def missing() -> str | None:
    """Say what a guest wants for here, None where it can be run."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed (Debian: qemu-system-x86)"
    if not BUSYBOX.exists():
        return "busybox is not installed (Debian: busybox-static)"
    return None if kernel() else "no kernel of Debian's linux-image-amd64 is installed, nor unpacked in var/kernel"


def run(scratch: Path, modules: Sequence[str], argv: Sequence[str], *, within_s: float = WITHIN_S) -> Ended:
    """Run a program in a guest with these modules loaded; `scratch` is an empty folder. Raises TimeoutExpired."""
    found = kernel()
    assert found is not None, "ask `missing` first"
    root, version = found
    image = _root_image(scratch, root, version, modules, argv)
    share = "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"
    command = [
        QEMU, "-accel", "tcg", "-m", "512", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
        "-kernel", str(root / f"boot/vmlinuz-{version}"), "-initrd", str(image),
        "-append", "console=ttyS0 quiet loglevel=3 panic=-1 rdinit=/init",
        "-virtfs", share,
    ]  # fmt: skip
    told = subprocess.run(command, capture_output=True, timeout=within_s, check=True, stdin=subprocess.DEVNULL).stdout
    said, _, code = told.decode(errors="replace").replace("\r\n", "\n").rpartition(_ENDED)
    return Ended(said.strip(), int(code.split()[0]) if code.split() else -1)


def _root_image(scratch: Path, root: Path, version: str, modules: Sequence[str], argv: Sequence[str]) -> Path:
    """Lay out the guest's first root and pack it as the kernel takes it: a cpio archive."""
    tree = scratch / "tree"
    for folder in _EMPTY:
        (tree / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, tree / "bin/busybox")
    files = list(dict.fromkeys(each for name in (*_SHARED, *modules) for each in _files_of(root, version, name)))
    for file in files:
        shutil.copy(file, tree / "modules")
    (tree / "modules/order").write_text("\n".join(each.name for each in files) + "\n", encoding="utf-8")
    scratch_folder = next(each for each in _SCRATCH if Path(each) not in REPOSITORY.parents)
    init = _INIT.replace("FOLDER", shlex.quote(str(REPOSITORY))).replace("ENDED", _ENDED)
    init = init.replace("SCRATCH", scratch_folder)
    (tree / "init").write_text(init.replace("COMMAND", shlex.join(argv).replace('"', '\\"')), encoding="utf-8")
    (tree / "init").chmod(0o755)
    names = "\n".join(str(each.relative_to(tree)) for each in sorted(tree.rglob("*")))
    packed = subprocess.run(
        [str(BUSYBOX), "cpio", "-o", "-H", "newc"], input=names.encode(), capture_output=True, check=True, cwd=tree
    ).stdout
    image = scratch / "root.cpio"
    image.write_bytes(packed)
    return image


def _files_of(root: Path, version: str, module: str) -> Iterator[Path]:
    """Name the files of a module and of all that it needs, in the order of loading."""
    command = ["/sbin/modprobe", "--dirname", str(root), "--set-version", version, "--show-depends", module]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    for line in told.splitlines():
        word, _, path = line.partition(" ")
        if word == "insmod":
            yield Path(path.split()[0])
