"""A people store of persons who do not exist: classes, photos that a browser shows, a worker with a PIN; laid as the link would lay it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from sync.people_box import HeldPeople, PeopleBox
from sync.people_report import PeopleReport
from sync.wire.people import People, Person, Stay, Worker, audience
from sync.wire.pin import PinHash

DAY: Final = date(2026, 9, 1)
STARTED: Final = date(2020, 9, 1)
PIN: Final = "2468"
WORKER: Final = "Mall Mallikas"
NAMES: Final = (
    ("1", "Kadri", "Künnapuu", "7a"),
    ("2", "Õie-Liis", "Šmidt", "7a"),
    ("3", "Žanna", "Čerepanova", "7a"),
    ("4", "Алёна", "Йыги", "9a"),
    ("5", "Juhan", "Öpik", "9a"),
    ("6", "Ülo", "Äär", "10b"),
)
SMALL: Final = 8  # px


def jpeg(shade: int = 90, width: int = SMALL, height: int = SMALL) -> bytes:
    """Return a plain grey JPEG (ITU-T T.81, baseline, one component) that any program shows; `shade` from 0 to 255."""
    value = shade - 128
    size = abs(value).bit_length()
    bits = f"10{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else "0"
    bits += "0" + "00" * (-(-width // 8) * -(-height // 8) - 1)  # no difference to the block before, no other frequency
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    segments = (
        (0xDB, b"\0" + b"\x08" * 64),
        (0xC0, b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\0"),
        (0xC4, b"\0" + bytes([1, 1]) + bytes(14) + bytes([0, size or 1])),
        (0xC4, b"\x10" + bytes([1]) + bytes(15) + b"\0"),
        (0xDA, b"\x01\x01\0\0\x3f\0"),
    )
    told = b"".join(b"\xff%c" % mark + (len(part) + 2).to_bytes(2, "big") + part for mark, part in segments)
    return b"\xff\xd8" + told + scan + b"\xff\xd9"


def some_people(
    *,
    shows: str = "canteen",
    names: Sequence[tuple[str, str, str, str]] = NAMES,
    photos: Sequence[str] = ("1", "2", "3", "4", "5"),
    day: date = DAY,
    hands_over: str | None = None,
    workers: Sequence[tuple[str, str, str]] = (("1", WORKER, PIN),),
) -> tuple[People, dict[str, bytes]]:
    """Return the content of a document, and its photos by their hashes. `names`: id, given and family name, class."""
    pictures = {id_: jpeg(60 + 20 * place) for place, id_ in enumerate(photos)}
    persons = tuple(
        Person(
            id=id_,
            given_name=given,
            family_name=family,
            photo=hashlib.sha256(pictures[id_]).hexdigest() if id_ in pictures else None,
            identifiers=(("card", f"X-{id_:0>4}"), ("library", f"10{id_}")) if shows == "library" else (),
            stays=(Stay(class_name, "pupil", STARTED, None),),
        )
        for id_, given, family, class_name in names
    )
    fixed = tuple(
        Worker(id_, name, PinHash.of(pin, hashlib.sha256(name.encode()).digest()[:16])) for id_, name, pin in workers
    )
    people = People(shows, "Europe/Tallinn", day, hands_over, persons, fixed)
    return people, {hashlib.sha256(photo).hexdigest(): photo for photo in pictures.values()}


def lay_people(
    state_dir: Path,
    *,
    version: int = 1,
    people: People | None = None,
    photos: dict[str, bytes] | None = None,
    shows: str = "canteen",
) -> People:
    """Write a people store into a host's state directory, encrypted; returns what it holds. Without `people` those above."""
    if people is None:
        people, photos = some_people(shows=shows, hands_over="library" if shows == "library" else None)
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    box = PeopleBox(state_dir, {})
    for sha256, photo in (photos or {}).items():
        box.write_photo(sha256, photo)
    box.write(HeldPeople(1, version, people.to_json()))
    PeopleReport(
        audience("kool", "till"), 1, version, people.shows, len(people.persons), len(photos or {}), datetime.now(UTC)
    ).write(state_dir)
    return people
