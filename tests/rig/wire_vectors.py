"""Makes the wire's test vectors: `python -m tests.rig.wire_vectors` writes them to tests/vectors.

Every secret in them is the SHA-256 of a word, so that nobody takes one for a real key. What is random in use (a code's secret, a
nonce, a box's one-time key) is fixed here. Only the zstd frames may differ from one library to the next: they unpack to the same.
"""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sync.wire import canonical, delta, document, request, snapshot, stream, times
from sync.wire.card_key import SiteKey
from sync.wire.card_row import BareRow, row_digest
from sync.wire.delta import Delta, digest_after, document_digest
from sync.wire.desk import DeskTap
from sync.wire.document import digest_text
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest
from sync.wire.event import GENESIS, Serving, chained, heard_event
from sync.wire.event import canonical as event_bytes
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.listens import Listens
from sync.wire.neighbour import (
    RELEASE,
    RESERVE,
    TELL,
    Heard,
    Held,
    Release,
    Reserve,
    ReserveAnswer,
    Settled,
    Tell,
    TellAnswer,
)
from sync.wire.neighbour_answer import sign_answer
from sync.wire.people import LIFE, People, Person, Stay, Worker
from sync.wire.pin import PinHash
from sync.wire.quota import ClaimAnswer, ClaimRequest
from sync.wire.root import Root, sign_root
from sync.wire.upload import Batch, Taken, Watermark, answer_to_json
from tests.rig import hpke
from tests.rig.people import jpeg

FOLDER: Final = Path(__file__).parents[1] / "vectors"
NOW: Final = datetime(2026, 9, 1, 8, tzinfo=UTC)
DAY: Final = timedelta(days=1)
SITE: Final = "viimsi"
HOST: Final = "main-hall"
NONCE: Final = "8f3a1c5e7b9d0246"


def secret(word: str) -> bytes:
    """Return 32 bytes that everybody can make."""
    return sha256(f"viipe vector {word}".encode()).digest()


OLD_ROOT_KEY, ROOT_KEY, RECOVERY_KEY, SIGNING_KEY, HOST_KEY = (
    SigningKey.from_bytes(secret(word)) for word in ("old root", "root", "recovery", "signing", "host")
)
NEIGHBOUR_KEY: Final = SigningKey.from_bytes(secret("neighbour"))
REGISTRY_BOX, HOST_BOX = (BoxKey.from_bytes(secret(word)) for word in ("registry box", "host box"))
SITE_KEY: Final = SiteKey(secret("site"))


def row(uid: str, *rest: Any) -> BareRow:  # noqa: ANN401  columns
    """Return a card's row under its keyed UID."""
    return (SITE_KEY.card_key(bytes.fromhex(uid)), *rest)


ROWS: Final = sorted(
    [
        row("EBF2CE70", "4711", "12", "personal", "active", None, "2026-12-31", "5b;grade-5", 1),
        row("04A1B2C3D4E5F6", "4712", None, "substitute", "pool", None, None, "", 1),
        row("00000001", "4713", "õ-13", "staff", "active", "2026-08-01", None, "õpetajad", 2),
    ]
)
CLOSED: Final = next((*old[:4], "closed", *old[5:8], 3) for old in ROWS if old[1] == "4711")
DOCUMENTS: Final[dict[str, object]] = {
    "school": {"code": SITE, "timezone": "Europe/Tallinn"},
    "rules": {"canteen": {"kinds": ["personal", "substitute"], "per_day": 1}},
    "calendar": {"table": {}, "class_days": [{"class": "5b", "day": "2026-09-01", "day_type": "trip"}]},
    "hosts": [{"name": HOST, "public_key": HOST_KEY.public.hex()}],
}
AFTER: Final = Delta(
    cards=(CLOSED,),
    gone=(next(old[0] for old in ROWS if old[1] == "4712"),),
    documents={"rules": {"canteen": {"kinds": ["personal"], "per_day": 1}}, "hosts": None},
)


def root_of(version: int) -> Root:
    """Return the first root or the second, which changes the root keys, the threshold and the generation."""
    keys = (OLD_ROOT_KEY,) if version == 1 else (ROOT_KEY, RECOVERY_KEY)
    return Root(
        version=version,
        generation=version,
        root_keys=tuple(key.public for key in keys),
        threshold=len(keys),
        signing_keys=(SIGNING_KEY.public,),
        box_key=REGISTRY_BOX.public,
        issued_at=NOW,
        expires_at=NOW + 3650 * DAY,
    )


def key_table(**keys: SigningKey | BoxKey) -> dict[str, object]:
    """Return keys as a vector names them."""
    return {name: {"secret": key.to_bytes().hex(), "public": key.public.hex()} for name, key in keys.items()}


def roots() -> dict[str, object]:
    """Two roots, the second signed by the keys of both."""
    first = sign_root(root_of(1), [OLD_ROOT_KEY])
    second = sign_root(root_of(2), [OLD_ROOT_KEY, ROOT_KEY, RECOVERY_KEY])
    return {
        "about": [
            "Two root documents, one following the other. Each is canonical JSON; `root` in it is canonical JSON as text.",
            "A signature is Ed25519 over the ASCII line `viipe root v1` with its line feed, and the bytes of that text.",
            "The name of a key: the first 16 hex digits of the SHA-256 of its 32 public bytes.",
            "fingerprint: the first 32 hex digits of SHA-256 of canonical JSON of `root_keys` (hex, sorted) and `threshold`.",
            "The second root changes the root keys, so it is signed by a threshold of the first's keys (1) and of its own (2).",
        ],
        "keys": key_table(old_root=OLD_ROOT_KEY, root=ROOT_KEY, recovery=RECOVERY_KEY),
        "roots": [
            {"document": text.decode(), "fingerprint": root_of(number).fingerprint}
            for number, text in enumerate((first, second), 1)
        ],
    }


def signed(kind: str, version: int, raw: bytes = b"", **other: Any) -> bytes:  # noqa: ANN401  fields of the header
    """Return a document of the second root's generation."""
    return document.sign(
        kind=kind,
        audience=SITE,
        generation=2,
        version=version,
        issued_at=NOW,
        expires_at=NOW + DAY,
        signer=SIGNING_KEY,
        raw=raw,
        **other,
    )


def shares(rows: Iterable[BareRow], documents: dict[str, object]) -> list[bytes]:
    """Return what each row and document adds to the digest."""
    return [*map(row_digest, rows), *(document_digest(*item) for item in documents.items())]


def digest_before() -> str:
    """Return the digest of the snapshot's state."""
    return digest_text(digest_after(0, [], shares(ROWS, DOCUMENTS)))


def digest_of_after() -> str:
    """Return the digest of the state that the delta leads to."""
    kept = [old for old in ROWS if old[1] == "4713"]
    now = {**DOCUMENTS, **AFTER.documents}
    return digest_text(digest_after(0, [], shares([*kept, CLOSED], {n: v for n, v in now.items() if v is not None})))


def snapshots() -> dict[str, object]:
    """A site's whole state of three cards."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "snapshot.db")
        digest = snapshot.write(
            path,
            audience=SITE,
            generation=2,
            version=2,
            issued_at=NOW,
            key_fingerprint=SITE_KEY.fingerprint,
            rows=ROWS,
            documents=DOCUMENTS,
        )
        content = signed(document.SNAPSHOT, 2, path.read_bytes(), digest=digest)
    return {
        "about": [
            "A snapshot document of three cards: 4 bytes length, envelope, body; the body unpacks (zstd) to a SQLite file.",
            "It is signed with the signing key over the line `viipe snapshot v1` and the header's text.",
            "rows: the columns key (hex), card, person, kind, state, valid_from, valid_until, groups, version.",
            "row_digests: SHA-256 of each row as canonical JSON list; document_digests: of the canonical JSON list of name and value.",
            "digest: the sum of all these mod 2^256, as 64 hex digits.",
            "mark (a column of the file): CRC-32 of the key's bytes and of the other columns' texts joined by U+001F, null as None.",
            "The keys of the rows are those of `uids` under the site key (see card_key.json).",
        ],
        "keys": key_table(signing=SIGNING_KEY),
        "site_key": secret("site").hex(),
        "uids": {"4711": "EBF2CE70", "4712": "04A1B2C3D4E5F6", "4713": "00000001"},
        "rows": [[old[0].hex(), *old[1:]] for old in ROWS],
        "row_digests": [row_digest(old).hex() for old in ROWS],
        "documents": DOCUMENTS,
        "document_digests": {name: document_digest(name, value).hex() for name, value in DOCUMENTS.items()},
        "digest": digest,
        "ddl": list(snapshot.DDL),
        "document": canonical.to_base64(content),
    }


def deltas() -> dict[str, object]:
    """A card closed, one gone, a rule changed, a document taken away."""
    raw = delta.encode(AFTER)
    return {
        "about": [
            "A delta document that goes on from snapshot.json: one card closed, one gone, one document changed, one gone.",
            "raw: what the body unpacks to, canonical JSON. digest: that of the state after it.",
        ],
        "keys": key_table(signing=SIGNING_KEY),
        "digest_before": digest_before(),
        "digest": digest_of_after(),
        "raw": raw.decode(),
        "document": canonical.to_base64(signed(document.DELTA, 3, raw, from_version=2, digest=digest_of_after())),
    }


def timestamps() -> dict[str, object]:
    """A timestamp as the stream sends it, and one that answers a nonce."""
    plain = signed(document.TIMESTAMP, 3, digest=digest_of_after())
    answer = signed(document.TIMESTAMP, 3, digest=digest_of_after(), nonce=NONCE)
    return {
        "about": [
            "Timestamp documents: they have no body. The second answers GET /v1/timestamp?nonce=…",
            "Ed25519 is deterministic: the signing key gives these very bytes.",
            "line: the first as a line of the event stream.",
        ],
        "keys": key_table(signing=SIGNING_KEY),
        "nonce": NONCE,
        "documents": [canonical.to_base64(plain), canonical.to_base64(answer)],
        "line": stream.to_line(stream.TimestampLine(plain)).decode(),
    }


def requests() -> dict[str, object]:
    """Signed requests with and without body and query."""
    asked = [
        ("GET", "/v1/stream", b""),
        ("GET", "/v1/changes?after=2&generation=2", b""),
        ("POST", "/v1/claims", b'{"a":1}'),
    ]
    return {
        "about": [
            "Requests signed by a host after RFC 9421 with Ed25519; headers as they are sent.",
            "The signature base is the standard's: five lines joined by line feeds, none after the last, as in `base`.",
        ],
        "keys": key_table(host=HOST_KEY),
        "host": HOST,
        "requests": [
            {
                "method": method,
                "path": path,
                "body": body.decode(),
                "created": int(NOW.timestamp()),
                "nonce": NONCE,
                "base": request.signature_base(
                    method, path, headers["Content-Digest"], headers["Signature-Input"][6:]
                ).decode(),
                "headers": headers,
            }
            for method, path, body in asked
            for headers in [request.sign_request(HOST_KEY, HOST, method, path, body, NOW, NONCE)]
        ],
    }


def enrolments() -> dict[str, object]:
    """A code, the request made of it and its answer."""
    code = Code(secret("code")[:16], root_of(1).fingerprint)
    asked = EnrolRequest.make(code, HOST, HOST_KEY, HOST_BOX)
    documents = [sign_root(root_of(1), [OLD_ROOT_KEY]), sign_root(root_of(2), [OLD_ROOT_KEY, ROOT_KEY, RECOVERY_KEY])]
    sealed = hpke.seal(secret("one time"), HOST_BOX.public, secret("site"), f"site key {SITE} {HOST}".encode())
    answer = EnrolAnswer(HOST, SITE, tuple(documents), sealed, NOW, b"")
    signature = SIGNING_KEY.sign(answer.message_to(asked.public_key))
    answer = EnrolAnswer(HOST, SITE, tuple(documents), sealed, NOW, signature)
    return {
        "about": [
            "code: 16 secret bytes, the 16 of the root's fingerprint, and 3 bytes of SHA-256 of the line `viipe code v1` and those 32.",
            "It is told as one big-endian number in Crockford's base32 digits (0-9, A-Z without I, L, O, U), 56 of them.",
            "proof: Ed25519 by the host's key over the line `viipe enrol v1` and canonical JSON of the request without proof.",
            "signature: Ed25519 by the signing key over the line `viipe enrolled v1` and canonical JSON, as follows:",
            "the members of the answer without signature, but with the request's public_key.",
            "site_key in the answer: HPKE (see sealed_box.json) to the host's box key in the context `site key <site> <host>`.",
        ],
        "keys": key_table(host=HOST_KEY, host_box=HOST_BOX, signing=SIGNING_KEY),
        "secret": code.secret.hex(),
        "fingerprint": code.fingerprint,
        "code": code.text,
        "secret_sha256": code.secret_sha256.hex(),
        "request": asked.to_json().decode(),
        "answer": answer.to_json().decode(),
        "site_key": secret("site").hex(),
    }


def boxes() -> dict[str, object]:
    """Sealed boxes with their one-time keys."""
    contexts = {"desk 7 office": bytes.fromhex("EBF2CE70"), f"site key {SITE} {HOST}": secret("site"), "": b""}
    return {
        "about": [
            "Sealed boxes: HPKE (RFC 9180) base mode, DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, ChaCha20Poly1305 0x0003.",
            "sealed: 32 bytes of the encapsulated key, then the ciphertext. context is HPKE's info (UTF-8); the additional data is empty.",
            "one_time is the sender's private key, which in use is random.",
        ],
        "keys": key_table(registry_box=REGISTRY_BOX),
        "one_time": secret("one time").hex(),
        "boxes": [
            {
                "context": context,
                "plaintext": plaintext.hex(),
                "sealed": hpke.seal(secret("one time"), REGISTRY_BOX.public, plaintext, context.encode()).hex(),
            }
            for context, plaintext in contexts.items()
        ],
    }


def events() -> dict[str, object]:
    """The chain that stands in event.json, made again with what events hold now, and a batch of it."""
    vectors: dict[str, Any] = json.loads((FOLDER / "event.json").read_text(encoding="utf-8"))
    told = [entry["event"] for entry in vectors["chain"]][:3]
    loan = {name: told[0][name] for name in ("host", "epoch", "boot_id")} | {
        "kind": "loan",
        "seq": 4,
        "tap_id": "ffeeddccbbaa99887766554433221100",
        "time": "2026-09-01T08:05:00.000Z",
        "card": "4712",
        "person": "12",
        "boot_ms": 1259880,
        "fact": {"act": "lend", "card": "4712", "person": "12", "provisional": True},
    }
    mark = loan | {
        "kind": "mark",
        "seq": 5,
        "tap_id": "0123456789abcdeffedcba9876543210",
        "service_day": "2026-09-01",
        "service": "canteen",
        "holder": "person 12",
        "card": None,
        "fact": {
            "act": "serve",
            "card": None,
            "person": "12",
            "how": "anyway",
            "why": "Taldrik kukkus maha",
            "by": "3",
        },
    }
    chain, link, links = [], GENESIS, []
    for event in [*told, loan, mark]:
        body = event_bytes(event)
        link = chained(link, body)
        links.append(link)
        chain.append({"event": event, "canonical": body.decode(), "link": link.hex()})
    bodies = tuple(entry["canonical"].encode() for entry in chain)
    epoch = loan["epoch"]
    watermark = Watermark(epoch, 5, links[4], 3, 1)
    return {
        "about": [
            "A chain of five events, the first of a journal, and its later part as a batch for the registry.",
            f"canonical: JSON in UTF-8 without white space: all fields, in this order: {', '.join(json.loads(bodies[0]))}.",
            *vectors["about"][2:5],
            "batch: the body of POST /v1/events, its events in base64; answer: what the registry says when it has taken it.",
        ],
        "chain": chain,
        "batch": Batch(epoch, 3, links[1], bodies[2:]).to_json().decode(),
        "answer": answer_to_json(Taken(watermark)).decode(),
    }


def claim() -> ClaimRequest:
    """Return a question for a shared quota."""
    return ClaimRequest("00112233445566778899aabbccddeeff", "canteen", None, NOW.date(), "4711", "12", "personal")


def questions() -> dict[str, object]:
    """The small bodies: a claim and its answer, a tap at a desk, the stream's lines, a fact."""
    tap = DeskTap(7, hpke.seal(secret("one time"), REGISTRY_BOX.public, bytes.fromhex("EBF2CE70"), b"desk 7 office"))
    lines: list[stream.Line] = [
        stream.VersionLine(3, 2),
        stream.DeskLine(7, NOW),
        stream.RootLine(2),
        stream.DeltaLine(b"document"),
    ]
    return {
        "about": [
            "Bodies and lines as they are sent. The tap at a desk holds the UID EBF2CE70, sealed to the registry (see sealed_box.json).",
        ],
        "keys": key_table(registry_box=REGISTRY_BOX),
        "claim": claim().to_json().decode(),
        "claim_answer": ClaimAnswer(granted=True, served=0).to_json().decode(),
        "desk": tap.to_json().decode(),
        "uid": "EBF2CE70",
        "lines": [stream.to_line(line).decode() for line in lines],
    }


def people() -> dict[str, object]:
    """The people document of a till of two persons and a worker, sealed to it, and a photo."""
    photo = jpeg()
    pin = PinHash.of("2468", secret("salt")[:16])
    content = People(
        shows="library",
        timezone="Europe/Tallinn",
        day=NOW.date(),
        hands_over="library",
        persons=(
            Person(
                "12",
                "Õie-Liis",
                "Šmidt",
                sha256(photo).hexdigest(),
                (("card", "V-0012"), ("library", "1012")),
                (Stay("5b", "pupil", NOW.date(), None), Stay("4b", "pupil", NOW.date() - 365 * DAY, NOW.date())),
            ),
            Person("õ-13", "Ülo", "Äär"),
        ),
        workers=(Worker("3", "Mall Mallikas", pin),),
    )
    raw, audience = content.to_json(), f"{SITE}/{HOST}"
    told = document.sign(
        kind=document.PEOPLE,
        generation=2,
        version=5,
        issued_at=NOW,
        expires_at=NOW + LIFE,
        signer=SIGNING_KEY,
        raw=raw,
        audience=audience,
        digest=sha256(raw).hexdigest(),
    )
    context, photo_context = f"people {audience}", f"photo {sha256(photo).hexdigest()}"
    return {
        "about": [
            "A people document: signed over the line `viipe people v1` and the header's text, then sealed (see sealed_box.json).",
            "content: what its body unpacks to, canonical JSON; the header's digest is its SHA-256, its audience `site/host`.",
            "pin: hash is scrypt (RFC 7914) of the PIN's digits with the salt, N = 4096, r = 8, p = 1, 32 bytes.",
            "photo: a JPEG, sealed in the context `photo <its SHA-256>`. one_time is the sender's private key, which in use is random.",
        ],
        "keys": key_table(signing=SIGNING_KEY, host_box=HOST_BOX),
        "one_time": secret("one time").hex(),
        "content": raw.decode(),
        "context": context,
        "document": canonical.to_base64(told),
        "sealed": canonical.to_base64(hpke.seal(secret("one time"), HOST_BOX.public, told, context.encode())),
        "pin": "2468",
        "photo": canonical.to_base64(photo),
        "photo_sealed": canonical.to_base64(
            hpke.seal(secret("one time"), HOST_BOX.public, photo, photo_context.encode())
        ),
        "line": stream.to_line(stream.PeopleLine(5)).decode(),
    }


def neighbours() -> dict[str, object]:
    """What two tills say to each other: a question of each kind, signed, and its signed answer; and an event that was heard."""
    lunch: dict[str, object] = {
        "kind": "tap",
        "host": HOST,
        "epoch": 1756713600,
        "seq": 9,
        "tap_id": "00112233445566778899aabbccddeeff",
    }
    lunch |= {"time": times.to_text(NOW), "service_day": "2026-09-01", "service": "canteen", "direction": None}
    lunch |= {"card": "4711", "person": "12", "holder": "person 12"}
    loan: dict[str, object] = {**lunch, "seq": 10, "kind": "loan", "service": None, "holder": None, "card": "4712"}
    loan["fact"] = {"act": "lend", "card": "4712", "person": "12"}
    told = tuple(heard for heard in map(Heard.from_event, (lunch, loan)) if heard)
    serving = Serving(NOW.date(), "canteen", "person 12")
    held = Held("till-3", "ffeeddccbbaa99887766554433221100", NOW)
    reserve = Reserve("till-2", str(lunch["tap_id"]), NOW, serving)
    release = Release("till-2", str(lunch["tap_id"]), NOW, serving, was_served=True)
    asked: list[tuple[str, bytes, dict[str, object]]] = [
        (RESERVE, reserve.to_json(), ReserveAnswer({"till-2": 0, "till-3": 1}, (held,)).to_table()),
        (RELEASE, release.to_json(), {}),
        (TELL, Tell("till-2", told, Settled(1756713600, 8, 3, 1)).to_json(), TellAnswer(1756713600, 10).to_table()),
    ]
    event = {**heard_event(told[0].to_table(), at=NOW), "host": "till-2", "epoch": 1756713601, "seq": 1}
    return {
        "about": [
            "Questions of one till to another, signed as in request.json by the key of the document hosts, and their answers.",
            "answer_signed: what the answer's signature is over: the line `viipe neighbour-answer v1` and a line feed, SHA-256 of the",
            "question's header Signature, and the answer as canonical JSON; in hex.",
            "heard: the event by which the asked till's journal has the first of what it was told; `heard` stands last.",
        ],
        "keys": key_table(asks=HOST_KEY, answers=NEIGHBOUR_KEY),
        "asks": HOST,
        "answers": "till-2",
        "questions": [
            {
                "path": path,
                "body": body.decode(),
                "headers": headers,
                "answer_signed": (
                    b"viipe neighbour-answer v1\n"
                    + sha256(headers["Signature"].encode()).digest()
                    + canonical.encode(answer)
                ).hex(),
                "answer": sign_answer(NEIGHBOUR_KEY, "till-2", headers["Signature"], answer).decode(),
            }
            for path, body, answer in asked
            for headers in [request.sign_request(HOST_KEY, HOST, "POST", path, body, NOW, NONCE)]
        ],
        "heard": event_bytes(event).decode(),
        "listens": Listens("10.1.2.3:8441", ("canteen", "door")).to_json().decode(),
        "host": {
            "name": "till-2",
            "public_key": NEIGHBOUR_KEY.public.hex(),
            "address": "10.1.2.3:8441",
            "services": ["canteen"],
        },
    }


VECTORS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "root": roots,
    "snapshot": snapshots,
    "delta": deltas,
    "timestamp": timestamps,
    "request": requests,
    "enrolment": enrolments,
    "sealed_box": boxes,
    "event": events,
    "small": questions,
    "people": people,
    "neighbour": neighbours,
}


def main() -> None:
    """Write all of them."""
    for name, make in VECTORS.items():
        text = json.dumps(make(), ensure_ascii=False, indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {len(text)} characters, as of {times.to_text(NOW)}\n")


if __name__ == "__main__":
    main()
