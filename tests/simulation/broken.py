"""Deliberately broken wirings: each breaks one promise, and a run over it must name the invariant that guards it."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.clock import HostClock
from daemon.link_watch import LinkWatch
from policy.clock import Moment
from policy.model import Card, Quota, State, Tap
from registry.models import Event
from sync import site_key
from sync.cache import CardCache
from sync.cache_file import Gathered
from sync.servings import Boot, Servings
from tests.simulation.host_end import QUOTA_DEADLINE_MS, HostEnd, Wiring
from tests.simulation.registry_end import RegistryEnd


class ClaimsNothing(Wiring):
    """A till that serves without asking about the other tills."""

    def link(self, host: HostEnd, boot: Boot) -> LinkWatch:
        return _FreeForAll(host.state_dir, boot, QUOTA_DEADLINE_MS, **host.of_the_link())


class _FreeForAll(LinkWatch):
    def claim(self, tap: Tap, card: Card, day: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401, ARG002  whatever it is asked
        return Quota.FREE


class RefusesInSilence(Wiring):
    """A till that takes silence for a no."""

    def link(self, host: HostEnd, boot: Boot) -> LinkWatch:
        return _NoMeansNo(host.state_dir, boot, QUOTA_DEADLINE_MS, **host.of_the_link())


class _NoMeansNo(LinkWatch):
    def claim(self, tap: Tap, card: Card, day: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  the same
        found = super().claim(tap, card, day, *rest, **more)
        return Quota.USED_UP if found is Quota.UNKNOWN else found


class ForgetsAtRestart(Wiring):
    """A host whose usage is a counter in memory."""

    def started(self, host: HostEnd) -> None:
        host.journal.servings = Servings(host.journal.boot)


class KeepsClosedCards(Wiring):
    """A host that lets everybody in whose card it once knew."""

    def cache(self, host: HostEnd) -> CardCache:
        return _AllOpen(host.state_dir, site_key.load(host.state_dir, {}))


class _AllOpen(CardCache):
    def gather(self, uid: bytes) -> Gathered:
        found = super().gather(uid)
        if found.card is None or found.card.state is not State.CLOSED:
            return found
        opened = replace(found.card, state=State.ACTIVE)
        return replace(found, card=opened)


class NeverFetches(Wiring):
    """A host that has stopped to follow the registry after its first day."""

    def __init__(self) -> None:
        self._fetched: set[str] = set()

    def fetches(self, host: HostEnd) -> bool:
        is_first = host.name not in self._fetched
        self._fetched.add(host.name)
        return is_first


class CountsDaysInUtc(Wiring):
    """A host whose clock is three hours behind, and that vouches for it."""

    def clock(self, host: HostEnd, passed: datetime | None) -> HostClock:
        del passed
        return _Behind(None, wall=host.time.wall, vouched=lambda: True, boot_ms=host.time.boot_ms)


class _Behind(HostClock):
    def moment(self) -> Moment:
        moment = super().moment()
        return Moment(moment.at - timedelta(hours=12), moment.trust)


class GoesByItsOwnZone(Wiring):
    """A host that believes its own file, and not the registry, where the school is."""

    def cache(self, host: HostEnd) -> CardCache:
        return _Zoneless(host.state_dir, site_key.load(host.state_dir, {}))


class _Zoneless(CardCache):
    def gather(self, uid: bytes) -> Gathered:
        found = super().gather(uid)
        documents = found.documents
        return found if documents is None else replace(found, documents=replace(documents, zone=None))


class TakesTwice(Wiring):
    """A registry that keeps each event a second time."""

    def registry(self, folder: Path, now: Callable[[], datetime], school_text: str) -> RegistryEnd:
        return _Doubling(folder, now, school_text)


class _Doubling(RegistryEnd):
    def serve(self, host: str, method: str, path: str, body: bytes) -> bytes:
        before = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        answer = super().serve(host, method, path, body)
        if (method, path) == ("POST", "/v1/events"):
            for event in Event.objects.filter(pk__gt=before):
                event.pk, event.branch, event.tap_id = None, event.branch + 1, secrets.token_hex(16)
                event.save()
        return answer


class DropsEvents(Wiring):
    """A registry that acknowledges what it loses: the last event of each batch."""

    def registry(self, folder: Path, now: Callable[[], datetime], school_text: str) -> RegistryEnd:
        return _Dropping(folder, now, school_text)


class _Dropping(RegistryEnd):
    def serve(self, host: str, method: str, path: str, body: bytes) -> bytes:
        before = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        answer = super().serve(host, method, path, body)
        if (method, path) == ("POST", "/v1/events") and (
            new := Event.objects.filter(pk__gt=before).order_by("pk").last()
        ):
            new.delete()
        return answer
