"""Starts, reloads, reconnections, stops and crashes of a host with a strike and a lamp: how many pulses come of them (none may).

One cycle is a start, a reload, the reader's and the board's unplugging and plugging in, and a stop or, every other time, a kill. The
devices are emulated on pseudo-terminals, and the board notes every relay that moves. Before and after, one grant must move both: a dead
board pulses never.
"""

import os
import signal
import time
from pathlib import Path
from typing import Final

from bench.figure import Figure
from bench.plan import Plan
from tests.rig.host_rig import GOOD, HostRig
from tests.rig.relay_board import RelayBoard
from tests.rig.serial_line import SerialLine

NAME: Final = "cycles"
SHORT, LONG = 5, 1_000
CHANNELS: Final = (1, 2)
_RULES: Final = '[service.door]\nkinds = ["personal"]\n'


def measure(plan: Plan) -> list[Figure]:
    """Go through 5 cycles, 1,000 in the long run; `--taps` says another number."""
    count = plan.taps or (LONG if plan.long else SHORT)
    folder = plan.folder / NAME
    folder.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with SerialLine(folder / "reader") as line, RelayBoard(folder / "board") as board:
        text = _text(line.path, board.path)
        with HostRig({}, text) as host:
            host.feed()
            wanted = _granted(host, line, board)
            for cycle in range(count):
                _cycle(host, line, board, text, cycle)
            wanted += _granted(host, line, board)
            unwanted = sum(board.pulses(channel) for channel in CHANNELS) - wanted
    return [
        Figure(NAME, f"pulses over {count:,} starts, reloads, reconnections, stops and crashes", unwanted, "", 0),
        Figure(NAME, "a cycle", (time.monotonic() - began_s) / count, "s"),
    ]


def _text(reader: Path, board: Path) -> str:
    names = {channel: f"relay-{channel}" for channel in CHANNELS}
    quoted = ", ".join(f'"{name}"' for name in names.values())
    head = (
        f'[[reader]]\nname = "front-in"\nkind = "serial"\nport = "{reader}"\nformat = "em4100"\nrepeats_ms = 0\n'
        f'absent_ms = 50\nservice = "door"\ndirection = "in"\noutputs = [{quoted}]\n'
    )
    outputs = [
        f'[[output]]\nname = "{name}"\nkind = "serial-relay"\nport = "{board}"\nprotocol = "a0"\nchannel = {channel}\npulse_s = 0.2\n'
        for channel, name in names.items()
    ]
    return head + "".join(outputs) + _RULES


def _granted(host: HostRig, line: SerialLine, board: RelayBoard) -> int:
    """Have a card granted, see all channels pulse once more, and stop; returns how many pulses that were."""
    before = [board.pulses(channel) for channel in CHANNELS]
    host.start()
    _await_outputs(host)
    host.tap(lambda: line.write(_frame()))
    host.wait_until(
        lambda: (
            [board.pulses(channel) for channel in CHANNELS] == [pulses + 1 for pulses in before]
            and not any(board.is_on(channel) for channel in CHANNELS)
        ),
        "each channel to pulse once",
    )
    host.stop()
    return sum(board.pulses(channel) for channel in CHANNELS) - sum(before)


def _cycle(host: HostRig, line: SerialLine, board: RelayBoard, text: str, cycle: int) -> None:
    host.start()
    host.reload(text + f"repeat_s = {cycle + 1}\n")
    line.unplug()
    board.unplug()
    host.wait_until(lambda: not host.reads() and not _outputs_work(host), "the loss of both")
    line.plug()
    board.plug()
    # by the status, not by events: reading a journal of thousands again and again would be the most of a cycle
    host.wait_until(host.reads, "the reader")
    _await_outputs(host)
    if cycle % 2:
        host.stop()
    else:
        assert host.process is not None  # noqa: S101  it was started
        os.kill(host.process.pid, signal.SIGKILL)
        host.process.wait()


def _await_outputs(host: HostRig) -> None:
    host.wait_until(lambda: _outputs_work(host), "the board")


def _outputs_work(host: HostRig) -> bool:
    return all(each["fault"] is None for each in host.status()["outputs"])


def _frame() -> bytes:
    """Return what an EM4100 module writes of the good card: four bytes of number behind one of version, and their XOR."""
    card = b"\x33" + GOOD
    check = 0
    for byte in card:
        check ^= byte
    return b"\x02" + (card + bytes([check])).hex().upper().encode() + b"\x03"
