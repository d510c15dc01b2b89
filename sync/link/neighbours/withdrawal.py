"""Takes back where this host listens once its file no longer has `[neighbours]`: else the site's others would go on asking there."""

from typing import Final

from sync.faults import CacheFault
from sync.link.backoff import Backoff
from sync.link.faults import LinkFault
from sync.link.fetch import Means
from sync.link.neighbours import directory
from sync.link.neighbours.neighbours import ANNOUNCE_S, LISTENS
from sync.link.transport import Transport
from sync.wire.faults import WireFault
from sync.wire.listens import Listens

LOOK_S: Final = 5.0


class Withdrawal:
    """Looks now and then whether the registry's list gives this host an address, and has it taken off. `run` is a thread's target."""

    def __init__(self, means: Means, asks: Transport) -> None:
        """`asks` is a connection to the registry of its own."""
        self._means = means
        self._asks = asks
        self._has_told = False
        self._backoff = Backoff(first_s=1.0, most_s=60.0)

    def run(self) -> None:
        """Work until stopped."""
        try:
            while not self._means.stopping.is_set():
                self._means.beat()
                self._means.stopping.wait(self._looked())
        finally:
            self._asks.close()

    def cut(self) -> None:
        """End what is under way; `stopping` is set by then."""
        self._asks.cut()

    def _looked(self) -> float:
        """Take the address back where there is one; returns in how many seconds to look again."""
        means = self._means
        try:
            own = directory.read_own(means.state_dir, means.who.enrolment.host)
            if own is not None and own.address is not None:
                self._asks.ask("POST", LISTENS, Listens(None, ()).to_json(), total_s=ANNOUNCE_S)
                if not self._has_told:  # the list that says so comes some moments later
                    means.log.info("the registry was told that no neighbour reaches this host any more")
                self._has_told = True
        except (CacheFault, OSError):
            return LOOK_S  # the daemon and the fetcher say what is wrong with the file
        except (LinkFault, WireFault):  # the fetcher says what keeps the registry away
            return self._backoff.next_s()
        self._backoff.succeeded()
        return LOOK_S
