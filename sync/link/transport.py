"""HTTP to one registry, bounded in time and size in every direction; the one module that imports an HTTP client.

Redirects are not followed (a host speaks with its registry alone), nothing is tried again by itself but a kept connection that
the other end had closed meanwhile, and whatever goes wrong is one of the faults of `sync.link.faults`.
"""

import http.client
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.exceptions import SSLError as WrappedSSLError
from urllib3.response import BaseHTTPResponse

from sync.link.faults import CertificateFault, LinkFault, Odd, Refusal, TooMuch, TooSlow, Unreachable

CONNECT_S: Final = 5.0
SILENCE_S: Final = 10.0  # between two pieces of an answer
_PIECE_BYTES: Final = 1 << 16
_REFUSAL_BYTES: Final = 1 << 14
_OK: Final = range(200, 300)

Sign = Callable[[str, str, bytes], Mapping[str, str]]
"""(method, path and query, body) → the headers that sign the request."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; `date` is the text of its Date header, which nobody vouches for."""

    status: int
    body: bytes
    date: str | None = None


class Download:
    """An answer that is read piece by piece. Reading stops with TooMuch beyond `most_bytes`."""

    def __init__(self, response: BaseHTTPResponse, transport: "Transport", most_bytes: int | None) -> None:
        """Begin behind the headers; made by `Transport.open`."""
        self.status = response.status
        self.date = response.headers.get("date")
        self._response = response
        self._transport = transport
        self._left = most_bytes

    def read(self, most_bytes: int = _PIECE_BYTES) -> bytes:
        """Return the next bytes as they come, at most so many; b"" at the end. Raises LinkFault."""
        with self._transport.telling():
            piece = self._response.read1(min(most_bytes, _PIECE_BYTES), decode_content=False) or b""
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise TooMuch(f"{self._transport.url}: the answer goes beyond its bound")
        return piece

    def whole(self) -> bytes:
        """Return all that is left."""
        return b"".join(iter(self.read, b""))


class Transport:
    """One connection to the registry, kept from question to question. Used by one thread at a time; `cut` may come from any."""

    def __init__(self, url: str, *, ca: Path | None = None, sign: Sign | None = None, language: str = "en") -> None:
        """Speak with the registry at `url`. `ca` is a file of the only authorities to trust; None trusts the system's.

        Raises CertificateFault where `ca` cannot be used.
        """
        self.url = url
        self._parts = urlsplit(url)
        self._sign = sign
        self._language = language
        self._context = _tls(self._parts, ca)
        self._connection: HTTPConnection | None = None
        self._was_cut = False
        self._is_late = False
        self._lock = threading.Lock()

    def ask(
        self, method: str, path: str, body: bytes = b"", *, total_s: float = 30.0, most_bytes: int = 1 << 20
    ) -> Reply:
        """Ask one question and read the whole answer. Raises LinkFault; Refusal for every status but 2xx."""
        with self.open(method, path, body, total_s=total_s, most_bytes=most_bytes) as download:
            return Reply(download.status, download.whole(), download.date)

    @contextmanager
    def open(  # noqa: PLR0913  the bounds of a question, each by its name
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        total_s: float | None,
        silence_s: float = SILENCE_S,
        most_bytes: int | None = None,
    ) -> Iterator[Download]:
        """Ask one question and read its answer piece by piece, in `total_s` all in all (None: as long as pieces come).

        Raises LinkFault, Refusal for every status but 2xx. An answer that is not read to its end costs the connection.
        """
        overdue = threading.Timer(total_s, self._overdue) if total_s is not None else None
        self._is_late = False
        if overdue:
            overdue.daemon = True
            overdue.start()
        response: BaseHTTPResponse | None = None
        try:
            response = self._answered(method, self._parts.path + path, body, min(silence_s, total_s or silence_s))
            if response.status not in _OK:
                raise self._refusal(response)
            yield Download(response, self, most_bytes)
        finally:
            if overdue:
                overdue.cancel()
            if response is None:
                self.close()
            elif not response._fp.isclosed():  # type: ignore[attr-defined]  # noqa: SLF001  whether its end was read
                response.close()
                self.close()

    def cut(self) -> None:
        """End whatever is under way, from any thread and for good: the one who waits gets Unreachable."""
        self._was_cut = True
        self._shut()

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell what went wrong inside in the words of `sync.link.faults`."""
        try:
            yield
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            told = self._told(error)
            traceback.clear_frames(error.__traceback__)  # they hold the half-read answer, and with it the socket
            raise told from error

    def _answered(self, method: str, path: str, body: bytes, silence_s: float) -> BaseHTTPResponse:
        with self.telling():
            connection = self._connection
            if connection is not None and connection.sock is not None:
                try:
                    return self._exchange(connection, method, path, body, silence_s)
                except (http.client.RemoteDisconnected, ConnectionError, ProtocolError):
                    if self._is_late or self._was_cut:
                        raise
                    self.close()  # kept too long: the other end had closed it before it heard us
            return self._exchange(self._connected(silence_s), method, path, body, silence_s)

    def _connected(self, silence_s: float) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        connect_s = min(CONNECT_S, silence_s)
        connection = (
            HTTPSConnection(host, port or 443, timeout=connect_s, ssl_context=self._context)
            if self._context
            else HTTPConnection(host, port or 80, timeout=connect_s)
        )
        with self._lock:
            self._connection = connection
        if self._was_cut:
            raise ConnectionAbortedError("stopped")
        connection.auto_open = 0  # closed by another thread it stays closed: what it opened anew nobody would close
        connection.connect()
        with self._lock:
            is_ours = self._connection is connection
        if not is_ours:
            connection.close()
            raise ConnectionAbortedError("stopped")
        return connection

    def _exchange(
        self, connection: HTTPConnection, method: str, path: str, body: bytes, silence_s: float
    ) -> BaseHTTPResponse:
        connection.timeout = silence_s
        headers = {"Accept-Language": self._language, "User-Agent": "viipe", "Host": self._parts.netloc}
        if body:
            headers["Content-Type"] = "application/json"
        signed = self._sign(method, path, body) if self._sign else {}
        connection.request(
            method, path, body or None, {**headers, **signed}, preload_content=False, decode_content=False
        )
        return connection.getresponse()

    def _refusal(self, response: BaseHTTPResponse) -> LinkFault:
        """Read why, as far as a small answer tells it."""
        if response.status in range(300, 400):
            return Odd(f"{self.url}: found a redirect ({response.status}), which is not followed; expected a registry")
        with self.telling():
            text = Download(response, self, None).read(_REFUSAL_BYTES)
        code, message = _reason(text)
        what = message or f"it answered {response.status} {http.client.responses.get(response.status, '')}".strip()
        return Refusal(f"{self.url}: {what}", status=response.status, code=code, date=response.headers.get("date"))

    def _overdue(self) -> None:
        self._is_late = True
        self._shut()

    def _shut(self) -> None:
        with self._lock:
            plug = self._connection.sock if self._connection else None
        if plug is not None:
            with suppress(OSError):
                socket.socket.shutdown(
                    plug, socket.SHUT_RDWR
                )  # the plain one: TLS's own forgets its state while another reads

    def _told(self, error: Exception) -> LinkFault:
        if self._was_cut:
            return Unreachable(f"{self.url}: stopped")
        is_timeout = isinstance(error, TimeoutError | ReadTimeoutError | ConnectTimeoutError)
        if self._is_late or (is_timeout and not isinstance(error, NewConnectionError)):
            return TooSlow(f"{self.url}: no answer in time")
        found = error.args[0] if isinstance(error, WrappedSSLError) and error.args else error
        if isinstance(found, ssl.SSLCertVerificationError):
            return CertificateFault(f"{self.url}: its certificate is not trusted: {found.verify_message}")
        if isinstance(error, http.client.RemoteDisconnected) or isinstance(found, OSError | HTTPError):
            return Unreachable(f"{self.url}: {self._why(found)}")
        return Odd(f"{self.url}: what came is no answer of a registry ({type(error).__name__})")

    def _why(self, error: object) -> str:
        """Say why there is no connection, or none any more."""
        if isinstance(error, ssl.SSLError):
            return f"TLS: {error.reason or error.strerror or 'failed'}"
        if isinstance(error, NameResolutionError):
            return f"no such name: {self._parts.hostname}"
        cause = error.__cause__ if isinstance(error, NewConnectionError) else error
        if isinstance(cause, OSError) and not isinstance(cause, ConnectionError):
            return cause.strerror or "no connection"
        return "nobody answers there" if isinstance(cause, ConnectionRefusedError) else "the connection was cut"


def _tls(parts: SplitResult, ca: Path | None) -> ssl.SSLContext | None:
    if parts.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except (OSError, ssl.SSLError) as error:
        raise CertificateFault(
            f"{ca}: found no certificates ({error.strerror or error}); expected a PEM file"
        ) from error


def _reason(text: bytes) -> tuple[str, str]:
    """Return code and message of a refusal in the registry's form; two empty texts for any other."""
    try:
        told = json.loads(text)
        code, message = str(told["error"]), str(told["message"])
        facts = ", ".join(f"{name} {told[name]}" for name in ("found", "expected") if told.get(name))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
    whole = f"{message} ({facts})" if facts else message
    return code[:64], "".join(each for each in whole if each.isprintable())[:400]
