"""Photos of persons: a JPEG is checked by its structure (ITU-T T.81, annex B), bounded, and rid of whatever is no picture.

What a camera writes beside the picture (where and when it was taken) is cut out: the segments APP1 to APP13, APP15 and comments.
"""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from registry import audit
from registry.models import Card, CardKind, CardState, Enrolment, Person, Photo, School
from registry.publishing.people import people_changed
from registry.refusal import Refused
from registry.transactions import deed
from sync.wire.people import MAX_PHOTO_BYTES

MAX_UPLOAD_BYTES: Final = MAX_PHOTO_BYTES
SIDE_PX: Final = range(4, 2001)
KEPT_DAYS: Final = 92  # after somebody has left: a leaving may be a mistake, or cancelled
_START: Final = b"\xff\xd8"
_END: Final = b"\xff\xd9"
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what every browser shows
_OTHER_FRAMES: Final = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_SCAN: Final = 0xDA
_DROPPED: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
_LONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


class _Segment(NamedTuple):
    """One marker with what belongs to it, whole; `content` is what follows its length."""

    marker: int
    whole: bytes
    content: bytes


class _Broken(Exception):
    """The bytes are not laid out as a JPEG's are."""


@deed
def give(school: School, person: Person, upload: bytes, *, actor: str, now: datetime) -> Photo:
    """Keep a person's photo at a school in place of the one before. Raises Refused for what is no small JPEG."""
    jpeg = checked(upload)
    facts = {"jpeg": jpeg, "sha256": hashlib.sha256(jpeg).hexdigest(), "given_at": now, "given_by": actor}
    photo, _is_new = Photo.objects.update_or_create(school=school, person=person, defaults=facts)
    audit.record(actor, "photo given", school, person, at=now)
    people_changed(school)
    return photo


@deed
def remove(school: School, person: Person, *, actor: str, now: datetime) -> bool:
    """Take a person's photo away; says whether there was one. Hosts remove it as soon as they hear of it."""
    gone, _by_table = Photo.objects.filter(school=school, person=person).delete()
    if gone:
        audit.record(actor, "photo removed", school, person, at=now)
        people_changed(school)
    return bool(gone)


@deed
def remove_left(school: School, today: date, *, actor: str, now: datetime) -> int:
    """Remove the photos of those whose stays and working staff cards are over for `KEPT_DAYS`; returns how many."""
    since = today - timedelta(days=KEPT_DAYS)
    stays = Enrolment.objects.filter(Q(valid_until=None) | Q(valid_until__gte=since), school=school)
    cards = Card.objects.filter(school=school, kind=CardKind.STAFF, state=CardState.ACTIVE, person__isnull=False)
    old = Photo.objects.filter(school=school, given_at__lt=now - timedelta(days=KEPT_DAYS))
    left = old.exclude(person__in=stays.values("person")).exclude(person__in=cards.values("person"))
    gone, _by_table = left.delete()
    if gone:
        audit.record(actor, "photos of those who left removed", school, at=now, photos=gone)
        people_changed(school)
    return gone


def of(person: Person, schools: list[School]) -> QuerySet[Photo]:
    """Return a person's photos at these schools."""
    return Photo.objects.filter(person=person, school__in=schools).select_related("school")


def checked(upload: bytes) -> bytes:
    """Return the picture without what is none. Raises Refused, naming what is wrong."""
    if len(upload) > MAX_UPLOAD_BYTES:
        found = _("%(count)d bytes") % {"count": len(upload)}
        raise Refused("photo_too_big", _("photo"), found, _("at most %(most)d bytes") % {"most": MAX_UPLOAD_BYTES})
    try:
        segments = list(_segments(upload))
    except _Broken:
        segments = []
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if len(frames) != 1 or len(frames[0].content) < 6:  # noqa: PLR2004  precision, height, width, components
        raise Refused("no_jpeg", _("photo"), _("no JPEG that can be shown"), _("a photo saved as JPEG"))
    height, width = (int.from_bytes(frames[0].content[at : at + 2], "big") for at in (1, 3))
    if height not in SIDE_PX or width not in SIDE_PX:
        sides = {"least": SIDE_PX.start, "most": SIDE_PX.stop - 1}
        expected = _("%(least)d to %(most)d pixels a side") % sides
        raise Refused("photo_sides", _("photo"), f"{width} x {height}", expected)
    return _START + b"".join(segment.whole for segment in segments if segment.marker not in _DROPPED) + _END


def _segments(jpeg: bytes) -> Iterator[_Segment]:
    """Give each segment between start and end, a scan's with its data. Raises _Broken. What follows the end is no picture."""
    if not jpeg.startswith(_START):
        raise _Broken
    at = len(_START)
    has_scan = False
    while jpeg[at : at + 2] != _END:
        marker = _marker(jpeg, at)
        if marker in _OTHER_FRAMES or marker in _LONE:
            raise _Broken
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(jpeg):
            raise _Broken
        content = jpeg[at + 4 : end]
        if marker == _SCAN:
            has_scan = True
            end = _end_of_scan(jpeg, end)
        yield _Segment(marker, jpeg[at:end], content)
        at = end
    if not has_scan:
        raise _Broken


def _marker(jpeg: bytes, at: int) -> int:
    if at + 4 > len(jpeg) or jpeg[at] != 0xFF or jpeg[at + 1] in {0x00, 0xFF}:  # noqa: PLR2004  T.81, B.1.1.2
        raise _Broken
    return jpeg[at + 1]


def _end_of_scan(jpeg: bytes, at: int) -> int:
    """Return where the next marker stands: within a scan's data FF is followed by 00, or by a restart marker."""
    while True:
        at = jpeg.find(b"\xff", at)
        if at < 0 or at + 1 >= len(jpeg):
            raise _Broken
        following = jpeg[at + 1]
        if following != 0 and following not in range(0xD0, 0xD8):
            return at
        at += 2
