"""The tree of what can be wrong with what came over the wire, and that nothing else is raised whatever comes."""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.faults import StoreFault
from sync.wire import canonical, delta, document, faults, root, stream
from sync.wire.desk import DeskTap
from sync.wire.enrolment import EnrolAnswer, EnrolRequest
from sync.wire.facts import Told
from sync.wire.faults import WireFault
from sync.wire.quota import ClaimAnswer, ClaimRequest
from sync.wire.trust import Trusted
from sync.wire.upload import Batch, Watermark, parse_answer
from tests.rig import wire_vectors
from tests.rig.wire_site import WireSite

TREE = [fault for _, fault in inspect.getmembers(faults, inspect.isclass) if fault.__module__ == faults.__name__]
SITE = WireSite()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["00" * 16, "2026-09-01", "AA=="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("fault", TREE)
def test_every_fault_is_a_wire_fault_and_stands_in_the_tree(fault: type[StoreFault]) -> None:
    """Whoever takes something from the other side catches one exception, and finds what it may be in the tree."""
    assert issubclass(fault, faults.WireFault)
    assert issubclass(fault, StoreFault)
    assert fault is faults.WireFault or f"─ {fault.__name__} " in str(faults.__doc__)
    assert len(TREE) == 10


def read_header(content: bytes) -> object:
    """Read a header as an envelope holds it, under a signature that nobody has looked at yet."""
    envelope = canonical.encode({"header": content.decode(), "signatures": {"0" * 16: "00" * 64}})
    return document.read_envelope(BytesIO(len(envelope).to_bytes(4, "big") + envelope).read)


def read_root(content: bytes) -> object:
    """Read a root as its document holds it."""
    return root.read_unverified(canonical.encode({"root": content.decode(), "signatures": {"0" * 16: "00" * 64}}))


def read_envelope(content: bytes) -> object:
    """Read an envelope."""
    return document.read_envelope(BytesIO(len(content).to_bytes(4, "big") + content).read)


def read_fact(content: bytes) -> object:
    """Read an event's fact."""
    return Told.from_event(json.loads(content))


TIMESTAMP = SITE.timestamp(6, nonce="ab" * 16)[4:]
EVENT = {"tap_id": "00" * 16, "time": "2026-09-01T08:00:00.000Z", "host": "h", "epoch": 1, "seq": 1}
FACT = {"act": "lend", "card": "7", "person": "12", "provisional": True}
VECTORS = {name: wire_vectors.VECTORS[name]() for name in ("delta", "enrolment", "event")}
READERS: list[tuple[Callable[[bytes], object], bytes]] = [
    (read_envelope, TIMESTAMP),
    (read_header, json.loads(TIMESTAMP)["header"].encode()),
    (root.read_unverified, SITE.root_document()),
    (read_root, json.loads(SITE.root_document())["root"].encode()),
    (delta.decode, str(VECTORS["delta"]["raw"]).encode()),
    (EnrolRequest.parse, str(VECTORS["enrolment"]["request"]).encode()),
    (EnrolAnswer.parse, str(VECTORS["enrolment"]["answer"]).encode()),
    (Batch.parse, str(VECTORS["event"]["batch"]).encode()),
    (parse_answer, str(VECTORS["event"]["answer"]).encode()),
    (Watermark.parse, canonical.encode(json.loads(str(VECTORS["event"]["answer"]))["watermark"])),
    (stream.parse_line, b'{"desk":{"expires_at":"2026-09-01T08:00:00.000Z","request":7}}'),
    (stream.parse_line, b'{"generation":1,"version":2}'),
    (stream.parse_line, b'{"delta":"AA=="}'),
    (ClaimRequest.parse, wire_vectors.claim().to_json()),
    (ClaimAnswer.parse, ClaimAnswer(granted=True, served=0).to_json()),
    (DeskTap.parse, DeskTap(7, bytes(60)).to_json()),
    (lambda content: Trusted.parse(content, SITE.root()), SITE.host().trusted.to_json()),
    (read_fact, canonical.encode({**EVENT, "fact": FACT})),
]


def places(value: object) -> Iterator[tuple[str | int, ...]]:
    """Give the way to each value within a value, and to itself."""
    yield ()
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from ((name, *rest) for rest in places(member))


def changed(value: Any, way: tuple[str | int, ...], new: object) -> object:  # noqa: ANN401  JSON
    """Return the value with another one at a place."""
    if not way:
        return new
    other: Any = dict(value) if isinstance(value, dict) else list(value)
    other[way[0]] = changed(value[way[0]], way[1:], new)
    return other


@pytest.mark.parametrize(("read", "sound"), READERS)
@settings(max_examples=50)
@given(st.data())
def test_whatever_stands_in_a_place_only_a_wire_fault_is_raised(
    read: Callable[[bytes], object], sound: bytes, data: st.DataObject
) -> None:
    """A list for a number, an object for a text, anywhere: it is refused as what it is, and no reader falls over it."""
    read(sound)
    value = json.loads(sound)
    other = changed(value, data.draw(st.sampled_from(list(places(value)))), data.draw(VALUES))
    if read is read_fact and not isinstance(other, dict):
        return
    with suppress(WireFault):
        read(canonical.encode(other))
