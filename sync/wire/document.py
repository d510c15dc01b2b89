"""A signed document: what a registry publishes to a site, and how it is opened without trusting more than is proven.

On the wire: 4 bytes big-endian length; so many bytes of canonical JSON `{"header": "<canonical text>", "signatures": {key id: hex}}`
(at most 64 KiB); then the body, exactly `body_bytes` of it: the raw content in one zstd frame (RFC 8878). A timestamp has no body.
The signature is over `message(kind, header text)`, and the header tells lengths and SHA-256 of the body and of the raw content.

Open in this order: `read_envelope`, `verified`, `trust.admit`, and only then `open_body`, which counts while it reads.
"""

import hashlib
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import zstandard

from sync.wire import canonical, delta, times
from sync.wire.card_row import DIGEST_MODULUS
from sync.wire.faults import Malformed, Mixed, TooLarge, UnknownKey
from sync.wire.keys import SigningKey, check_signature, key_id, message
from sync.wire.root import Root, read_signatures

SNAPSHOT: Final = "snapshot"
DELTA: Final = "delta"
TIMESTAMP: Final = "timestamp"
PEOPLE: Final = "people"  # for one host, and sealed to it (`sync.wire.people`)
SCHEMA: Final = 1  # of the snapshot's tables and the delta's members
MAX_ENVELOPE_BYTES: Final = 64 << 10
MAX_BODY_BYTES: Final = {SNAPSHOT: 2 << 30, DELTA: 8 << 20, TIMESTAMP: 0, PEOPLE: 8 << 20}
MAX_RAW_BYTES: Final = {SNAPSHOT: 4 << 30, DELTA: delta.MAX_RAW_BYTES, TIMESTAMP: 0, PEOPLE: 16 << 20}
NONCE_BYTES: Final = range(8, 33)
_CHUNK_BYTES: Final = 64 << 10
_WINDOW_BYTES: Final = 8 << 20  # what a frame may ask of the memory of who unpacks it
_LEVEL: Final = 3
_LENGTH: Final = struct.Struct(">I")
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_NAMES: Final = frozenset(
    {
        "audience",
        "body_bytes",
        "body_sha256",
        "digest",
        "expires_at",
        "from_version",
        "generation",
        "issued_at",
        "kind",
        "nonce",
        "raw_bytes",
        "raw_sha256",
        "schema",
        "version",
    }
)

Read = Callable[[int], bytes]
"""Returns at most so many bytes, at least one unless the end is reached."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a document says of itself. Hashes and `digest` are lower-case hex of 32 bytes; times are aware UTC.

    `audience` is the site's code. `digest` is that of the state which the document leads to (a timestamp: of the newest state).
    `from_version` is None but on deltas. `nonce` (hex) is None but on a timestamp that was asked for with one.
    """

    kind: str
    audience: str
    generation: int
    version: int
    from_version: int | None
    issued_at: datetime
    expires_at: datetime
    digest: str
    schema: int = SCHEMA
    body_bytes: int = 0
    body_sha256: str = _NOTHING
    raw_bytes: int = 0
    raw_sha256: str = _NOTHING
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A header as it came, with its signatures; `header` is believed by nobody before `verified`."""

    header: Header
    text: bytes
    signatures: dict[str, bytes]


def sign(  # noqa: PLR0913  each is a field of the header
    *,
    kind: str,
    audience: str,
    generation: int,
    version: int,
    issued_at: datetime,
    expires_at: datetime,
    digest: str,
    signer: SigningKey,
    raw: bytes = b"",
    from_version: int | None = None,
    nonce: str | None = None,
) -> bytes:
    """Return a whole document: `raw` is an encoded delta or a small snapshot, nothing for a timestamp. Raises Malformed, TooLarge."""
    header = Header(kind, audience, generation, version, from_version, issued_at, expires_at, digest, nonce=nonce)
    body = b"" if kind == TIMESTAMP else zstandard.ZstdCompressor(level=_LEVEL).compress(raw)
    if body:
        header = replace(
            header,
            body_bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
            raw_bytes=len(raw),
            raw_sha256=hashlib.sha256(raw).hexdigest(),
        )
    return _head(header, signer) + body


def sign_file(  # noqa: PLR0913  each is a field of the header
    raw: Path,
    target: Path,
    *,
    audience: str,
    generation: int,
    version: int,
    issued_at: datetime,
    expires_at: datetime,
    digest: str,
    signer: SigningKey,
) -> Header:
    """Write the whole document of the snapshot at `raw` to `target`, in bounded memory; returns its header. Raises Malformed, TooLarge."""
    header = Header(SNAPSHOT, audience, generation, version, None, issued_at, expires_at, digest)
    body = target.with_name(f"{target.name}.body")
    try:
        with raw.open("rb") as source, body.open("wb") as sink:
            header = _compress(source, sink, header)
        with body.open("rb") as source, target.open("wb") as sink:
            sink.write(_head(header, signer))
            shutil.copyfileobj(source, sink, _CHUNK_BYTES)
    finally:
        body.unlink(missing_ok=True)
    return header


def _compress(source: BinaryIO, sink: BinaryIO, header: Header) -> Header:
    compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    raw_hash, body_hash = hashlib.sha256(), hashlib.sha256()
    raw_bytes = body_bytes = 0
    chunk = b"more"
    while chunk:
        chunk = source.read(_CHUNK_BYTES)
        raw_hash.update(chunk)
        raw_bytes += len(chunk)
        packed = compressor.compress(chunk) if chunk else compressor.flush()
        body_hash.update(packed)
        body_bytes += len(packed)
        sink.write(packed)
    return replace(
        header,
        body_bytes=body_bytes,
        body_sha256=body_hash.hexdigest(),
        raw_bytes=raw_bytes,
        raw_sha256=raw_hash.hexdigest(),
    )


def _head(header: Header, signer: SigningKey) -> bytes:
    text = canonical.encode(_to_table(header))
    _from_text(text)  # nobody signs what no host would take
    signature = signer.sign(message(header.kind, text)).hex()
    envelope = canonical.encode({"header": text.decode(), "signatures": {signer.id: signature}})
    return _LENGTH.pack(len(envelope)) + envelope


def read_envelope(read: Read) -> Envelope:
    """Read a document up to its body, and believe nothing yet. Raises Malformed, TooLarge, and what `read` raises."""
    (length,) = _LENGTH.unpack(_exactly(read, _LENGTH.size))
    if length > MAX_ENVELOPE_BYTES:
        raise TooLarge(f"envelope: found {length} bytes, expected at most {MAX_ENVELOPE_BYTES}")
    found = canonical.table(
        canonical.decode_exact(_exactly(read, length), "envelope", MAX_ENVELOPE_BYTES),
        "envelope",
        frozenset({"header", "signatures"}),
    )
    text = canonical.text(found["header"], "envelope: header", MAX_ENVELOPE_BYTES).encode()
    return Envelope(_from_text(text), text, read_signatures(found["signatures"], "envelope"))


def verified(envelope: Envelope, root: Root) -> Header:
    """Return the header if one of the root's signing keys has signed it. Raises UnknownKey, BadSignature.

    Signatures of keys that the root does not name are passed over, so that a key can be changed; a bad one of a known key refuses all.
    """
    known = {key_id(key): key for key in root.signing_keys}
    by = [name for name in envelope.signatures if name in known]
    if not by:
        raise UnknownKey(f"{envelope.header.kind}: signed by none of the keys that root {root.version} names")
    for name in by:
        check_signature(known[name], envelope.signatures[name], message(envelope.header.kind, envelope.text))
    return envelope.header


def open_body(header: Header, read: Read, write: Callable[[bytes], object]) -> None:
    """Unpack the body of a verified header, piece by piece. What was written holds only when this returns.

    Raises TooLarge (more than the header says, packed or unpacked, or after the end), Mixed (a hash does not fit), Malformed (cut
    off, or no zstd), and what `read` and `write` raise. Takes some 10 MiB at most, whatever comes.
    """
    body = _Body(read, header.body_bytes)
    raw_hash = hashlib.sha256()
    raw_bytes = 0
    if header.body_bytes:
        piece_bytes = min(_CHUNK_BYTES, header.raw_bytes + 1)  # a buffer for each read: a small delta needs a small one
        unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        try:
            with unpacker.stream_reader(
                cast("BinaryIO", body), read_size=min(_CHUNK_BYTES, header.body_bytes)
            ) as reader:
                while piece := reader.read(piece_bytes):
                    raw_bytes += len(piece)
                    if raw_bytes > header.raw_bytes:
                        raise TooLarge(
                            f"{header.kind}: unpacks to more than the {header.raw_bytes} bytes of its header"
                        )
                    raw_hash.update(piece)
                    write(piece)
        except zstandard.ZstdError as error:
            raise Malformed(f"{header.kind}: found no sound zstd frame") from error
    body.finish(header)
    if (raw_bytes, raw_hash.hexdigest()) != (header.raw_bytes, header.raw_sha256):
        raise Mixed(f"{header.kind}: found {raw_bytes} other bytes than the {header.raw_bytes} that its header names")


def open_bytes(document: bytes, root: Root, *, max_raw_bytes: int = MAX_RAW_BYTES[DELTA]) -> tuple[Header, bytes]:
    """Return the verified header and the raw content of a document in memory. Raises as the three steps do; `trust` is yet to ask."""
    source = BytesIO(document)
    header = verified(read_envelope(source.read), root)
    if header.raw_bytes > max_raw_bytes:
        raise TooLarge(f"{header.kind}: found {header.raw_bytes} bytes, expected at most {max_raw_bytes}")
    sink = BytesIO()
    open_body(header, source.read, sink.write)
    return header, sink.getvalue()


class _Body:
    """The packed body: no more is read of it than the header says, whatever the other side goes on sending."""

    def __init__(self, read: Read, length: int) -> None:
        self._read = read
        self._left = length
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._read(wanted) if wanted else b""
        self._left -= len(piece)
        self._hash.update(piece)
        return piece

    def finish(self, header: Header) -> None:
        if self._left:
            raise Malformed(
                f"{header.kind}: found {header.body_bytes - self._left} bytes, expected {header.body_bytes}"
            )
        if self._read(1):
            raise TooLarge(f"{header.kind}: goes on after the {header.body_bytes} bytes of its header")
        if self._hash.hexdigest() != header.body_sha256:
            raise Mixed(f"{header.kind}: its body is another than its header names")


def _exactly(read: Read, size: int) -> bytes:
    pieces = []
    while size > 0:
        piece = read(size)
        if not piece:
            raise Malformed(f"document: cut off {size} bytes before the end of its envelope")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _to_table(header: Header) -> dict[str, object]:
    return {
        "audience": header.audience,
        "body_bytes": header.body_bytes,
        "body_sha256": header.body_sha256,
        "digest": header.digest,
        "expires_at": times.to_text(header.expires_at),
        "from_version": header.from_version,
        "generation": header.generation,
        "issued_at": times.to_text(header.issued_at),
        "kind": header.kind,
        "nonce": header.nonce,
        "raw_bytes": header.raw_bytes,
        "raw_sha256": header.raw_sha256,
        "schema": header.schema,
        "version": header.version,
    }


def _from_text(text: bytes) -> Header:
    found: dict[str, Any] = canonical.table(
        canonical.decode_exact(text, "header", MAX_ENVELOPE_BYTES), "header", _NAMES
    )
    from_version = found["from_version"]
    nonce = found["nonce"]
    header = Header(
        kind=canonical.one_of(found["kind"], "header: kind", MAX_BODY_BYTES),
        audience=canonical.text(found["audience"], "header: audience"),
        generation=canonical.whole(found["generation"], "header: generation", 1),
        version=canonical.whole(found["version"], "header: version"),
        from_version=None if from_version is None else canonical.whole(from_version, "header: from_version"),
        issued_at=times.from_text(found["issued_at"], "header: issued_at"),
        expires_at=times.from_text(found["expires_at"], "header: expires_at"),
        digest=canonical.from_hex(found["digest"], "header: digest", 32).hex(),
        schema=canonical.whole(found["schema"], "header: schema", 1),
        body_bytes=canonical.whole(found["body_bytes"], "header: body_bytes"),
        body_sha256=canonical.from_hex(found["body_sha256"], "header: body_sha256", 32).hex(),
        raw_bytes=canonical.whole(found["raw_bytes"], "header: raw_bytes"),
        raw_sha256=canonical.from_hex(found["raw_sha256"], "header: raw_sha256", 32).hex(),
        nonce=None if nonce is None else canonical.from_hex(nonce, "header: nonce").hex(),
    )
    _check_sense(header)
    return header


def _check_sense(header: Header) -> None:
    """Refuse a header whose fields contradict each other, or that promises more than anyone needs."""
    if header.body_bytes > MAX_BODY_BYTES[header.kind] or header.raw_bytes > MAX_RAW_BYTES[header.kind]:
        raise TooLarge(f"header: found {header.body_bytes} bytes for {header.raw_bytes}, too many for a {header.kind}")
    if (header.kind == DELTA) != (header.from_version is not None):
        raise Malformed("header: from_version: expected on a delta, and only there")
    if header.from_version is not None and header.from_version >= header.version:
        raise Malformed("header: from_version: expected a version before the delta's own")
    if header.nonce is not None and (header.kind != TIMESTAMP or len(header.nonce) // 2 not in NONCE_BYTES):
        raise Malformed("header: nonce: expected on a timestamp alone, 8 to 32 bytes")
    if header.expires_at <= header.issued_at:
        raise Malformed("header: expected expires_at after issued_at")
    if header.schema != SCHEMA:
        raise Malformed(f"header: schema: found {header.schema}, expected {SCHEMA}")
    if (header.body_bytes == 0) != (header.kind == TIMESTAMP):
        raise Malformed("header: body_bytes: expected a body, unless it is a timestamp")


def digest_text(digest: int) -> str:
    """Write a state's digest as headers do."""
    return f"{digest % DIGEST_MODULUS:064x}"
