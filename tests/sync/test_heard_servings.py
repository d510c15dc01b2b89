"""What other hosts served, counted apart: derived from the journal's own events, taken back, bounded."""

from datetime import UTC, date, datetime, timedelta

from policy.model import Usage
from sync.heard_servings import MOST_DAYS, MOST_MARKS, HeardServings
from sync.servings import Boot, Servings
from sync.wire.event import HEARD, Event, EventKind, Serving, heard_event

DAY = date(2026, 9, 1)
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
LUNCH = Serving(DAY, "canteen", "person 1")


def told(host: str = "till-2", seq: int = 1, **more: object) -> Event:
    """A serving that another host told."""
    tap = {
        "host": host,
        "epoch": 1,
        "seq": seq,
        "kind": EventKind.TAP,
        "tap_id": f"{seq:032x}",
        "time": "2026-09-01T12:00:00.000Z",
        "service_day": DAY.isoformat(),
        "service": "canteen",
        "direction": None,
        "holder": "person 1",
        "fact": None,
    }
    return heard_event({**tap, **more}, at=NOON)


def serve(seq: int) -> Event:
    """A hand mark that another host told."""
    fact = {"act": "serve", "card": None, "person": "1"}
    return told(seq=seq, kind=EventKind.MARK, fact=fact)


def own(**more: object) -> Event:
    """A granted tap of this host."""
    heard = told()[HEARD]
    assert isinstance(heard, dict)
    return {**heard, "host": "till-1", "boot_id": "boot", "boot_ms": 0, **more}


def servings(*events: Event) -> Servings:
    """Return servings that these events tell."""
    made = Servings(Boot("boot", lambda: 5000))
    for event in events:
        made.add(event)
    return made


def test_what_was_heard_counts_as_used_but_not_as_just_now() -> None:
    """One lunch is one over all tills; "already served just now" is for a second tap at the same till."""
    assert servings(told()).usage(LUNCH, NOON) == Usage(1, None)
    assert servings(told(), own()).usage(LUNCH, NOON) == Usage(2, 5.0)
    assert servings(told(holder="person 2"), told(service="door")).usage(LUNCH, NOON) == Usage()


def test_each_hosts_share_can_be_told() -> None:
    """A till that answers for itself must not answer for what it heard, too."""
    made = servings(told(), told("till-3", 1), told("till-3", 2), own())
    assert made.by_host(LUNCH, "till-1") == {"till-1": 1, "till-2": 1, "till-3": 2}
    assert made.of_day(DAY, "canteen") == {"person 1": 4}
    assert servings().by_host(LUNCH, "till-1") == {"till-1": 0}


def test_a_mark_is_taken_back_wherever_it_was_made_and_wherever_it_is_undone() -> None:
    """Heard and undone there, heard and undone here, made here and undone there; each once."""
    undo = {"act": "undo", "card": None, "person": None, "undoes": f"{7:032x}"}
    undone_there = told(seq=8, kind=EventKind.MARK, holder=None, fact=undo)
    undone_here = own(kind=EventKind.MARK, holder=None, tap_id="ee" * 16, fact=undo)
    marked_here = own(kind=EventKind.MARK, tap_id=f"{7:032x}", fact={"act": "serve", "card": None, "person": "1"})
    for events in (
        (serve(7), undone_there),
        (serve(7), undone_here, undone_there),
        (marked_here, undone_there, undone_there),
    ):
        assert servings(*events).usage(LUNCH, NOON).served_today == 0
    assert servings(serve(7), told(seq=9), undone_there).usage(LUNCH, NOON).served_today == 1


def test_days_and_marks_are_bounded() -> None:
    """Wrong clocks of other hosts fill no memory."""
    heard = HeardServings()
    for number in range(MOST_DAYS + 2):
        day = DAY + timedelta(days=number)
        heard.add(told(service_day=day.isoformat())[HEARD])  # type: ignore[arg-type]
    assert not heard.by_host(LUNCH)
    for number in range(MOST_MARKS + 1):
        heard.add(serve(number)[HEARD])  # type: ignore[arg-type]
    heard.undo(f"{0:032x}")
    assert heard.by_host(LUNCH) == {"till-2": MOST_MARKS + 1}
    heard.undo(f"{1:032x}")
    assert heard.by_host(LUNCH) == {"till-2": MOST_MARKS}


def test_a_neighbours_old_paper_lists_take_no_room_from_today() -> None:
    """A fortnight of lists entered at another till: who ate there today has eaten."""
    heard = HeardServings()
    heard.add(told()[HEARD])  # type: ignore[arg-type]
    paper = {"act": "serve", "card": None, "person": "1", "how": "paper"}
    for back in range(1, 2 * MOST_DAYS):
        day = (DAY - timedelta(days=back)).isoformat()
        heard.add(told(service_day=day, fact=paper)[HEARD])  # type: ignore[arg-type]
    assert heard.by_host(LUNCH) == {"till-2": 1}
