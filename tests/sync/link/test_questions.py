"""What the deciding process may ask of the running link."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.link.questions import LANES
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.linked import ask, enrolled, running, until
from tests.rig.small_registry import SmallRegistry

CLAIM = {
    "ask": "claim",
    "service": "canteen",
    "direction": None,
    "day": "2026-11-23",
    "card": "C-1",
    "person": "P-1",
    "kind": "personal",
}


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry that grants one serving."""
    with SmallRegistry() as small:
        yield small


@pytest.fixture
def host(tmp_path: Path, registry: SmallRegistry) -> Path:
    """Give the state directory of a host that is enrolled there."""
    return enrolled(tmp_path / "state", registry)


def test_a_claim_is_answered_by_the_registry(host: Path, registry: SmallRegistry) -> None:
    """The same tap asks again and hears the same; another is one too many."""
    with running(host, registry.url):
        for _ in range(2):
            assert ask(host, **CLAIM, tap_id="00" * 16, timeout_ms=2000) == {"granted": True, "served": 0}
        assert ask(host, **CLAIM, tap_id="11" * 16) == {"granted": False, "served": 1}


def test_a_claim_of_a_silent_registry_is_unknown_at_its_deadline(host: Path, registry: SmallRegistry) -> None:
    """No pupil waits longer, however many ask at once; and other questions are answered meanwhile."""
    with (
        FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy,
        running(host, proxy.url),
    ):
        answers = []

        def claim(number: int) -> None:
            answers.append(ask(host, **CLAIM, tap_id=f"{number:032x}", timeout_ms=300))

        begun_s = time.monotonic()
        threads = [threading.Thread(target=claim, args=(number,)) for number in range(2 * LANES)]
        for thread in threads:
            thread.start()
        assert ask(host, ask="status")["held"] is None
        for thread in threads:
            thread.join()
        assert time.monotonic() - begun_s < 5
        assert len(answers) == 2 * LANES
        assert all("unknown" in answer for answer in answers)


def test_a_claim_that_is_none_is_an_error(host: Path, registry: SmallRegistry) -> None:
    """What is missing or wrong is named, and nothing is sent."""
    with running(host, registry.url):
        assert "tap_id" in ask(host, **CLAIM)["error"]
        assert "tap_id" in ask(host, **CLAIM, tap_id="zz")["error"]
        assert "timeout_ms" in ask(host, **CLAIM, tap_id="00" * 16, timeout_ms=0)["error"]
    assert "POST claims" not in registry.asked


def test_a_refused_claim_is_unknown(host: Path, registry: SmallRegistry) -> None:
    """A revoked host serves by what it knows itself."""
    with running(host, registry.url):
        registry.revoked.add("main-hall")
        assert "revoked" in ask(host, **CLAIM, tap_id="00" * 16)["unknown"]


def test_a_tapped_card_goes_sealed_to_the_registry(host: Path, registry: SmallRegistry) -> None:
    """The registry alone opens it, for this request; the request is no longer told then."""
    with running(host, registry.url) as link:
        until(lambda: link.report.table()["held"] == 1)
        link.report.tell(desk={"request": 7, "expires_at": "2026-11-23T10:00:00.000Z"})
        assert ask(host, ask="desk", request=7, uid="ebf2ce70") == {"sent": True}
        assert registry.uids == [bytes.fromhex("EBF2CE70")]
        assert link.report.table()["desk"] is None
        assert "error" in ask(host, ask="desk", request=7, uid="eb")
        registry.revoked.add("main-hall")
        assert "revoked" in ask(host, ask="desk", request=8, uid="ebf2ce70")["error"]


def test_before_the_root_is_known_no_card_is_sent(host: Path, registry: SmallRegistry) -> None:
    """There is no key yet to seal it to."""
    (host / "trust.json").unlink()
    with (
        FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy,
        running(host, proxy.url),
    ):
        assert "root is not known" in ask(host, ask="desk", request=7, uid="ebf2ce70")["error"]
