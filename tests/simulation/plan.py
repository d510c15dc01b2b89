"""What happens on a simulated day: a list of steps that depends on the seed and the day alone, never on what came of earlier ones.

So a failing run can be shortened by leaving steps out: what is left means the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import count
from random import Random
from typing import Final

from tests.simulation.network import REGISTRY, Line
from tests.simulation.school import DOOR, GUARD, Size, local

STEPS_A_DAY: Final = 10_000  # the numbers of a day's steps; never so many are used


class Act(StrEnum):
    """What a step does."""

    COME = "come"  # a pupil at the door, inward
    GO = "go"
    HANG_UP = "hang up"  # at the cloakroom
    TRY = "try"  # any card that is or was theirs, at the door, inward
    COPY = "copy"  # one page, prepaid
    PAY_IN = "pay in"  # at the office
    EAT = "eat"  # a pupil at a till with the card in hand
    EAT_AGAIN = "eat again"  # with any card of theirs, at any till
    EAT_TWICE_AT_ONCE = (
        "eat twice at once"  # two cards of one pupil at two tills, while the first till still waits for its answer
    )
    BY_HAND = "by hand"  # the card is forgotten: the worker marks the meal
    BY_CLASS = "by class"  # a list of pupils who came without cards, marked at once
    UNDO = "undo"
    FORGET = "forget"  # the card lies at home today
    BORROW = "borrow"  # a substitute from the guard's desk
    BORROW_AT_OFFICE = "borrow at office"
    GIVE_BACK = "give back"
    GIVE_BACK_AT_OFFICE = "give back at office"
    LOSE = "lose"  # told at the office
    LOSE_AT_DESK = "lose at desk"  # told to the guard
    FIND = "find"  # a lost card is found, and reopened
    RENEW = "renew"  # a replacement is made, and activated
    LEAVE = "leave"
    RETURN = "return"  # a leaving is cancelled
    LINE = "line"
    HEAL = "heal"
    CRASH = "crash"
    RESTART = "restart"
    REBOOT = "reboot"
    CLOCK = "clock"
    DISK = "disk"
    SYNC = "sync"
    NIGHT = "night"  # the registry's chores, and all that is checked of a day
    WEEKEND = "weekend"  # everything heals, everything is in step, everything is checked


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is done, by whom, where, and how. Its number seeds what is left to chance in it."""

    number: int
    at: datetime
    act: Act
    who: str = ""
    where: str = ""
    how: str = ""

    def __str__(self) -> str:
        """Tell it in a line."""
        told = f"{self.number:>8} {self.at:%Y-%m-%d %H:%M:%S} {self.act}"
        return " ".join(filter(None, (told, self.who, self.where and f"at {self.where}", self.how)))


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely a day has what. The defaults make a school year worse than any real one."""

    absent: float = 0.05
    forgets: float = 0.04
    eats: float = 0.9
    again: float = 0.08
    at_once: float = 0.02
    hangs_up: float = 0.2
    tries: float = 0.03
    copies: float = 0.08
    pays_in: float = 0.02
    loses: float = 0.012
    leaves: float = 0.003
    bad_network: float = 0.4
    crash: float = 0.15
    clock: float = 0.08
    disk: float = 0.06
    late_evening: float = 0.03
    lists: float = 0.15


DEFAULT: Final = Odds()
QUIET: Final = Odds(bad_network=0.0, crash=0.0, clock=0.0, disk=0.0)
STORM: Final = Odds(
    bad_network=1.0,
    crash=0.8,
    clock=0.4,
    disk=0.4,
    again=0.4,
    at_once=0.1,
    forgets=0.15,
    loses=0.05,
    leaves=0.02,
    lists=0.6,
)
NAMED: Final = {"default": DEFAULT, "quiet": QUIET, "storm": STORM}


def steps_of(seed: int, place: int, day: date, size: Size, odds: Odds = DEFAULT) -> list[Step]:
    """Return the steps of the day that is the `place`-th, in the order of their times."""
    random = Random(f"{seed} {place}")  # noqa: S311  a game of chance, no secret
    drawn = [*_people(random, day, size, odds), *_faults(random, day, size, odds)]
    drawn.append((local(day, 11, 10), Act.SYNC, "", "", ""))
    drawn.sort(key=lambda each: each[0])
    is_friday = day.weekday() == 4
    drawn.append((local(day, 23, 59, 59) + timedelta(hours=3), Act.WEEKEND if is_friday else Act.NIGHT, "", "", ""))
    numbers = count(place * STEPS_A_DAY + 1)
    return [Step(next(numbers), *each) for each in drawn]


_Drawn = tuple[datetime, Act, str, str, str]


def _people(random: Random, day: date, size: Size, odds: Odds) -> Iterator[_Drawn]:
    for who in size.pupil_names:
        if random.random() >= odds.absent:
            yield from _pupil(random, day, who, size, odds)
    if random.random() < odds.lists:
        listed = " ".join(random.sample(size.pupil_names, 3))
        eats = local(day, 11) + timedelta(seconds=random.randrange(90 * 60))
        yield eats, Act.BY_CLASS, listed, random.choice(size.till_names), ""
    if random.random() < odds.late_evening:
        who = random.choice(size.pupil_names)
        yield local(day, 23, 59, random.randrange(60)), Act.EAT, who, random.choice(size.till_names), ""
        yield (
            local(day, 23, 59, 59) + timedelta(seconds=random.randrange(1, 90)),
            Act.EAT,
            who,
            random.choice(size.till_names),
            "",
        )


def _pupil(random: Random, day: date, who: str, size: Size, odds: Odds) -> Iterator[_Drawn]:
    comes = local(day, 7, 40) + timedelta(seconds=random.randrange(40 * 60))
    at_desk = random.random() < 0.5
    if random.random() < odds.forgets:
        yield comes, Act.FORGET, who, "", ""
        if random.random() < 0.7:
            yield comes, Act.BORROW if at_desk else Act.BORROW_AT_OFFICE, who, GUARD, ""
    yield comes + timedelta(seconds=1), Act.COME, who, DOOR, ""
    if random.random() < odds.hangs_up:
        yield comes + timedelta(seconds=60), Act.HANG_UP, who, DOOR, ""
    yield from _between(random, comes, who, odds)
    if random.random() < odds.loses:
        yield from _loss(random, day, who, size)
    if random.random() < odds.eats:
        yield from _lunch(random, day, who, size, odds)
    goes = local(day, 13, 30) + timedelta(seconds=random.randrange(2 * 3600))
    if random.random() < 0.6:
        yield goes, Act.GIVE_BACK if random.random() < 0.5 else Act.GIVE_BACK_AT_OFFICE, who, GUARD, ""
    if random.random() < 0.8:
        yield goes + timedelta(seconds=5), Act.GO, who, DOOR, ""
    yield from _leaving(random, goes, who, odds)


def _between(random: Random, comes: datetime, who: str, odds: Odds) -> Iterator[_Drawn]:
    """What a pupil does between two lessons."""
    if random.random() < odds.tries:
        yield comes + timedelta(hours=1), Act.TRY, who, DOOR, ""
    if random.random() < odds.pays_in:
        yield comes + timedelta(hours=1), Act.PAY_IN, who, "", str(random.choice((5, 20, 50)))
    if random.random() < odds.copies:
        for page in range(random.randrange(1, 4)):
            yield comes + timedelta(hours=2, seconds=10 * page), Act.COPY, who, DOOR, ""


def _leaving(random: Random, goes: datetime, who: str, odds: Odds) -> Iterator[_Drawn]:
    if random.random() < odds.leaves:
        how = str(random.randrange(-2, 3))
        yield goes + timedelta(minutes=1), random.choice((Act.LEAVE, Act.LEAVE, Act.RETURN)), who, "", how
    elif random.random() < odds.leaves * 3:
        yield goes + timedelta(minutes=1), Act.RETURN, who, "", ""


def _loss(random: Random, day: date, who: str, size: Size) -> Iterator[_Drawn]:
    at_desk = random.random() < 0.5
    loses = local(day, 9) + timedelta(seconds=random.randrange(4 * 3600))
    yield loses, Act.LOSE_AT_DESK if at_desk else Act.LOSE, who, GUARD, ""
    if random.random() < 0.7:
        yield loses + timedelta(minutes=5), Act.BORROW if at_desk else Act.BORROW_AT_OFFICE, who, GUARD, ""
    yield (
        loses + timedelta(hours=1),
        random.choice((Act.FIND, Act.RENEW, Act.EAT_AGAIN)),
        who,
        size.till_names[0],
        "",
    )


def _lunch(random: Random, day: date, who: str, size: Size, odds: Odds) -> Iterator[_Drawn]:
    eats = local(day, 10, 40) + timedelta(seconds=random.randrange(100 * 60))
    till = random.choice(size.till_names)
    if random.random() < odds.at_once:
        yield eats, Act.EAT_TWICE_AT_ONCE, who, till, random.choice(size.till_names)
        return
    yield eats, Act.EAT, who, till, ""
    if random.random() < odds.again:
        again = eats + timedelta(seconds=random.choice((2, 30, 59, 61, 600, 3600)))
        yield (
            again,
            random.choice((Act.EAT, Act.EAT_AGAIN, Act.EAT_AGAIN, Act.BY_HAND)),
            who,
            random.choice(size.till_names),
            "",
        )
    if random.random() < 0.02:
        yield eats + timedelta(seconds=random.choice((5, 100, 115))), Act.UNDO, who, till, ""


def _faults(random: Random, day: date, size: Size, odds: Odds) -> Iterator[_Drawn]:
    def moment() -> datetime:
        return local(day, 7) + timedelta(seconds=random.randrange(8 * 3600))

    if random.random() < odds.bad_network:
        for _ in range(random.randrange(1, 4)):
            yield moment(), Act.LINE, "", "", _line(random, size)
        if random.random() < 0.5:
            yield moment(), Act.HEAL, "", "", ""
    if random.random() < odds.crash:
        host = random.choice(size.host_names)
        down = moment()
        yield down, Act.CRASH, "", host, random.choice(("now", "before commit", "after commit"))
        yield down + timedelta(minutes=random.choice((1, 1, 30))), Act.RESTART, "", host, ""
    if random.random() < odds.clock:
        host = random.choice(size.host_names)
        how = random.choice(("dead", "future", "back 3 min", "back 2 h", "ahead 3 min", "synced", "right"))
        yield moment(), random.choice((Act.CLOCK, Act.REBOOT)), "", host, how
        yield moment(), Act.CLOCK, "", host, random.choice(("right", "synced"))
    if random.random() < odds.disk:
        host = random.choice(size.host_names)
        yield moment(), Act.DISK, "", host, random.choice(("full", "gone"))
        yield moment(), Act.DISK, "", host, "whole"


def _line(random: Random, size: Size) -> str:
    """Draw a line and how it is from now on: `one other line`; the registry's end is the one that breaks most."""
    one = random.choice(size.host_names)
    other = REGISTRY if random.random() < 0.7 else random.choice([name for name in size.host_names if name != one])
    if random.random() < 0.3:
        return f"* {REGISTRY} {Line.DOWN}"
    return f"{one} {other} {random.choice((Line.DOWN, Line.DOWN, Line.BAD, Line.UP))}"
