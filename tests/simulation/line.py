"""A host's connection to the registry over the simulated network: the transport of the real link, with the wire taken out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sync.link.faults import TooMuch
from sync.link.transport import Download, Reply, Transport
from tests.simulation.network import REGISTRY, Network

STREAM: Final = "/v1/stream"
Serve = Callable[[str, str, str, bytes], bytes]
"""(host, method, path and query, body) → the body of the answer. Raises sync.link.faults.Refusal."""


class Stored(Download):
    """An answer that is there as a whole."""

    def __init__(self, body: bytes) -> None:
        """Take the answer's bytes."""
        self.status = 200
        self.date = None
        self._rest = body

    def read(self, most_bytes: int = 1 << 16) -> bytes:
        """Return the next piece; nothing at the end."""
        piece, self._rest = self._rest[:most_bytes], self._rest[most_bytes:]
        return piece


class SimulatedTransport(Transport):
    """Asks the registry in this process. The event stream ends at once: the simulator itself wakes who would have been told."""

    def __init__(self, network: Network, host: str, serve: Serve) -> None:
        """Speak as `host`."""
        self.url = "http://registry"
        self._network = network
        self._host = host
        self._serve = serve

    def ask(
        self, method: str, path: str, body: bytes = b"", *, total_s: float = 30.0, most_bytes: int = 1 << 20
    ) -> Reply:
        """Ask one question. Raises LinkFault; Refusal where the registry refuses."""
        answer = self._network.exchange(
            self._host, REGISTRY, lambda: self._serve(self._host, method, path, body), deadline_ms=int(total_s * 1000)
        )
        if len(answer) > most_bytes:
            raise TooMuch(f"registry: sent {len(answer)} bytes")
        return Reply(200 if answer else 204, answer)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        total_s: float | None,
        silence_s: float = 10.0,  # noqa: ARG002  the real one's parameters
        most_bytes: int | None = None,
    ) -> Iterator[Download]:
        """Ask one question whose answer is read in pieces. Raises LinkFault."""
        if path == STREAM:
            yield Stored(b"")
            return
        yield Stored(self.ask(method, path, body, total_s=total_s or 30.0, most_bytes=most_bytes or 1 << 30).body)

    def cut(self) -> None:
        """Nothing is under way between two calls."""

    def close(self) -> None:
        """There is no connection to let go of."""
