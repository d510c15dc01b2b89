"""The event stream from the registry to a host: one JSON object a line, at most 128 KiB each, until one side goes.

`{"timestamp": base64 document}` at once and every 15 s after; `{"delta": base64 document}` for a change of up to 64 KiB;
`{"version": n, "generation": g}` for a bigger one, to be fetched; `{"desk": {"request": id, "expires_at": time}}` when a card is to be
tapped at this desk; `{"root": version}` when there is a new root to be fetched; `{"people": version}` at once and whenever this host's
people document has changed, 0 when it shows no names. A line of a sort that a host does not know is passed over, so that a newer
registry can say more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sync.wire import canonical, times
from sync.wire.faults import Malformed, TooLarge

MAX_LINE_BYTES: Final = 128 << 10
MAX_DELTA_BYTES: Final = 64 << 10
HEARTBEAT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class TimestampLine:
    """A signed timestamp document: the newest version, and the time."""

    document: bytes


@dataclass(frozen=True, slots=True)
class DeltaLine:
    """A signed delta document."""

    document: bytes


@dataclass(frozen=True, slots=True)
class VersionLine:
    """There is a newer state, too big to be sent unasked."""

    version: int
    generation: int


@dataclass(frozen=True, slots=True)
class DeskLine:
    """Somebody at the back office waits for the next card at this desk; aware UTC."""

    request: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RootLine:
    """There is a newer root document."""

    version: int


@dataclass(frozen=True, slots=True)
class PeopleLine:
    """The version of the host's people document; 0: the host shows no names."""

    version: int


Line = TimestampLine | DeltaLine | VersionLine | DeskLine | RootLine | PeopleLine


def to_line(line: Line) -> bytes:
    """Return a line with its line feed. Raises TooLarge."""
    told: dict[str, object]
    match line:
        case TimestampLine(document):
            told = {"timestamp": canonical.to_base64(document)}
        case DeltaLine(document):
            told = {"delta": canonical.to_base64(document)}
        case VersionLine(version, generation):
            told = {"version": version, "generation": generation}
        case DeskLine(request, expires_at):
            told = {"desk": {"request": request, "expires_at": times.to_text(expires_at)}}
        case RootLine(version):
            told = {"root": version}
        case PeopleLine(version):
            told = {"people": version}
    content = canonical.encode(told) + b"\n"
    if len(content) > MAX_LINE_BYTES:
        raise TooLarge(f"stream: found a line of {len(content)} bytes, expected at most {MAX_LINE_BYTES}")
    return content


def parse_line(content: bytes) -> Line | None:
    """Read a line, with or without its line feed; None for a sort that is not known here. Raises Malformed, TooLarge."""
    found = canonical.decode(content.removesuffix(b"\n"), "stream", MAX_LINE_BYTES)
    if not isinstance(found, dict):
        raise Malformed("stream: expected one object a line")
    return _read(found)


def _read(found: dict[str, Any]) -> Line | None:
    names = found.keys()
    if names == {"timestamp"}:
        return TimestampLine(canonical.from_base64(found["timestamp"], "stream: timestamp"))
    if names == {"delta"}:
        return DeltaLine(canonical.from_base64(found["delta"], "stream: delta"))
    if names == {"version", "generation"}:
        return VersionLine(
            canonical.whole(found["version"], "stream: version"),
            canonical.whole(found["generation"], "stream: generation", 1),
        )
    if names == {"desk"}:
        desk = canonical.table(found["desk"], "stream: desk", frozenset({"expires_at", "request"}))
        return DeskLine(
            canonical.whole(desk["request"], "stream: desk: request"),
            times.from_text(desk["expires_at"], "stream: desk: expires_at"),
        )
    for name, line, least in (("root", RootLine, 1), ("people", PeopleLine, 0)):
        if names == {name}:
            return line(canonical.whole(found[name], f"stream: {name}", least))
    return None


class LineReader:
    """Cuts what comes in pieces into lines, and holds no more than one line."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Give each line that this piece completes, without its line feed. Raises TooLarge for one that does not end."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in (*lines, self._rest):
            if len(line) >= MAX_LINE_BYTES:
                raise TooLarge(f"stream: found a line of {len(line)} bytes or more, expected at most {MAX_LINE_BYTES}")
        yield from (line for line in lines if line)
