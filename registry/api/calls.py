"""The calls of the hosts' API: what each takes, does and answers. All but the stream, which is `registry.stream`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from django.db import transaction

from registry.api import listening, people
from registry.api.enrolment import redeem
from registry.api.refusals import Refusal
from registry.events.claims import claim
from registry.events.ingest import take
from registry.events.progress import watermark
from registry.models import DeskRequest, Host
from registry.publishing import keys, timestamps
from registry.publishing.deltas import DeltaStore, SnapshotNeeded
from registry.publishing.snapshots import SnapshotStore
from registry.throttle import Throttle
from sync.wire import canonical, desk, enrolment, listens, quota, upload
from sync.wire.document import NONCE_BYTES
from sync.wire.faults import BadSignature

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
_MOST: Final = (1 << 63) - 1
_WRONG_CODES: Final = 30  # from one address within a minute
_MINUTE: Final = timedelta(minutes=1)
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Services:
    """What the calls need beside the database."""

    keys: keys.Keys
    deltas: DeltaStore
    snapshots: SnapshotStore
    enrolments: Throttle = field(default_factory=lambda: Throttle(_WRONG_CODES, _MINUTE))  # by address


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was let in. `host` is None for a call that needs no signature; `address` is whence it came.

    `named` is what stands in the place that the call's path leaves open.
    """

    host: Host | None
    query: Mapping[str, str]
    body: bytes
    now: datetime
    address: str = ""
    named: str = ""

    @property
    def caller(self) -> Host:
        """The host that signed it."""
        assert self.host is not None, "asked of a call that nobody signed"  # noqa: S101  an invariant: a break must crash
        return self.host

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number of the query. Raises Refusal."""
        text = self.query.get(name)
        if text is None and default is not None:
            return default
        if text is None or not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _MOST:  # noqa: PLR2004  2⁶³ has 19 digits
            raise Refusal("malformed", name, "nothing" if text is None else text, "a whole number")
        return int(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call answers: bytes, or an open file to be sent as it is."""

    content: bytes | BinaryIO = b""
    status: int = 200
    media_type: str = JSON


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address with one method; a path may end in a name in braces, which stands for one part of any text.

    A slow call has a thread of its own, so that no question for a serving waits for it.
    """

    method: str
    path: str
    perform: Callable[[Services, Call], Answer]
    max_body_bytes: int = 0
    is_signed: bool = True
    is_slow: bool = field(default=False, kw_only=True)


def enrol(services: Services, call: Call) -> Answer:
    """Take a host's keys in exchange for its one-time code."""
    try:
        answer = redeem(enrolment.EnrolRequest.parse(call.body), services.keys, call.now)
    except BadSignature as fault:
        _count_failure(services, call)
        raise Refusal("bad_signature", "proof", str(fault), "a proof by the key that is named") from fault
    except Refusal:
        _count_failure(services, call)
        raise
    return Answer(answer.to_json())


def _count_failure(services: Services, call: Call) -> None:
    """Count it. Raises Refusal when there were too many; a right code is let in whatever came before: its 128 bits are not guessed."""
    if services.enrolments.has_enough(call.address, call.now):
        raise Refusal("too_often", "enrol", f"{_WRONG_CODES} attempts that failed within a minute", "fewer")
    services.enrolments.failed(call.address, call.now)


def roots(_services: Services, call: Call) -> Answer:
    """Give the root documents after a version."""
    documents = keys.roots_after(call.number("after", 0))[: enrolment.MAX_ROOTS]
    return Answer(canonical.encode([canonical.to_base64(document) for document in documents]))


def timestamp(services: Services, call: Call) -> Answer:
    """Vouch for the newest version and the time, to whoever sent this nonce."""
    nonce = call.query.get("nonce")
    if nonce is not None and (set(nonce) - _HEX or len(nonce) % 2 or len(nonce) // 2 not in NONCE_BYTES):
        raise Refusal("malformed", "nonce", nonce, "8 to 32 bytes in lower-case hex")
    return Answer(timestamps.make(call.caller.school, services.keys.signing, call.now, nonce), media_type=BYTES)


def snapshot(services: Services, call: Call) -> Answer:
    """Give the school's whole state."""
    return Answer(services.snapshots.newest(call.caller.school), media_type=BYTES)


def changes(services: Services, call: Call) -> Answer:
    """Give what changed since the version that the host holds."""
    version, generation = call.number("after"), call.number("generation")
    host = call.caller
    try:
        delta = services.deltas.since(host.school, generation, version)
    except SnapshotNeeded:
        raise Refusal(
            "take_snapshot", "after", f"version {version} of generation {generation}", "a version that is not too old"
        ) from None
    if host.held_version != version:
        Host.objects.filter(pk=host.pk).update(held_version=version)
    return Answer(status=204) if delta is None else Answer(delta.document, media_type=BYTES)


def events(_services: Services, call: Call) -> Answer:
    """Take a batch of the host's events."""
    batch = upload.Batch.parse(call.body)
    if batch.epoch == 0:
        raise Refusal("malformed", "epoch", "0", "1 or more: 0 stands for before any event")
    return Answer(upload.answer_to_json(take(call.caller, batch, call.now)))


def events_watermark(_services: Services, call: Call) -> Answer:
    """Say how far the host's events were taken."""
    return Answer(watermark(call.caller).to_json())


def claims(_services: Services, call: Call) -> Answer:
    """Answer whether a serving may be given."""
    return Answer(claim(call.caller, quota.ClaimRequest.parse(call.body), call.now).to_json())


def desk_tap(services: Services, call: Call) -> Answer:
    """Take the card that was tapped at a desk for somebody who waits for it."""
    host = call.caller
    if not host.is_desk:
        raise Refusal("not_a_desk", "keyid", f"host {host.name}", "a host that is a desk")
    tap = desk.DeskTap.parse(call.body)
    try:
        uid = tap.open(services.keys.box, host.name)
    except BadSignature as fault:
        raise Refusal("malformed", "sealed", str(fault), "a UID sealed to this registry and this request") from fault
    with transaction.atomic():
        asked = DeskRequest.objects.select_for_update().filter(pk=tap.request, host=host).first()
        if asked is None:
            raise Refusal("no_such_request", "request", str(tap.request), "a request that was sent to this desk")
        if asked.tapped_at is not None:
            raise Refusal("already_tapped", "request", str(tap.request), "a request that waits for a card")
        if asked.used_at is not None or asked.expires_at < call.now:
            raise Refusal("too_late", "request", str(tap.request), "a request that waits for a card")
        asked.uid, asked.tapped_at = uid, call.now
        asked.save(update_fields=["uid", "tapped_at"])
    return Answer(status=204)


def people_document(services: Services, call: Call) -> Answer:
    """Give whom the host may show by name."""
    known = (call.number("generation", 0), call.number("after", 0))
    document = people.document(call.caller, known, services.keys.signing, call.now)
    return Answer(status=204) if document is None else Answer(document, media_type=BYTES)


def photo(_services: Services, call: Call) -> Answer:
    """Give a photo that the people document names."""
    return Answer(people.photo(call.caller, call.named, call.now), media_type=BYTES)


def day(_services: Services, call: Call) -> Answer:
    """Say how many of each class were served on a day."""
    return Answer(people.served(call.caller, call.query.get("service", ""), call.query.get("day", "")).to_json())


def host_listens(_services: Services, call: Call) -> Answer:
    """Take where the host is reached by the school's others."""
    listening.take(call.caller, listens.Listens.parse(call.body), call.now)
    return Answer(status=204)


ENDPOINTS: Final = (
    Endpoint("POST", "/v1/enrol", enrol, enrolment.MAX_REQUEST_BYTES, is_signed=False),
    Endpoint("GET", "/v1/root", roots, is_signed=False),
    Endpoint("GET", "/v1/timestamp", timestamp),
    Endpoint("GET", "/v1/snapshot", snapshot, is_slow=True),
    Endpoint("GET", "/v1/changes", changes),
    Endpoint("POST", "/v1/events", events, upload.MAX_BYTES),
    Endpoint("GET", "/v1/events/watermark", events_watermark),
    Endpoint("POST", "/v1/claims", claims, quota.MAX_BYTES),
    Endpoint("POST", "/v1/desk", desk_tap, desk.MAX_BYTES),
    Endpoint("POST", "/v1/listens", host_listens, listens.MAX_BYTES),
    Endpoint("GET", "/v1/people", people_document, is_slow=True),
    Endpoint("GET", "/v1/photos/{sha256}", photo, is_slow=True),
    Endpoint("GET", "/v1/day", day),
)
