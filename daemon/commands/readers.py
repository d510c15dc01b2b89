"""`viipe readers`: the PC/SC readers of this machine, which reader of the host's file each one is, and whether the others are there."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from config import host as host_file
from config.finding import ConfigError
from config.host import ReaderConfig
from readers.pcsc import PcscReaderInfo, list_readers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take `--json`."""
    parser.add_argument("--json", action="store_true", help="one object a line")


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when each reader of the host's file is there, else 1."""
    all_wanted = wanted_readers(arguments)
    others = [each for each in all_wanted if each.kind != "pcsc"]
    wanted = [each for each in all_wanted if each.kind == "pcsc"]
    found = list_readers() if wanted or not others else []
    for info in found:
        names = [each.name for each in wanted if is_reader(each, info)]
        print(_as_json(info, names) if arguments.json else _as_text(info, names))
    for each in others:
        print(_other_as_json(each) if arguments.json else _other_as_text(each))
    if not found and not others:
        print("no readers: none is plugged in, or pcscd has no driver for it (try `viipe doctor`)", file=sys.stderr)
    doubts = list(_doubts(wanted, found))
    for doubt in doubts:
        print(doubt, file=sys.stderr)
    missing = [each.name for each in wanted if not any(is_reader(each, info) for info in found)]
    missing += [each.name for each in others if not _is_there(each)]
    for name in missing:
        print(f"not found: {name}", file=sys.stderr)
    return 1 if missing or doubts or not (found or others) else 0


def _doubts(wanted: Sequence[ReaderConfig], found: Sequence[PcscReaderInfo]) -> Iterator[str]:
    for info in found:
        if len(same := [each.name for each in wanted if is_reader(each, info)]) > 1:
            yield f"{info.name} is meant by {' and '.join(same)}: each card would tap twice"
    for each in wanted:
        if len(same := [info.name for info in found if is_reader(each, info)]) > 1:
            yield f"{each.name} is two readers, {' and '.join(same)}: its match must mean one"


def wanted_readers(arguments: argparse.Namespace) -> tuple[ReaderConfig, ...]:
    """Return the readers of the host's file; readers can be looked at before there is one."""
    try:
        return host_file.load(arguments.config).readers
    except ConfigError as error:
        print(f"{error}\n(readers are listed without it)", file=sys.stderr)
        return ()


def is_reader(config: ReaderConfig, info: PcscReaderInfo) -> bool:
    """Tell whether the host's file means this reader."""
    if config.match is not None:
        return fnmatchcase(info.name, config.match)
    return config.usb_port == info.usb_port


def device_path(config: ReaderConfig) -> Path | None:
    """Return the device file of a reader that has one: a serial one, or an NFC chip on a serial line."""
    if config.port is not None:
        return Path(config.port)
    kind, _, rest = (config.device or "").partition(":")
    return Path(rest.rpartition(":")[0]) if kind == "tty" else None


def _is_there(config: ReaderConfig) -> bool:
    path = device_path(config)
    return path is None or path.exists()


def _other_as_json(config: ReaderConfig) -> str:
    told = {"name": config.port or config.device, "kind": config.kind, "there": _is_there(config)}
    return json.dumps({**told, "readers": [config.name]})


def _other_as_text(config: ReaderConfig) -> str:
    return f"{config.port or config.device} ({config.kind}): {config.name}{'' if _is_there(config) else ', not there'}"


def _as_json(info: PcscReaderInfo, names: list[str]) -> str:
    told = {"name": info.name, "usb_port": info.usb_port, "card_present": info.card_present, "atr": info.atr.hex()}
    return json.dumps({**told, "readers": names})


def _as_text(info: PcscReaderInfo, names: list[str]) -> str:
    port = f", USB port {info.usb_port}" if info.usb_port else ""
    card = ", a card lies on it" if info.card_present else ""
    return f"{info.name}{port}: {', '.join(names) or 'not in the host file'}{card}"
