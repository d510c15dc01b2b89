"""The people document: whom a host may show by name, signed by the registry and sealed to that one host (DESIGN.md §3).

On the wire it is a box (`sync.wire.keys.seal`, context `people <audience>`) around a signed document of kind `people`
(`sync.wire.document`), whose audience is `site/host` and whose digest is the SHA-256 of its content. A photo is a box of its own
(context `photo <its SHA-256 in hex>`); the people document names it by that hash, so that it needs no signature.

Stays are told with their days, so that a host that hears nothing for a while lets go by itself of whoever has left.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sync.wire import canonical
from sync.wire.document import MAX_BODY_BYTES, MAX_ENVELOPE_BYTES, MAX_RAW_BYTES, PEOPLE, Header, open_bytes, sign
from sync.wire.faults import Frozen, Malformed, Mixed, Rollback, TooLarge, UnknownKey, WrongAudience
from sync.wire.keys import BoxKey, SigningKey, seal
from sync.wire.pin import HASH_BYTES, SALT_BYTES, PinHash
from sync.wire.root import Root

LIFE: Final = timedelta(days=7)  # of a document on its way; what is held does not end with it
MAX_PERSONS: Final = 20_000
MAX_WORKERS: Final = 200
MAX_STAYS: Final = 8
MAX_DOCUMENT_BYTES: Final = MAX_BODY_BYTES[PEOPLE] + MAX_ENVELOPE_BYTES + 256  # the box's own bytes among them
MAX_PHOTO_BYTES: Final = 100_000
MAX_PHOTO_BOX_BYTES: Final = MAX_PHOTO_BYTES + 256
IDENTIFIERS: Final = frozenset({"card", "external", "library", "personal_code"})
SHOWS: Final = frozenset({"canteen", "library"})
_KINDS: Final = frozenset({"pupil", "exchange", "staff"})
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CONTENT: Final = frozenset({"day", "hands_over", "persons", "shows", "timezone", "workers"})
_PERSON: Final = frozenset({"family_name", "given_name", "id", "identifiers", "photo", "stays"})
_STAY: Final = frozenset({"class", "from", "kind", "until"})
_WORKER: Final = frozenset({"hash", "id", "name", "salt"})


@dataclass(frozen=True, slots=True)
class Stay:
    """As what somebody is at the school: both days inclusive and local, `last` None is open; `class_name` may be empty."""

    class_name: str
    kind: str
    first: date
    last: date | None

    def covers(self, day: date) -> bool:
        """Tell whether it lasts on a day."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be shown. `photo` is the SHA-256 of a JPEG in hex; no stay at all is a holder of a staff card."""

    id: str
    given_name: str
    family_name: str
    photo: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    stays: tuple[Stay, ...] = ()


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody who may open a shift."""

    id: str
    name: str
    pin: PinHash


@dataclass(frozen=True, slots=True)
class People:
    """What a host shows. `day` is the school's day for which it was made; `hands_over` the identifier that a library takes, if any."""

    shows: str
    timezone: str
    day: date
    hands_over: str | None = None
    persons: tuple[Person, ...] = ()
    workers: tuple[Worker, ...] = ()

    def to_json(self) -> bytes:
        """Return the canonical content."""
        return canonical.encode(
            {
                "day": self.day.isoformat(),
                "hands_over": self.hands_over,
                "persons": [_person_table(person) for person in self.persons],
                "shows": self.shows,
                "timezone": self.timezone,
                "workers": [
                    {"hash": each.pin.hash.hex(), "id": each.id, "name": each.name, "salt": each.pin.salt.hex()}
                    for each in self.workers
                ],
            }
        )


def audience(site: str, host: str) -> str:
    """Return the audience of a host's document: no site's code has a slash."""
    return f"{site}/{host}"


def make(  # noqa: PLR0913  each is a field of the header, or a key
    people: People,
    *,
    site: str,
    host: str,
    generation: int,
    version: int,
    issued_at: datetime,
    signer: SigningKey,
    box_key: bytes,
) -> bytes:
    """Return the document that one host can open. Raises Malformed, TooLarge for content that no host would take."""
    raw = people.to_json()
    parse(raw)
    whom = audience(site, host)
    document = sign(
        kind=PEOPLE,
        audience=whom,
        generation=generation,
        version=version,
        issued_at=issued_at,
        expires_at=issued_at + LIFE,
        digest=hashlib.sha256(raw).hexdigest(),
        signer=signer,
        raw=raw,
    )
    return seal(box_key, document, f"people {whom}".encode())


def open_sealed(  # noqa: PLR0913  all that the document must fit
    sealed: bytes, *, box: BoxKey, root: Root, site: str, host: str, held: tuple[int, int] | None, now: datetime
) -> tuple[Header, bytes]:
    """Return header and content of a document that was meant for this host and is not older than `held` (generation, version).

    Raises WireFault: BadSignature, UnknownKey, WrongAudience, Mixed, Rollback, Frozen, Malformed, TooLarge.
    """
    if len(sealed) > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"people: found {len(sealed)} bytes, expected at most {MAX_DOCUMENT_BYTES}")
    whom = audience(site, host)
    header, raw = open_bytes(box.open(sealed, f"people {whom}".encode()), root, max_raw_bytes=MAX_RAW_BYTES[PEOPLE])
    if header.kind != PEOPLE:
        raise Mixed(f"people: found a {header.kind}, expected the people document")
    if header.audience != whom:
        raise WrongAudience(f"people: found it meant for {header.audience}, expected {whom}")
    if header.digest != hashlib.sha256(raw).hexdigest():
        raise Mixed("people: its digest is not that of its content")
    if header.generation > root.generation:
        raise UnknownKey(
            f"people: of generation {header.generation}, expected {root.generation}: a newer root opens it"
        )
    if (header.generation, header.version) < max((root.generation, 0), held or (0, 0)):
        raise Rollback(
            f"people: found version {header.version} of generation {header.generation}, older than what is held"
        )
    if header.expires_at < now:
        raise Frozen("people: expired on its way, or the clock is wrong")
    return header, raw


def seal_photo(photo: bytes, box_key: bytes) -> bytes:
    """Return a photo that one host can open. Raises TooLarge."""
    if len(photo) > MAX_PHOTO_BYTES:
        raise TooLarge(f"photo: found {len(photo)} bytes, expected at most {MAX_PHOTO_BYTES}")
    return seal(box_key, photo, f"photo {hashlib.sha256(photo).hexdigest()}".encode())


def open_photo(sealed: bytes, box: BoxKey, sha256: str) -> bytes:
    """Return the photo of this hash. Raises BadSignature, Mixed, TooLarge."""
    if len(sealed) > MAX_PHOTO_BOX_BYTES:
        raise TooLarge(f"photo: found {len(sealed)} bytes, expected at most {MAX_PHOTO_BOX_BYTES}")
    photo = box.open(sealed, f"photo {sha256}".encode())
    if hashlib.sha256(photo).hexdigest() != sha256:
        raise Mixed("photo: another than the people document names")
    return photo


def is_sha256(text: str) -> bool:
    """Tell whether a text is a SHA-256 in lower-case hex."""
    return _SHA256.fullmatch(text) is not None


def parse(raw: bytes) -> People:
    """Read the content strictly. Raises Malformed, TooLarge."""
    found = canonical.table(canonical.decode_exact(raw, "people", MAX_RAW_BYTES[PEOPLE]), "people", _CONTENT)
    hands_over = found["hands_over"]
    people = People(
        shows=canonical.one_of(found["shows"], "people: shows", SHOWS),
        timezone=canonical.text(found["timezone"], "people: timezone", 64),
        day=_day(found["day"], "people: day"),
        hands_over=None if hands_over is None else canonical.one_of(hands_over, "people: hands_over", IDENTIFIERS),
        persons=tuple(map(_person, _listed(found["persons"], "people: persons", MAX_PERSONS))),
        workers=tuple(map(_worker, _listed(found["workers"], "people: workers", MAX_WORKERS))),
    )
    for rows in (people.persons, people.workers):
        if len({each.id for each in rows}) != len(rows):
            raise Malformed("people: an id stands twice")
    return people


def _person_table(person: Person) -> dict[str, object]:
    return {
        "family_name": person.family_name,
        "given_name": person.given_name,
        "id": person.id,
        "identifiers": dict(person.identifiers),
        "photo": person.photo,
        "stays": [
            {
                "class": stay.class_name or None,
                "from": stay.first.isoformat(),
                "kind": stay.kind,
                "until": None if stay.last is None else stay.last.isoformat(),
            }
            for stay in person.stays
        ],
    }


def _person(value: object) -> Person:
    found = canonical.table(value, "person", _PERSON)
    photo = canonical.text_or_none(found["photo"], "person: photo", 64)
    if photo is not None and not is_sha256(photo):
        raise Malformed("person: photo: expected a SHA-256 in lower-case hex")
    identifiers = found["identifiers"]
    if not isinstance(identifiers, dict) or not identifiers.keys() <= IDENTIFIERS:
        raise Malformed(f"person: identifiers: expected some of {', '.join(sorted(IDENTIFIERS))}")
    return Person(
        id=canonical.text(found["id"], "person: id", 64),
        given_name=canonical.text(found["given_name"], "person: given_name", 100),
        family_name=canonical.text(found["family_name"], "person: family_name", 100),
        photo=photo,
        identifiers=tuple(
            (name, canonical.text(text, f"person: {name}", 64)) for name, text in sorted(identifiers.items())
        ),
        stays=tuple(map(_stay, _listed(found["stays"], "person: stays", MAX_STAYS))),
    )


def _stay(value: object) -> Stay:
    found = canonical.table(value, "stay", _STAY)
    until = found["until"]
    stay = Stay(
        class_name=canonical.text_or_none(found["class"], "stay: class", 32) or "",
        kind=canonical.one_of(found["kind"], "stay: kind", _KINDS),
        first=_day(found["from"], "stay: from"),
        last=None if until is None else _day(until, "stay: until"),
    )
    if stay.last is not None and stay.last < stay.first:
        raise Malformed("stay: expected until not before from")
    return stay


def _worker(value: object) -> Worker:
    found = canonical.table(value, "worker", _WORKER)
    pin = PinHash(
        canonical.from_hex(found["salt"], "worker: salt", SALT_BYTES),
        canonical.from_hex(found["hash"], "worker: hash", HASH_BYTES),
    )
    return Worker(
        canonical.text(found["id"], "worker: id", 64), canonical.text(found["name"], "worker: name", 200), pin
    )


def _listed(value: object, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"{what}: expected a list of at most {most}")
    return value


def _day(value: object, what: str) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed(f"{what}: expected a day like 2026-09-01") from error
    if day.isoformat() != value:
        raise Malformed(f"{what}: expected a day like 2026-09-01")
    return day
