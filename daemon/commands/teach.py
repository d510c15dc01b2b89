"""`viipe teach`: hold one known card to a reader; how the reader writes UIDs is inferred and set in the host's file.

The file's comments and order stay (tomlkit). Nothing is written that would not load, or that leaves a doubt. Run as
root it stays root: the host's file is root's.
"""

import argparse
import csv
import os
import queue
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit

from config import host as host_file
from config.host import HostConfig, ReaderConfig
from daemon import build
from daemon.commands.taps import held_hint
from policy.uid import UidError, UidForm, all_forms, collisions, completions, cut, parse_hex
from readers.reader import Presented, ReaderFault
from readers.teach import Taught, TaughtLine, TeachFault, forms, line
from sync import site_key
from sync.cache import CardCache
from sync.faults import StoreFault

TIMEOUT_S: Final = 60.0
STOP_WITHIN_S: Final = 2.0
SHORT_BYTES: Final = 4
Keys = Mapping[str, object]  # what is to stand in the reader's table; None takes a key out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the reader, the known card's UID, the cards that are held, and how long to wait."""
    parser.add_argument("--reader", required=True, metavar="R", help="the reader's name in the host's file")
    parser.add_argument(
        "--uid", required=True, metavar="KNOWN", help="the known card's UID in hex, as the chip sends it"
    )
    parser.add_argument(
        "--cards", type=Path, metavar="CARDS.csv", help="to count which cards a form that loses bits mixes up"
    )
    parser.add_argument(
        "--timeout-s", type=float, default=TIMEOUT_S, metavar="S", help="how long to wait (%(default)s)"
    )


def perform(arguments: argparse.Namespace) -> int:
    """Return 0 when the file says it now, 1 when nothing could be learnt, 64 for bad words."""
    config = host_file.load(arguments.config)
    try:
        reader = _reader(config, arguments.reader)
        uid = _known(arguments.uid)
    except ValueError as error:
        print(f"viipe teach: {error}", file=sys.stderr)
        return os.EX_USAGE
    print(f"hold the known card to {reader.name}", file=sys.stderr, flush=True)
    found = _taught(reader, uid, arguments.timeout_s)
    whole = [(taught, keys) for taught, keys in found if taught.form.keeps_all]
    if not whole:
        for taught, _ in found:
            print(_loss(taught, uid, arguments.cards, config.host.state_dir), file=sys.stderr)
        print(
            "nothing was written: set the reader so that it writes the whole UID (or say it yourself, with lossy = true)",
            file=sys.stderr,
        )
        return 1
    if len(whole) > 1:
        told = ", ".join(taught.form for taught, _ in whole)
        print(
            f"this card reads the same in several forms ({told}): nothing was written; try another card",
            file=sys.stderr,
        )
        return 1
    ((taught, keys),) = whole
    write_keys(arguments.config, reader.name, {**keys, "lossy": None})
    print(f"{reader.name}: {taught.form}; written to {arguments.config}. To take it up: systemctl reload viipe")
    return 0


def _reader(config: HostConfig, name: str) -> ReaderConfig:
    for reader in config.readers:
        if reader.name == name:
            return reader
    raise ValueError(f"--reader: found {name}, expected one of {', '.join(each.name for each in config.readers)}")


def _known(written: str) -> bytes:
    try:
        return parse_hex(written)
    except UidError as error:
        raise ValueError(f"--uid: {error}") from None


def _taught(reader: ReaderConfig, uid: bytes, timeout_s: float) -> list[tuple[Taught, Keys]]:
    """Read one tap, and infer. Raises ReaderFault where no card came, or it teaches nothing."""
    if reader.kind == "serial":
        from readers.serial_port import burst  # noqa: PLC0415  a host without serial readers does without pyserial

        try:
            said = burst(build.serial_line(reader), timeout_s)
        except ReaderFault as fault:
            raise ReaderFault(f"{fault}{held_hint(str(fault))}") from None
        if not said:
            raise TeachFault(f"no card within {timeout_s:g} s")
        return [(each.taught, _line_keys(each)) for each in line(said, uid)]
    presented = _one_tap(reader, timeout_s)
    return [(each, {"uid_form": each.form.value}) for each in forms(presented.raw, uid)]


def _line_keys(found: TaughtLine) -> Keys:
    """Return the keys of a serial reader's table."""
    form = found.format
    if form is None:
        keys: dict[str, object] = dict.fromkeys(("notation", "prefix", "suffix", "length"))
        return {"format": "em4100", **keys, "uid_form": found.taught.form.value}
    return {
        "format": "line",
        "notation": form.notation.value,
        "prefix": form.prefix.decode("latin-1") or None,
        "suffix": None if form.suffix is None else form.suffix.decode("latin-1"),
        "length": form.length,
        "uid_form": found.taught.form.value,
    }


def _one_tap(config: ReaderConfig, timeout_s: float) -> Presented:
    heard = _First()
    reader = build.reader(config)
    thread = threading.Thread(target=reader.run, args=(heard,), daemon=True)
    thread.start()
    try:
        return heard.presentation.get(timeout=timeout_s)
    except queue.Empty:
        why = f": {heard.why}{held_hint(heard.why)}" if heard.why else ""
        raise TeachFault(f"no card within {timeout_s:g} s{why}") from None
    finally:
        reader.stop()
        thread.join(STOP_WITHIN_S)


class _First:
    """A listener that keeps the first presentation."""

    def __init__(self) -> None:
        self.presentation: queue.Queue[Presented] = queue.Queue(1)
        self.why = ""

    def presented(self, presented: Presented) -> None:
        if not self.presentation.full():
            self.presentation.put_nowait(presented)

    def unreadable(self, why: str) -> None:
        self.why = why

    def lost(self, why: str) -> None:
        self.why = why

    def back(self) -> None:
        self.why = ""

    def alive(self) -> None:
        pass

    def progress(self) -> None:
        pass


def _loss(taught: Taught, uid: bytes, cards: Path | None, state_dir: Path) -> str:
    """Say what a cut form would cost: counted in a cards file, or in what this host holds, of which only this card's like can be told."""
    told = f"this reader writes {taught.form}, which loses {taught.lost_bits} bits of this card's UID"
    if cards is None:
        return f"{told}; {_in_the_cache(taught.form, uid, state_dir)}; --cards CARDS.csv counts which cards it would mix up"
    held = [*_held(cards)]
    groups = collisions(taught.form, held)
    mixed = sum(len(group) for group in groups)
    same = sum(1 for each in held if each != uid and _looks_like(taught.form, each, uid))
    return f"{told}; of {len(held)} cards {mixed} would look like another, {same} like this one"


def _in_the_cache(form: UidForm, uid: bytes, state_dir: Path) -> str:
    """Say how many held cards would look like this one. The host holds keyed hashes of whole UIDs: each that it may be is looked up."""
    if len(uid) != SHORT_BYTES:
        return f"what this host holds cannot be searched for the like of {len(uid)} bytes"
    try:
        cache = CardCache(state_dir, site_key.load(state_dir))
    except StoreFault as fault:
        return f"what this host holds cannot be read ({fault})"
    try:
        if cache.info is None:
            return "this host holds no cards yet"
        same = sum(cache.find(each) is not None for each in completions(cut(form, uid)) if each != uid)
        return f"of the {cache.info.cards} cards that this host holds {same} of 4 bytes would look like this one"
    finally:
        cache.close()


def _looks_like(form: UidForm, one: bytes, other: bytes) -> bool:
    return form in all_forms(one) and cut(form, one) == cut(form, other)


def _held(cards: Path) -> Iterator[bytes]:
    """Give the UIDs of a cards file; rows that hold none are the import's to tell."""
    with cards.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            try:
                yield parse_hex(row.get("uid") or "")
            except UidError:
                continue


def write_keys(path: Path, reader: str, keys: Keys) -> None:
    """Set keys in a reader's table, all else as it stands; raises ConfigError before anything is written that would not load."""
    document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    tables: Any = document["reader"]
    (table,) = (each for each in tables if each["name"] == reader)
    below = _taken_off(table)
    for key, value in keys.items():
        if value is not None:
            table[key] = value
        elif key in table:
            del table[key]
    for each in below:
        table.add(each)
    text = tomlkit.dumps(document)
    host_file.parse(text)
    _replace(path, text)


def _taken_off(table: Any) -> list[Any]:  # noqa: ANN401  tomlkit's own
    """Take the comments and empty lines off a table's end: they speak of what comes after it, and new keys go before them."""
    body = table.value.body
    below: list[Any] = []
    while body and body[-1][0] is None:
        below.insert(0, body.pop()[1])
    return below


def _replace(path: Path, text: str) -> None:
    """Put a text in a file's place, whole or not at all, with the owner and the mode of the former."""
    real = path.resolve()
    former = real.stat()
    new = real.with_name(f".{real.name}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), stat.S_IMODE(former.st_mode))
            if (former.st_uid, former.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), former.st_uid, former.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(real)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ReaderFault(f"{path}: {error.strerror}; nothing was changed") from error
