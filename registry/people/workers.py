"""Workers who open a shift at a host's page: added with a PIN, given another, removed. The PIN says who it is: no two have the same."""

from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from registry import audit
from registry.models import School, Worker
from registry.publishing.people import people_changed
from registry.publishing.state import locked_state
from registry.refusal import Refused
from registry.transactions import deed
from sync.wire.pin import PinHash, is_pin

MAX_NAME: Final = 100
MAX_ACTIVE: Final = 50  # a PIN is tried against each of them


@deed
def add(school: School, name: str, pin: str, *, actor: str, now: datetime) -> Worker:
    """Write a worker down. Raises Refused: no name, a bad PIN, one that another has, too many."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Refused("bad_text", _("name"), _("nothing, or too much"), _("a name"))
    locked_state(school)  # two who are added at once shall not have one PIN
    if Worker.objects.filter(school=school, is_active=True).count() >= MAX_ACTIVE:
        expected = _("at most %(most)d") % {"most": MAX_ACTIVE}
        raise Refused("too_many_workers", _("workers"), _("one more"), expected)
    kept = _kept(school, pin, None)
    worker = Worker.objects.create(school=school, name=name, pin_salt=kept.salt, pin_hash=kept.hash, added_at=now)
    audit.record(actor, "worker added", school, worker, at=now)
    people_changed(school)
    return worker


@deed
def change_pin(worker: Worker, pin: str, *, actor: str, now: datetime) -> Worker:
    """Give a worker another PIN; the former one opens nothing any more. Raises Refused."""
    locked_state(worker.school)
    held = Worker.objects.select_for_update().get(pk=worker.pk)
    if not held.is_active:
        raise Refused("worker_removed", _("worker"), _("removed"), _("an active worker"))
    kept = _kept(held.school, pin, held)
    held.pin_salt, held.pin_hash = kept.salt, kept.hash
    held.save(update_fields=["pin_salt", "pin_hash"])
    audit.record(actor, "worker's PIN changed", held.school, held, at=now)
    people_changed(held.school)
    return held


@deed
def remove(worker: Worker, *, actor: str, now: datetime) -> Worker:
    """Let a worker open no shift any more; the PIN is forgotten, the name stays beside what was done."""
    locked_state(worker.school)  # before the worker, as whoever gives a PIN: two who wait for each other wait for ever
    held = Worker.objects.select_for_update().get(pk=worker.pk)
    held.is_active, held.pin_salt, held.pin_hash = False, b"", b""
    held.save(update_fields=["is_active", "pin_salt", "pin_hash"])
    audit.record(actor, "worker removed", held.school, held, at=now)
    people_changed(held.school)
    return held


def _kept(school: School, pin: str, own: Worker | None) -> PinHash:
    """Return what is kept of a PIN that no other active worker has: known by trying, since nobody can look it up. Raises Refused."""
    if not is_pin(pin):
        raise Refused("bad_pin", _("PIN"), _("another form"), _("4 to 8 digits"))
    others = Worker.objects.filter(school=school, is_active=True)
    if own is not None:
        others = others.exclude(pk=own.pk)
    if any(PinHash(bytes(one.pin_salt), bytes(one.pin_hash)).fits(pin) for one in others):
        raise Refused("pin_taken", _("PIN"), _("one that is in use"), _("another PIN"))
    return PinHash.of(pin)
