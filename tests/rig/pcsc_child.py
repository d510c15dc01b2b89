"""A process that runs PC/SC readers and writes what their listeners heard, a line of JSON each.

libpcsclite reads PCSCLITE_CSOCK_NAME once in a process's life: so a test with a pcscd of its own needs its readers in
a process of its own. What to do comes as one JSON argument; a line on standard input, or its end, ends it.
"""

import dataclasses
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartcard import scard

from readers.pcsc import PcscChoice, PcscReader, list_readers
from readers.reader import Presented, ReaderFault, now_ns


def say(event: str, **facts: object) -> None:
    """Write one event, in one piece: several readers speak."""
    os.write(1, (json.dumps({"event": event, "heard_ns": now_ns(), **facts}) + "\n").encode())


class Teller:
    """A listener that writes down all it hears."""

    def __init__(self, number: int) -> None:
        """`number` is the reader's place in the list that was asked for."""
        self._number = number

    def presented(self, presented: Presented) -> None:
        """Write a tap."""
        facts = {"uid": presented.uid.hex(), "atr": presented.atr.hex(), "seen_ns": presented.seen_ns}
        say("presented", reader=self._number, **facts)

    def unreadable(self, why: str) -> None:
        """Write that a card cannot be read."""
        say("unreadable", reader=self._number, why=why)

    def lost(self, why: str) -> None:
        """Write that the reader is lost."""
        say("lost", reader=self._number, why=why)

    def back(self) -> None:
        """Write that it is back."""
        say("back", reader=self._number)

    def alive(self) -> None:
        """Write that a lost reader is still looked for."""
        say("alive", reader=self._number)

    def progress(self) -> None:
        """Write what the process holds: threads and descriptors must not grow."""
        threads, descriptors = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))  # noqa: PTH208  names only
        say("progress", reader=self._number, threads=threads, descriptors=descriptors)


def run(wanted: list[dict[str, Any]]) -> None:
    """Run readers, each given PcscReader's own options, until told to stop."""
    readers = []
    for options in wanted:
        choice = PcscChoice(options.pop("match", None), options.pop("usb_port", None))
        sysfs = Path(options.pop("sysfs", "/sys"))
        readers.append(PcscReader(choice, sysfs=sysfs, **options))
    workers = [
        threading.Thread(target=reader.run, args=(Teller(number),), daemon=True)
        for number, reader in enumerate(readers)
    ]
    for worker in workers:
        worker.start()
    sys.stdin.readline()
    for number, (reader, worker) in enumerate(zip(readers, workers, strict=True)):
        began_s = time.monotonic()
        reader.stop()
        worker.join(timeout=5)
        say("stopped", reader=number, took_s=time.monotonic() - began_s, ended=not worker.is_alive())


def list_once(sysfs: str) -> None:
    """Write what `list_readers` tells."""
    try:
        for info in list_readers(Path(sysfs)):
            say("reader", **{**dataclasses.asdict(info), "atr": info.atr.hex()})
    except ReaderFault as fault:
        say("fault", kind=type(fault).__name__, why=str(fault))


def hold(reader: str) -> None:
    """Be the other program: hold the card at a reader for ourselves."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    code, card, _ = scard.SCardConnect(context, reader, scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_PROTOCOL_ANY)
    say("held", code=code)
    sys.stdin.readline()
    scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
    say("released")


def control(reader: str) -> None:
    """Send an escape command past any card, as one that lights a lamp is sent."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _, handle, _ = scard.SCardConnect(context, reader, scard.SCARD_SHARE_DIRECT, 0)
    code, answer = scard.SCardControl(handle, scard.SCARD_CTL_CODE(3500), [0xFF, 0x00, 0x40])
    say("controlled", code=code, answer=bytes(answer).hex())


if __name__ == "__main__":
    ((verb, argument),) = json.loads(sys.argv[1]).items()
    verbs: dict[str, Callable[[Any], None]] = {"run": run, "list": list_once, "hold": hold, "control": control}
    verbs[verb](argument)
