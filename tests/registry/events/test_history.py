"""A batch's place follows from links alone."""

from dataclasses import replace

import pytest

from registry.events.history import START, GoBack, Known, Lost, Offered, Place, Tip, follows, place
from sync.wire.event import GENESIS

NOTHING = Known({}, {}, holds_link_before=False)


def link(number: int) -> bytes:
    """A link that tells itself apart."""
    return number.to_bytes(32, "big")


TIP = Tip(5, 10, 0, link(10))
HELD = Known({(seq, link(seq)): 0 for seq in range(1, 11)}, {0: 10}, holds_link_before=False)


def offered(first: int, last: int, *, epoch: int = 5, gone: bool = False) -> Offered:
    """A batch of the known history."""
    links = [link(seq) for seq in range(first, last + 1)]
    return Offered(epoch, first, link(first - 1) if first > 1 else GENESIS, links, gone)


def other(first: int, last: int, *, gone: bool = False) -> Offered:
    """A batch of another history."""
    return Offered(5, first, link(1000 + first), [link(1001 + seq) for seq in range(first, last + 1)], gone)


def test_what_follows_needs_no_looking_up() -> None:
    """The usual case is told by the tip alone."""
    assert follows(offered(11, 12), TIP)
    assert not follows(offered(10, 12), TIP)
    assert place(offered(11, 12), TIP, NOTHING) == Place(0, 0)


CASES = {
    "the first ever": (offered(1, 3), START, NOTHING, Place(0, 0)),
    "known whole": (offered(3, 6), TIP, HELD, Place(4, 0)),
    "known in part": (offered(9, 12), TIP, HELD, Place(2, 0)),
    "behind a gap": (offered(13, 14), TIP, HELD, GoBack(5, 10, link(10))),
    "behind a gap that stays": (offered(13, 14, gone=True), TIP, HELD, Place(0, 0, lost=(Lost(5, 11, 12),))),
    "another number eleven": (other(11, 12), TIP, HELD, GoBack(5, 0, GENESIS)),
    "another number eleven, all that is left": (other(11, 12, gone=True), TIP, HELD, Place(0, 1, is_fork=True)),
    "another number four": (other(4, 12), TIP, HELD, GoBack(5, 0, GENESIS)),
    "another number one": (other(1, 2), TIP, HELD, Place(0, 1, is_fork=True)),
    "differs from four on": (
        replace(offered(3, 6), links=[link(3), link(94), link(95)]),
        TIP,
        HELD,
        Place(1, 1, is_fork=True),
    ),
    "hangs on three, differs": (replace(offered(4, 6), links=[link(94)]), TIP, HELD, Place(0, 1, is_fork=True)),
    "an epoch that begins late": (offered(3, 4, epoch=9), TIP, NOTHING, GoBack(5, 10, link(10))),
    "an epoch of which the beginning is gone": (
        offered(3, 4, epoch=9, gone=True),
        TIP,
        NOTHING,
        Place(0, 0, lost=(Lost(5, 11, None), Lost(9, 1, 2))),
    ),
    "an epoch that does not join": (offered(1, 2, epoch=9), TIP, NOTHING, GoBack(5, 10, link(10))),
    "an epoch that joins the last": (replace(offered(1, 2, epoch=9), link_before=link(10)), TIP, NOTHING, Place(0, 0)),
    "an epoch that joins an older event": (
        replace(offered(1, 2, epoch=9), link_before=link(4)),
        TIP,
        replace(NOTHING, holds_link_before=True),
        Place(0, 0),
    ),
    "an old epoch that was removed": (offered(1, 2, epoch=2), TIP, NOTHING, Place(0, 0, may_be_removed=True)),
    "old numbers that were removed": (
        offered(2, 3),
        TIP,
        Known({}, {0: 10}, holds_link_before=False),
        Place(0, 0, may_be_removed=True),
    ),
}


@pytest.mark.parametrize(("batch", "tip", "known", "expected"), CASES.values(), ids=CASES.keys())
def test_each_batch_has_its_place(batch: Offered, tip: Tip, known: Known, expected: Place | GoBack) -> None:
    """Where it goes, or from where the host is to send again."""
    assert place(batch, tip, known) == expected
