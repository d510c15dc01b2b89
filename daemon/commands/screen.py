"""`viipe screen`: the pages of a host, in a process of their own; and the pairing of tablets.

A page never touches a tap nor the link: it hears the answers on one socket and asks on another. Without a registry it runs without names.
"""

import argparse
import asyncio
import faulthandler
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from config import host as host_file
from config.host import HostConfig, ScreenSection
from config.screen_table import Address
from daemon import answer_feed
from daemon.control import NotRunning, ask
from daemon.desk_keyboard import keyboard_worker
from daemon.notify import Notifier, watchdog_interval_s
from daemon.owner import act_as_owner
from daemon.short_path import short_path
from outputs.screen.feed import LINE_BYTES, Feed, Streams
from outputs.screen.pairing import CODE_LIFE, Pairing
from outputs.screen.parts import NoDaemon, Parts
from outputs.screen.sessions import Sessions
from sync.link.line_log import LineLog
from sync.people import PeopleStore

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from outputs.screen.desk_hand import DeskHand
    from outputs.screen.parts import People
    from outputs.screen.server import Pages, Served
    from outputs.screen.tablets import TabletDoor

ROUND_S: Final = 1.0
HUNG_AFTER_S: Final = 10.0
ACTIONS: Final = ("serve", "pair", "tablets", "revoke")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take what to do; serving is what it does by itself."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=ACTIONS,
        default="serve",
        help="serve the pages (default), pair a tablet by a code, list the tablets, or revoke one",
    )
    parser.add_argument("tablet", nargs="?", help="the id of the tablet to revoke")


def perform(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT, or do what concerns tablets; 78 where the host's file has no pages."""
    config = host_file.load(arguments.config)
    screen = config.screen
    if screen is None:
        print(f"viipe screen: {arguments.config}: found no [screen]; expected the table", file=sys.stderr)
        return os.EX_CONFIG
    state_dir = config.host.state_dir
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)
    act_as_owner(state_dir)
    if arguments.action == "serve":
        return _serve(config, screen)
    if screen.tablets is None:
        print(f"viipe screen: {arguments.config}: found no screen.tablets; expected an address", file=sys.stderr)
        return os.EX_CONFIG
    return _of_tablets(arguments, config, screen.tablets)


# Tablets


def _of_tablets(arguments: argparse.Namespace, config: HostConfig, tablets: Address) -> int:
    pairing = Pairing(config.host.state_dir)
    match arguments.action:
        case "pair":
            fingerprint, code = _certificate(config), pairing.new_code()
            minutes = int(CODE_LIFE.total_seconds() // 60)
            print(f"Code:        {code[:4]} {code[4:]}   (good for {minutes} minutes and one tablet)")
            print(f"Address:     {_address(tablets)}")
            print(f"Fingerprint: {fingerprint}   (SHA-256 of the certificate: compare it before the code is typed)")
            return 0
        case "revoke":
            if pairing.revoke(arguments.tablet or ""):
                return 0
            known = ", ".join(each.id for each in pairing.tablets()) or "none is paired"
            print(f"viipe screen revoke: found {arguments.tablet!r}, expected a tablet's id: {known}", file=sys.stderr)
            return 1
        case _:
            for each in pairing.tablets():
                print(f"{each.id}  {each.paired_at}  {each.name}")
            return 0


def _address(tablets: Address) -> str:
    """Tell what is typed on a tablet, as the network is now."""
    from outputs.screen import certificate  # noqa: PLC0415  a host without tablets need not carry it

    any_address = tablets.host in {"0.0.0.0", "::"}  # noqa: S104  only compared
    host = (certificate.own_address() or socket.gethostname()) if any_address else tablets.host
    return f"https://{f'[{host}]' if ':' in host else host}:{tablets.port}/"


def _certificate(config: HostConfig) -> str:
    """Make or renew the certificate; return its fingerprint. Raises OSError or ValueError."""
    from outputs.screen import certificate  # noqa: PLC0415  as above

    return certificate.fingerprint(certificate.ensure(config.host.state_dir, config.host.name, datetime.now(UTC)))


# The pages


class _ControlSocket:
    """The daemon, asked over its control socket."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def ask(self, question: Mapping[str, object], within_s: float = 2.0) -> Mapping[str, object]:
        """Ask. Raises NoDaemon."""
        try:
            return ask(self._state_dir, question, within_s=within_s)
        except NotRunning as error:
            raise NoDaemon(str(error)) from error


def _serve(config: HostConfig, screen: ScreenSection) -> int:
    """Serve until told to end; 0 then, 70 where the pages failed."""
    faulthandler.enable()
    _quieten()
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.put(received))
    log, notifier = LineLog(), Notifier(os.environ)
    pages = _pages(config, screen, log)
    thread = threading.Thread(target=_run, args=(pages, log), name="pages", daemon=True)
    thread.start()
    try:
        return _watch(pages, thread, signals, notifier, log)
    finally:
        notifier.stopping()
        pages.stop()
        thread.join(ROUND_S * 3)
        log.info("screen stopped")


def _quieten() -> None:
    """Say warnings and errors alone; no request is logged: a path may tell whom somebody looked for."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


def _run(pages: "Pages", log: LineLog) -> None:
    try:
        pages.run()
    except BaseException as error:  # noqa: BLE001  the main thread sees that it ended, and whoever supervises starts anew
        log.critical("broken invariant", error)  # noqa: PLE1205  this log's own form


def _watch(
    pages: "Pages", thread: threading.Thread, signals: "queue.SimpleQueue[int]", notifier: Notifier, log: LineLog
) -> int:
    interval_s = min(ROUND_S, watchdog_interval_s(os.environ, os.getpid()) or ROUND_S)
    is_ready = False
    while thread.is_alive():
        if not is_ready and pages.is_serving:
            is_ready = notifier.ready() or True
            log.info("screen running", addresses=pages.addresses)
        if is_ready and time.monotonic() - pages.beat_s < HUNG_AFTER_S:
            notifier.watchdog()
        try:
            signals.get(timeout=interval_s if is_ready else ROUND_S / 20)
        except queue.Empty:
            continue
        return 0
    return os.EX_SOFTWARE


def _pages(config: HostConfig, screen: ScreenSection, log: LineLog) -> "Pages":
    """Put the pages together on their sockets. Raises OSError where this machine's own cannot be had."""
    from outputs.screen import desk  # noqa: PLC0415  pairing by the command line need not carry it
    from outputs.screen.app import app  # noqa: PLC0415  as above
    from outputs.screen.guard import Guard, Listener  # noqa: PLC0415  as above
    from outputs.screen.server import Pages, Served, listening  # noqa: PLC0415  as above

    state_dir = config.host.state_dir
    own = listening(screen.listen)
    feed = Feed(lambda: _connected(state_dir))
    parts = Parts(
        config=config,
        people=PeopleStore(state_dir),
        daemon=_ControlSocket(state_dir),
        answers=feed,
        sessions=Sessions(),
        now=lambda: datetime.now(UTC),
    )
    door = _door(config, screen)
    hand = _hand(config, parts.people)
    pages = app(parts, hand, door)
    own_pages = Guard(pages, Listener(screen.listen.port, listening=desk.listening(config)))
    later = [_tablets_later(config, screen, door, pages, log)] if door else []
    return Pages([Served(own_pages, own)], feed, [partial(hand.run, feed)] if hand else (), later)


def _door(config: HostConfig, screen: ScreenSection) -> "TabletDoor | None":
    """Lay out where tablets come in; None for a host without."""
    if screen.tablets is None:
        return None
    from outputs.screen.tablets import TabletDoor  # noqa: PLC0415  as above

    return TabletDoor(Pairing(config.host.state_dir), partial(_address, screen.tablets))


def _tablets_later(
    config: HostConfig, screen: ScreenSection, door: "TabletDoor", pages: "Starlette", log: LineLog
) -> "Callable[[], Coroutine[None, None, Served]]":
    """Open the tablets' listener as soon as that can be: the till's own page does not depend on it."""
    from outputs.screen import certificate  # noqa: PLC0415  as above
    from outputs.screen.guard import Guard, Listener  # noqa: PLC0415  as above
    from outputs.screen.server import Served, listening  # noqa: PLC0415  as above
    from outputs.screen.tablet_listener import opened  # noqa: PLC0415  as above

    def open_now() -> Served:
        assert screen.tablets is not None, "there is a door"  # noqa: S101  an invariant
        door.fingerprint = _certificate(config)
        tls = certificate.context(config.host.state_dir / certificate.NAME)
        listener = Listener(screen.tablets.port, door.pairing, certificate.own_names())
        return Served(Guard(pages, listener), listening(screen.tablets), tls)

    return partial(opened, door, open_now, lambda why: log.error("tablets cannot come in", why=why))


def _hand(config: HostConfig, people: "People") -> "DeskHand | None":
    """Put a library's desk to work; None where the host's file has none."""
    if config.desk is None:
        return None
    from outputs.screen.desk_hand import DeskHand  # noqa: PLC0415  as above

    log = LineLog()
    return DeskHand(
        config.desk,
        people,
        keyboard_worker(config.desk),
        log_failure=lambda why: log.error("number not typed", why=why),
    )


async def _connected(state_dir: Path) -> Streams:
    """Connect to the daemon's feed. Raises OSError."""
    with short_path(state_dir / answer_feed.NAME) as name:
        return await asyncio.open_unix_connection(name, limit=LINE_BYTES)
