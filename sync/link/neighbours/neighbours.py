"""The link's part in the conversation with the site's other hosts, put together: who they are, where we listen, who tells whom.

One thread looks once a second whether the registry's list of hosts has changed, and tells the registry where this host listens.
"""

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from config.neighbours_table import NeighboursSection
from sync.faults import CacheFault
from sync.link.backoff import Backoff
from sync.link.faults import LinkFault
from sync.link.fetch import Means
from sync.link.neighbours import directory
from sync.link.neighbours.directory import Neighbour
from sync.link.neighbours.peer import Peer
from sync.link.neighbours.server import Answerer, AskDaemon, NeighbourServer
from sync.link.neighbours.teller import Teller
from sync.link.transport import Transport
from sync.wire.faults import WireFault
from sync.wire.listens import Listens
from sync.wire.neighbour import Release, Reserve, ReserveAnswer, Settled

LOOK_S: Final = 1.0
ANNOUNCE_S: Final = 5.0
LISTENS: Final = "/v1/listens"
MOST_NEIGHBOURS: Final = 32
MOST_ASKED: Final = 256  # taps of which neighbours were asked and are still to hear what came of them
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  what is told to others is another address


class Told(NamedTuple):
    """What this host says of itself: where it listens, and which services its readers serve."""

    section: NeighboursSection
    services: tuple[str, ...]
    registry_url: str


class _Asked(NamedTuple):
    """A tap that neighbours were asked about."""

    reserve: Reserve
    peers: tuple[Peer, ...]


class Neighbours:
    """The site's other hosts. `run` is a thread's target; `cut` ends all from another. The rest may be used from any thread."""

    def __init__(self, means: Means, asks: Transport, told: Told, ask_daemon: AskDaemon) -> None:
        """`asks` is a connection to the registry of its own; `ask_daemon` asks the deciding process."""
        self._means = means
        self._asks = asks
        self._told = told
        self._answerer = Answerer(means.who, means.clock, self._public_of, ask_daemon, self._heard)
        self._server: NeighbourServer | None = None
        self._known: Mapping[str, Neighbour] = {}
        self._peers: Mapping[str, Peer] = {}
        self._tellers: list[threading.Thread] = []
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._lock = threading.Lock()
        self._announced: Listens | None = None
        self._backoff = Backoff(first_s=1.0, most_s=30.0)
        self._announces_at_s = 0.0

    def run(self) -> None:
        """Work until stopped."""
        means = self._means
        try:
            while not means.stopping.is_set():
                means.beat()
                self._listen()
                self._look()
                self._announce()
                means.report.tell(neighbours=[peer.status() for peer in self._peers.values()])
                means.stopping.wait(LOOK_S)
        finally:
            self._asks.close()

    def cut(self) -> None:
        """End what is under way; `stopping` is set by then."""
        self._asks.cut()
        if self._server is not None:
            self._server.close()
        for peer in self._peers.values():
            peer.cut()

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return self._server.port if self._server else None

    # Questions of taps

    def reserve(
        self, asked: Reserve, service: str, total_s: float, came: Callable[[str, ReserveAnswer | None], object]
    ) -> tuple[Peer, ...]:
        """Ask each neighbour that serves there, also those that are away; `came` hears each one's answer, None for silence."""
        peers = tuple(each for each in self._peers.values() if service in each.neighbour.services)
        with self._lock:
            self._asked[asked.tap_id] = _Asked(asked, peers)
            while len(self._asked) > MOST_ASKED:
                self._asked.popitem(last=False)
        for peer in peers:
            question = Reserve(peer.name, asked.tap_id, asked.at, asked.serving)
            peer.reserve(question, total_s, lambda answer, name=peer.name: came(name, answer))  # type: ignore[misc]
        return peers

    def release(self, tap_id: str, *, was_served: bool) -> None:
        """Tell those who were asked what came of a tap."""
        with self._lock:
            asked = self._asked.pop(tap_id, None)
        if asked is None:
            return
        for peer in asked.peers:
            if not peer.is_away:
                told = asked.reserve
                peer.release(Release(peer.name, told.tap_id, told.at, told.serving, was_served))
            if was_served:
                peer.wake.set()

    # What is kept up

    def _public_of(self, name: str) -> bytes | None:
        known = self._known.get(name)
        return known.public_key if known else None

    def _heard(self, name: str) -> None:
        if (peer := self._peers.get(name)) is not None:
            peer.heard()
            if peer.is_away:
                peer.wake.set()  # it is there: perhaps it hears us by now

    def _listen(self) -> None:
        if self._server is not None:
            return
        section = self._told.section
        try:
            self._server = NeighbourServer(section.host, section.port, self._answerer)
        except OSError as error:
            text = f"neighbours: cannot listen at {section.host}:{section.port}: {error.strerror or error}"
            if self._means.report.fault("neighbours", text):
                self._means.log.error("no neighbour reaches this host", why=text)  # noqa: TRY400  told in full, no trace needed
            return
        self._means.report.fault("neighbours", None)
        if self._means.stopping.is_set():
            self._server.close()

    def _look(self) -> None:
        """Take up who is there by now, and let go of who is no more."""
        try:
            known = directory.read(self._means.state_dir, self._means.who.enrolment.host)
        except (CacheFault, OSError):
            return  # the daemon and the fetcher say what is wrong with the file
        if known == self._known:
            return
        self._known = known
        reached = [each for each in known.values() if each.address is not None]
        if len(reached) > MOST_NEIGHBOURS:
            self._means.log.warning("too many neighbours", found=len(reached), spoken_with=MOST_NEIGHBOURS)
        wanted = {each.name: each for each in self._nearest(reached)[:MOST_NEIGHBOURS]}
        stay = {name: peer for name, peer in self._peers.items() if wanted.get(name) == peer.neighbour}
        gone = [peer for name, peer in self._peers.items() if name not in stay]
        fresh = [Peer(each, self._means.who, self._means.clock) for name, each in wanted.items() if name not in stay]
        self._peers = {**stay, **{peer.name: peer for peer in fresh}}
        for peer in gone:
            peer.cut()
        self._tellers = [thread for thread in self._tellers if thread.is_alive()]
        for peer in fresh:
            teller = Teller(self._means.state_dir, peer, self._means.clock, self._settled)
            thread = threading.Thread(target=teller.run, name=f"tells {peer.name}", daemon=True)
            self._tellers.append(thread)
            thread.start()

    def _nearest(self, reached: Iterable[Neighbour]) -> list[Neighbour]:
        """Put those first that serve what is served here."""
        services = set(self._told.services)
        return sorted(reached, key=lambda each: (not services & each.services, each.name))

    def _settled(self) -> Settled | None:
        """Return how far the registry has this host's events, and in which version what they say is published."""
        mark: dict[str, Any] = self._means.report.table()["watermark"] or {}
        if mark.get("version") is None or mark.get("generation") is None:
            return None
        return Settled(mark["epoch"], mark["seq"], mark["version"], mark["generation"])

    def _announce(self) -> None:
        """Tell the registry where this host is reached, when that is news to it."""
        if time.monotonic() < self._announces_at_s or self._server is None:
            return
        try:
            listens = Listens(self._address(), tuple(sorted(self._told.services)))
            if listens != self._announced:
                self._asks.ask("POST", LISTENS, listens.to_json(), total_s=ANNOUNCE_S)
                self._announced = listens
        except (LinkFault, WireFault, OSError):  # the fetcher says what keeps the registry away
            self._announces_at_s = time.monotonic() + self._backoff.next_s()
        else:
            self._backoff.succeeded()

    def _address(self) -> str:
        """Return where others reach this host: as the file says, or by the address that leads to the registry. Raises OSError."""
        section = self._told.section
        if section.address is not None:
            return section.address
        host = section.host if section.host not in _EVERYWHERE else _towards(self._told.registry_url)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def _towards(url: str) -> str:
    """Return the address of this machine by which another is reached; nothing is sent. Raises OSError."""
    parts = urlsplit(url)
    family, kind, _, _, address = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])
