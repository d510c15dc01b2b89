"""A document is opened without trusting more than is proven (what its ratchet refuses: test_trust.py)."""

import hashlib
import json
import random
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import canonical, document, trust
from sync.wire.document import DELTA, MAX_RAW_BYTES, SNAPSHOT, TIMESTAMP, Header, digest_text
from sync.wire.faults import Malformed, Mixed, TooLarge, UnknownKey, WireFault
from sync.wire.keys import message
from tests.rig.mutations import taken
from tests.rig.wire_site import DAY, NOW, RAW, WireSite, digest_of, fed_host, fixed_key, sound_documents

SITE = WireSite()
ROOT = SITE.root()
MUTATIONS = 10_000


def opened(content: bytes) -> tuple[Header, bytes]:
    """Open a document the way of a download: in small, uneven pieces."""
    source = BytesIO(content)
    sizes = iter(range(1, 1 << 20))

    def read(size: int) -> bytes:
        return source.read(min(size, next(sizes)))

    header = document.verified(document.read_envelope(read), ROOT)
    pieces: list[bytes] = []
    document.open_body(header, read, pieces.append)
    return header, b"".join(pieces)


def forged(kind: str, body: bytes, **header: Any) -> bytes:  # noqa: ANN401  fields of the header
    """Make a document as an honest key would never sign it, to see that the body's own caps hold."""
    told = {
        "audience": "kool",
        "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "digest": digest_of(6),
        "expires_at": "2026-09-02T08:00:00.000Z",
        "from_version": None,
        "generation": 1,
        "issued_at": "2026-09-01T08:00:00.000Z",
        "kind": kind,
        "nonce": None,
        "raw_bytes": len(RAW),
        "raw_sha256": hashlib.sha256(RAW).hexdigest(),
        "schema": 1,
        "version": 6,
        **header,
    }
    text = canonical.encode(told)
    signature = SITE.signer.sign(message(kind, text)).hex()
    envelope = canonical.encode({"header": text.decode(), "signatures": {SITE.signer.id: signature}})
    return len(envelope).to_bytes(4, "big") + envelope + body


def packed(raw: bytes, **options: Any) -> bytes:  # noqa: ANN401  the compressor's own
    """Return one zstd frame."""
    return zstandard.ZstdCompressor(**options).compress(raw)


@given(st.binary(max_size=5000), st.integers(0, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_a_document_comes_back_as_it_was(raw: bytes, version: int, generation: int) -> None:
    """Header and content are read back, in whatever pieces they come."""
    header, content = opened(SITE.snapshot(version, raw=raw, generation=generation))
    assert content == raw
    assert (header.kind, header.version, header.generation, header.audience) == (SNAPSHOT, version, generation, "kool")
    assert (header.issued_at, header.expires_at, header.digest) == (NOW, NOW + DAY, digest_of(version, generation))
    assert (header.raw_bytes, header.raw_sha256) == (len(raw), hashlib.sha256(raw).hexdigest())


def test_a_timestamp_has_no_body() -> None:
    """It is a header alone, and echoes the nonce that it was asked with."""
    header, content = opened(SITE.timestamp(6, nonce="ab" * 16))
    assert (header.kind, header.nonce, content) == (TIMESTAMP, "ab" * 16, b"")


def test_a_snapshot_is_signed_from_file_to_file(tmp_path: Path) -> None:
    """What lies in a file is packed, signed and opened again without ever being in memory as a whole."""
    raw, target = tmp_path / "raw", tmp_path / "document"
    content = bytes(range(256)) * (64 << 10)  # 16 MiB
    raw.write_bytes(content)
    tracemalloc.start()
    told = document.sign_file(
        raw,
        target,
        audience="kool",
        generation=1,
        version=6,
        issued_at=NOW,
        expires_at=NOW + DAY,
        digest=digest_of(6),
        signer=SITE.signer,
    )
    copy = hashlib.sha256()
    with target.open("rb") as source:
        header = document.verified(document.read_envelope(source.read), ROOT)
        document.open_body(header, source.read, copy.update)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert header == told
    assert copy.hexdigest() == hashlib.sha256(content).hexdigest() == header.raw_sha256
    assert peak_bytes < 4 << 20
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "document"}


def test_a_document_of_many_bytes_is_opened() -> None:
    """What is bigger than the window of a frame is opened like any other."""
    raw = random.Random(6).randbytes(12 << 20)  # noqa: S311  repeatable on purpose
    assert document.open_bytes(SITE.snapshot(6, raw=raw), ROOT)[1] == raw


def test_no_mutated_document_is_taken() -> None:
    """Of 10,000 mutations of snapshots, deltas and timestamps none is taken, and each is refused by a fault of the wire."""
    sound = sound_documents(SITE)
    for content in sound:
        fed_host(SITE).take(content)
    assert taken(MUTATIONS, 2, sound, fed_host(SITE).take) == []


def test_an_unknown_signature_beside_a_known_one_is_passed_over() -> None:
    """While a key is changed, documents bear two signatures; hosts of either root take them."""
    envelope = document.read_envelope(BytesIO(SITE.snapshot(6)).read)
    newer = fixed_key(11)
    both = replace(envelope, signatures={**envelope.signatures, newer.id: newer.sign(message(SNAPSHOT, envelope.text))})
    assert document.verified(both, ROOT) == document.verified(both, WireSite(signer=newer).root())
    with pytest.raises(UnknownKey):
        document.verified(both, WireSite(signer=fixed_key(12)).root())


@pytest.mark.parametrize("kept_bytes", [0, 3, 4, 100, -1])
def test_a_document_that_was_cut_off_is_refused(kept_bytes: int) -> None:
    """Wherever a download ends before its end, nothing of it holds."""
    with pytest.raises(Malformed, match=r"cut off|found no sound zstd|expected"):
        opened(SITE.snapshot(6)[:kept_bytes])


def test_a_bomb_is_cut_off_at_the_bytes_of_its_header() -> None:
    """A body that unpacks to gigabytes costs no more than what its header promised, in memory and on disk."""
    bomb = packed(bytes(64 << 20), level=19)
    content = forged(SNAPSHOT, bomb, raw_bytes=1000)
    written: list[int] = []
    source = BytesIO(content)
    header = document.verified(document.read_envelope(source.read), ROOT)
    tracemalloc.start()
    with pytest.raises(TooLarge, match="unpacks to more than the 1000 bytes"):
        document.open_body(header, source.read, lambda piece: written.append(len(piece)))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(written) <= 1000
    assert peak_bytes < 2 << 20


def test_a_frame_that_asks_for_much_memory_is_refused() -> None:
    """How much a frame may ask of its reader's memory is ours to say."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    body = packed(bytes(RAW * 4_000_000)[: 160 << 20], compression_params=parameters)
    with pytest.raises(Malformed, match="zstd"):
        opened(forged(SNAPSHOT, body, raw_bytes=160 << 20))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (packed(RAW + b"x"), TooLarge),
        (packed(RAW[:-1]), Mixed),
        (packed(RAW[::-1]), Mixed),
        (packed(RAW) + packed(RAW), WireFault),
        (packed(RAW) + b"rest", WireFault),
        (packed(RAW)[:-1], WireFault),
        (RAW, Malformed),
    ],
)
def test_a_body_that_is_not_what_its_header_says_is_refused(body: bytes, fault: type[WireFault]) -> None:
    """More, fewer, other or no packed bytes: even a signed header does not make them good."""
    with pytest.raises(fault):
        opened(forged(SNAPSHOT, body))


def test_a_body_that_unpacks_to_the_same_is_still_another() -> None:
    """The packed bytes have a hash of their own."""
    body, other = packed(RAW, level=1), packed(RAW, level=1, write_checksum=True)
    content = forged(SNAPSHOT, body, body_bytes=len(other))
    with pytest.raises(Mixed, match="body is another"):
        opened(content[: -len(body)] + other)


@pytest.mark.parametrize(
    "header",
    [
        {"kind": "letter"},
        {"generation": 0},
        {"version": -1},
        {"version": 1.5},
        {"from_version": 5},
        {"nonce": "ab" * 16},
        {"digest": "00"},
        {"raw_sha256": "zz" * 32},
        {"schema": 2},
        {"schema": 0},
        {"audience": ""},
        {"expires_at": "2026-09-01T08:00:00.000Z"},
        {"issued_at": "2026-09-01 08:00"},
        {"surprise": 1},
        {"body_bytes": 0},
        {"body_bytes": (2 << 30) + 1},
        {"raw_bytes": MAX_RAW_BYTES[SNAPSHOT] + 1},
    ],
)
def test_a_header_without_sense_is_refused(header: dict[str, Any]) -> None:
    """What contradicts itself or promises too much is refused before anything is read after it."""
    kind = header.pop("kind", SNAPSHOT)
    if header.get("version") == 1.5:
        header = {"version": "1.5"}
    with pytest.raises((Malformed, TooLarge), match="header: "):
        opened(forged(kind, packed(RAW), **header))


@pytest.mark.parametrize("other", [{"from_version": None}, {"from_version": 6}, {"from_version": 7}])
def test_a_delta_goes_on_from_an_earlier_version(other: dict[str, Any]) -> None:
    """A delta that does not say from where, or not forward, is none."""
    with pytest.raises(Malformed, match="from_version"):
        opened(forged(DELTA, packed(RAW), **other))


def test_no_registry_signs_what_no_host_takes() -> None:
    """The mistake is found where it is made: nothing is published that every host would refuse."""
    with pytest.raises(Malformed, match="expires_at"):
        SITE.timestamp(6, expires_at=NOW - timedelta(seconds=1))
    with pytest.raises(TooLarge):
        SITE._signed(DELTA, 6, bytes(MAX_RAW_BYTES[DELTA] + 1), from_version=5)
    with pytest.raises(Malformed, match="nonce"):
        SITE.timestamp(6, nonce="ab")


def test_a_document_in_memory_has_a_bound_of_its_own() -> None:
    """Who opens in memory says how much; the header alone is asked."""
    with pytest.raises(TooLarge, match="expected at most 10"):
        document.open_bytes(SITE.snapshot(6), ROOT, max_raw_bytes=10)
    assert document.open_bytes(SITE.snapshot(6), ROOT)[1] == RAW


def test_an_envelope_has_one_form() -> None:
    """White space or another order in an envelope makes it another document, and none."""
    content = SITE.timestamp(6)
    told = json.loads(content[4:])
    spaced = json.dumps(told).encode()
    with pytest.raises(Malformed, match="another form"):
        opened(len(spaced).to_bytes(4, "big") + spaced)


def test_trust_is_asked_before_a_body_is_read() -> None:
    """A host that refuses a document has read its envelope and no byte more."""
    content = SITE.snapshot(4)
    source = BytesIO(content)
    header = document.verified(document.read_envelope(source.read), ROOT)
    with pytest.raises(WireFault):
        trust.admit(replace(SITE.host().trusted, generation=1, version=5), header, NOW)
    assert source.tell() == 4 + int.from_bytes(content[:4], "big")


def test_a_digest_is_written_as_64_hex_digits() -> None:
    """A state's digest stays below 2²⁵⁶ and keeps its zeros."""
    assert digest_text(1) == digest_text((1 << 256) + 1) == "0" * 63 + "1"
