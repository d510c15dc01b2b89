"""A card that is a process: nfcpy in `listen` mode at the other end of its own UDP link.

    python -m tests.rig.nfc_card PORT TECHNOLOGY UID

It lies in the field of a reader at `udp:localhost:PORT` until it is ended; `UdpCard` runs one.
"""

import subprocess
import sys
from types import TracebackType
from typing import Any, Final, Self

LISTEN_S: Final = 1.0


class UdpCard:
    """A card in the field while the `with` block runs."""

    def __init__(self, port: int, uid: bytes, technology: str = "106A") -> None:
        """Keep what it is."""
        self._command = [sys.executable, "-m", "tests.rig.nfc_card", str(port), technology, uid.hex()]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Put it into the field."""
        self._process = subprocess.Popen(self._command)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def target(technology: str, uid: bytes) -> Any:  # noqa: ANN401  nfcpy has no types
    """Return what nfcpy is to be: a type 2 tag (SAK 00), a type 4B tag or a FeliCa card."""
    from nfc.clf import LocalTarget  # type: ignore[import-untyped]  # noqa: PLC0415  the tests' end does without nfcpy

    if technology.endswith("A"):
        return LocalTarget(
            technology, sens_res=bytearray(b"\x44\x00"), sel_res=bytearray(b"\x00"), sdd_res=bytearray(uid)
        )
    if technology.endswith("B"):
        return LocalTarget(technology, sensb_res=bytearray(b"\x50" + uid + bytes.fromhex("00000000 008181")))
    sensf_res = b"\x01" + uid + bytes.fromhex("03014B024F4993FF 12FC")
    return LocalTarget(technology, sensf_res=bytearray(sensf_res))


def lie(port: int, technology: str, uid: bytes) -> None:
    """Answer whoever asks, for ever."""
    from nfc.clf import CommunicationError, ContactlessFrontend  # noqa: PLC0415  as above

    with ContactlessFrontend(f"udp:localhost:{port}") as frontend:
        while True:
            try:
                frontend.listen(target(technology, uid), LISTEN_S)
            except CommunicationError:
                continue  # the reader broke off


if __name__ == "__main__":
    lie(int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]))
