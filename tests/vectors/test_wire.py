"""The wire's vectors, read by a stranger who has JSON, SHA-256, Ed25519, X25519, zstd and SQLite but nothing of ours; and by us."""

import base64
import hashlib
import json
import sqlite3
import zlib
from base64 import b64decode, b64encode
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sync.wire import delta, document, people, stream
from sync.wire.desk import DeskTap
from sync.wire.enrolment import Code, EnrolAnswer, EnrolRequest
from sync.wire.event import canonical as event_bytes
from sync.wire.keys import BoxKey
from sync.wire.listens import Listens
from sync.wire.neighbour import Heard, Release, Reserve, Tell
from sync.wire.neighbour_answer import open_answer
from sync.wire.quota import ClaimAnswer, ClaimRequest
from sync.wire.request import verify_request
from sync.wire.root import Root, chain, first_root, next_root
from sync.wire.upload import Batch, Taken, parse_answer
from tests.rig import hpke, wire_vectors

FOLDER = Path(__file__).parent


def vectors(name: str) -> dict[str, Any]:
    """Return a file of vectors."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def canonical(value: object) -> bytes:
    """Write canonical JSON, with Python's own means."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def name_of(public: str) -> str:
    """Return a key's name."""
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]


def fits(public: str, signature: str, content: bytes) -> None:
    """Hold that a signature fits; cryptography raises InvalidSignature."""
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), content)


def remade(secret: str, content: bytes) -> str:
    """Sign."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(content).hex()


def taken_apart(content: str, signing: dict[str, str]) -> tuple[dict[str, Any], bytes]:
    """Open a document as docs/wire-format.md says, and sign its header again; returns the header and what the body unpacks to."""
    whole = b64decode(content, validate=True)
    length = int.from_bytes(whole[:4], "big")
    envelope, body = json.loads(whole[4 : 4 + length]), whole[4 + length :]
    text = envelope["header"].encode()
    header = json.loads(text)
    said = f"viipe {header['kind']} v1\n".encode() + text
    assert canonical(header) == text
    fits(signing["public"], envelope["signatures"][name_of(signing["public"])], said)
    assert remade(signing["secret"], said) == envelope["signatures"][name_of(signing["public"])]
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(body) if body else b""
    assert (header["body_bytes"], header["body_sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert (header["raw_bytes"], header["raw_sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest())
    return header, raw


def our_root() -> Root:
    """Return the vectors' newest root, as we read it."""
    told = vectors("root")["roots"]
    return chain([entry["document"].encode() for entry in told], told[0]["fingerprint"])


@pytest.mark.parametrize("name", wire_vectors.VECTORS)
def test_the_vectors_can_be_made_again(name: str) -> None:
    """What stands in the files is what the code makes now; frames of another zstd library unpack to the same."""
    made, stands = wire_vectors.VECTORS[name](), vectors(name)
    for whole in (made, stands):
        if name in {"snapshot", "delta", "people"}:
            whole.pop("document")
            whole.pop("sealed", None)
    assert json.loads(json.dumps(made)) == stands


def test_a_stranger_reads_the_roots() -> None:
    """Each root's text is signed by the keys it must be signed by, and the fingerprint follows from its keys."""
    told = vectors("root")
    old, new, recovery = (told["keys"][name] for name in ("old_root", "root", "recovery"))
    for entry, signers in zip(told["roots"], ([old], [old, new, recovery]), strict=True):
        found = json.loads(entry["document"])
        said = b"viipe root v1\n" + found["root"].encode()
        assert found["signatures"] == {name_of(key["public"]): remade(key["secret"], said) for key in signers}
        root = json.loads(found["root"])
        keys = {"root_keys": sorted(root["root_keys"]), "threshold": root["threshold"]}
        assert hashlib.sha256(canonical(keys)).hexdigest()[:32] == entry["fingerprint"]


def test_we_read_the_roots() -> None:
    """One leads to the other."""
    first, second = vectors("root")["roots"]
    root = first_root(first["document"].encode(), first["fingerprint"])
    assert next_root(root, second["document"].encode()).fingerprint == second["fingerprint"]


def test_a_stranger_reads_the_snapshot(tmp_path: Path) -> None:
    """The file within holds the rows under their keys with their marks, and the digest is the sum of rows and documents."""
    told = vectors("snapshot")
    header, raw = taken_apart(told["document"], told["keys"]["signing"])
    (tmp_path / "s.db").write_bytes(raw)
    db = sqlite3.connect(tmp_path / "s.db")
    rows = db.execute("SELECT * FROM cards ORDER BY key").fetchall()
    assert [[row[0].hex(), *row[1:-1]] for row in rows] == told["rows"]
    for key, *rest, mark in rows:
        assert mark == zlib.crc32("\x1f".join(map(str, rest)).encode(), zlib.crc32(key))
    keys = {
        card: hashlib.blake2b(
            bytes.fromhex(uid), key=bytes.fromhex(told["site_key"]), digest_size=16, person=b"viipe uid v1"
        ).hexdigest()
        for card, uid in told["uids"].items()
    }
    assert {row[1]: row[0] for row in told["rows"]} == keys
    assert [hashlib.sha256(canonical(row)).hexdigest() for row in told["rows"]] == told["row_digests"]
    assert {
        name: hashlib.sha256(canonical([name, value])).hexdigest() for name, value in told["documents"].items()
    } == told["document_digests"]
    shares = [*told["row_digests"], *told["document_digests"].values()]
    assert f"{sum(int(share, 16) for share in shares) % 2**256:064x}" == told["digest"] == header["digest"]
    assert {name: json.loads(value) for name, value in db.execute("SELECT * FROM documents")} == told["documents"]
    assert [sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema ORDER BY name")] == told["ddl"]
    assert dict(db.execute("SELECT name, value FROM meta"))["digest"] == told["digest"]
    db.close()


def test_a_stranger_reads_the_delta() -> None:
    """What it says and where it leads: the digest after it follows from the one before."""
    told, before = vectors("delta"), vectors("snapshot")
    header, raw = taken_apart(told["document"], told["keys"]["signing"])
    change = json.loads(raw)
    assert (raw.decode(), canonical(change)) == (told["raw"], raw)
    assert (header["from_version"], header["version"], told["digest_before"]) == (2, 3, before["digest"])
    shares = {row[0]: share for row, share in zip(before["rows"], before["row_digests"], strict=True)}
    went = [shares[key] for key in (*change["gone"], *(row[0] for row in change["cards"]))]
    went += [before["document_digests"][name] for name in change["documents"]]
    came = [hashlib.sha256(canonical(row)).hexdigest() for row in change["cards"]]
    came += [hashlib.sha256(canonical([n, v])).hexdigest() for n, v in change["documents"].items() if v is not None]
    total = int(before["digest"], 16) - sum(int(share, 16) for share in went) + sum(int(share, 16) for share in came)
    assert f"{total % 2**256:064x}" == told["digest"] == header["digest"]


def test_a_stranger_reads_the_timestamps() -> None:
    """Header and signature are all there is, and the very bytes can be made again."""
    told = vectors("timestamp")
    headers = [taken_apart(content, told["keys"]["signing"])[0] for content in told["documents"]]
    assert [header["nonce"] for header in headers] == [None, told["nonce"]]
    assert json.loads(told["line"]) == {"timestamp": told["documents"][0]}


def test_we_read_every_document() -> None:
    """Our own reader takes what the stranger took."""
    documents = [vectors("snapshot")["document"], vectors("delta")["document"], *vectors("timestamp")["documents"]]
    opened = [document.open_bytes(b64decode(content), our_root()) for content in documents]
    assert [header.kind for header, _ in opened] == ["snapshot", "delta", "timestamp", "timestamp"]
    assert delta.decode(opened[1][1]) == wire_vectors.AFTER
    line = vectors("timestamp")["line"].encode()
    assert stream.parse_line(line) == stream.TimestampLine(b64decode(documents[2]))


def test_a_stranger_signs_requests() -> None:
    """RFC 9421 by hand: digest, base and signature follow from what is asked."""
    told = vectors("request")
    host = told["keys"]["host"]
    for entry in told["requests"]:
        path, _, query = entry["path"].partition("?")
        digest = b64encode(hashlib.sha256(entry["body"].encode()).digest()).decode()
        parameters = entry["headers"]["Signature-Input"].removeprefix("viipe=")
        lines = [
            f'"@method": {entry["method"]}',
            f'"@path": {path}',
            f'"@query": ?{query}',
            f'"content-digest": sha-256=:{digest}:',
            f'"@signature-params": {parameters}',
        ]
        assert "\n".join(lines) == entry["base"]
        signature = b64encode(bytes.fromhex(remade(host["secret"], entry["base"].encode()))).decode()
        assert entry["headers"]["Signature"] == f"viipe=:{signature}:"
        assert entry["headers"]["Content-Digest"] == f"sha-256=:{digest}:"


def test_we_take_the_requests() -> None:
    """Our own check takes what the stranger signed."""
    told = vectors("request")
    public = bytes.fromhex(told["keys"]["host"]["public"])
    for entry in told["requests"]:
        signed = verify_request(
            lambda _host: public,
            entry["method"],
            entry["path"],
            entry["headers"],
            entry["body"].encode(),
            wire_vectors.NOW,
        )
        assert (signed.host, signed.nonce) == (told["host"], entry["nonce"])


def test_a_stranger_enrols() -> None:
    """Code, proof, answer and the sealed key, with JSON, SHA-256, Ed25519 and HPKE by hand."""
    told = vectors("enrolment")
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    number = 0
    for digit in told["code"].replace("-", ""):
        number = 32 * number + digits.index(digit)
    content = number.to_bytes(35, "big")
    assert (content[:16].hex(), content[16:32].hex()) == (told["secret"], told["fingerprint"])
    assert content[32:] == hashlib.sha256(b"viipe code v1\n" + content[:32]).digest()[:3]
    assert hashlib.sha256(content[:16]).hexdigest() == told["secret_sha256"]
    asked = json.loads(told["request"])
    proof = asked.pop("proof")
    assert remade(told["keys"]["host"]["secret"], b"viipe enrol v1\n" + canonical(asked)) == proof
    answer = json.loads(told["answer"])
    signature = answer.pop("signature")
    said = b"viipe enrolled v1\n" + canonical({**answer, "public_key": asked["public_key"]})
    assert remade(told["keys"]["signing"]["secret"], said) == signature
    context = f"site key {answer['site']} {answer['host']}".encode()
    opened = hpke.unseal(bytes.fromhex(told["keys"]["host_box"]["secret"]), b64decode(answer["site_key"]), context)
    assert opened.hex() == told["site_key"]
    assert [b64decode(root).decode() for root in answer["roots"]] == [
        entry["document"] for entry in vectors("root")["roots"]
    ]


def test_we_enrol() -> None:
    """Our own reader takes code, request and answer."""
    told = vectors("enrolment")
    code, asked = Code.parse(told["code"]), EnrolRequest.parse(told["request"].encode())
    answer = EnrolAnswer.parse(told["answer"].encode())
    assert answer.verified(code, asked) == our_root()
    host_box = BoxKey.from_bytes(bytes.fromhex(told["keys"]["host_box"]["secret"]))
    assert answer.open_site_key(host_box).hex() == told["site_key"]


def test_boxes_open_on_both_sides() -> None:
    """RFC 9180 by hand and by the library come to the same."""
    told = vectors("sealed_box")
    key = told["keys"]["registry_box"]
    ours = BoxKey.from_bytes(bytes.fromhex(key["secret"]))
    assert ours.public.hex() == key["public"]
    for box in told["boxes"]:
        plaintext, sealed, context = (
            bytes.fromhex(box["plaintext"]),
            bytes.fromhex(box["sealed"]),
            box["context"].encode(),
        )
        assert hpke.seal(bytes.fromhex(told["one_time"]), ours.public, plaintext, context) == sealed
        assert hpke.unseal(bytes.fromhex(key["secret"]), sealed, context) == plaintext
        assert ours.open(sealed, context) == plaintext


def test_a_stranger_sends_events() -> None:
    """The batch is a piece of the chain, and the answer names its last event."""
    told = vectors("event")
    batch, answer = json.loads(told["batch"]), json.loads(told["answer"])
    second = told["chain"][2:]
    assert [base64.b64decode(event).decode() for event in batch["events"]] == [entry["canonical"] for entry in second]
    assert (batch["link_before"], batch["first_seq"]) == (told["chain"][1]["link"], 3)
    link = bytes.fromhex(batch["link_before"])
    for event in batch["events"]:
        link = hashlib.sha256(link + base64.b64decode(event)).digest()
    assert answer["watermark"]["link"] == link.hex() == told["chain"][-1]["link"]
    assert Batch.parse(told["batch"].encode()).links()[-1] == link
    taken = parse_answer(told["answer"].encode())
    assert isinstance(taken, Taken)
    assert taken.watermark.seq == 5


def test_the_small_bodies_are_read_on_both_sides() -> None:
    """A stranger reads them as JSON, we by our own readers, and the UID at the desk comes out of its box."""
    told = vectors("small")
    assert json.loads(told["claim"])["tap_id"] == ClaimRequest.parse(told["claim"].encode()).tap_id
    assert json.loads(told["claim_answer"]) == {"granted": True, "served": 0}
    assert ClaimAnswer.parse(told["claim_answer"].encode()) == ClaimAnswer(granted=True, served=0)
    tap = json.loads(told["desk"])
    key = bytes.fromhex(told["keys"]["registry_box"]["secret"])
    assert hpke.unseal(key, b64decode(tap["sealed"]), b"desk 7 office").hex().upper() == told["uid"]
    assert DeskTap.parse(told["desk"].encode()).open(BoxKey.from_bytes(key), "office").hex().upper() == told["uid"]
    for line in told["lines"]:
        read = stream.parse_line(line.encode())
        assert read is not None
        assert stream.to_line(read) == line.encode() == canonical(json.loads(line)) + b"\n"


def test_what_tills_say_is_read_and_believed_on_both_sides() -> None:
    """A stranger checks both signatures with Ed25519 alone; our own readers come to the same, and write it again."""
    told = vectors("neighbour")
    keys = {name: bytes.fromhex(pair["public"]) for name, pair in told["keys"].items()}
    parse: dict[str, Any] = {"/v1/reserve": Reserve.parse, "/v1/release": Release.parse, "/v1/tell": Tell.parse}
    for asked in told["questions"]:
        path, body, headers = asked["path"], asked["body"].encode(), asked["headers"]
        signed = verify_request(lambda _host: keys["asks"], "POST", path, headers, body, wire_vectors.NOW)
        assert signed.host == told["asks"]
        assert parse[path](body).to_json() == body
        answer = json.loads(asked["answer"])
        digest = hashlib.sha256(asked["headers"]["Signature"].encode()).digest()
        said = b"viipe neighbour-answer v1\n" + digest + canonical(answer["answer"])
        assert said.hex() == asked["answer_signed"]
        fits(told["keys"]["answers"]["public"], b64decode(answer["signature"]).hex(), said)
        opened = open_answer(asked["answer"].encode(), keys["answers"], told["answers"], asked["headers"]["Signature"])
        assert opened == answer["answer"]
    event = json.loads(told["heard"])
    assert list(event)[-1] == "heard"
    assert Heard.from_table(event["heard"]) == Tell.parse(told["questions"][2]["body"].encode()).events[0]
    assert event_bytes(event) == told["heard"].encode()
    assert Listens.parse(told["listens"].encode()).address == told["host"]["address"]


def test_the_book_tells_what_the_code_does() -> None:
    """docs/wire-format.md has the tables' text, and the members of header and root."""
    book = (FOLDER.parents[1] / "docs" / "wire-format.md").read_text(encoding="utf-8")
    for ddl in vectors("snapshot")["ddl"]:
        assert f"\n{ddl}\n" in book
    header, _ = taken_apart(vectors("timestamp")["documents"][0], vectors("timestamp")["keys"]["signing"])
    root = json.loads(json.loads(vectors("root")["roots"][0]["document"])["root"])
    for member in (*header, *root):
        assert f"`{member}`" in book


def test_a_document_ends_where_it_ends() -> None:
    """A reader that is given the vector as a stream reads to its last byte and no further."""
    content = BytesIO(b64decode(vectors("delta")["document"]))
    header = document.verified(document.read_envelope(content.read), our_root())
    document.open_body(header, content.read, lambda _piece: None)
    assert content.read() == b""


def test_a_stranger_reads_the_people() -> None:
    """The box holds the signed document, its digest is that of the content, the PIN's hash follows from it; and so do we."""
    told = vectors("people")
    box = told["keys"]["host_box"]["secret"]
    whole = hpke.unseal(bytes.fromhex(box), b64decode(told["sealed"]), told["context"].encode())
    assert whole == b64decode(told["document"])
    header, raw = taken_apart(told["document"], told["keys"]["signing"])
    assert raw.decode() == told["content"]
    assert header["digest"] == hashlib.sha256(raw).hexdigest()
    content = json.loads(raw)
    worker, photo = content["workers"][0], b64decode(told["photo"])
    salt = bytes.fromhex(worker["salt"])
    assert hashlib.scrypt(told["pin"].encode(), salt=salt, n=4096, r=8, p=1, dklen=32).hex() == worker["hash"]
    named = content["persons"][0]["photo"]
    assert hashlib.sha256(photo).hexdigest() == named
    assert hpke.unseal(bytes.fromhex(box), b64decode(told["photo_sealed"]), f"photo {named}".encode()) == photo
    site, _, host = told["context"].removeprefix("people ").partition("/")
    ours = BoxKey.from_bytes(bytes.fromhex(box))
    now = datetime.fromisoformat(header["issued_at"])
    opened = people.open_sealed(
        b64decode(told["sealed"]), box=ours, root=our_root(), site=site, host=host, held=None, now=now
    )
    assert people.parse(opened[1]).persons[0].family_name == "Šmidt"
    assert people.open_photo(b64decode(told["photo_sealed"]), ours, named) == photo
    assert stream.parse_line(told["line"].encode()) == stream.PeopleLine(5)
