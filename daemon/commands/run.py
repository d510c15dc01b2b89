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
    from daemon.link_child import LinkChild

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
    link = _link(config, arguments, log)
    threading.excepthook = lambda failure: host.failed(failure.exc_value or failure.exc_type())
    try:
        host.start()
        gc.freeze()  # what stands now stands till the end: no collection need walk it while a pupil waits
        log.info("running", host=config.host.name, readers=len(config.readers))
        notifier.ready()
        if link is not None:
            link.start()
        return _watch(host, arguments, signals, notifier, log)
    finally:
        notifier.stopping()
        if link is not None:
            link.stop()
        host.stop()
        log.info("stopped")
        writer.close()


def _link(config: HostConfig, arguments: argparse.Namespace, log: FilteringBoundLogger) -> "LinkChild | None":
    """Make the networked process's keeper, where the host has a registry and no service manager keeps that process."""
    if config.registry is None:
        return None
    from daemon import link_child  # noqa: PLC0415  a host without a registry, or under systemd, need not carry it

    if not link_child.is_ours_to_start(os.environ):
        return None
    return link_child.LinkChild(link_child.command(arguments.config.absolute()), log)


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
