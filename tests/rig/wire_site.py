"""A small registry for one site, in memory: it signs what it is told to, honest or not (TUF's repository simulator)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sync.wire import document, trust
from sync.wire.delta import Delta, encode
from sync.wire.document import DELTA, SNAPSHOT, TIMESTAMP, Header
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.root import Root, sign_root
from sync.wire.trust import Trusted

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
DAY = timedelta(days=1)
RAW = b"a snapshot's bytes are of no concern to who carries them"


def fixed_key(number: int) -> SigningKey:
    """Return the same key for the same number, so that a failure can be seen again."""
    return SigningKey.from_bytes(sha256(b"test key %d" % number).digest())


def digest_of(version: int, generation: int = 1) -> str:
    """Return what stands for the digest of a version's state."""
    return sha256(b"state %d of %d" % (version, generation)).hexdigest()


@dataclass
class WireSite:
    """Signs for the site `kool`. Whatever a document says can be said otherwise by name."""

    root_keys: tuple[SigningKey, ...] = field(default_factory=lambda: (fixed_key(1), fixed_key(2)))
    signer: SigningKey = field(default_factory=lambda: fixed_key(10))
    box_key: BoxKey = field(default_factory=lambda: BoxKey.from_bytes(sha256(b"test box").digest()))
    threshold: int = 1

    def root(self, **other: Any) -> Root:  # noqa: ANN401  fields of what is made
        """Return the site's root, changed as told."""
        root = Root(
            version=1,
            generation=1,
            root_keys=tuple(key.public for key in self.root_keys),
            threshold=self.threshold,
            signing_keys=(self.signer.public,),
            box_key=self.box_key.public,
            issued_at=NOW - DAY,
            expires_at=NOW + YEAR,
        )
        return replace(root, **other)

    def root_document(self, signers: Sequence[SigningKey] | None = None, **other: Any) -> bytes:  # noqa: ANN401  fields of what is made
        """Return it as signed by all of its keys, or by others."""
        return sign_root(self.root(**other), self.root_keys if signers is None else signers)

    def snapshot(self, version: int, raw: bytes = RAW, **other: Any) -> bytes:  # noqa: ANN401  fields of what is made
        """Return a snapshot document."""
        return self._signed(SNAPSHOT, version, raw, **other)

    def delta(self, before: int, version: int, delta: Delta | None = None, **other: Any) -> bytes:  # noqa: ANN401  fields of what is made
        """Return a delta document."""
        return self._signed(DELTA, version, encode(delta or Delta()), from_version=before, **other)

    def timestamp(self, version: int, **other: Any) -> bytes:  # noqa: ANN401  fields of what is made
        """Return a timestamp document."""
        return self._signed(TIMESTAMP, version, b"", **other)

    def _signed(self, kind: str, version: int, raw: bytes, **other: Any) -> bytes:  # noqa: ANN401  fields of what is made
        fields = {
            "audience": "kool",
            "generation": 1,
            "issued_at": NOW,
            "expires_at": NOW + DAY,
            "digest": digest_of(version, other.get("generation", 1)),
            "signer": self.signer,
            **other,
        }
        return document.sign(kind=kind, version=version, raw=raw, **fields)

    def host(self, **other: Any) -> "WireHost":  # noqa: ANN401  fields of what is made
        """Return a host that trusts the site's first root and holds nothing."""
        return WireHost(Trusted("kool", self.root(), **other))


def sound_documents(site: WireSite) -> list[bytes]:
    """Return documents of every kind, each of which `fed_host` would take: what mutations are made of."""
    row = (bytes(range(16)), "7", None, "personal", "active", None, None, "5b", 6)
    return [
        site.snapshot(6),
        site.snapshot(7, raw=RAW * 100),
        site.delta(5, 6, Delta(cards=(row,), documents={"school": {"code": "kool"}})),
        site.delta(5, 7),
        site.timestamp(6),
        site.timestamp(6, nonce="ab" * 16),
    ]


def fed_host(site: WireSite) -> "WireHost":
    """Return a host that holds version 5."""
    host = site.host()
    host.take(site.snapshot(5))
    return host


@dataclass
class WireHost:
    """A host as far as trust goes: it takes documents or raises, and keeps what it took."""

    trusted: Trusted
    taken: list[Header] = field(default_factory=list)

    def take(self, content: bytes, now: datetime = NOW, nonce: str | None = None) -> bytes:
        """Take a document the way a host must: verify, ask the ratchet, open the body, and only then believe."""
        header, raw = document.open_bytes(content, self.trusted.root, max_raw_bytes=1 << 20)
        trusted = trust.admit(self.trusted, header, now, nonce=nonce)
        self.trusted = trusted
        self.taken.append(header)
        return raw
