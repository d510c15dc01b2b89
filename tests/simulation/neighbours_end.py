"""How one host speaks with the others over the simulated network: reservations, what came of them, and what is told.

What decides is the real thing on both sides (`daemon.neighbourhood`), and so is who tells (`sync.link.neighbours.teller`); taken out are
sockets, threads and signatures.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from sync.link.faults import LinkFault
from sync.link.identity import Identity
from sync.link.neighbours.directory import Neighbour
from sync.link.neighbours.peer import Peer
from sync.link.neighbours.teller import Teller
from sync.link.registry_clock import RegistryClock
from sync.wire import times
from sync.wire.event import Serving
from sync.wire.faults import WireFault
from sync.wire.neighbour import Release, Reserve, ReserveAnswer, Settled, Tell, TellAnswer
from tests.simulation.network import Network
from tests.simulation.pause import Pause

DEADLINE_MS: Final = 150
AskDaemon = Callable[[str, str, str, bytes], Mapping[str, Any]]
"""(from, to, word, body) → the answer of the deciding process of `to`. Raises LinkFault where it has none."""


class SimulatedPeer(Peer):
    """Another host, over the simulated network. Whoever tells it ends where it would wait."""

    def __init__(  # noqa: PLR0917  the same
        self, own: str, neighbour: Neighbour, who: Identity, clock: RegistryClock, network: Network, ask: AskDaemon
    ) -> None:
        """Know of it."""
        super().__init__(neighbour, who, clock)
        self._own = own
        self._network = network
        self._ask = ask
        self.gone = Pause()
        self.wake = self.gone

    def asked(self, word: str, body: bytes) -> Mapping[str, Any]:
        """Ask its deciding process. Raises LinkFault."""
        told = self._network.exchange(
            self._own, self.name, lambda: self._ask(self._own, self.name, word, body), deadline_ms=DEADLINE_MS
        )
        if "error" in told:
            raise LinkFault(str(told["error"]))
        return told

    def tell(self, told: Tell) -> TellAnswer:
        """Tell events. Raises LinkFault, WireFault."""
        return TellAnswer.from_table(self.asked("tell", told.to_json()))


class NeighboursEnd:
    """What the link does for its host among the others."""

    def __init__(  # noqa: PLR0917  what the link is made of
        self,
        own: str,
        neighbours: Mapping[str, Neighbour],
        who: Identity,
        clock: RegistryClock,
        network: Network,
        ask: AskDaemon,
        teller_of: Callable[[Peer], Teller],
    ) -> None:
        """`neighbours` are the site's other hosts."""
        self._peers = {
            name: SimulatedPeer(own, neighbour, who, clock, network, ask) for name, neighbour in neighbours.items()
        }
        self._tellers = {name: teller_of(peer) for name, peer in self._peers.items()}
        self._asked: dict[str, tuple[Reserve, list[SimulatedPeer]]] = {}

    def reserve(self, question: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Ask each host that serves there; returns the answers of those that gave one."""
        wanted = question["reserve"]
        serving = Serving(_day(question["day"]), wanted["place"], wanted["holder"])
        at = times.from_text(wanted["at"], "reserve: at")
        replies: list[Mapping[str, Any]] = []
        peers = [each for each in self._peers.values() if question["service"] in each.neighbour.services]
        self._asked[question["tap_id"]] = (Reserve("", question["tap_id"], at, serving), peers)
        for peer in peers:
            body = Reserve(peer.name, question["tap_id"], at, serving).to_json()
            try:
                answer = ReserveAnswer.from_table(peer.asked("reserve", body))
            except (LinkFault, WireFault):
                continue
            replies.append({"host": peer.name, **answer.to_table()})
        return replies

    def release(self, tap_id: str, *, was_served: bool) -> None:
        """Tell those who were asked what came of it; who does not hear it hears of the serving later."""
        told, peers = self._asked.pop(tap_id, (None, []))
        for peer in peers:
            assert told is not None, "whoever was asked was asked something"
            body = Release(peer.name, tap_id, told.at, told.serving, was_served).to_json()
            try:
                peer.asked("release", body)
            except (LinkFault, WireFault):
                continue

    def tell(self, *, service: str | None = None) -> None:
        """Tell everybody what is new in the journal, from where each stands; of a serving, those who serve there."""
        for name, teller in self._tellers.items():
            peer = self._peers[name]
            if service is None or service in peer.neighbour.services:
                peer.gone.clear()
                teller.run()


def settled_by(mark: Mapping[str, Any] | None) -> Settled | None:
    """Return how far the registry has this host's events, as the link's report says."""
    if mark is None or mark.get("version") is None or mark.get("generation") is None:
        return None
    return Settled(mark["epoch"], mark["seq"], mark["version"], mark["generation"])


def _day(text: str) -> Any:  # noqa: ANN401  a date
    return datetime.fromisoformat(text).date()
