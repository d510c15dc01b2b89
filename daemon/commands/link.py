"""`viipe link`: the networked half of a host. Fetches what the host decides by, sends its events, and is watched like the daemon."""

import argparse
import faulthandler
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from config import host as host_file
from config.finding import ConfigError
from config.host import HostConfig
from daemon.clock import boot
from daemon.control import LINK as SOCKET_NAME
from daemon.control import NotRunning, ask, listening
from daemon.notify import Notifier, watchdog_interval_s
from daemon.owner import act_as_owner
from sync.link import enrolling, identity
from sync.link.faults import LinkFault, NotEnrolled, Unreachable
from sync.link.line_log import LineLog
from sync.link.link import Link, Speaks, only_link
from sync.link.neighbours.neighbours import Told
from sync.link.registry_clock import RegistryClock
from sync.link.report import Report
from sync.servings import Boot

ROUND_S: Final = 1.0
NICENESS: Final = 10


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing but the host's file."""


def perform(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; returns 0, 70 after a broken invariant, 78 where the host's file names no registry."""
    faulthandler.enable()  # the watchdog's SIGABRT then tells where each thread stood
    config = host_file.load(arguments.config)
    if config.registry is None:
        print(f"viipe link: {arguments.config}: found no [registry]; expected its url", file=sys.stderr)
        return os.EX_CONFIG
    state_dir = config.host.state_dir
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)
    act_as_owner(state_dir)
    _give_way()
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: signals.put(received))
    held = only_link(state_dir)
    log = LineLog()
    notifier = Notifier(os.environ)
    program = _Program(arguments.config, config, log)
    threading.excepthook = lambda failure: program.failed(failure.exc_value or failure.exc_type())
    try:
        program.begin()
        notifier.ready()
        return _watch(program, signals, notifier)
    finally:
        notifier.stopping()
        program.end()
        log.info("link stopped")
        os.close(held)


def _give_way() -> None:
    """Let the tap process go first. Under systemd the unit says so, and forbids to say it here."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)


class _Program:
    """The link that runs now, or why none can: a host that is not enrolled yet is waited for, not given up."""

    def __init__(self, path: Path, config: HostConfig, log: LineLog) -> None:
        self.broken = threading.Event()
        self._path = path
        self._config = config
        self._log = log
        self._link: Link | None = None
        self._report: Report | None = None
        self._enrolment: object = None

    def begin(self) -> None:
        """Start the link, or tell why there is none."""
        this_boot = boot()
        # The lock says that whoever left a socket behind is gone.
        listener = listening(self._config.host.state_dir / SOCKET_NAME)
        try:
            self._link = self._made(this_boot, listener)
        except LinkFault as fault:
            listener.close()
            self._report = Report(self._config.host.state_dir, this_boot, RegistryClock(this_boot.now_ms))
            self._report.fault("link", str(fault))
            self._log.error("no link", why=str(fault))
            return
        self._report = self._link.report
        self._link.start()
        self._log.info("link running", host=self._config.host.name)

    def _made(self, this_boot: Boot, listening: socket.socket) -> Link:
        registry, host = self._config.registry, self._config.host
        enrolling.finish(host.state_dir)  # what a crash left open
        self._enrolment = identity.stamp(host.state_dir)
        if registry is None:
            raise NotEnrolled(f"{self._path}: found no [registry]; expected its url")
        return Link(
            host.state_dir,
            registry.url,
            ca=registry.ca,
            host=host.name,
            quota_deadline_ms=registry.quota_deadline_ms,
            boot=this_boot,
            listening=listening,
            log=self._log,
            neighbours=_speaks(self._config),
        )

    def end(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.stop()
        self.tell()
        with suppress(OSError):
            (self._config.host.state_dir / SOCKET_NAME).unlink(missing_ok=True)

    def reload(self) -> None:
        """Begin anew with the file as it is now; one that cannot be used changes nothing."""
        try:
            config = host_file.load(self._path)
        except ConfigError as error:
            self._log.error("not reloaded", why=[str(finding) for finding in error.findings])
            return
        if config.host.state_dir != self._config.host.state_dir:
            self._log.error("not reloaded", why="host.state_dir changes at a restart only")
            return
        self.end()
        self._config = config
        self.begin()

    def follow_enrolment(self) -> None:
        """Take up an enrolment that was made meanwhile."""
        if identity.stamp(self._config.host.state_dir) != self._enrolment:
            self.end()
            self.begin()

    def tell(self) -> None:
        """Write what is news. A disk that refuses is the journal's to report."""
        if self._report is not None:
            with suppress(OSError):
                self._report.write_news()

    def headline(self) -> str:
        faults = self._report.faults if self._report else {}
        return "; ".join(faults.values()) or "in step with the registry"

    def hanging(self) -> list[str]:
        return self._link.progress.hanging() if self._link else []

    def failed(self, error: BaseException) -> None:
        """Take note of a broken invariant: whoever supervises starts the link anew."""
        self._log.critical("broken invariant", error)
        self.broken.set()


def _watch(program: _Program, signals: "queue.SimpleQueue[int]", notifier: Notifier) -> int:
    interval_s = min(ROUND_S, watchdog_interval_s(os.environ, os.getpid()) or ROUND_S)
    told = ""
    while not program.broken.is_set():
        if not program.hanging():
            notifier.watchdog()
        program.tell()
        if (headline := program.headline()) != told:
            notifier.status(headline)
            told = headline
        try:
            number = signals.get(timeout=interval_s)
        except queue.Empty:
            program.follow_enrolment()
            continue
        if number != signal.SIGHUP:
            return 0
        notifier.reloading()
        program.reload()
        notifier.ready()
    return os.EX_SOFTWARE


def _speaks(config: HostConfig) -> Speaks | None:
    """Return how the link speaks with the site's other hosts; None where the file does not say that it does."""
    if config.neighbours is None or config.registry is None:
        return None
    services = tuple(sorted({reader.service for reader in config.readers}))
    told = Told(config.neighbours, services, config.registry.url)
    return Speaks(told, partial(asked_daemon, config.host.state_dir))


def asked_daemon(state_dir: Path, question: Mapping[str, Any], within_s: float) -> Mapping[str, Any]:
    """Ask the deciding process for a neighbour. Raises Unreachable where it gives no answer within the time."""
    try:
        return ask(state_dir, question, within_s=within_s)
    except NotRunning as error:
        raise Unreachable(str(error)) from error
