"""The link put together: its connections, its two workers, and what it answers; started and stopped as a whole.

One thread fetches, one sends events, one keeps names where there are any, one listens for questions; the program's main thread
watches them (`daemon.commands.link`).
"""

import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from sync.asking import AskingServer
from sync.link import identity
from sync.link.faults import LinkFault, NotEnrolled
from sync.link.fetch import Fetcher, Log, Means
from sync.link.identity import Identity
from sync.link.neighbours.neighbours import Neighbours, Told
from sync.link.neighbours.server import AskDaemon
from sync.link.neighbours.withdrawal import Withdrawal
from sync.link.people import PeopleFetcher
from sync.link.questions import Questions
from sync.link.registry_clock import RegistryClock
from sync.link.report import Report
from sync.link.transport import Transport
from sync.link.upload import Uploader
from sync.servings import Boot
from sync.wire.request import sign_request

STOP_WITHIN_S: Final = 2.0
HANGS_AFTER_S: Final = 100.0  # longer than any wait within a worker that is bounded by itself
_LOCK: Final = "link.lock"


class AlreadyRuns(LinkFault):
    """Another link works in this state directory."""


def only_link(state_dir: Path) -> int:
    """Take the state directory's link for this process, until the descriptor is closed or the process ends. Raises AlreadyRuns, OSError."""
    held = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise AlreadyRuns(f"another link works in {state_dir}: systemctl status viipe-link") from None
    return held


class Progress:
    """When each worker last showed that it goes on, by the boot-time clock."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody."""
        self._clock_s = clock_s
        self._last_s: dict[str, float] = {}

    def of(self, name: str) -> Callable[[], None]:
        """Return what the worker called `name` is to call now and then; it counts from now on."""
        self._last_s[name] = self._clock_s()

        def beat() -> None:
            self._last_s[name] = self._clock_s()

        return beat

    def hanging(self) -> list[str]:
        """Return who has shown nothing for too long."""
        now_s = self._clock_s()
        return [name for name, last_s in self._last_s.items() if now_s - last_s > HANGS_AFTER_S]


class Speaks(NamedTuple):
    """How this link speaks with the site's other hosts: what it says of this one, and who answers them."""

    told: Told
    ask_daemon: AskDaemon


class Link:
    """A running link of an enrolled host."""

    def __init__(  # noqa: PLR0913  what the program hands in, each once
        self,
        state_dir: Path,
        url: str,
        *,
        ca: Path | None,
        host: str,
        quota_deadline_ms: int,
        boot: Boot,
        listening: socket.socket,
        log: Log,
        neighbours: Speaks | None = None,
    ) -> None:
        """Take up the enrolment. Raises NotEnrolled, CertificateFault; `listening` is closed in every case when the link ends."""
        self.progress = Progress()
        self._listening = listening
        self._clock = RegistryClock(boot.now_ms)
        self._stopping = threading.Event()
        self._log = log
        who = identity.load(state_dir)
        ratchet = identity.load_ratchet(state_dir, who.enrolment)
        self.report = Report(state_dir, boot, self._clock, ratchet.trusted.issued_at if ratchet else None)
        if who.enrolment.host != host:
            raise NotEnrolled(
                f'{state_dir}: enrolled as "{who.enrolment.host}", but [host].name is "{host}"; set the name back or enrol anew'
            )
        sign = _signer(who, self._clock)

        def connect() -> Transport:
            return Transport(url, ca=ca, sign=sign)

        self._people = PeopleFetcher(self._means(state_dir, who, boot, "people"), connect(), lambda: self._fetcher.root)
        self._fetcher = Fetcher(self._means(state_dir, who, boot, "fetch"), connect(), connect(), self._people.told)
        self._uploader = Uploader(self._means(state_dir, who, boot, "upload"), connect())
        self.neighbours = self._neighbours(state_dir, who, boot, connect, neighbours)
        self._questions = Questions(
            self.report, connect, host, lambda: self._fetcher.root_box_key, quota_deadline_ms, self.neighbours
        )
        workers = {"fetch": self._fetcher.run, "upload": self._uploader.run, "people": self._people.run}
        self._withdrawal: Withdrawal | None = None
        if self.neighbours is not None:
            workers["neighbours"] = self.neighbours.run
        else:
            self._withdrawal = Withdrawal(self._means(state_dir, who, boot, "neighbours"), connect())
            workers["neighbours"] = self._withdrawal.run
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in workers.items()]
        self._asking: AskingServer | None = None

    def _means(self, state_dir: Path, who: Identity, boot: Boot, name: str) -> Means:
        return Means(state_dir, who, boot, self._clock, self.report, self._log, self._stopping, self.progress.of(name))

    def _neighbours(
        self, state_dir: Path, who: Identity, boot: Boot, connect: Callable[[], Transport], speaks: Speaks | None
    ) -> Neighbours | None:
        if speaks is None:
            return None
        means = self._means(state_dir, who, boot, "neighbours")
        return Neighbours(means, connect(), speaks.told, speaks.ask_daemon)

    def start(self) -> None:
        """Begin."""
        self._asking = AskingServer(self._listening, self._questions.answers())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, within seconds also while the registry is silent: what a worker had not finished it finds again."""
        self._stopping.set()
        self._fetcher.cut()
        self._uploader.cut()
        self._people.cut()
        if self.neighbours is not None:
            self.neighbours.cut()
        if self._withdrawal is not None:
            self._withdrawal.cut()
        self._questions.close()
        if self._asking is not None:
            self._asking.close()
        until_s = time.monotonic() + STOP_WITHIN_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until_s - time.monotonic()))


def _signer(who: Identity, clock: RegistryClock) -> Callable[[str, str, bytes], Mapping[str, str]]:
    """Return what signs a request as this host, by the registry's time."""

    def sign(method: str, path_and_query: str, body: bytes) -> Mapping[str, str]:
        nonce = secrets.token_urlsafe(18)
        return sign_request(who.key, who.enrolment.host, method, path_and_query, body, clock.now(), nonce)

    return sign
