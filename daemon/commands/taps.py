"""`viipe taps`: hold any card to any reader and see its UID in every form, for the one who sets up a reader or a list of cards.

It looks beside a running daemon, writes nothing down, and decides nothing.
"""

import argparse
import json
import queue
import sys
import threading

from config.host import ReaderConfig
from daemon import build
from daemon.commands.readers import wanted_readers
from policy.uid import UidError, all_forms, canonical, is_random, lost_bits
from readers.pcsc import list_readers
from readers.reader import Presented

STOP_WITHIN_S = 2.0
HELD = " (a line is read by one program alone: is it the daemon? systemctl stop viipe)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `--json`, `--count`."""
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--count", type=int, metavar="N", help="end after N cards")


def perform(arguments: argparse.Namespace) -> int:
    """Show cards until Ctrl-C, or until `--count` were seen; returns 0, or 1 without a reader."""
    told: queue.Queue[str] = queue.Queue(1000)
    configs = wanted_readers(arguments) or _all_readers()
    if not configs:
        print("no readers: none is plugged in, or pcscd has no driver for it (try `viipe doctor`)", file=sys.stderr)
        return 1
    readers = [(build.reader(config), _Shown(config, told, as_json=arguments.json)) for config in configs]
    threads = [threading.Thread(target=reader.run, args=(shown,), daemon=True) for reader, shown in readers]
    for thread in threads:
        thread.start()
    print(f"hold a card to {', '.join(config.name for config in configs)}; Ctrl-C ends", file=sys.stderr, flush=True)
    try:
        seen = 0
        while arguments.count is None or seen < arguments.count:
            print(told.get(), flush=True)
            seen += 1
    finally:
        for reader, _ in readers:
            reader.stop()
        for thread in threads:
            thread.join(STOP_WITHIN_S)
    return 0


def _all_readers() -> tuple[ReaderConfig, ...]:
    """Without a host's file every reader of the machine is looked at, under its own name."""
    return tuple(
        ReaderConfig(name=info.name, kind="pcsc", service="", match=info.name.replace("[", "[[]"))
        for info in list_readers()
    )


class _Shown:
    """A listener that turns presentations into lines."""

    def __init__(self, config: ReaderConfig, told: "queue.Queue[str]", *, as_json: bool) -> None:
        self._config = config
        self._told = told
        self._as_json = as_json

    def presented(self, presented: Presented) -> None:
        table: dict[str, object] = {
            "reader": self._config.name,
            "as_read": presented.uid.hex().upper() if presented.text is None else presented.text,
            "atr": presented.atr.hex().upper(),
        }
        try:
            uid = canonical(self._config.uid_form, presented.raw)
            forms = all_forms(uid)
            lost = {form: lost_bits(form, len(uid)) for form in forms}
            table |= {"random": is_random(uid), "forms": forms, "lost_bits": lost}
        except UidError as error:
            table["fault"] = str(error)
        self._tell(json.dumps(table) if self._as_json else _as_text(table))

    def unreadable(self, why: str) -> None:
        self._say(f"{self._config.name}: {why}")

    def lost(self, why: str) -> None:
        self._say(f"{self._config.name}: {why}{held_hint(why)}")

    def back(self) -> None:
        self._say(f"{self._config.name}: there again")

    def alive(self) -> None:
        pass

    def progress(self) -> None:
        pass

    def _tell(self, line: str) -> None:
        try:
            self._told.put_nowait(line)
        except queue.Full:
            self._say("too many cards to show")

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def held_hint(why: str) -> str:
    """Return what to say behind a reader's words when another program has its line."""
    return HELD if "locked exclusively" in why else ""


def _as_text(table: dict[str, object]) -> str:
    atr = f" (ATR {table['atr']})" if table["atr"] else ""
    lines = [f"{table['reader']}: {table['as_read']}{atr}"]
    forms = table.get("forms")
    if isinstance(forms, dict):
        lines += [f"  {form:<20} {written}{_loss(table, form)}" for form, written in forms.items()]
    if table.get("random"):
        lines.append("  a random UID: it changes at every tap, so this card cannot be known by it")
    if "fault" in table:
        lines.append(f"  no UID in the form that this reader is said to write: {table['fault']}")
    return "\n".join(lines)


def _loss(table: dict[str, object], form: str) -> str:
    lost = table["lost_bits"]
    bits = lost[form] if isinstance(lost, dict) else 0
    return f"   (leaves {bits} bits out: different cards may look the same)" if bits else ""
