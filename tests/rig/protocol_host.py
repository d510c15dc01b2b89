"""A host as the registry sees it: enrols, signs, verifies and holds its site's state in memory, all of it made of `sync.wire`.

It is asyncio throughout, so that one process can be a thousand hosts. `ProtocolHost.apply` is where a benchmark hangs a cache file.
"""

import asyncio
import io
import json
import secrets
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import h11

from sync.wire import delta, document, root, snapshot, trust
from sync.wire.card_key import SiteKey
from sync.wire.card_row import BareRow, row_digest
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.request import sign_request
from sync.wire.stream import DeltaLine, Line, LineReader, TimestampLine, VersionLine, parse_line

_READ_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever came
        """The body as JSON."""
        return json.loads(self.body)


class Stream:
    """An answer that goes on."""

    def __init__(self, head: Reply, pieces: AsyncIterator[bytes]) -> None:
        """Wrap it."""
        self.head = head
        self._pieces = pieces
        self._reader = LineReader()

    async def lines(self) -> AsyncIterator[Line]:
        """Give each line until the registry ends the stream."""
        async for piece in self._pieces:
            for line in self._reader.feed(piece):
                if (parsed := parse_line(line)) is not None:
                    yield parsed


@asynccontextmanager
async def exchange(
    port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> AsyncIterator[tuple[Reply, AsyncIterator[bytes]]]:
    """Send one request on a connection of its own; give the head of the answer and its body piece by piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = h11.Connection(h11.CLIENT)
    sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", "Content-Length": str(len(body)), **headers}
    writer.write(connection.send(h11.Request(method=method, target=target, headers=list(sent.items()))) or b"")
    if body:
        writer.write(connection.send(h11.Data(data=body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")

    async def next_event() -> Any:  # noqa: ANN401  one of h11's
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        return event

    async def pieces() -> AsyncIterator[bytes]:
        while isinstance(event := await next_event(), h11.Data):
            yield bytes(event.data)

    try:
        head = await next_event()
        names = {name.decode(): value.decode() for name, value in head.headers}
        yield Reply(head.status_code, names, b""), pieces()
    finally:
        writer.close()


async def ask(port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Reply:
    """Send one request and return the whole answer."""
    async with exchange(port, method, target, headers, body) as (head, pieces):
        whole = b"".join([piece async for piece in pieces])
    return Reply(head.status, head.headers, whole)


@dataclass
class ProtocolHost:
    """One host of a registry at 127.0.0.1. `cards` are its rows by their key, `documents` those that were published."""

    port: int
    name: str
    key: SigningKey = field(default_factory=SigningKey.generate)
    box: BoxKey = field(default_factory=BoxKey.generate)
    trusted: trust.Trusted | None = None
    site_key: SiteKey | None = None
    cards: dict[bytes, BareRow] = field(default_factory=dict)
    documents: dict[str, object] = field(default_factory=dict)
    deltas_taken: int = 0

    @property
    def held(self) -> trust.Trusted:
        """What it believes."""
        assert self.trusted is not None, "not enrolled"
        return self.trusted

    async def enrol(self, code_text: str) -> Reply:
        """Become known by a one-time code."""
        code = Code.parse(code_text)
        request = EnrolRequest.make(code, self.name, self.key, self.box)
        reply = await ask(self.port, "POST", "/v1/enrol", {"Content-Type": "application/json"}, request.to_json())
        if reply.status == 200:
            answer = EnrolAnswer.parse(reply.body)
            newest = answer.verified(code, request)
            self.site_key = SiteKey(answer.open_site_key(self.box))
            self.trusted = trust.Trusted(answer.site, newest)
        return reply

    def signed(
        self, method: str, target: str, body: bytes = b"", *, nonce: str | None = None, at: datetime | None = None
    ) -> dict[str, str]:
        """Return the headers of a signed request."""
        nonce = nonce or secrets.token_hex(16)
        return sign_request(self.key, self.name, method, target, body, at or datetime.now(UTC), nonce)

    async def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """Ask with a signature."""
        return await ask(self.port, method, target, {**self.signed(method, target, body), **headers}, body)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[Stream]:
        """Open the event stream."""
        async with exchange(self.port, "GET", "/v1/stream", self.signed("GET", "/v1/stream")) as (head, pieces):
            assert head.status == 200, b"".join([piece async for piece in pieces])
            yield Stream(head, pieces)

    async def catch_up(self) -> None:
        """Fetch what is missing: changes, or the whole state."""
        await self._take_roots()
        if self.held.version and self.held.generation == self.held.root.generation:
            target = f"/v1/changes?after={self.held.version}&generation={self.held.generation}"
            reply = await self.ask("GET", target)
            if reply.status == 204:
                return
            if reply.status == 200:
                self.take_delta(reply.body)
                return
            assert reply.status == 410, reply
        reply = await self.ask("GET", "/v1/snapshot")
        assert reply.status == 200, reply
        self.take_snapshot(reply.body)

    async def listen(self, stream: Stream) -> AsyncIterator[Line]:
        """Give each line after it was taken in: deltas are applied, what is missed is fetched."""
        async for line in stream.lines():
            if isinstance(line, DeltaLine):
                header = document.read_envelope(io.BytesIO(line.document).read).header
                if header.version > self.held.version:
                    self.take_delta(line.document)
            elif isinstance(line, TimestampLine):
                self.take_timestamp(line.document)
                if self.held.is_behind:
                    await self.catch_up()
            elif isinstance(line, VersionLine):
                await self.catch_up()
            yield line

    async def _take_roots(self) -> None:
        reply = await ask(self.port, "GET", f"/v1/root?after={self.held.root.version}", {})
        for text in reply.json:
            import base64  # noqa: PLC0415  rarely

            self.trusted = trust.adopt(self.held, root.next_root(self.held.root, base64.b64decode(text)))

    def take_timestamp(self, content: bytes, nonce: str | None = None) -> document.Header:
        """Believe a timestamp. Raises WireFault."""
        header, _ = document.open_bytes(content, self.held.root)
        if nonce is None and trust.is_overtaken(self.held, header):
            return header
        self.trusted = trust.admit(self.held, header, datetime.now(UTC), nonce=nonce)
        return header

    def take_delta(self, content: bytes) -> None:
        """Verify a delta, apply it, and hold its digest against what came of it. Raises WireFault."""
        header, raw = document.open_bytes(content, self.held.root)
        after = trust.admit(self.held, header, datetime.now(UTC))
        change = delta.decode(raw)
        shares = delta.digest_after(int(self.held.digest, 16), self._shares_that_go(change), _shares_that_come(change))
        assert document.digest_text(shares) == header.digest
        self.apply(change, header)
        self.trusted = after
        self.deltas_taken += 1

    def _shares_that_go(self, change: delta.Delta) -> list[bytes]:
        keys = [*(row[0] for row in change.cards), *change.gone]
        cards = [row_digest(self.cards[key]) for key in keys if key in self.cards]
        names = [name for name in change.documents if name in self.documents]
        return [*cards, *(delta.document_digest(name, self.documents[name]) for name in names)]

    def apply(self, change: delta.Delta, header: document.Header) -> None:  # noqa: ARG002  for those who keep a file
        """Make a verified change."""
        for row in change.cards:
            self.cards[row[0]] = row
        for key in change.gone:
            self.cards.pop(key, None)
        for name, value in change.documents.items():
            if value is None:
                self.documents.pop(name, None)
            else:
                self.documents[name] = value

    def take_snapshot(self, content: bytes) -> None:
        """Verify a snapshot and hold what is in it. Raises WireFault."""
        source = io.BytesIO(content)
        header = document.verified(document.read_envelope(source.read), self.held.root)
        after = trust.admit(self.held, header, datetime.now(UTC))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "snapshot.db")
            with path.open("wb") as sink:
                document.open_body(header, source.read, sink.write)
            snapshot.fits(snapshot.check(path), header)
            with closing(sqlite3.connect(path)) as database:
                rows = database.execute(
                    "SELECT key, card, person, kind, state, valid_from, valid_until, groups, version FROM cards"
                ).fetchall()
                self.documents = snapshot.read_documents(database)
        self.cards = {row[0]: row for row in rows}
        assert self.digest() == header.digest
        self.trusted = after

    def digest(self) -> str:
        """Return the digest of what is held, computed from all of it."""
        shares = [row_digest(row) for row in self.cards.values()]
        shares += [delta.document_digest(name, value) for name, value in self.documents.items()]
        return document.digest_text(delta.digest_after(0, [], shares))

    def state_of(self, uid: bytes) -> str | None:
        """Return the state of the card with this UID, None for one that is not known."""
        assert self.site_key is not None
        row = self.cards.get(self.site_key.card_key(uid))
        return None if row is None else row[4]


def _shares_that_come(change: delta.Delta) -> list[bytes]:
    documents = {name: value for name, value in change.documents.items() if value is not None}
    cards = [row_digest(row) for row in change.cards]
    return [*cards, *(delta.document_digest(name, value) for name, value in documents.items())]
