"""Fetching from a registry that may be malicious: what TUF's conformance cases demand of a client, end to end over HTTP."""

import base64
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest

from policy.model import State
from sync import current
from sync.cache import CardCache
from sync.durable import replace_file
from sync.link import identity
from sync.link.link import Link
from sync.wire import stream, times, trust
from sync.wire.document import TIMESTAMP
from sync.wire.keys import SigningKey
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.linked import enrolled, held, running, until
from tests.rig.small_registry import Site, SmallRegistry, bare_row, uid


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry of three cards, that can be told to lie."""
    with SmallRegistry() as small:
        yield small


@pytest.fixture
def host(tmp_path: Path, registry: SmallRegistry) -> Path:
    """Give the state directory of a host that is enrolled there."""
    return enrolled(tmp_path / "state", registry)


def in_step(link: Link, registry: SmallRegistry) -> bool:
    """Whether the link holds the registry's newest state, says so, and listens."""
    return (
        bool(registry._streams)
        and link.report.table()["held"] == registry.site.version
        and not link.report.faults.get("registry")
    )


def state_of(host: Path, registry: SmallRegistry, number: int) -> State | None:
    """Return a card's state as the tap process reads it."""
    cache = CardCache(host, registry.site_key)
    try:
        card = cache.find(uid(number))
        return card.state if card else None
    finally:
        cache.close()


def refused(host: Path, registry: SmallRegistry, said: str, *, url: str | None = None) -> None:
    """Run the link until it has refused what it is offered for `said`, and prove that what was held is held as it was."""
    before = held(host)
    with running(host, url or registry.url) as link:
        until(lambda: said in link.report.faults.get("registry", ""), f"{said!r} in {link.report.faults}")
    assert held(host) == before


def test_a_first_sync_then_what_changes(host: Path, registry: SmallRegistry) -> None:
    """Enrolled, the host takes a snapshot, and each change as it comes down the stream."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry), "the snapshot")
        registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED, number=2))
        until(lambda: in_step(link, registry), "the delta")
        assert state_of(host, registry, 1) is State.CLOSED
        assert link.report.table()["heard_at"] is not None
    assert registry.asked.count("GET snapshot") == 1


def test_what_changed_meanwhile_is_caught_up_with(host: Path, registry: SmallRegistry) -> None:
    """A host that was away takes the deltas since, and no snapshot."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    for number in (1, 2, 3):
        registry.put(bare_row(registry.site_key, uid(number), state=State.CLOSED, number=9))
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    assert held(host) == (1, 4)
    assert registry.asked.count("GET snapshot") == 1


def test_changes_that_are_no_more_to_be_had_are_a_snapshot(host: Path, registry: SmallRegistry) -> None:
    """Away for too long: the whole is fetched anew."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.put()
    registry._deltas.clear()
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    assert registry.asked.count("GET snapshot") == 2


def test_a_bigger_change_is_announced_and_fetched(host: Path, registry: SmallRegistry) -> None:
    """A version line names it; a signed timestamp and the delta that is asked for prove it."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        registry.put(bare_row(registry.site_key, uid(2), state=State.CLOSED), tell=False)
        registry.tell(stream.to_line(stream.VersionLine(registry.site.version, 1)))
        until(lambda: in_step(link, registry))
        registry.tell(stream.to_line(stream.VersionLine(99, 1)))  # nobody signed that
        registry.tell(b'{"weather":"fine"}\n')  # of a later registry
        registry.put(tell=False)
        registry.tell(stream.to_line(stream.TimestampLine(registry.timestamp())))
        until(lambda: in_step(link, registry))
    assert registry.asked.count("GET snapshot") == 1


def test_a_desk_request_is_told(host: Path, registry: SmallRegistry) -> None:
    """The deciding process finds it in the report."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        at = times.cut(registry.now())
        registry.tell(stream.to_line(stream.DeskLine(5, at)))
        until(lambda: link.report.table()["desk"] == {"request": 5, "expires_at": times.to_text(at)})


# Rollback, as TUF has it


def test_rollback_attack_an_older_snapshot(host: Path, registry: SmallRegistry) -> None:
    """A snapshot from before a card was closed, validly signed and not expired, is refused: by a host that lost its cache too."""
    old = registry.snapshot()
    registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    for path in host.glob("cache-*"):
        path.unlink()
    (host / "current").unlink()
    registry.lies["snapshot"] = old
    refused(host, registry, "found version 1, expected 2")
    registry.lies.clear()
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    assert state_of(host, registry, 1) is State.CLOSED


def test_rollback_attack_an_older_timestamp(host: Path, registry: SmallRegistry) -> None:
    """A timestamp of an older state is no news."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        at = times.cut(registry.now() - 2 * trust.OVERTAKEN_WITHIN)
        old = registry.timestamp(issued_at=at, expires_at=at + timedelta(days=1))
        registry.put()
        until(lambda: in_step(link, registry))
        registry.tell(stream.to_line(stream.TimestampLine(old)))
        until(lambda: "timestamp: found version 1" in link.report.faults.get("registry", ""))
        assert held(host) == (1, 2)


def test_rollback_attack_a_replayed_delta(host: Path, registry: SmallRegistry) -> None:
    """A delta that was applied already changes nothing, however often it comes."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        closing = registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))
        registry.put(bare_row(registry.site_key, uid(1), state=State.ACTIVE))
        until(lambda: in_step(link, registry))
        for _ in range(3):
            registry.tell(stream.to_line(stream.DeltaLine(closing)))
        registry.put()
        until(lambda: in_step(link, registry))
    assert state_of(host, registry, 1) is State.ACTIVE


def test_rollback_attack_an_older_root(host: Path, registry: SmallRegistry) -> None:
    """Roots follow one another; a repeated one and one that leaves another out are refused."""
    first = registry.roots[0]
    registry.add_root()
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.lies["root"] = b'["' + base64.b64encode(first) + b'"]'
    refused(host, registry, "root: found version 1, expected 3")


# Freeze


def test_freeze_attack_an_expired_timestamp(host: Path, registry: SmallRegistry) -> None:
    """A timestamp that has run out vouches for nothing, whatever the host's own clock says."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        past = times.cut(registry.now()) - timedelta(minutes=4)
        old = registry.timestamp(issued_at=past, expires_at=past + timedelta(minutes=1))
        registry.tell(stream.to_line(stream.TimestampLine(old)))
        until(lambda: "timestamp: expired" in link.report.faults.get("registry", ""))


def test_freeze_attack_a_timestamp_of_another_question(host: Path, registry: SmallRegistry) -> None:
    """An answer that was kept bears another nonce: it cannot vouch for the time."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.lies["timestamp"] = registry.timestamp("00" * 16)
    refused(host, registry, "answers another question")


def test_an_expired_snapshot_is_refused(host: Path, registry: SmallRegistry) -> None:
    """A whole state has its time too."""
    past = times.cut(registry.now()) - timedelta(days=2)
    registry.lies["snapshot"] = registry.snapshot(issued_at=past, expires_at=past + timedelta(days=1))
    refused(host, registry, "snapshot: expired")


# TUF: mix-and-match


def test_mix_and_match_attack_one_states_file_under_anothers_header(host: Path, registry: SmallRegistry) -> None:
    """The file says of itself what it is: one that its header does not fit is refused, though both are signed."""
    other = deepcopy(registry.site)
    other.version = 5
    registry.lies["snapshot"] = registry.snapshot(other, version=6)
    registry.site.version = 6
    refused(host, registry, "its header")


def test_mix_and_match_attack_another_state_under_the_same_version(host: Path, registry: SmallRegistry) -> None:
    """One version is one state: a registry that tells two is not followed."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        other = deepcopy(registry.site)
        other.rows.clear()
        registry.tell(stream.to_line(stream.TimestampLine(registry.document(TIMESTAMP, site=other))))
        until(lambda: "another state under the version" in link.report.faults.get("registry", ""))
        assert held(host) == (1, 1)


def test_mix_and_match_attack_a_delta_of_another_state(host: Path, registry: SmallRegistry) -> None:
    """A delta whose digest does not come out is undone, said, and a snapshot fetched."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED), digest="5" * 64)
        until(lambda: in_step(link, registry), "the snapshot that mends it")
        assert state_of(host, registry, 1) is State.CLOSED
    assert registry.asked.count("GET snapshot") == 2


def test_wrong_audience(host: Path, registry: SmallRegistry) -> None:
    """Another school's documents, by the same registry, are refused."""
    registry.lies["snapshot"] = registry.snapshot(audience="viimsi")
    refused(host, registry, "found site viimsi, expected thg")


# TUF: wrong keys, threshold


def test_a_key_that_no_root_names(host: Path, registry: SmallRegistry) -> None:
    """Signed by somebody: refused."""
    registry.lies["snapshot"] = registry.snapshot(signer=SigningKey.generate())
    refused(host, registry, "signed by none of the keys")


def test_a_changed_byte(host: Path, registry: SmallRegistry) -> None:
    """One bit of the body: refused, and nothing is left of it."""
    document = bytearray(registry.snapshot())
    document[-20] ^= 1
    registry.lies["snapshot"] = bytes(document)
    refused(host, registry, "snapshot:")
    assert not list(host.glob("fetched*"))


@pytest.mark.parametrize("signers", [0, 1])
def test_a_root_below_the_threshold(tmp_path: Path, signers: int) -> None:
    """A next root needs as many of the held root's keys as that demands, not one less."""
    with SmallRegistry() as registry:
        second = SigningKey.generate()
        registry.roots.clear()
        registry.add_root(
            root_keys=(registry.root_key.public, second.public), threshold=2, signers=[registry.root_key, second]
        )
        registry.code = type(registry.code).make(registry.root.fingerprint)
        host = enrolled(tmp_path / "state", registry)
        with running(host, registry.url) as link:
            until(lambda: in_step(link, registry))
        thief = SigningKey.generate()
        kept = registry.root
        registry.add_root(
            root_keys=kept.root_keys, threshold=2, signing_keys=(thief.public,), signers=[[thief], [second]][signers]
        )
        refused(host, registry, "root: ")


def test_keys_change_by_a_new_root(host: Path, registry: SmallRegistry) -> None:
    """A signing key that was replaced holds no more, the new one does, also while the stream is open."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        old, registry.signing_key = registry.signing_key, SigningKey.generate()
        registry.add_root()
        registry.tell(stream.to_line(stream.RootLine(2)))
        registry.put()
        until(lambda: in_step(link, registry))
        registry.tell(stream.to_line(stream.TimestampLine(registry.timestamp(signer=old))))
        until(lambda: "signed by none" in link.report.faults.get("registry", ""))


# TUF: fast-forward, and recovery from it


def test_fast_forward_attack_is_recovered_from_by_a_new_generation(host: Path, registry: SmallRegistry) -> None:
    """Versions that ran ahead are left behind: a new root opens a generation in which small ones hold."""
    registry.site.version = 1 << 40
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        registry.site = Site(generation=2, version=3, rows=registry.site.rows)
        registry.add_root(generation=2)
        registry.tell(stream.to_line(stream.RootLine(2)))
        until(lambda: in_step(link, registry))
    assert held(host) == (2, 3)
    registry.site = Site(generation=1, version=1 << 41)
    refused(host, registry, "found generation 1, expected 2")


def test_a_generation_needs_a_root(host: Path, registry: SmallRegistry) -> None:
    """Documents of a generation that no root has opened are refused."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.site.generation = 2
    refused(host, registry, "which root 1 does not open")


# TUF: endless and slow data


def test_endless_data_attack(host: Path, registry: SmallRegistry) -> None:
    """A document that goes on behind its end is cut off, and nothing of it is kept."""
    registry.lies["snapshot"] = registry.snapshot() + bytes(1 << 20)
    refused(host, registry, "goes on after")
    registry.lies["snapshot"] = b"\xff\xff\xff\xff" + bytes(1 << 20)
    refused(host, registry, "envelope: found")
    assert not list(host.glob("fetched*"))


def test_a_snapshot_that_is_cut_off(host: Path, registry: SmallRegistry) -> None:
    """Half a snapshot is none."""
    registry.lies["snapshot"] = registry.snapshot()[:-100]
    refused(host, registry, "snapshot:")


def test_a_silent_registry_does_not_keep_the_link_from_stopping(host: Path, registry: SmallRegistry) -> None:
    """SIGTERM is heard while a question waits for its answer."""
    with FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy:
        with running(host, proxy.url):
            until(lambda: proxy.made)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 5


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_network_is_lived_through(host: Path, registry: SmallRegistry, seed: int) -> None:
    """Cut, delayed, truncated, refused by lot: in the end what is held is what the registry has."""
    faults = frozenset(Fault) - {Fault.SILENCE, Fault.REPEAT}
    with (
        FaultyProxy(("127.0.0.1", registry.port), seed=seed, faults=faults, share=0.6) as proxy,
        running(host, proxy.url) as link,
    ):
        link._fetcher._backoff._most_s = 0.1
        for number in range(1, 4):
            registry.put(bare_row(registry.site_key, uid(number), state=State.CLOSED))
            proxy.cut_all()
            until(lambda: in_step(link, registry), str(link.report.faults), 40)
    assert held(host) == (1, 4)


# The clock, revocation, files that are lost


@pytest.mark.parametrize("days", [-9000, 4000])
def test_a_wrong_clock_is_put_right_by_the_registry(host: Path, registry: SmallRegistry, days: int) -> None:
    """A host whose clock is decades off is refused, borrows the time to sign with, and learns the signed one."""
    registry.skew = timedelta(days=days)
    registry.roots.clear()
    registry.add_root()
    registry.is_code_used = False
    enrolled(host, registry)
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        offset_ms = link.report.table()["clock_offset_ms"]
        assert abs(offset_ms - days * 86_400_000) < 60_000


def test_a_revoked_host_says_so(host: Path, registry: SmallRegistry) -> None:
    """The fault tells what to do, and what is held serves on."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.revoked.add("main-hall")
    refused(host, registry, "revoked")


@pytest.mark.parametrize("damage", [None, b"", b"{", b"\0" * 100])
def test_a_lost_ratchet_locks_nobody_out(host: Path, registry: SmallRegistry, damage: bytes | None) -> None:
    """The code's fingerprint tells the roots anew, the cache file what was held."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    (host / identity.TRUST_NAME).unlink()
    if damage is not None:
        (host / identity.TRUST_NAME).write_bytes(damage)
    registry.put()
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    assert registry.asked.count("GET snapshot") == 1


@pytest.mark.parametrize("offset", [0, 18, 100, 4096])
def test_a_damaged_cache_is_fetched_again(host: Path, registry: SmallRegistry, offset: int) -> None:
    """Whatever rotted: set aside, fetched, served."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    path = host / str(current.look(host).serving)
    content = bytearray(path.read_bytes())
    content[offset : offset + 4096] = b"\xaa" * 4096
    replace_file(path, bytes(content))
    registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry) and held(host) == (1, 2), str(link.report.faults))
    assert state_of(host, registry, 1) is State.CLOSED


def test_a_file_that_the_tap_process_set_aside_is_fetched_again(host: Path, registry: SmallRegistry) -> None:
    """The tap process found it damaged and stepped back: the link notices while it runs."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
        with current.changing(host):
            current.step_back(host, str(current.look(host).serving))
        registry.tell(stream.to_line(stream.TimestampLine(registry.timestamp())))
        until(lambda: held(host) == (1, 1), "fetched again")


def test_cards_under_the_key_of_a_former_enrolment_are_fetched_anew(host: Path, registry: SmallRegistry) -> None:
    """What is held under another site key is of no use, and no floor for what comes."""
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry))
    registry.is_code_used = False
    registry.site_secret = bytes(range(1, 33))
    registry.site.rows = {row[0]: row for row in (bare_row(registry.site_key, uid(number)) for number in (1, 2))}
    enrolled(host, registry)
    registry._streams.clear()
    with running(host, registry.url) as link:
        until(lambda: in_step(link, registry), str(link.report.faults))
    assert state_of(host, registry, 2) is State.ACTIVE
