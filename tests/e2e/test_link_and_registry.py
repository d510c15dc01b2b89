"""The real link and the real registry, each as it runs at a school, with nothing of either stood in for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.tryout.registry import Registry, serving
from policy.model import State
from sync import current, site_key
from sync.cache import CardCache
from sync.cache_file import verify
from sync.link import enrolling
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.linked import ask, open_journal, record, running, until
from tests.rig.small_registry import HOST

CODE = re.compile(r"(?:[0-9A-Z]{4}-){13}[0-9A-Z]{4}")
GOOD = bytes.fromhex("EBF2CE70")  # of the sample school's first pupil

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Give a registry of the sample schools that serves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DJANGO_SETTINGS_MODULE", raising=False)  # the tests' own: the programs have theirs
        patch.delenv("VIIPE_REGISTRY_DATA", raising=False)
        with serving(tmp_path_factory.mktemp("registry") / "data") as started:
            yield started


@pytest.fixture
def host(tmp_path: Path, registry: Registry) -> Path:
    """Give the state directory of a host that is enrolled there."""
    found = CODE.search(registry.command("enrol-code", HOST, "--school", "thg"))
    assert found
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    enrolling.enrol(state_dir, registry.url, found[0], HOST, ca=None)
    return state_dir


def state_of(state_dir: Path, uid: bytes) -> State | None:
    """Return a card's state as the tap process reads it."""
    cache = CardCache(state_dir, site_key.load(state_dir))
    try:
        card = cache.find(uid)
        return card.state if card else None
    finally:
        cache.close()


def test_a_card_closed_at_the_registry_is_closed_at_the_host(host: Path, registry: Registry) -> None:
    """T18, T24: by the command, down the stream; reopened the same way; the file's digest is the registry's."""
    with running(host, registry.url) as link:
        until(lambda: state_of(host, GOOD) is State.ACTIVE, str(link.report.faults))
        registry.command("card", "close", "THG-0001", "--school", "thg")
        until(lambda: state_of(host, GOOD) is State.CLOSED, str(link.report.faults))
        registry.command("card", "reopen", "THG-0001", "--school", "thg")
        until(lambda: state_of(host, GOOD) is State.ACTIVE, str(link.report.faults))
        assert link.report.faults == {}
    verify(host / str(current.look(host).serving))


def test_events_arrive_once_over_a_bad_network(host: Path, registry: Registry) -> None:
    """Cut, repeated and lost by lot: the registry's watermark ends where the journal does, and nobody speaks of gaps."""
    faults = frozenset({Fault.CUT_ANSWER, Fault.TRUNCATE, Fault.CUT_REQUEST, Fault.REPEAT})
    journal = open_journal(host)
    record(journal, 30)
    port = int(registry.url.rsplit(":", 1)[1])
    with (
        FaultyProxy(("127.0.0.1", port), seed=5, faults=faults, share=0.5) as proxy,
        running(host, proxy.url) as link,
    ):
        link._uploader._backoff._most_s = 0.1
        link._uploader._most_events = 6
        for turn in range(3):
            record(journal, 10, f"turn {turn}")
            proxy.cut_all()
            until(
                lambda: (link.report.table()["watermark"] or {}).get("seq") == journal.seq,
                str(link.report.faults),
                60,
            )
        assert link.report.table()["regressed"] is None
    journal.close()


def test_a_claim_and_a_desk_are_answered(host: Path, registry: Registry) -> None:
    """A serving is promised once a day; a card for a request that nobody made is refused in words."""
    claim = {
        "ask": "claim",
        "service": "canteen",
        "direction": None,
        "day": "2026-11-23",
        "card": "1",
        "person": "1",
        "kind": "personal",
        "timeout_ms": 5000,
    }
    with running(host, registry.url) as link:
        until(lambda: state_of(host, GOOD) is not None, str(link.report.faults))
        first = ask(host, **claim, tap_id="aa" * 16)
        assert "granted" in first, first
        assert ask(host, **claim, tap_id="aa" * 16) == first
        assert "desk" in ask(host, ask="desk", request=1, uid="ebf2ce70")["error"]
