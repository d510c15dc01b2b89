"""The registry's end: its real calls on Django, answering in this process, for one school of its own."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from django.db import connection

from registry.api import refusals
from registry.api.calls import ENDPOINTS, Call, Services
from registry.cards.expiry import expire_due
from registry.events import retention
from registry.events.claims import SILENT
from registry.events.many import among, asked, listed
from registry.models import Card, Host, Person, School
from registry.publishing import changes, keys
from registry.publishing.deltas import DeltaStore
from registry.publishing.snapshots import SnapshotStore
from registry.schools import school_file, school_load
from sync.link import identity
from sync.link.faults import Refusal
from sync.link.identity import Enrolment, begin_ratchet
from sync.wire.card_key import SiteKey
from sync.wire.keys import BoxKey, SigningKey, key_id
from sync.wire.root import read_unverified

ACTOR: Final = "simulator"
_HEARD: Final = "UPDATE registry_host SET last_heard_at = %s WHERE {hosts}"  # with each request: in plain SQL
HEARD_EVERY: Final = timedelta(seconds=5)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ENDPOINTS: Final = {(each.method, each.path): each for each in ENDPOINTS}


class RegistryEnd:
    """The registry of one simulated school."""

    def __init__(self, folder: Path, now: Callable[[], datetime], school_text: str) -> None:
        """Load the school from its file, as `viipe-registry import` does."""
        self.now = now
        folder.mkdir(parents=True, exist_ok=True)
        keys.ensure(now(), folder)
        self.keys = keys.load(folder)
        self.services = Services(
            self.keys,
            DeltaStore(self.keys.signing, now=now),
            SnapshotStore(folder, self.keys.signing, now=now),
        )
        self.school: School = school_load.load(school_file.parse(school_text), actor=ACTOR, now=now()).school
        self.hosts: dict[str, Host] = {}
        self.heard_at: dict[str, datetime] = {}

    @property
    def site_key(self) -> SiteKey:
        """The key under which the school's hosts hold its cards."""
        return SiteKey(bytes(self.school.site_key))

    def enrol(self, name: str, state_dir: Path) -> bytes:
        """Enrol a host as `sync.link.enrolling` leaves it: keys, roots, ratchet and the site's key in its state directory.

        Returns its public key.
        """
        key, box = SigningKey.generate(), BoxKey.generate()
        host = Host.objects.get(name=name, school=self.school)
        host.public_key, host.box_key, host.enrolled_at = key.public, box.public, self.now()
        host.save()
        changes.documents_changed(self.school, now=self.now)
        self.hosts[name] = Host.objects.select_related("school").get(pk=host.pk)
        documents = tuple(keys.roots_after(0))
        fingerprint = read_unverified(documents[0]).fingerprint
        (state_dir / "site.key").write_bytes(bytes(self.school.site_key))
        begin_ratchet(state_dir / identity.TRUST_NAME, self.school.code, documents, fingerprint).persist()
        identity.write_key(state_dir / identity.KEY_NAME, key, box)
        enrolment = Enrolment(
            name, self.school.code, "http://registry", fingerprint, self.site_key.fingerprint, key_id(key.public)
        )
        identity.write_enrolment(state_dir / identity.ENROLMENT_NAME, enrolment)
        return key.public

    def hear(self, names: Iterable[str]) -> None:
        """Hear hosts, by a request or by the stream that they hold: written down every few seconds, as `registry.api.signed` does."""
        now = self.now()
        due = [name for name in names if now - self.heard_at.get(name, _LONG_AGO) > HEARD_EVERY]
        if due:
            self.heard_at |= dict.fromkeys(due, now)
            at = connection.ops.adapt_datetimefield_value(now)
            with connection.cursor() as cursor:
                cursor.execute(_HEARD.format(hosts=among("id", "bigint")), [at, listed(self.hosts[n].pk for n in due)])

    def is_silent(self, host: str) -> bool:
        """Whether a host was not heard for so long that nobody can say what it did since."""
        return self.now() - self.heard_at.get(host, _LONG_AGO) > SILENT

    def serve(self, host: str, method: str, path: str, body: bytes) -> bytes:
        """Answer a host's request. Raises Refusal in the words of the link."""
        self.hear([host])
        parts = urlsplit(path)
        endpoint = _ENDPOINTS[method, parts.path]
        call = Call(self.hosts[host], dict(parse_qsl(parts.query)), body, self.now())
        try:
            content = endpoint.perform(self.services, call).content
        except refusals.Refusal as refusal:
            raise Refusal(str(refusal), status=refusal.status, code=refusal.code) from refusal
        if isinstance(content, bytes):
            return content
        with content:
            return content.read()

    def keep_house(self, *, is_weekend: bool) -> None:
        """Do what the serving process does by itself (`registry.chores`), what is slow at the end of the week alone."""
        at = self.now()
        today = self.school.local_day(at)
        expire_due(today, now=at, school=self.school)
        changes.day_passed(self.school, today, now=self.now)
        if is_weekend:
            retention.remove(self.school, actor=ACTOR, now=at)

    @property
    def version(self) -> int:
        """The newest version that was published. Asked often: in plain SQL."""
        found = asked("SELECT version FROM registry_sitestate WHERE school_id = %s", self.school.pk)
        return int(found[0][0]) if found else 0

    def mark_of(self, host: str) -> tuple[int, int]:
        """Return the epoch and number of a host's last event that was taken in order. Asked as often."""
        ((epoch, seq),) = asked("SELECT epoch, seq FROM registry_host WHERE id = %s", self.hosts[host].pk)
        return int(epoch), int(seq)

    def card(self, number: str) -> Card:
        """Return a card by its number."""
        return Card.objects.get(school=self.school, number=number)

    def person(self, external_id: str) -> Person:
        """Return a person by the school's id."""
        return Person.objects.get(issuer=self.school, external_id=external_id)
