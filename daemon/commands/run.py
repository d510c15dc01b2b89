"""`viipe run`: the daemon. Brings the host up, feeds the watchdog on progress, reloads on SIGHUP, ends on SIGTERM."""

import argparse
import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from structlog.typing import FilteringBoundLogger

from config import host as host_file
from config.finding import ConfigError
from config.host import HostConfig
from daemon.host import Host
from daemon.log import make_default_log
from daemon.notify import Notifier, watchdog_interval_s
from daemon.owner import act_as_owner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.child import Child

ROUND_S: Final = 1.0
SWITCH_S: Final = 0.0005  # an output's thread need not wait 5 ms for a reader's that still computes


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing but the host's file."""


def perform(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; returns 0, or 70 after a broken invariant."""
    sys.setswitchinterval(SWITCH_S)
    faulthandler.enable()  # the watchdog's SIGABRT then tells where each thread stood
    config = host_file.load(arguments.config)
    config.host.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o077)  # what is made in it is its owner's alone, however it came to be
    act_as_owner(config.host.state_dir)
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: signals.put(received))
    log, writer = make_default_log()
    _warn(config, log)
    notifier = Notifier(os.environ)
    host = Host(config, log)
    children = _children(config, arguments, log)
    threading.excepthook = lambda failure: host.failed(failure.exc_value or failure.exc_type())
    try:
        host.start()
        gc.freeze()  # what stands now stands till the end: no collection need walk it while a pupil waits
        log.info("running", host=config.host.name, readers=len(config.readers))
        notifier.ready()
        for child in children:
            child.start()
        return _watch(host, arguments, signals, notifier, log)
    finally:
        notifier.stopping()
        for child in children:
            child.stop()
        host.stop()
        log.info("stopped")
        writer.close()


def _children(config: HostConfig, arguments: argparse.Namespace, log: FilteringBoundLogger) -> "Sequence[Child]":
    """Make the keepers of the host's other programs, those that its file asks for, where no service manager keeps them."""
    asked_for = {"link": config.registry, "screen": config.screen}
    names = [name for name, section in asked_for.items() if section is not None]
    if not names:
        return ()
    from daemon import child  # noqa: PLC0415  a host that is alone, or under systemd, need not carry it

    if not child.is_ours_to_start(os.environ):
        return ()
    return [child.Child(name, child.command(name, arguments.config.absolute()), log) for name in names]


def _watch(
    host: Host,
    arguments: argparse.Namespace,
    signals: "queue.SimpleQueue[int]",
    notifier: Notifier,
    log: FilteringBoundLogger,
) -> int:
    interval_s = min(ROUND_S, watchdog_interval_s(os.environ, os.getpid()) or ROUND_S)
    told, fed_ns = "", 0
    while not host.broken.is_set():
        if (proved_ns := host.proved_ns()) > fed_ns:  # by progress alone, so that silence counts from the last of it
            notifier.watchdog()
            fed_ns = proved_ns
        if hanging := host.hanging():
            log.error("no progress", readers=hanging)
        if (headline := host.headline()) != told:
            notifier.status(headline)
            told = headline
        try:
            number = signals.get(timeout=interval_s)
        except queue.Empty:
            continue
        if number != signal.SIGHUP:
            return 0
        notifier.reloading()
        _reload(host, arguments, log)
        notifier.ready()
    return os.EX_SOFTWARE


def _warn(config: HostConfig, log: FilteringBoundLogger) -> None:
    for warning in config.warnings:
        log.warning("config", warning=str(warning))


def _reload(host: Host, arguments: argparse.Namespace, log: FilteringBoundLogger) -> None:
    try:
        config = host_file.load(arguments.config)
        _warn(config, log)
        host.reload(config)
    except ConfigError as error:
        host.config_fault = f"{arguments.config}: {len(error.findings)} faults; the former settings serve"
        log.error("not reloaded", why=[str(finding) for finding in error.findings])  # noqa: TRY400  told in full, no trace needed
