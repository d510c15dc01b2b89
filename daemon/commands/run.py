"""`viipe run`: the daemon. Brings the host up, feeds the watchdog on progress, reloads on SIGHUP, ends on SIGTERM."""

import argparse
import faulthandler
import os
import queue
import signal
from typing import Final

from structlog.typing import FilteringBoundLogger

from config import host as host_file
from config.finding import ConfigError
from daemon.host import Host
from daemon.log import make_default_log
from daemon.notify import Notifier, watchdog_interval_s
from daemon.owner import act_as_owner

ROUND_S: Final = 1.0
EXIT_BROKEN: Final = 70  # EX_SOFTWARE


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Take nothing but the host's file."""


def perform(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; returns 0, or 70 after a broken invariant."""
    faulthandler.enable()  # the watchdog's SIGABRT then tells where each thread stood
    config = host_file.load(arguments.config)
    act_as_owner(config.host.state_dir)
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: signals.put(received))
    log, writer = make_default_log()
    for warning in config.warnings:
        log.warning("config", warning=str(warning))
    notifier = Notifier(os.environ)
    host = Host(config, log)
    host.start()
    log.info("running", host=config.host.name, readers=len(config.readers))
    notifier.ready()
    try:
        return _watch(host, arguments, signals, notifier, log)
    finally:
        notifier.stopping()
        host.stop()
        log.info("stopped")
        writer.close()


def _watch(
    host: Host,
    arguments: argparse.Namespace,
    signals: "queue.SimpleQueue[int]",
    notifier: Notifier,
    log: FilteringBoundLogger,
) -> int:
    interval_s = min(ROUND_S, watchdog_interval_s(os.environ, os.getpid()) or ROUND_S)
    told = ""
    while not host.broken.is_set():
        hanging = host.hanging()
        if hanging:
            log.error("no progress", readers=hanging)
        else:
            notifier.watchdog()
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
    return EXIT_BROKEN


def _reload(host: Host, arguments: argparse.Namespace, log: FilteringBoundLogger) -> None:
    try:
        host.reload(host_file.load(arguments.config))
    except ConfigError as error:
        host.config_fault = f"{arguments.config}: {len(error.findings)} faults; the former settings serve"
        log.error("not reloaded", why=[str(finding) for finding in error.findings])  # noqa: TRY400  told in full, no trace needed
