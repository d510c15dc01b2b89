"""What a host believes, and the ratchet by which it comes to believe more: it never goes back (TUF's client workflow, one role).

`admit` is asked for each verified header before its body is read. Within a generation:

- what is held never gives way to an older version, nor to another state under the same version (rollback, mix-and-match);
- a delta goes on from the version that is held, and from no other;
- a timestamp never tells of an older state than one before it did, nor of an earlier time by more than `SLACK`;
- nothing is taken that has expired (freeze), and nothing under a root that has.

A new generation is opened by a new root alone (`adopt`); then a snapshot of any version is taken, which is how a site recovers when
versions or times ran ahead (fast-forward). A timestamp that answers the host's own nonce is not judged by the host's clock: it is fresh,
and its issue time is what vouches for a clock (DESIGN.md §6).
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sync.wire import canonical, times
from sync.wire.document import DELTA, TIMESTAMP, Header
from sync.wire.faults import Frozen, Mixed, Rollback, UnknownKey, WrongAudience
from sync.wire.root import Root

SLACK: Final = timedelta(minutes=5)  # documents are made by several tasks, and a registry's clock is set right at times
OVERTAKEN_WITHIN: Final = timedelta(seconds=30)  # two beats of a stream: no line is longer on its way
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_STATE: Final = "0" * 64
_NAMES: Final = frozenset({"audience", "digest", "generation", "issued_at", "newest", "version"})
_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a host believes of its site. `generation`, `version` and `digest` are of the state that it holds, version 0 being none.

    `newest` is the newest version that the registry has told of in the root's generation: beyond `version`, there is something to
    fetch. `issued_at` is the latest issue time of any document of that generation.
    """

    audience: str
    root: Root
    generation: int = 0
    version: int = 0
    digest: str = _NO_STATE
    issued_at: datetime = _EPOCH
    newest: int = 0

    @property
    def is_behind(self) -> bool:
        """Whether the registry has something that this host has not."""
        return self.generation != self.root.generation or self.version < self.newest

    def to_json(self) -> bytes:
        """Return what `parse` takes; the root is kept as the document it came in."""
        return canonical.encode(
            {
                "audience": self.audience,
                "generation": self.generation,
                "version": self.version,
                "digest": self.digest,
                "issued_at": times.to_text(self.issued_at),
                "newest": self.newest,
            }
        )

    @classmethod
    def parse(cls, content: bytes, root: Root) -> "Trusted":
        """Read it back, for a host that holds this root. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(content, "trust", _MAX_BYTES), "trust", _NAMES)
        return cls(
            audience=canonical.text(found["audience"], "trust: audience"),
            root=root,
            generation=canonical.whole(found["generation"], "trust: generation"),
            version=canonical.whole(found["version"], "trust: version"),
            digest=canonical.from_hex(found["digest"], "trust: digest", 32).hex(),
            issued_at=times.from_text(found["issued_at"], "trust: issued_at"),
            newest=canonical.whole(found["newest"], "trust: newest"),
        )


def adopt(trusted: Trusted, root: Root) -> Trusted:
    """Believe the next root, which `root.next_root` has verified. A new generation begins anew what its documents may say."""
    if root.generation == trusted.root.generation:
        return replace(trusted, root=root)
    return replace(trusted, root=root, newest=0, issued_at=_EPOCH)


def admit(trusted: Trusted, header: Header, now: datetime, *, nonce: str | None = None) -> Trusted:
    """Return what is believed once this verified document is held (for a timestamp: from now on); nothing is taken by halves.

    `now` is the believed time. `nonce` (hex) is what the host asked a timestamp with. Raises WrongAudience, UnknownKey (of a generation
    that a newer root opens: ask for it), Rollback, Frozen, Mixed.
    """
    kind = header.kind
    if header.audience != trusted.audience:
        raise WrongAudience(f"{kind}: found site {header.audience}, expected {trusted.audience}")
    if nonce is not None and (kind, header.nonce) != (TIMESTAMP, nonce):
        raise Mixed(f"{kind}: answers another question than the one that was asked")
    _check_generation(trusted, header)
    _check_fresh(trusted, header, now if nonce is None else header.issued_at)
    if kind == TIMESTAMP:
        return _admit_timestamp(trusted, header)
    return _admit_state(trusted, header)


def is_overtaken(trusted: Trusted, header: Header) -> bool:
    """Tell whether a verified timestamp of a stream was made just before what an answer beside the stream has brought since.

    It says nothing any more, and is no attack; one that is older than any line can be late is a rollback.
    """
    late = trusted.issued_at - header.issued_at
    is_older = header.version < trusted.newest and timedelta() < late <= OVERTAKEN_WITHIN
    return is_older and header.kind == TIMESTAMP and header.generation == trusted.generation == trusted.root.generation


def _check_generation(trusted: Trusted, header: Header) -> None:
    expected = trusted.root.generation
    if header.generation < expected:
        raise Rollback(f"{header.kind}: found generation {header.generation}, expected {expected}")
    if header.generation > expected:
        raise UnknownKey(
            f"{header.kind}: found generation {header.generation}, which root {trusted.root.version} does not open"
        )


def _check_fresh(trusted: Trusted, header: Header, now: datetime) -> None:
    if now >= header.expires_at:
        raise Frozen(f"{header.kind}: expired at {times.to_text(header.expires_at)}, now is {times.to_text(now)}")
    if now >= trusted.root.expires_at:
        raise Frozen(f"root {trusted.root.version}: expired at {times.to_text(trusted.root.expires_at)}")


def _admit_timestamp(trusted: Trusted, header: Header) -> Trusted:
    if header.version < trusted.newest:
        raise Rollback(f"timestamp: found version {header.version}, expected {trusted.newest} or later")
    if header.issued_at < trusted.issued_at - SLACK:
        raise Rollback(
            f"timestamp: issued at {times.to_text(header.issued_at)}, expected {times.to_text(trusted.issued_at)} or later"
        )
    _check_state(trusted, header)
    return replace(trusted, newest=header.version, issued_at=max(trusted.issued_at, header.issued_at))


def _admit_state(trusted: Trusted, header: Header) -> Trusted:
    if header.kind == DELTA:
        _check_start(trusted, header)
    _check_state(trusted, header)
    return replace(
        trusted,
        generation=header.generation,
        version=header.version,
        digest=header.digest,
        issued_at=max(trusted.issued_at, header.issued_at),
        newest=max(trusted.newest, header.version),
    )


def _check_start(trusted: Trusted, header: Header) -> None:
    if header.generation != trusted.generation:
        raise Mixed(
            f"delta: of generation {header.generation}, but what is held is of {trusted.generation}: take a snapshot"
        )
    if header.version <= trusted.version:
        raise Rollback(f"delta: found version {header.version}, but {trusted.version} is held")
    if header.from_version != trusted.version:
        raise Mixed(f"delta: goes on from version {header.from_version}, but {trusted.version} is held")


def _check_state(trusted: Trusted, header: Header) -> None:
    """Hold a document against the state that is held; before a site's first state of a generation there is nothing to go back from."""
    if header.generation != trusted.generation:
        return
    if header.version < trusted.version:
        raise Rollback(f"{header.kind}: found version {header.version}, but {trusted.version} is held")
    if header.version == trusted.version and header.digest != trusted.digest:
        raise Mixed(f"{header.kind}: another state under the version {header.version} that is held")
