"""What each kind of reader costs: card in the field → tap over the driver's own floor, memory and processor of an idle host, parsers.

The devices are emulated on pseudo-terminals, in this process (tests/rig): no wire's time is in the figures, and the NFC
chip answers at once where a card is, and after 5 ms a try where none is; a real one takes some milliseconds for
either. PC/SC's own way is measured by `field`.
"""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import nfc.clf  # type: ignore[import-untyped]
import serial

from bench.figure import RATIO, Figure, micros, p50
from bench.memory import held_mb
from bench.plan import Plan
from outputs.guardian_words import Lines as GuardianLines
from outputs.guardian_words import Move, decode_move
from outputs.output import OutputFault
from readers.nfc import NfcReader
from readers.nfc_child import open_device
from readers.nfc_device import parse_device
from readers.nfc_words import NfcWordsFault, Words
from readers.reader import Presented, Reader, now_ns
from readers.serial_frames import Em4100Frames, LineFormat, Lines, Notation, Parser
from readers.serial_port import SerialLine as Line
from readers.serial_port import SerialReader
from tests.rig.host_rig import HostRig
from tests.rig.ifd import EventIfd
from tests.rig.pn532 import FieldCard, Pn532
from tests.rig.running_reader import held, resident_kib
from tests.rig.serial_line import SerialLine

NAME: Final = "drivers"
TAPS: Final = 300
IDLE_S: Final = 10.0
SHORT_BYTES, LONG_BYTES = 10**6, 10**9
SHORT_UNPLUGS, LONG_UNPLUGS = 20, 1000
SHORT_NFC_UNPLUGS: Final = 5  # a child's end and a new child take some 0.6 s
RETRY_S: Final = 0.02  # between two looks for a device that was pulled: 0.25 s in the field, which would be the most of 1,000 unplugs
CHUNK: Final = 1 << 20
PIPE_BYTES: Final = 200  # as a pipe gives them: less than the longest line
WITHIN_S: Final = 10.0
GONE_S: Final = 0.1
EIGHT: Final = 8
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_SERVICE: Final = '[service.door]\nkinds = ["personal"]\n'


def measure(plan: Plan) -> list[Figure]:
    """Measure taps, idle hosts, parsers and unplugs; with `--long` 10⁹ bytes a parser and 1,000 unplugs."""
    folder = plan.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    taps = plan.taps or TAPS
    return [
        *_serial_taps(folder, taps),
        *_nfc_taps(folder, taps),
        *_idle(folder),
        *_parsers(plan, LONG_BYTES if plan.long else SHORT_BYTES),
        *_unplugs(folder, *((LONG_UNPLUGS, LONG_UNPLUGS) if plan.long else (SHORT_UNPLUGS, SHORT_NFC_UNPLUGS))),
    ]


class _Heard:
    """A listener that takes the time of each presentation."""

    def __init__(self) -> None:
        self.at_ns = 0
        self._told = threading.Semaphore(0)
        self._reading = threading.Event()
        self._lost = threading.Event()

    def wait(self) -> int:
        """Wait for the next presentation; returns when it was told."""
        assert self._told.acquire(timeout=WITHIN_S), "a card was not told"  # noqa: S101  an invariant of the measurement
        return self.at_ns

    def await_reading(self) -> None:
        """Wait until the reader says that it reads."""
        self._reading.clear()
        assert self._reading.wait(WITHIN_S), "the reader does not read"  # noqa: S101  as above

    def await_lost(self) -> None:
        """Wait until the reader says that it is lost."""
        assert self._lost.wait(WITHIN_S), "the loss was not told"  # noqa: S101  as above
        self._lost.clear()

    def presented(self, _presented: Presented) -> None:
        self.at_ns = now_ns()
        self._told.release()

    def unreadable(self, _why: str) -> None:
        """Pass over it."""

    def lost(self, _why: str) -> None:
        self._lost.set()

    def back(self) -> None:
        self._reading.set()

    def alive(self) -> None:
        """Pass over it."""

    def progress(self) -> None:
        self._reading.set()


@contextlib.contextmanager
def _running(reader: Reader) -> Iterator[_Heard]:
    heard = _Heard()
    thread = threading.Thread(target=reader.run, args=(heard,))
    thread.start()
    try:
        heard.await_reading()
        yield heard
    finally:
        reader.stop()
        thread.join()


def _compared(driver: str, floor: str, timed: list[int], floor_timed: list[int]) -> list[Figure]:
    return [
        Figure(NAME, f"{driver}: card in the field → tap ÷ {floor}, p50", p50(timed) / p50(floor_timed), RATIO),
        *micros(NAME, f"{driver}: card in the field → tap", timed),
        *micros(NAME, f"{driver}: {floor}", floor_timed),
    ]


# Serial


def _frame(number: int) -> bytes:
    card = b"\x01" + number.to_bytes(4, "big")
    check = 0
    for byte in card:
        check ^= byte
    return b"\x02" + (card + bytes([check])).hex().upper().encode() + b"\x03"


def _serial_taps(folder: Path, taps: int) -> list[Figure]:
    path = folder / "serial"
    with SerialLine(path) as line:
        floor_timed = _serial_floor(line, path, taps)
        timed = []
        with _running(SerialReader(Line(str(path)), Em4100Frames, absent_ms=50)) as heard:
            for number in range(taps):
                began_ns = now_ns()
                line.write(_frame(0x10000000 + number))
                timed.append(heard.wait() - began_ns)
    return _compared("serial", "pyserial's read alone", timed, floor_timed)


def _serial_floor(line: SerialLine, path: Path, taps: int) -> list[int]:
    """Time pyserial's blocking read of as many bytes, on a thread of its own as the driver is."""
    at_ns: list[int] = []
    told = threading.Semaphore(0)
    with serial.Serial(str(path), timeout=WITHIN_S) as port:
        size = len(_frame(0))

        def read() -> None:
            for _ in range(taps):
                port.read(size)
                at_ns.append(now_ns())
                told.release()

        thread = threading.Thread(target=read)
        thread.start()
        timed = []
        for number in range(taps):
            time.sleep(0.001)  # until the thread waits in its read, as the driver's does
            began_ns = now_ns()
            line.write(_frame(number))
            told.acquire()
            timed.append(at_ns[number] - began_ns)
        thread.join()
    return timed


# NFC


def _nfc_taps(folder: Path, taps: int) -> list[Figure]:
    path = folder / "pn532"
    device = f"tty:{path}:pn532"
    with Pn532(path) as chip:
        floor_timed = _sense_alone(chip, device, taps)
        timed = []
        with _running(NfcReader(parse_device(device), absent_ms=50)) as heard:
            for number in range(taps // 3):
                chip.cards = ()
                time.sleep(GONE_S + number % 7 / 100)  # at any point of the driver's round
                began_ns = now_ns()
                chip.cards = (FieldCard((0x10000000 + number).to_bytes(4, "big")),)
                timed.append(heard.wait() - began_ns)
    return _compared("nfc (PN532)", "nfcpy's sense alone", timed, floor_timed)


def _sense_alone(chip: Pn532, device: str, taps: int) -> list[int]:
    frontend: Any = open_device(parse_device(device))
    chip.cards = (FieldCard(bytes.fromhex("EBF2CE70")),)
    timed = []
    for _ in range(taps):
        began_ns = now_ns()
        assert frontend.sense(nfc.clf.RemoteTarget("106A")) is not None, "no card was found"  # noqa: S101  as above
        timed.append(now_ns() - began_ns)
    frontend.close()
    chip.cards = ()
    return timed


# Idle hosts


def _idle(folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    with contextlib.ExitStack() as devices:
        lines = [devices.enter_context(SerialLine(folder / f"idle-{number}")) for number in range(EIGHT)]
        chip = devices.enter_context(Pn532(folder / "idle-pn532"))
        ifd = devices.enter_context(EventIfd(readers=EIGHT))
        serials = [f'kind = "serial"\nport = "{line.path}"\nformat = "em4100"' for line in lines]
        pcscs = [f'kind = "pcsc"\nmatch = "{name}"' for name in ifd.names]
        hosts = {
            "one PC/SC reader": pcscs[:1],
            "one serial reader": serials[:1],
            "one NFC reader": [f'kind = "nfc"\ndevice = "tty:{chip.path}:pn532"'],
            "eight PC/SC readers": pcscs,
            "eight serial readers": serials,
        }
        for what, readers in hosts.items():
            tables = "".join(
                f'[[reader]]\nname = "r{number}"\nservice = "door"\n{words}\n' for number, words in enumerate(readers)
            )
            figures += _idle_host(what, dict(ifd.environ()), tables + _SERVICE)
    return figures


def _idle_host(what: str, environ: dict[str, str], text: str) -> Iterator[Figure]:
    with HostRig(environ, text) as host:
        host.feed()
        host.start()
        assert host.process is not None  # noqa: S101  it was started
        pids = _family(host.process.pid)
        before_s, began_s = _processor_s(pids), time.monotonic()
        time.sleep(IDLE_S)
        used_s, elapsed_s = _processor_s(pids) - before_s, time.monotonic() - began_s
        pss = sum(held_mb(pid)["Pss"] for pid in pids)
        host.stop()
    yield Figure(NAME, f"idle host, {what}: memory of all its processes, PSS", pss, "MB")
    yield Figure(NAME, f"idle host, {what}: processor", 100 * used_s / elapsed_s, "% of a core")


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    below = [int(each) for path in children for each in path.read_text(encoding="ascii").split()]
    return [pid, *(each for child in below for each in _family(child))]


def _processor_s(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK_S


# Parsers and unplugs


def _parsers(plan: Plan, size: int) -> Iterator[Figure]:
    parsers: dict[str, Callable[[], Parser]] = {
        "em4100": Em4100Frames,
        "hex lines": lambda: Lines(LineFormat(Notation.HEX)),
        "decimal lines": lambda: Lines(LineFormat(Notation.DECIMAL, b"U:", b";")),
        "lines of a length": lambda: Lines(LineFormat(Notation.HEX, suffix=b"", length=8)),
    }
    random = plan.random()
    yield _refusing("NFC child's words", lambda: Words().feed, random, size)
    yield _refusing("guardian's words", _moves, random, size)
    for what, make in parsers.items():
        parser, began_s = make(), time.monotonic()
        for start in range(0, size, CHUNK):
            parser.feed(random.randbytes(min(CHUNK, size - start)))
        took_s = time.monotonic() - began_s
        yield Figure(NAME, f"parser, {what}: {size:.0e} random bytes without a fault", size / took_s / 1e6, "MB/s")


def _moves() -> Callable[[bytes], list[Move]]:
    """Begin as a guardian hears: lines, each a move or a fault."""
    lines = GuardianLines()
    return lambda data: [decode_move(line) for line in lines.feed(data)]


def _refusing(what: str, begin: Callable[[], Callable[[bytes], Sequence[object]]], random: Random, size: int) -> Figure:
    """Feed one that refuses nonsense and is begun anew then, as its reader or output does; none of it may be taken for a word."""
    feed, began_s, taken = begin(), time.monotonic(), 0
    for start in range(0, size, PIPE_BYTES):
        try:
            taken += len(feed(random.randbytes(min(PIPE_BYTES, size - start))))
        except (NfcWordsFault, OutputFault):
            feed = begin()
    took_s = time.monotonic() - began_s
    note = f"{size / took_s / 1e6:.3g} MB/s"
    return Figure(NAME, f"parser, {what}: taken of {size:.0e} random bytes", taken, "words", 0, note)


def _unplugs(folder: Path, count: int, nfc_count: int) -> Iterator[Figure]:
    path = folder / "unplugged"
    with SerialLine(path) as line:
        reader = SerialReader(Line(str(path)), Em4100Frames, absent_ms=50, retry_s=RETRY_S)
        yield from _unplugged("serial", reader, line, count)
    chip_path = folder / "unplugged-pn532"
    with Pn532(chip_path) as chip:
        nfc_reader = NfcReader(parse_device(f"tty:{chip_path}:pn532"), absent_ms=50, retry_s=RETRY_S)
        yield from _unplugged("NFC", nfc_reader, chip, nfc_count)


def _unplugged(what: str, reader: Reader, device: SerialLine | Pn532, count: int) -> Iterator[Figure]:
    with _running(reader) as heard:
        before: tuple[tuple[int, int], int] | None = None
        for _ in range(count):
            device.unplug()
            heard.await_lost()
            device.plug()
            heard.await_reading()
            before = before or (held(), resident_kib())  # after the first, which imports and allocates
        assert before is not None  # noqa: S101  there is at least one
        (threads, descriptors), kib = before
        more_threads, more_descriptors = (now - then for now, then in zip(held(), (threads, descriptors), strict=True))
        yield Figure(NAME, f"{what}, {count} unplugs: threads more", more_threads, "", 0)
        yield Figure(NAME, f"{what}, {count} unplugs: descriptors more", more_descriptors, "", 0)
        yield Figure(NAME, f"{what}, {count} unplugs: memory more", (resident_kib() - kib) / 1024, "MiB")
