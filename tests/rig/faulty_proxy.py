"""A TCP proxy that does to a connection what networks do: cuts, delays, repeats, truncates, by a seed that says what comes when.

    with FaultyProxy(("127.0.0.1", port), seed=7) as proxy:
        ... speak with proxy.url ...
        proxy.faults = frozenset({Fault.CUT_ANSWER})   # from the next connection on

Cutting the answer after the request went through is how an acknowledgement is lost. `made` lists what was done, in order.
"""

import random
import socket
import threading
import time
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

_PIECE_BYTES: Final = 16384
_DELAY_S: Final = 0.2


class Fault(StrEnum):
    """What is done to one connection."""

    REFUSE = "refuse"  # closed before a byte went through
    CUT_REQUEST = "cut request"  # after some bytes of the request
    CUT_ANSWER = "cut answer"  # the request went through whole, the answer not at all
    TRUNCATE = "truncate"  # the answer stops after some bytes
    DELAY = "delay"  # each piece comes later
    REPEAT = "repeat"  # the request is sent to the other end twice, the first answer thrown away
    SILENCE = "silence"  # accepted, and nothing more ever comes


class FaultyProxy:
    """Stands between a client and one server on this machine. Each connection meets one of `faults`, or none, by lot."""

    def __init__(
        self, server: tuple[str, int], *, seed: int = 0, faults: frozenset[Fault] = frozenset(), share: float = 1.0
    ) -> None:
        """Stand before `server`; `share` of the connections meet a fault."""
        self.server = server
        self.faults = faults
        self.share = share
        self.made: list[Fault | None] = []
        self._random = random.Random(seed)  # noqa: S311  faults want to be repeated, not secret
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_open = True
        threading.Thread(target=self._accept, name="faulty proxy", daemon=True).start()

    @property
    def url(self) -> str:
        """Where to speak with it."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def cut_all(self) -> None:
        """Cut every connection that is open now."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop, and cut what is open."""
        self._is_open = False
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut_all()

    def __enter__(self) -> Self:
        """Serve while the block lasts."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                lot = sorted(self.faults) if self._random.random() < self.share else []
                fault = self._random.choice(lot) if lot else None
                at_byte = self._random.randrange(1, 2000)
                self.made.append(fault)
            threading.Thread(target=self._serve, args=(client, fault, at_byte), daemon=True).start()

    def _serve(self, client: socket.socket, fault: Fault | None, at_byte: int) -> None:
        self._hold(client)
        with client, suppress(OSError):
            if fault is Fault.REFUSE:
                return
            if fault is Fault.SILENCE:
                while client.recv(_PIECE_BYTES):
                    pass
                return
            if fault is Fault.REPEAT:
                self._repeat(client)
                return
            with socket.create_connection(self.server, timeout=30) as server:
                server.settimeout(None)
                self._hold(server)
                self._join(client, server, fault, at_byte)
        with self._lock:
            self._open.discard(client)

    def _join(self, client: socket.socket, server: socket.socket, fault: Fault | None, at_byte: int) -> None:
        upward = at_byte if fault is Fault.CUT_REQUEST else None
        downward = {Fault.TRUNCATE: at_byte, Fault.CUT_ANSWER: 0}.get(fault) if fault else None
        delay_s = _DELAY_S if fault is Fault.DELAY else 0.0
        other = threading.Thread(target=_pump, args=(client, server, upward, delay_s), daemon=True)
        other.start()
        _pump(server, client, downward, delay_s)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        other.join()

    def _repeat(self, client: socket.socket) -> None:
        """Let the first request through twice on connections of its own; the client hears the second answer, then the end."""
        request = _request(client)
        for turn in range(2):
            with socket.create_connection(self.server, timeout=10) as server:
                server.sendall(request)
                answer = server.recv(_PIECE_BYTES)
                while answer:
                    if turn:
                        client.sendall(answer)
                    server.settimeout(0.3)  # a kept connection does not end by itself
                    try:
                        answer = server.recv(_PIECE_BYTES)
                    except TimeoutError:
                        break

    def _hold(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)


def _pump(source: socket.socket, target: socket.socket, most_bytes: int | None, delay_s: float) -> None:
    """Carry bytes until the end, or until so many went through; then both ends are cut."""
    left = most_bytes
    with suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            if delay_s:
                time.sleep(delay_s)
            target.sendall(piece if left is None else piece[:left])
            if left is not None and (left := left - len(piece)) <= 0:
                break
        for end in (source, target):
            end.shutdown(socket.SHUT_RDWR if left is not None else socket.SHUT_WR if end is target else socket.SHUT_RD)


def _request(client: socket.socket) -> bytes:
    """Read one whole HTTP request with its Content-Length."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = client.recv(_PIECE_BYTES)
        if not piece:
            return request
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += client.recv(_PIECE_BYTES)
    return head + b"\r\n\r\n" + body
