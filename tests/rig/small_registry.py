"""A registry in small, made of `sync.wire` alone, that can be told to lie: to the tests of the link it is the malicious one.

    with SmallRegistry() as registry:
        registry.put(card_row)                # a new version, sent down the stream
        registry.lies["snapshot"] = …         # bytes, or a function of (handler) that answers by itself

It keeps one site, any host that its code enrols, and the events that came, joined by the chain as the wire says.
"""

import base64
import json
import queue
import ssl
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from policy.model import Card, Kind, State
from sync.wire import canonical, delta, snapshot, stream, times
from sync.wire import people as people_wire
from sync.wire.card_key import SiteKey
from sync.wire.card_row import BareRow, row_digest, to_row
from sync.wire.delta import Delta, digest_after, document_digest
from sync.wire.desk import DeskTap
from sync.wire.document import DELTA, SNAPSHOT, TIMESTAMP, digest_text, sign
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest
from sync.wire.event import GENESIS
from sync.wire.faults import WireFault
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.listens import Listens
from sync.wire.quota import ClaimAnswer, ClaimRequest
from sync.wire.request import verify_request
from sync.wire.root import Root, sign_root
from sync.wire.upload import Batch, GapAnswer, Taken, Watermark, answer_to_json

SITE: Final = "thg"
HOST: Final = "main-hall"
LIFE: Final = timedelta(hours=1)
Lie = bytes | Callable[["Handler"], None]


def bare_row(key: SiteKey, uid: bytes, *, state: State = State.ACTIVE, number: int = 1) -> BareRow:
    """Return a pupil's card as a row without its mark."""
    card = Card(f"C-{number}", f"P-{number}", Kind.PERSONAL, state, None, None, frozenset({"7a"}), number)
    return to_row(key.card_key(uid), card)[:-1]


@dataclass
class Site:
    """What the registry says holds now; a copy of it, kept, is what an attacker replays."""

    generation: int = 1
    version: int = 1
    rows: dict[bytes, BareRow] = field(default_factory=dict)
    documents: dict[str, object] = field(
        default_factory=lambda: {"rules": {}, "school": {"code": SITE, "timezone": "Europe/Tallinn"}}
    )

    @property
    def digest(self) -> str:
        """The state's digest in hex."""
        shares = [row_digest(row) for row in self.rows.values()]
        shares += [document_digest(name, value) for name, value in self.documents.items()]
        return digest_text(digest_after(0, [], shares))


class SmallRegistry:
    """Serves one site on this machine until closed."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, rows: int = 3) -> None:
        """Begin with some cards; `tls` serves HTTPS."""
        self.site_secret = bytes(range(32))
        self.root_key, self.signing_key, self.box_key = SigningKey.generate(), SigningKey.generate(), BoxKey.generate()
        self.skew = timedelta()  # of the registry's clock
        self.site = Site()
        for number in range(1, rows + 1):
            row = bare_row(self.site_key, uid(number), number=number)
            self.site.rows[row[0]] = row
        self.roots: list[bytes] = []
        self.root = self.add_root()
        self.hosts: dict[str, bytes] = {}
        self.box_keys: dict[str, bytes] = {}
        self.people: people_wire.People | None = None  # None: the host shows no names
        self.people_version = 0
        self.photos: dict[str, bytes] = {}
        self.revoked: set[str] = set()
        self.code = Code.make(self.root.fingerprint)
        self.is_code_used = False
        self.lies: dict[str, Lie] = {}
        self.asked: list[str] = []
        self.taken: list[
            tuple[int, int, bytes]
        ] = []  # epoch, seq, body of each event, in the order in which it was taken
        self.gaps: list[tuple[int, int]] = []
        self.watermark = Watermark(0, 0, GENESIS)
        self.claims: dict[str, bool] = {}
        self.listens: dict[str, Listens] = {}
        self.uids: list[bytes] = []
        self._links: dict[tuple[int, int, bytes], None] = {}
        self._deltas: dict[tuple[int, int], bytes] = {}
        self._streams: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.RLock()

        handler = type("OneHandler", (Handler,), {"registry": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def site_key(self) -> SiteKey:
        """The key under which the site's cards are held."""
        return SiteKey(self.site_secret)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    def now(self) -> datetime:
        """What time it says it is."""
        return datetime.now(UTC) + self.skew

    def add_root(
        self,
        *,
        generation: int | None = None,
        signers: list[SigningKey] | None = None,
        **changes: Any,  # noqa: ANN401  fields of the document
    ) -> Root:
        """Publish the next root, signed by the root key unless others are given."""
        at = times.cut(self.now())
        fields: dict[str, Any] = {
            "version": len(self.roots) + 1,
            "generation": generation or self.site.generation,
            "root_keys": (self.root_key.public,),
            "threshold": 1,
            "signing_keys": (self.signing_key.public,),
            "box_key": self.box_key.public,
            "issued_at": at,
            "expires_at": at + timedelta(days=3650),
            **changes,
        }
        self.root = Root(**fields)
        self.roots.append(sign_root(self.root, signers or [self.root_key]))
        return self.root

    def document(self, kind: str, raw: bytes = b"", *, site: Site | None = None, **changes: Any) -> bytes:  # noqa: ANN401  fields of the document
        """Sign a document of a state, by default of the one that holds."""
        of = site or self.site
        at = times.cut(self.now())
        fields: dict[str, Any] = {
            "kind": kind,
            "audience": SITE,
            "generation": of.generation,
            "version": of.version,
            "issued_at": at,
            "expires_at": at + LIFE,
            "digest": of.digest,
            "signer": self.signing_key,
            **changes,
        }
        return sign(raw=raw, **fields)

    def snapshot(self, site: Site | None = None, **changes: Any) -> bytes:  # noqa: ANN401  fields of the document
        """Make the snapshot document of a state."""
        of = site or self.site
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "s.db")
            snapshot.write(
                path,
                audience=SITE,
                generation=of.generation,
                version=of.version,
                issued_at=times.cut(self.now()),
                key_fingerprint=self.site_key.fingerprint,
                rows=sorted(of.rows.values()),
                documents=of.documents,
            )
            return self.document(SNAPSHOT, path.read_bytes(), site=of, **changes)

    def timestamp(self, nonce: str | None = None, **changes: Any) -> bytes:  # noqa: ANN401  fields of the document
        """Make a timestamp of the state that holds."""
        return self.document(TIMESTAMP, nonce=nonce, **changes)

    def put(self, *rows: BareRow, gone: tuple[bytes, ...] = (), tell: bool = True, **changes: Any) -> bytes:  # noqa: ANN401  fields of the document
        """Publish a new version in which these rows hold and those keys are gone; returns its delta document."""
        with self._lock:
            before = self.site.version
            self.site.version += 1
            for row in rows:
                self.site.rows[row[0]] = row
            for key in gone:
                del self.site.rows[key]
            raw = delta.encode(Delta(tuple(rows), gone))
            document = self.document(DELTA, raw, from_version=before, **changes)
            self._deltas[self.site.generation, before] = document
        if tell:
            self.tell(stream.to_line(stream.DeltaLine(document)))
        return document

    def tell(self, line: bytes | None) -> None:
        """Send a line down every open stream; None ends them."""
        for each in list(self._streams):
            each.put(line)

    def close(self) -> None:
        """Stop."""
        self.tell(None)
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Serve while the block lasts."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.close()

    # What is answered

    def enrol(self, body: bytes) -> bytes | None:
        """Enrol whoever has the code, once."""
        request = EnrolRequest.parse(body)
        if self.is_code_used or request.secret != self.code.secret or request.name != HOST:
            return None
        self.is_code_used = True
        self.hosts[request.name] = request.public_key
        self.box_keys[request.name] = request.box_key
        return EnrolAnswer.make(
            request,
            host=HOST,
            site=SITE,
            roots=self.roots,
            site_key=self.site_secret,
            time=self.now(),
            signer=self.signing_key,
        ).to_json()

    def show(self, people: people_wire.People | None, photos: dict[str, bytes] | None = None) -> None:
        """Let the host show these people from now on, or nobody."""
        self.people, self.photos = people, photos or {}
        self.people_version += 1
        self.tell(stream.to_line(stream.PeopleLine(self.people_version if people else 0)))

    def people_document(self, **changes: Any) -> bytes:  # noqa: ANN401  fields of the document
        """Make the host's people document."""
        assert self.people is not None
        fields: dict[str, Any] = {
            "site": SITE,
            "host": HOST,
            "generation": self.site.generation,
            "version": self.people_version,
            "issued_at": times.cut(self.now()),
            "signer": self.signing_key,
            "box_key": self.box_keys[HOST],
            **changes,
        }
        return people_wire.make(self.people, **fields)

    def changes(self, after: int, generation: int) -> bytes | None:
        """Return the delta that goes on from a version; None for want of one."""
        return self._deltas.get((generation, after))

    def take(self, batch: Batch) -> Taken | GapAnswer:
        """Take a batch if it goes on from the watermark, says that what lies between is lost, or is known already."""
        with self._lock:
            links = batch.links()
            joined = (batch.epoch, batch.first_seq, batch.link_before) == (
                self.watermark.epoch,
                self.watermark.seq + 1,
                self.watermark.link,
            )
            begins = batch.first_seq == 1 and batch.link_before in {
                self.watermark.link,
                *(key[2] for key in self._links),
            }
            known = (batch.epoch, batch.first_seq, links[0]) in self._links
            hangs = (batch.epoch, batch.first_seq - 1, batch.link_before) in self._links
            if not (joined or begins or known or hangs or batch.is_after_gap):
                return GapAnswer(self.watermark)
            if batch.is_after_gap and not (joined or begins or known or hangs):
                self.gaps.append((batch.epoch, batch.first_seq))
            for place, (link, body) in enumerate(zip(links, batch.events, strict=True)):
                key = (batch.epoch, batch.first_seq + place, link)
                if key not in self._links:
                    self._links[key] = None
                    self.taken.append((key[0], key[1], body))
                    self.watermark = Watermark(key[0], key[1], link)
            return Taken(Watermark(batch.epoch, batch.last_seq, links[-1]))

    def open_stream(self) -> "queue.SimpleQueue[bytes | None]":
        """Begin a stream."""
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        lines.put(stream.to_line(stream.TimestampLine(self.timestamp())))
        self._streams.append(lines)
        return lines


def uid(number: int) -> bytes:
    """Return the UID of the pupil of this number."""
    return (0x10000000 + number).to_bytes(4, "big")


class Handler(BaseHTTPRequestHandler):
    """One connection. `registry` is set by the class that is made of this."""

    registry: SmallRegistry
    body: bytes  # of the request
    signer: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Answer."""
        self._serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    def send_whole(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer at once."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _serve(self, body: bytes) -> None:
        self.body = body
        path = urlsplit(self.path).path
        name = path.removeprefix("/v1/")
        self.registry.asked.append(f"{self.command} {name}")
        lie = self.registry.lies.get(name)
        with suppress(OSError):
            if callable(lie):
                lie(self)
            elif lie is not None:
                self.send_whole(200, lie)
            elif name not in {"enrol", "root"} and (refused := self._unsigned(body)):
                self.refuse(*refused)
            else:
                self._answer(name, {key: each[0] for key, each in parse_qs(urlsplit(self.path).query).items()}, body)

    def _unsigned(self, body: bytes) -> tuple[int, str, str] | None:
        registry = self.registry
        try:
            signed = verify_request(
                registry.hosts.get, self.command, self.path, dict(self.headers), body, registry.now()
            )
        except WireFault as fault:
            return 401, "bad_signature", str(fault)
        self.signer = signed.host
        return (403, "revoked", "This host was revoked.") if signed.host in registry.revoked else None

    def refuse(self, status: int, code: str, message: str) -> None:
        """Refuse in the registry's form."""
        self.send_whole(status, json.dumps({"error": code, "message": message, "where": ""}).encode())

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header tells the registry's time."""
        del timestamp
        return self.registry.now().strftime("%a, %d %b %Y %H:%M:%S GMT")

    def _answer(self, name: str, query: dict[str, str], body: bytes) -> None:  # noqa: C901, PLR0912, PLR0915  a table of addresses
        registry = self.registry
        match name:
            case "enrol":
                answer = registry.enrol(body)
                if answer is None:
                    self.refuse(401, "bad_code", "The one-time code does not hold: it is wrong, used or expired.")
                else:
                    self.send_whole(200, answer)
            case "root":
                later = registry.roots[int(query["after"]) :]
                self.send_whole(200, canonical.encode([base64.b64encode(each).decode() for each in later]))
            case "timestamp":
                self.send_whole(200, registry.timestamp(query.get("nonce")))
            case "snapshot":
                self.send_whole(200, registry.snapshot())
            case "changes":
                after, generation = int(query["after"]), int(query["generation"])
                document = registry.changes(after, generation)
                if document:
                    self.send_whole(200, document)
                elif (after, generation) == (registry.site.version, registry.site.generation):
                    self.send_whole(204)
                else:
                    self.refuse(410, "take_snapshot", "Those changes are no more to be had: take a snapshot.")
            case "stream":
                self._stream()
            case "events":
                self.send_whole(200, answer_to_json(registry.take(Batch.parse(body))))
            case "events/watermark":
                self.send_whole(200, registry.watermark.to_json())
            case "claims":
                request = ClaimRequest.parse(body)
                granted = registry.claims.setdefault(request.tap_id, len(registry.claims) == 0)
                self.send_whole(200, ClaimAnswer(granted, len(registry.claims) - 1).to_json())
            case "listens":
                registry.listens[self.signer] = Listens.parse(body)
                self.send_whole(204)
            case "desk":
                registry.uids.append(DeskTap.parse(body).open(registry.box_key, HOST))
                self.send_whole(204)
            case "people" if registry.people is None:
                self.refuse(403, "shows_nothing", "This host shows no names.")
            case "people":
                if int(query["after"]) == registry.people_version:
                    self.send_whole(204)
                else:
                    self.send_whole(200, registry.people_document())
            case _ if name.startswith("photos/") and (photo := registry.photos.get(name[7:])):
                self.send_whole(200, people_wire.seal_photo(photo, registry.box_keys[HOST]))
            case _:
                self.refuse(404, "not_found", "There is no such address.")

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        lines = self.registry.open_stream()
        while (line := lines.get()) is not None:
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
