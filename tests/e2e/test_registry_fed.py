"""A host that a registry feeds, by real taps: a real pcscd, the real daemon, and the link's side of the files and the socket."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from daemon.clock import boot, boot_ms
from daemon.control import ask
from policy.model import Card, Kind, State
from sync import site_key
from tests.rig.host_rig import GOOD, POOL, RULES, UNKNOWN, HostRig, door_and_till
from tests.rig.ifd import EventIfd
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import ToldLink, tell

REGISTRY = '\n[registry]\nurl = "http://127.0.0.1:9"\nquota_deadline_ms = 2000\n'
CARD = Card("7", "p-1", Kind.PERSONAL, State.ACTIVE)
LENDABLE = Card("8", None, Kind.SUBSTITUTE, State.POOL)
DOOR, TILL = 0, 1
GONE_S = 0.2  # longer than the readers' absent_ms: the same card is then another presentation


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd with a door's reader and a till's."""
    with EventIfd(readers=2) as rig:
        yield rig


@pytest.fixture
def site(ifd: EventIfd) -> Iterator[tuple[HostRig, PublishedSite]]:
    """Give a host at work and the state that it is fed; its own file admits staff alone."""
    local = RULES.replace('"personal", "substitute", "staff"', '"staff"')
    file = door_and_till(ifd.names, local).replace('name = "front-in"\n', 'name = "front-in"\ndesk = true\n')
    with HostRig(ifd.environ(), file + REGISTRY) as host:
        key = site_key.load_or_make(host.state_dir)
        fed = PublishedSite(host.state_dir, key, {GOOD: CARD, POOL: LENDABLE}, issued_at=datetime.now(UTC))
        host.start()
        yield host, fed
        for place in (DOOR, TILL):
            ifd.remove(place)
        fed.close()


def tapped(host: HostRig, ifd: EventIfd, place: int, uid: bytes) -> tuple[str, str, list[str]]:
    """Hold a card to a reader for a moment; return the answer."""
    event = host.tap(lambda: ifd.insert(place, uid))
    ifd.remove(place)
    time.sleep(GONE_S)
    return event["verdict"], event["reason"], event["flags"]


def test_what_the_registry_publishes_holds_from_the_next_tap(
    site: tuple[HostRig, PublishedSite], ifd: EventIfd
) -> None:
    """T18, T24: its rule opens the door that the host's own file would not; a card that it closes is dead at once."""
    host, fed = site
    assert tapped(host, ifd, DOOR, GOOD)[:2] == ("grant", "ok")
    fed.change({GOOD: replace(CARD, state=State.CLOSED)})
    assert tapped(host, ifd, DOOR, GOOD)[:2] == ("deny", "closed")
    fed.change({GOOD: CARD}, {"rules": {"door": {"kinds": ["substitute"]}}})
    assert tapped(host, ifd, DOOR, GOOD)[:2] == ("deny", "not_admitted")
    assert host.status()["rules"] == {"of": "registry", "version": 3}


def test_silence_restricts_what_the_rule_says_alone(site: tuple[HostRig, PublishedSite], ifd: EventIfd) -> None:
    """Last heard three days ago: the till that has no such rule serves, the door that has one refuses."""
    host, fed = site
    fed.change(
        documents={"rules": {"door": {"stale_after_h": 24, "when_stale": "deny"}, "canteen": {"stale_after_h": 24}}}
    )
    tell(host.state_dir, boot_id=boot().boot_id, heard_boot_ms=boot_ms() - 72 * 3_600_000)
    host.wait_until(lambda: host.status()["link"]["data_age_s"] > 72 * 3500, "the report")
    assert tapped(host, ifd, DOOR, GOOD)[1] == "data_stale"
    verdict, _, flags = tapped(host, ifd, TILL, GOOD)
    assert (verdict, "data_stale" in flags) == ("grant", True)


def test_a_lunch_eaten_elsewhere_is_refused_here(site: tuple[HostRig, PublishedSite], ifd: EventIfd) -> None:
    """The registry is asked by the tap's own id; when it is gone, the pupil eats and that is flagged."""
    host, _ = site
    with ToldLink(host.state_dir, claim=lambda _question: {"granted": False, "served": 1}) as link:
        assert tapped(host, ifd, TILL, GOOD)[:2] == ("deny", "already_today")
    assert [question["tap_id"] for question in link.asked] == [host.events("tap")[-1]["tap_id"]]
    verdict, _, flags = tapped(host, ifd, TILL, GOOD)
    assert (verdict, "quota_unknown" in flags) == ("grant", True)


def test_a_substitute_lent_at_the_host_works_at_once(site: tuple[HostRig, PublishedSite], ifd: EventIfd) -> None:
    """T25 to T28: lent over the control socket it opens the door and eats once; lost, it is closed; a restart forgets nothing."""
    host, _ = site
    assert tapped(host, ifd, DOOR, POOL)[1] == "pool_card_not_lent"
    ask(host.state_dir, {"ask": "fact", "act": "lend", "card": "8", "person": "p-5"})
    assert tapped(host, ifd, DOOR, POOL)[:2] == ("grant", "ok")
    assert [tapped(host, ifd, TILL, POOL)[1] for _ in range(2)] == ["ok", "already_today"]
    host.stop()
    host.start()
    assert tapped(host, ifd, DOOR, POOL)[:2] == ("grant", "ok")
    ask(host.state_dir, {"ask": "fact", "act": "lost", "card": "8"})
    assert tapped(host, ifd, DOOR, POOL)[:2] == ("deny", "closed")
    told = host.viipe("events").stdout
    assert "loan" in told
    assert "lend card 8" in told


def test_the_office_gets_one_card(site: tuple[HostRig, PublishedSite], ifd: EventIfd) -> None:
    """The next card is sent and opens nothing; the one after it is a tap. The journal knows no UID."""
    host, _ = site
    sent: list[str] = []

    def take(question: Mapping[str, Any]) -> Mapping[str, object]:
        sent.append(question["uid"])
        return {"sent": True}

    with ToldLink(host.state_dir, desk=take):
        tell(host.state_dir, desk={"request": 3, "expires_at": "2099-01-01T00:00:00Z"}, fault="desk told")
        host.wait_until(lambda: host.status()["link"]["fault"] == "desk told", "the report")
        ifd.insert(DOOR, UNKNOWN)
        noted = host.wait_event("system")
        ifd.remove(DOOR)
        time.sleep(GONE_S)
        assert sent == [UNKNOWN.hex()]
        assert tapped(host, ifd, DOOR, GOOD)[:2] == ("grant", "ok")
    assert (noted["detail"], noted["reader"]) == ("card read for the office", "front-in")
    assert len(host.events("tap")) == 1
    assert UNKNOWN.hex() not in host.log().lower()
    assert host.strikes() == 1
