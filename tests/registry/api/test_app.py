"""The hosts' API as it is served: a registry of its own in a process, and hosts that speak the wire with it."""

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from registry.api.calls import ENDPOINTS
from registry.api.openapi import OPENAPI
from sync.wire import quota, upload
from sync.wire.desk import DeskTap
from sync.wire.enrolment import Code
from sync.wire.event import GENESIS
from sync.wire.faults import WireFault
from sync.wire.keys import SigningKey
from tests.rig.protocol_host import ProtocolHost, ask
from tests.rig.registry_process import RegistryProcess, a_school

CLAIM: Final = quota.ClaimRequest("ab" * 16, "door", "in", date(2026, 11, 23), "1", None, "personal").to_json()
SIGNED: Final = [(each.method, each.path) for each in ENDPOINTS if each.is_signed] + [("GET", "/v1/stream")]
BODIES: Final = {"/v1/claims": CLAIM}
QUERIES: Final = {"/v1/changes": "?after=1&generation=1"}


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryProcess]:
    """A registry with two schools."""
    with RegistryProcess() as running:
        running.do(a_school("thg") + a_school("viimsi"))
        yield running


def code_for(registry: RegistryProcess, name: str, *more: str) -> str:
    """Make a one-time code as the command does."""
    return registry.command("enrol-code", name, "--school", "thg", *more).splitlines()[0]


def enrolled(registry: RegistryProcess, *more: str) -> ProtocolHost:
    """A host that is enrolled."""
    host = ProtocolHost(registry.port, f"host-{secrets.token_hex(4)}")
    assert asyncio.run(host.enrol(code_for(registry, host.name, *more))).status == 200
    return host


@pytest.fixture(scope="module")
def host(registry: RegistryProcess) -> ProtocolHost:
    """A host of the first school."""
    return enrolled(registry)


def test_a_code_enrols_one_host_once(registry: RegistryProcess) -> None:
    """A used code, one for another host and one that was never made are refused alike."""
    first, second = ProtocolHost(registry.port, "once"), ProtocolHost(registry.port, "once")
    code = code_for(registry, "once")
    stranger = ProtocolHost(registry.port, "stranger")
    assert asyncio.run(stranger.enrol(code)).json["error"] == "bad_code"
    assert asyncio.run(first.enrol(code)).status == 200
    assert asyncio.run(second.enrol(code)).json["error"] == "bad_code"
    invented = Code(bytes(16), Code.parse(code).fingerprint)
    assert asyncio.run(second.enrol(invented.text)).json["error"] == "bad_code"
    asyncio.run(first.catch_up())
    assert first.state_of(b"\x10\0\0\0") == "active"


def test_a_host_enrolled_anew_has_new_keys(registry: RegistryProcess) -> None:
    """From then on its former keys are nobody's."""
    former = enrolled(registry)
    host = ProtocolHost(registry.port, former.name)
    code = code_for(registry, host.name)
    assert asyncio.run(former.ask("GET", "/v1/timestamp")).status == 200
    assert asyncio.run(host.enrol(code)).status == 200
    assert asyncio.run(former.ask("GET", "/v1/timestamp")).json["error"] == "bad_signature"
    assert asyncio.run(host.ask("GET", "/v1/timestamp")).status == 200


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_no_call_is_answered_without_a_signature(registry: RegistryProcess, method: str, path: str) -> None:
    """Whatever it asks for."""
    reply = asyncio.run(ask(registry.port, method, path + QUERIES.get(path, ""), {}, BODIES.get(path, b"")))
    assert (reply.status, reply.json["error"]) == (401, "unsigned")


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_no_call_is_answered_to_a_stranger_or_to_another_hosts_name(host: ProtocolHost, method: str, path: str) -> None:
    """Nobody enrolled by that name; or somebody, but with another key."""
    target, body = path + QUERIES.get(path, ""), BODIES.get(path, b"")
    for name in ("nobody-here", host.name):
        other = ProtocolHost(host.port, name)
        reply = asyncio.run(other.ask(method, target, body))
        assert (reply.status, reply.json["error"]) == (401, "bad_signature")


@pytest.mark.parametrize(("method", "path"), SIGNED)
def test_no_request_is_taken_twice(host: ProtocolHost, method: str, path: str) -> None:
    """What was recorded on the way is of no use, for any call."""
    nonce = secrets.token_hex(16)
    headers = host.signed("GET", "/v1/timestamp", nonce=nonce)
    assert asyncio.run(ask(host.port, "GET", "/v1/timestamp", headers)).status == 200
    target, body = path + QUERIES.get(path, ""), BODIES.get(path, b"")
    reply = asyncio.run(ask(host.port, method, target, host.signed(method, target, body, nonce=nonce), body))
    assert (reply.status, reply.json["error"]) == (401, "replayed")


def test_no_call_is_answered_to_a_revoked_host(registry: RegistryProcess) -> None:
    """Its signature still fits; it is told why it is refused."""
    stolen = enrolled(registry)
    registry.do(f"Host.objects.filter(name='{stolen.name}').update(revoked_at=timezone.now())")
    for method, path in SIGNED:
        reply = asyncio.run(stolen.ask(method, path + QUERIES.get(path, ""), BODIES.get(path, b"")))
        assert (reply.status, reply.json["error"]) == (403, "revoked")


def test_a_signature_holds_for_its_own_request_alone(host: ProtocolHost) -> None:
    """Another path, query, method or body, or an old signature, is refused."""
    signed = host.signed("POST", "/v1/claims", CLAIM)
    other = CLAIM.replace(b"personal", b"staff")
    refused = [
        asyncio.run(ask(host.port, "POST", "/v1/claims", signed, other)),
        asyncio.run(ask(host.port, "POST", "/v1/claims?x=1", signed, CLAIM)),
        asyncio.run(ask(host.port, "POST", "/v1/desk", signed, CLAIM)),
        asyncio.run(ask(host.port, "GET", "/v1/timestamp", host.signed("GET", "/v1/snapshot"))),
    ]
    old = datetime.now(UTC) - timedelta(minutes=6)
    refused.append(asyncio.run(ask(host.port, "GET", "/v1/timestamp", host.signed("GET", "/v1/timestamp", at=old))))
    assert [(reply.status, reply.json["error"]) for reply in refused] == [(401, "bad_signature")] * 5
    assert asyncio.run(ask(host.port, "POST", "/v1/claims", signed, CLAIM)).status == 200


@pytest.mark.parametrize(
    ("language", "says"),
    [("et", "allkirjastatud"), ("en-GB,et;q=0.5", "not signed"), ("de,ru;q=0.3", "не подписан"), ("", "not signed")],
)
def test_a_refusal_speaks_the_callers_language(registry: RegistryProcess, language: str, says: str) -> None:
    """The code is for programs, the sentence for people."""
    reply = asyncio.run(ask(registry.port, "GET", "/v1/timestamp", {"Accept-Language": language}))
    assert set(reply.json) == {"error", "where", "found", "expected", "message"}
    assert says in reply.json["message"]


def test_what_is_not_there_is_refused_as_everything_else(registry: RegistryProcess) -> None:
    """Another address, another method, a body that nobody asked for."""
    assert asyncio.run(ask(registry.port, "GET", "/v1/nothing", {})).json["error"] == "not_found"
    reply = asyncio.run(ask(registry.port, "DELETE", "/v1/events", {}))
    assert (reply.status, reply.json["error"], reply.headers["allow"]) == (405, "wrong_method", "POST")
    assert asyncio.run(ask(registry.port, "GET", "/v1/root", {}, b"x")).json["error"] == "too_large"
    assert asyncio.run(ask(registry.port, "GET", "/v1/root?after=-1", {})).json["where"] == "after"


def test_a_body_is_bounded(host: ProtocolHost) -> None:
    """More than a call takes is refused while it comes, before anybody looks at a signature."""
    reply = asyncio.run(host.ask("POST", "/v1/events", bytes(upload.MAX_BYTES + 1)))
    assert (reply.status, reply.json["error"]) == (413, "too_large")


def test_a_first_sync_and_changes_lead_to_the_same_state(registry: RegistryProcess) -> None:
    """One host follows from the first snapshot on, another takes a snapshot later: they hold the same."""
    early = enrolled(registry)
    asyncio.run(early.catch_up())
    registry.do(
        "from registry.publishing.changes import card_changed\n"
        "card = Card.objects.get(school__code='thg', number='1')\n"
        "card.state = 'closed'; card.close_reason = 'lost'; card.save(); card_changed(card)"
    )
    asyncio.run(early.catch_up())
    late = enrolled(registry)
    asyncio.run(late.catch_up())
    asyncio.run(early.catch_up())
    assert early.state_of(b"\x10\0\0\x01") == late.state_of(b"\x10\0\0\x01") == "closed"
    assert (early.cards, early.documents, early.deltas_taken) == (late.cards, late.documents, 2)
    assert early.held.digest == late.held.digest == late.digest()


def test_a_host_of_one_school_learns_nothing_of_another(registry: RegistryProcess, host: ProtocolHost) -> None:
    """The same chips, another key: and its documents are refused by whoever is not meant."""
    other = ProtocolHost(registry.port, "of-viimsi")
    code = registry.command("enrol-code", other.name, "--school", "viimsi").splitlines()[0]
    assert asyncio.run(other.enrol(code)).status == 200
    asyncio.run(other.catch_up())
    asyncio.run(host.catch_up())
    assert other.held.audience == "viimsi"
    assert not set(other.cards) & set(host.cards)
    reply = asyncio.run(other.ask("GET", "/v1/timestamp"))
    with pytest.raises(WireFault, match="site viimsi"):
        host.take_timestamp(reply.body)


def test_a_timestamp_vouches_for_the_time(host: ProtocolHost) -> None:
    """It repeats the nonce; a nonce of another form is refused."""
    nonce = secrets.token_hex(16)
    header = host.take_timestamp(asyncio.run(host.ask("GET", f"/v1/timestamp?nonce={nonce}")).body, nonce)
    assert abs(datetime.now(UTC) - header.issued_at) < timedelta(seconds=60)
    assert asyncio.run(host.ask("GET", "/v1/timestamp?nonce=XYZ")).json["where"] == "nonce"


@pytest.mark.parametrize("query", ["after=999999&generation=1", "after=1&generation=2", "after=0&generation=1"])
def test_changes_from_nowhere_ask_for_a_snapshot(host: ProtocolHost, query: str) -> None:
    """A host that is ahead, of another generation, or that holds nothing."""
    reply = asyncio.run(host.ask("GET", f"/v1/changes?{query}"))
    assert (reply.status, reply.json["error"]) == (410, "take_snapshot")


def test_events_and_claims_reach_their_folders(host: ProtocolHost) -> None:
    """A batch is taken and moves the watermark; a claim is answered."""
    batch = upload.Batch(1, 1, GENESIS, (b"no event at all",))
    reply = asyncio.run(host.ask("POST", "/v1/events", batch.to_json()))
    taken = upload.parse_answer(reply.body)
    assert isinstance(taken, upload.Taken)
    assert upload.Watermark.parse(asyncio.run(host.ask("GET", "/v1/events/watermark")).body).seq == 1
    assert asyncio.run(host.ask("POST", "/v1/events", b"{}")).json["error"] == "malformed"
    assert quota.ClaimAnswer.parse(asyncio.run(host.ask("POST", "/v1/claims", CLAIM)).body).granted
    assert asyncio.run(host.ask("POST", "/v1/claims", b"[]")).json["error"] == "malformed"


def test_a_desk_answers_whoever_asked_once(registry: RegistryProcess, host: ProtocolHost) -> None:
    """Sealed to the registry and to the request; another host's, a used and an expired request are refused."""
    desk = enrolled(registry, "--desk")
    asked = registry.do(
        "from datetime import timedelta\n"
        f"desk = Host.objects.get(name='{desk.name}'); now = timezone.now()\n"
        "for s in (60, -1): print(DeskRequest.objects.create(host=desk, asked_by='t', asked_at=now,"
        " expires_at=now + timedelta(seconds=s)).pk)"
    ).split()
    open_request, over = map(int, asked)
    box, uid = desk.held.root.box_key, bytes.fromhex("04a1b2c3d4e5f6")

    def tap(by: ProtocolHost, request: int, sealed_for: int | None = None) -> tuple[int, str]:
        made = DeskTap.make(box, request if sealed_for is None else sealed_for, by.name, uid)
        reply = asyncio.run(by.ask("POST", "/v1/desk", DeskTap(request, made.sealed).to_json()))
        return reply.status, reply.json["error"] if reply.body else ""

    assert tap(host, open_request) == (403, "not_a_desk")
    assert tap(desk, open_request, sealed_for=over) == (400, "malformed")
    assert tap(desk, 10**9) == (404, "no_such_request")
    assert tap(desk, over) == (410, "too_late")
    assert tap(desk, open_request) == (204, "")
    assert tap(desk, open_request) == (409, "already_tapped")
    assert registry.do(f"print(bytes(DeskRequest.objects.get(pk={open_request}).uid).hex())").strip() == uid.hex()


def test_the_description_names_every_call(registry: RegistryProcess) -> None:
    """What is served is what is told, and the document itself is served."""
    assert asyncio.run(ask(registry.port, "GET", "/v1/openapi.json", {})).json == OPENAPI
    told = {(method.upper(), path) for path, methods in OPENAPI["paths"].items() for method in methods}
    assert told == {(each.method, each.path) for each in ENDPOINTS} | {
        ("GET", "/v1/stream"),
        ("GET", "/v1/openapi.json"),
    }


def test_a_flood_of_wrong_codes_is_held_off(registry: RegistryProcess) -> None:
    """After thirty within a minute nobody is heard for a while, and told so."""
    host = ProtocolHost(registry.port, "guesser", key=SigningKey.generate())
    wrong = Code(bytes(16), "00" * 16).text
    with RegistryProcess() as other:
        host.port = other.port
        replies = [asyncio.run(host.enrol(wrong)).status for _ in range(31)]
    assert replies == [401] * 30 + [429]
