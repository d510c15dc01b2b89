"""Photos given and taken away."""

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.models import AuditEntry, CardKind, Enrolment, Photo
from registry.people import photos
from registry.refusal import Refused
from sync.wire.people import MAX_PHOTO_BYTES
from tests.rig import registered
from tests.rig.people import jpeg

EXIF = b"\xff\xe1\x00\x10Exif\0\0 59.4370"
COMMENT = b"\xff\xfe\x00\x08Kadri "


def test_a_jpeg_is_kept_as_it_is() -> None:
    """A picture that has nothing beside it."""
    assert photos.checked(jpeg()) == jpeg()
    assert photos.checked(jpeg(10, 300, 400)) == jpeg(10, 300, 400)


def test_what_is_no_picture_is_cut_out() -> None:
    """Where and when a camera took it, a comment, what follows the end; the colours' own segment stays."""
    plain, adobe = jpeg(), b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"
    upload = plain[:2] + EXIF + COMMENT + adobe + plain[2:] + b"trailing 59.437"
    assert photos.checked(upload) == plain[:2] + adobe + plain[2:]


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"GIF89a" + bytes(100),
        jpeg()[:-2],
        jpeg()[:40],
        jpeg()[2:],
        b"\xff\xd8\xff\xd9",
        jpeg().replace(b"\xff\xc0", b"\xff\xc3"),  # lossless: no browser shows it
        jpeg().replace(b"\xff\xda", b"\xff\xe0"),  # no scan
        jpeg()[:2] + jpeg()[2:-2] + jpeg()[2:],  # two pictures in one
        b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    ],
)
def test_what_is_no_jpeg_is_refused(upload: bytes) -> None:
    """Whatever its name says."""
    with pytest.raises(Refused) as refused:
        photos.checked(upload)
    assert refused.value.code == "no_jpeg"


@pytest.mark.parametrize(("width", "height"), [(3, 100), (100, 3), (2001, 100), (100, 2001)])
def test_sides_are_bounded(width: int, height: int) -> None:
    """They are read from the header, before anybody unpacks the picture."""
    with pytest.raises(Refused) as refused:
        photos.checked(jpeg(90, width, height))
    assert refused.value.code == "photo_sides"
    assert refused.value.found == f"{width} x {height}"


def test_bytes_are_bounded() -> None:
    """Before anything is looked at."""
    with pytest.raises(Refused) as refused:
        photos.checked(bytes(MAX_PHOTO_BYTES + 1))
    assert refused.value.code == "photo_too_big"


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_are_a_picture_or_refused(noise: bytes, place: int) -> None:
    """Never another fault, never a loop."""
    whole = jpeg()
    at = place % len(whole)
    for upload in (noise, whole[:at] + noise + whole[at:], b"\xff\xd8" + noise):
        try:
            kept = photos.checked(upload)
        except Refused:
            continue
        assert photos.checked(kept) == kept


@pytest.mark.django_db
def test_a_photo_takes_the_place_of_the_one_before_and_goes_again() -> None:
    """Each is in the audit, which has neither picture nor hash."""
    school = registered.school()
    person = registered.person(school)
    for shade in (50, 200):
        photos.give(school, person, jpeg(shade), actor="it", now=registered.NOON)
    held = Photo.objects.get()
    assert (bytes(held.jpeg), held.sha256) == (jpeg(200), hashlib.sha256(jpeg(200)).hexdigest())
    assert list(photos.of(person, [school])) == [held]
    assert photos.remove(school, person, actor="it", now=registered.NOON)
    assert not photos.remove(school, person, actor="it", now=registered.NOON)
    told = AuditEntry.objects.filter(action__startswith="photo").order_by("pk")
    assert [entry.action for entry in told] == ["photo given", "photo given", "photo removed"]
    assert all(entry.detail == {} for entry in told)


@pytest.mark.django_db
def test_photos_of_those_who_have_left_go_after_three_months() -> None:
    """Of those who are here, who left lately, or hold a staff card that works, they stay."""
    school = registered.school()
    here, lately, left, staff = (registered.person(school) for _ in range(4))
    today = registered.NOON.date()
    for who, days in ((lately, 91), (left, 93), (staff, 93)):
        Enrolment.objects.filter(person=who).update(
            valid_from=today - timedelta(days=400), valid_until=today - timedelta(days=days)
        )
    registered.card(school, person=staff, kind=CardKind.STAFF)
    for who in (here, lately, left, staff):
        photos.give(school, who, jpeg(), actor="it", now=registered.NOON - timedelta(days=300))
    assert photos.remove_left(school, today, actor="registry", now=registered.NOON) == 1
    assert photos.remove_left(school, today, actor="registry", now=registered.NOON) == 0
    assert set(Photo.objects.values_list("person", flat=True)) == {here.pk, lately.pk, staff.pk}
