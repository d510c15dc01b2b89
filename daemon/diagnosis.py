"""What `viipe doctor` looks at: each check says what it found and, where that is not in order, how it is mended."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from config.host import HostConfig
from daemon import neighbour_report, pages_probe, reader_traps
from daemon.clock import SYNCED, believed_moment
from daemon.control import NotRunning, ask
from daemon.desk_keyboard import trouble
from policy.model import ClockTrust
from readers.pcsc import list_readers
from readers.pcsc_context import PcscdUnreachable
from readers.reader import ReaderFault
from sync import cache, cache_file, current, journal_reading, people_report, site_key
from sync.faults import CacheFault, JournalFault, KeyFault

LOW_DISK_BYTES: Final = 256 << 20
NO_DISK_BYTES: Final = 16 << 20
LONG_SILENCE_S: Final = 3600


class Level(IntEnum):
    """How bad it is; the worst is the command's exit code."""

    OK = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; `mend` says what to do about it, empty where nothing is to be done."""

    check: str
    level: Level
    found: str
    mend: str = ""


def examine(config: HostConfig) -> Iterator[Finding]:
    """Make all checks, in the order in which a tap meets what they look at."""
    for check in _CHECKS:
        yield from check(config)


def _traps(config: HostConfig, names: Sequence[str] = ()) -> Iterator[Finding]:
    kinds = {reader.name: reader.kind for reader in config.readers}
    for trap in reader_traps.traps(kinds, names, reader_traps.modules()):
        yield Finding("known trap", Level.WARNING, trap.found, trap.mend)


def _pcscd(config: HostConfig) -> Iterator[Finding]:
    if not any(reader.kind == "pcsc" for reader in config.readers):
        yield from _traps(config)
        return
    try:
        found = list_readers()
    except PcscdUnreachable as fault:
        mend = "start it: systemctl enable --now pcscd.socket (package pcscd); if access is refused, install systemd/50-viipe-pcscd.rules"
        yield Finding("pcscd", Level.FAILURE, str(fault), mend)
        yield from _traps(config)
        return
    except ReaderFault as fault:
        yield Finding("pcscd", Level.FAILURE, str(fault), "look at: journalctl -u pcscd")
        return
    yield Finding("pcscd", Level.OK, "answers")
    names = ", ".join(info.name for info in found)
    yield Finding(
        "readers",
        Level.OK if found else Level.WARNING,
        names or "none",
        "" if found else "plug one in; package libccid drives most",
    )
    yield from _traps(config, [info.name for info in found])


def _daemon(config: HostConfig) -> Iterator[Finding]:
    try:
        told = ask(config.host.state_dir, "status")
    except NotRunning:
        yield Finding("daemon", Level.FAILURE, "is not running", "start it: systemctl start viipe")
        return
    yield Finding("daemon", Level.OK, f"runs for {told['uptime_s']} s")
    for reader in told["readers"]:
        reads = reader["state"] == "reading"
        why = reader["why"] or reader["state"]
        mend = "" if reads else reader_traps.remedy(reader["kind"], why)
        found = (
            f"{reader['state']}, last proof {reader['last_success_s_ago']} s ago"
            if reads
            else f"{reader['state']}: {why}"
        )
        yield Finding(f"reader {reader['name']}", Level.OK if reads else Level.FAILURE, found, mend)
        if reader["lamps_fault"]:
            mend = 'with way = "escape" libccid must allow it: bit 0 of ifdDriverOptions in its Info.plist'
            yield Finding(f"lamps of {reader['name']}", Level.WARNING, reader["lamps_fault"], mend)
    for output in told["outputs"]:
        level = Level.FAILURE if output["fault"] else Level.OK
        mend = reader_traps.remedy("output", output["fault"]) if output["fault"] else ""
        yield Finding(f"output {output['name']}", level, output["fault"] or "in order", mend)
    if told["config_fault"]:
        yield Finding(
            "settings", Level.FAILURE, told["config_fault"], "viipe check-config, then systemctl reload viipe"
        )
    if told["link"]:
        yield _link(config, told["link"])
        if told["link"]["desk_fault"]:
            mend = (
                "mark the desk's reader: desk = true in its [[reader]] of the host's file, then systemctl reload viipe"
            )
            yield Finding("desk", Level.WARNING, told["link"]["desk_fault"], mend)
    if told["neighbours"] is not None:
        yield from _neighbours(told["neighbours"])
    if told["journal"]["fault"]:
        yield Finding(
            "recording",
            Level.FAILURE,
            told["journal"]["fault"],
            "see the disk; the daemon goes on by itself when it can write",
        )


def _link(config: HostConfig, told: Mapping[str, Any]) -> Finding:
    """Judge the way to the registry: without it all decisions go on, so that nothing of it is a failure."""
    if told["fault"]:
        return Finding("registry", Level.WARNING, told["fault"], _remedy(told["fault"]))
    if told["version"] is None:
        enrolled = (config.host.state_dir / "enrolment.json").exists()
        mend = "see that `viipe link` runs: systemctl status viipe-link" if enrolled else "viipe enrol URL CODE"
        return Finding("registry", Level.WARNING, "has fed nothing yet; the host's own file serves", mend)
    age_s = told["data_age_s"] or 0
    found = f"version {told['version']}, last heard {age_s} s ago, {told['backlog']} events not uploaded"
    if age_s > LONG_SILENCE_S:
        mend = "see the network, and that `viipe link` runs: systemctl status viipe-link"
        return Finding("registry", Level.WARNING, found, mend)
    return Finding("registry", Level.OK, found)


_NEIGHBOUR_MEND: Final = "see that it is on and that its port is open to this host (docs/neighbours.md)"


def _neighbours(told: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Judge each neighbour: while the registry answers too, a lunch is one without them, so that nothing of it is a failure."""
    for each in told:
        mend = "" if each["reachable"] else _NEIGHBOUR_MEND
        level = Level.OK if each["reachable"] else Level.WARNING
        yield Finding(f"neighbour {each['name']}", level, neighbour_report.line(each), mend)
    if not told:
        mend = "switch [neighbours] on at the site's other hosts, and let each speak with the registry once"
        yield Finding("neighbours", Level.WARNING, neighbour_report.NONE_KNOWN, mend)


def _people(config: HostConfig) -> Iterator[Finding]:
    """Look at the names: how many, never which. A host that shows none has nothing to be looked at."""
    told = people_report.told(config.host.state_dir, datetime.now(UTC))
    if told is None:
        return
    if told["fault"] or told["age_s"] is None:
        mend = "see the link's log: journalctl -u viipe-link"
        yield Finding("names", Level.WARNING, str(told["fault"] or "never asked for"), mend)
        return
    found = (
        f"{told['persons']} persons, {told['photos']} photos, version {told['version']}, asked {told['age_s']} s ago"
    )
    yield Finding("names", Level.OK, found)


def _remedy(fault: str) -> str:
    """Say what to do about a fault of the link's, by what it speaks of."""
    text = fault.lower()
    known = (
        ("certificate", "renew the registry's certificate, or name its authority in [registry] ca"),
        ("revoked", "the registry has revoked this host: enrol it anew with viipe enrol URL CODE"),
        ("enrol", "viipe enrol URL CODE, with a code from viipe-registry enrol-code"),
        ("clock", "let the machine synchronise: timedatectl set-ntp true"),
    )
    return next(
        (mend for word, mend in known if word in text), "see the network, and the link's log: journalctl -u viipe-link"
    )


def _clock(config: HostConfig) -> Iterator[Finding]:
    moment = believed_moment(config.host.state_dir)
    if moment.trust is ClockTrust.WRONG:
        told = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC cannot be: the last moment known is {moment.at:%Y-%m-%d %H:%M}"
        mend = "set it: timedatectl set-time, or let it synchronise: timedatectl set-ntp true"
        yield Finding("clock", Level.FAILURE, told, mend)
    elif moment.trust is ClockTrust.UNSYNCED:
        told = f"plausible, but nothing vouches for it ({SYNCED} is not there)"
        yield Finding("clock", Level.WARNING, told, "timedatectl set-ntp true")
    else:
        yield Finding("clock", Level.OK, "synchronised")


def _disk(config: HostConfig) -> Iterator[Finding]:
    state_dir = config.host.state_dir
    if not state_dir.exists():
        yield Finding(
            "disk",
            Level.FAILURE,
            f"{state_dir} is not there",
            "it is made by the first `viipe run` or `viipe cards import`",
        )
        return
    if not os.access(state_dir, os.W_OK):
        yield Finding(
            "disk",
            Level.FAILURE,
            f"{state_dir} cannot be written",
            "see its owner, and whether the disk is mounted read-only",
        )
        return
    free = shutil.disk_usage(state_dir).free
    level = Level.FAILURE if free < NO_DISK_BYTES else Level.WARNING if free < LOW_DISK_BYTES else Level.OK
    yield Finding("disk", level, f"{free >> 20} MiB free at {state_dir}", "" if level is Level.OK else "make room")


def _site_key(config: HostConfig) -> Iterator[Finding]:
    try:
        key = site_key.load(config.host.state_dir)
        info = cache.describe_serving(config.host.state_dir)
    except CacheFault:
        return  # told by the next check
    except KeyFault as fault:
        yield Finding(
            "site key", Level.FAILURE, str(fault), "it is made by the first `viipe run` or `viipe cards import`"
        )
    else:
        if info is not None and info.key != key.fingerprint:
            told = "the cards are held under another key, so every card is unknown"
            yield Finding("site key", Level.FAILURE, told, "bring the former key back, or import the cards anew")
        else:
            yield Finding("site key", Level.OK, "there")


def _cards(config: HostConfig) -> Iterator[Finding]:
    state_dir = config.host.state_dir
    mend = "viipe link fetches them anew" if config.registry else "feed the host: viipe cards import CARDS.csv"
    try:
        serving = current.read(state_dir).serving
        info = cache_file.verify(state_dir / serving) if serving else None
    except CacheFault as fault:
        yield Finding("cards", Level.FAILURE, str(fault), mend)
        return
    if info is None:
        yield Finding("cards", Level.WARNING, "this host holds no cards", mend)
    else:
        yield Finding("cards", Level.OK, f"{info.cards} cards, whole")
    for path in sorted(state_dir.glob("damaged-cache-*")):
        yield Finding(
            "cards", Level.WARNING, f"{path.name} was set aside", "see the disk's health; then delete the file"
        )


def _journal(config: HostConfig) -> Iterator[Finding]:
    path = config.host.state_dir / journal_reading.NAME
    if not path.exists():
        yield Finding("journal", Level.WARNING, "not there yet", "it is made by the first `viipe run`")
        return
    try:
        yield Finding("journal", Level.OK, f"{journal_reading.verify(path)} events, whole")
    except JournalFault as fault:
        yield Finding(
            "journal",
            Level.FAILURE,
            str(fault),
            "restart the daemon: it sets the file aside and saves what can be read",
        )
    for aside in sorted(config.host.state_dir.glob("damaged-*-journal.db")):
        yield Finding(
            "journal",
            Level.WARNING,
            f"{aside.name} was set aside",
            "see the disk's health; keep the file for the office",
        )


def _desk(config: HostConfig) -> Iterator[Finding]:
    """Look whether a library's desk can type. Where it cannot, the page still shows the number."""
    if config.desk is None or config.desk.types == "none":
        return
    found, mend = trouble(config.desk) or ("in order", "")
    yield Finding("desk's keyboard", Level.WARNING if mend else Level.OK, f"{config.desk.device}: {found}", mend)


def _pages(config: HostConfig) -> Iterator[Finding]:
    """Look whether the pages are served. Cards are answered without them."""
    for seen in pages_probe.look(config):
        yield Finding(seen.name, Level.WARNING if seen.mend else Level.OK, seen.found, seen.mend)


_CHECKS: Final[tuple[Callable[[HostConfig], Iterator[Finding]], ...]] = (
    _pcscd,
    _daemon,
    _clock,
    _disk,
    _site_key,
    _cards,
    _people,
    _journal,
    _pages,
    _desk,
)
