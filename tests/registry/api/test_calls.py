"""The calls, each as a function; over HTTP they are asked in test_app.py."""

from pathlib import Path

import pytest

from registry.api.calls import ENDPOINTS, Answer, Call, Services, changes, enrol, events, snapshot, timestamp
from registry.api.enrolment import new_code
from registry.api.refusals import Refusal
from registry.models import Host
from registry.publishing import keys
from registry.publishing.changes import documents_changed
from registry.publishing.deltas import DeltaStore
from registry.publishing.snapshots import SnapshotStore
from sync.wire.document import read_envelope
from sync.wire.enrolment import Code, EnrolRequest
from sync.wire.event import GENESIS
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.upload import Batch
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """A registry's services."""
    keys.ensure(NOON, folder=tmp_path)
    held = keys.load(tmp_path)
    return Services(held, DeltaStore(held.signing), SnapshotStore(tmp_path, held.signing))


@pytest.fixture
def host() -> Host:
    """A host whose school has a version 1."""
    school = registered.school()
    documents_changed(school, now=lambda: NOON)
    return registered.host(school)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "one", "9223372036854775808", "1" * 30, "٣"])
def test_a_number_of_the_query_is_a_whole_one(text: str) -> None:
    """Whatever else comes is refused, by its name."""
    call = Call(None, {"after": text}, b"", NOON)
    with pytest.raises(Refusal) as refusal:
        call.number("after")
    assert (refusal.value.code, refusal.value.where) == ("malformed", "after")
    assert Call(None, {"after": "9223372036854775807"}, b"", NOON).number("after") == (1 << 63) - 1
    assert Call(None, {}, b"", NOON).number("after", 0) == 0


def test_what_a_host_holds_is_written_down(services: Services, host: Host) -> None:
    """The version that it asks from is the one that it has."""
    answer = changes(services, Call(host, {"after": "1", "generation": "1"}, b"", NOON))
    assert answer == Answer(status=204)
    assert Host.objects.get().held_version == 1


@pytest.mark.parametrize("nonce", ["", "ab", "AB" * 16, "a" * 33, "zz" * 16, "ab" * 33])
def test_a_nonce_has_its_form(services: Services, host: Host, nonce: str) -> None:
    """8 to 32 bytes in lower-case hex."""
    with pytest.raises(Refusal):
        timestamp(services, Call(host, {"nonce": nonce}, b"", NOON))


def test_wrong_codes_are_bounded_and_a_right_one_is_let_in(services: Services, host: Host) -> None:
    """Thirty a minute from one address, whatever others do; a stranger who fails keeps nobody out, not even from there."""
    right = Code.parse(new_code(host, now=NOON, actor="it"))
    wrong = Code(bytes(16), right.fingerprint)

    def enrolled(code: Code, address: str) -> str:
        request = EnrolRequest.make(code, host.name, SigningKey.generate(), BoxKey.generate())
        try:
            return str(enrol(services, Call(None, {}, request.to_json(), NOON, address)).status)
        except Refusal as refusal:
            return refusal.code

    assert [enrolled(wrong, "192.0.2.1") for _ in range(31)] == ["bad_code"] * 30 + ["too_often"]
    assert enrolled(wrong, "192.0.2.2") == "bad_code"
    assert enrolled(right, "192.0.2.1") == "200"


def test_a_snapshot_that_was_asked_for_is_there_whatever_comes_after(services: Services, host: Host) -> None:
    """It is open before a newer one takes its place, and before it is sent."""
    first = snapshot(services, Call(host, {}, b"", NOON)).content
    documents_changed(host.school, now=lambda: NOON)
    registered.host(host.school, "another", public_key=bytes(32))
    documents_changed(host.school, now=lambda: NOON)
    second = snapshot(services, Call(host, {}, b"", NOON)).content
    assert not isinstance(first, bytes)
    assert not isinstance(second, bytes)
    with first, second:
        assert not Path(first.name).exists()
        assert read_envelope(first.read).header.version < read_envelope(second.read).header.version


def test_events_before_the_first_epoch_are_refused(services: Services, host: Host) -> None:
    """Epoch 0 stands for before any event."""
    with pytest.raises(Refusal, match="epoch"):
        events(services, Call(host, {}, Batch(0, 1, GENESIS, (b"x",)).to_json(), NOON))


def test_only_three_calls_need_no_signature() -> None:
    """Enrolling and the roots; the third is the description itself."""
    assert {each.path for each in ENDPOINTS if not each.is_signed} == {"/v1/enrol", "/v1/root"}
    assert all(each.max_body_bytes == 0 for each in ENDPOINTS if each.method == "GET")
