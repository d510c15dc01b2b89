"""What holders were served, counted from events alone."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.model import Usage
from sync.servings import MOST_DAYS, MOST_MARKS, Boot, Servings
from sync.wire.event import Event, EventKind, Serving, canonical

DAY = date(2026, 9, 1)
NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
PERSON = Serving(DAY, "canteen", "person 1")


class Machine:
    """A boot clock that a test moves."""

    def __init__(self) -> None:
        self.up_ms = 1000
        self.boot = Boot("boot-a", lambda: self.up_ms)


def tap(*, holder: str | None = "person 1", day: date = DAY, **more: object) -> Event:
    """A granted tap as the journal has it."""
    return {
        "kind": EventKind.TAP,
        "time": "2026-09-01T12:00:00.000Z",
        "service_day": day.isoformat(),
        "service": "canteen",
        "direction": None,
        "holder": holder,
        "boot_id": "boot-a",
        "boot_ms": 1000,
        **more,
    }


def test_what_is_not_committed_yet_counts_beside_what_is() -> None:
    """Events of a transaction under way count for their own holder, place and day, and the last of them times the repeat."""
    machine = Machine()
    servings = Servings(machine.boot)
    servings.add(tap())
    machine.up_ms = 9000
    under_way = [tap(boot_ms=7000), tap(holder="person 2"), tap(service="door"), tap(day=DAY + timedelta(days=1))]
    assert servings.usage(PERSON, NOON) == Usage(1, 8.0)
    assert servings.usage(PERSON, NOON, under_way) == Usage(2, 2.0)
    assert servings.usage(PERSON, NOON) == Usage(1, 8.0)


def test_the_day_least_lately_served_at_goes_first() -> None:
    """No more than eight days are kept in memory; the one at which nobody was served for longest is let go."""
    servings = Servings(Machine().boot)
    for number in [*range(MOST_DAYS), 0, MOST_DAYS]:
        servings.add(tap(day=DAY + timedelta(days=number)))
    days = [Serving(DAY + timedelta(days=number), "canteen", "person 1") for number in range(MOST_DAYS + 1)]
    assert [servings.usage(day, NOON).served_today for day in days] == [2, 0, 1, 1, 1, 1, 1, 1, 1]


TAPS = st.lists(
    st.tuples(
        st.sampled_from(["person 1", "person 2", "card 3", None]),
        st.integers(0, 11),
        st.sampled_from([("canteen", None), ("door", "in"), ("door", "out")]),
        st.integers(0, 5000),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(TAPS)
def test_servings_made_anew_are_those_that_were_kept(
    taps: list[tuple[str | None, int, tuple[str, str | None], int]],
) -> None:
    """What is known of servings after a restart is what was known before it."""
    machine = Machine()
    kept, anew = Servings(machine.boot), Servings(machine.boot)
    events: list[Event] = []
    for holder, day, (service, direction), wait_ms in taps:
        machine.up_ms += wait_ms
        more: dict[str, Any] = {"service": service, "direction": direction, "boot_ms": machine.up_ms}
        at = DAY + timedelta(days=day)
        events.append(tap(holder=holder, day=at, **more))
        kept.add(events[-1])
    for event in events:
        anew.add(json.loads(canonical(event)))
    for day in range(12):
        for place in ("canteen", "door", "door out"):
            for holder in ("person 1", "person 2", "card 3"):
                serving = Serving(DAY + timedelta(days=day), place, holder)
                assert kept.usage(serving, NOON) == anew.usage(serving, NOON)


def mark(number: int, holder: str = "person 1") -> Event:
    """A serving that somebody marked by hand."""
    fact = {"act": "serve", "card": None, "person": "1"}
    return tap(kind=EventKind.MARK, tap_id=f"{number:032x}", fact=fact, holder=holder)


def paper(number: int, day: date, holder: str = "person 1") -> Event:
    """A serving of a list that was kept on paper, entered at noon of the day."""
    fact = {"act": "serve", "card": None, "person": "1", "how": "paper"}
    return tap(kind=EventKind.MARK, tap_id=f"{number:032x}", fact=fact, holder=holder, day=day)


def test_a_paper_list_counts_for_its_own_day_and_is_no_serving_of_just_now() -> None:
    """Yesterday's list, entered a moment ago, is yesterday's lunch of no known hour: today's next tap is no repeat of it."""
    servings = Servings(Machine().boot)
    servings.add(paper(1, DAY - timedelta(days=1)))
    assert servings.usage(PERSON, NOON) == Usage(0, 36 * 3600.0)
    servings.add(paper(2, DAY))
    assert servings.usage(PERSON, NOON) == Usage(1, 12 * 3600.0)


def test_a_paper_list_leaves_the_hour_of_a_tap() -> None:
    """Who tapped that day was served when they tapped, and was served twice."""
    servings = Servings(Machine().boot)
    servings.add(tap())
    servings.add(paper(1, DAY))
    assert servings.usage(PERSON, NOON) == Usage(2, 0.0)
    servings.add(undo(1))
    assert servings.usage(PERSON, NOON) == Usage(1, 0.0)


def test_old_paper_lists_take_no_room_from_today() -> None:
    """However many past days are entered, today's counts stay; the last of the lists are still known."""
    servings = Servings(Machine().boot)
    servings.add(tap())
    for back in range(1, 3 * MOST_DAYS):
        servings.add(paper(back, DAY - timedelta(days=back), holder="person 2"))
    assert servings.usage(PERSON, NOON).served_today == 1
    assert servings.of_day(DAY - timedelta(days=1), "canteen") == {"person 2": 1}
    servings.add(tap(day=DAY + timedelta(days=1)))
    assert servings.usage(PERSON, NOON).served_today == 1


def undo(number: int) -> Event:
    """What takes such a mark back."""
    fact = {"act": "undo", "card": None, "person": None, "undoes": f"{number:032x}"}
    return tap(kind=EventKind.MARK, holder=None, tap_id="ff" * 16, fact=fact)


def test_a_mark_counts_as_a_serving_until_it_is_undone() -> None:
    """A lunch marked by hand is the day's lunch; taken back, the pupil may eat; a second undo of the same changes nothing."""
    servings = Servings(Machine().boot)
    servings.add(mark(1))
    assert servings.usage(PERSON, NOON).served_today == 1
    servings.add(mark(2))
    servings.add(undo(2))
    servings.add(undo(2))
    assert servings.usage(PERSON, NOON).served_today == 1
    servings.add(undo(1))
    assert servings.usage(PERSON, NOON) == Usage()


def test_an_undo_takes_back_no_tap_and_nothing_unknown() -> None:
    """Only a mark that is known is taken back; strange facts are passed over."""
    servings = Servings(Machine().boot)
    servings.add(tap(tap_id=f"{1:032x}"))
    servings.add(undo(1))
    servings.add(tap(holder=None, fact="strange"))
    assert servings.usage(PERSON, NOON).served_today == 1


def test_marks_that_can_be_undone_are_bounded() -> None:
    """The oldest can be taken back no more; it stays counted."""
    servings = Servings(Machine().boot)
    servings.add(mark(1))
    for number in range(2, MOST_MARKS + 2):
        servings.add(mark(number, holder="person 2"))
    servings.add(undo(1))
    assert servings.usage(PERSON, NOON).served_today == 1


def test_V6_5_what_was_charged_offline_is_added_up_by_holder_place_and_day() -> None:
    """What the registry was asked about is in its balance; what waits to be written counts beside what is."""
    servings = Servings(Machine().boot)
    offline: dict[str, Any] = {"price_cents": 30, "prepaid": True, "flags": ["quota_unknown", "charged_offline"]}
    for event in (
        tap(**offline),
        tap(price_cents=30, prepaid=True, flags=[]),
        tap(holder="person 2", **offline),
        tap(service="copies", **offline),
        tap(day=DAY - timedelta(days=1), **offline),
    ):
        servings.add(event)
    assert servings.usage(PERSON, NOON).spent_today_cents == 30
    assert servings.usage(PERSON, NOON, [tap(**offline), tap(service="copies", **offline)]).spent_today_cents == 60
    assert servings.usage(Serving(DAY + timedelta(days=1), "canteen", "person 1"), NOON).spent_today_cents == 0


def test_what_was_spent_goes_with_its_day() -> None:
    """No more days are kept of it than of servings."""
    servings = Servings(Machine().boot)
    for number in range(MOST_DAYS + 1):
        servings.add(tap(day=DAY + timedelta(days=number), price_cents=30, flags=["charged_offline"]))
    assert [
        servings.usage(Serving(DAY + timedelta(days=n), "canteen", "person 1"), NOON).spent_today_cents for n in (0, 1)
    ] == [0, 30]
