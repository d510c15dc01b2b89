"""The simulated school: a small one, as many are in the country, with everything that a big one has. All synthetic."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Tallinn")
ABROAD: Final = ZoneInfo("Pacific/Honolulu")  # as an image for somewhere else left it: half a day behind
FIRST_DAY: Final = date(2026, 9, 1)
SCHOOL_DAYS: Final = 175
_BREAKS: Final = (
    (date(2026, 10, 19), date(2026, 10, 25)),
    (date(2026, 12, 21), date(2027, 1, 10)),
    (date(2027, 2, 22), date(2027, 2, 28)),
    (date(2027, 4, 12), date(2027, 4, 18)),
)
DOOR: Final = "sim-door"
GUARD: Final = "sim-guard"
CANTEEN: Final = "canteen"
COPIES: Final = "copies"
COPY_CENTS: Final = 5
_HEAD: Final = """\
[school]
code = "sim"
name = "Simulated School"
timezone = "Europe/Tallinn"
lends_forgotten = true

[[service]]
code = "door"
name = "Uks"
[service.rule]
kinds = ["personal", "substitute", "staff"]

[[service]]
code = "canteen"
name = "Söökla"
[service.rule]
kinds = ["personal", "substitute"]
per_day = 1
repeat_s = 60

[[service]]
code = "cloakroom"
name = "Garderoob"
[service.rule]
kinds = ["personal"]

[[service]]
code = "copies"
name = "Koopiad"
[service.rule]
kinds = ["personal"]
price_cents = 5
prepaid = true
offline_allowance_cents = 10
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How big the school is: `tills` in its canteen, and how many pupils eat there."""

    tills: int = 2
    pupils: int = 16
    substitutes: int = 3
    speaks: bool = True  # whether the hosts speak with each other

    @property
    def till_names(self) -> tuple[str, ...]:
        """The tills' hosts."""
        return tuple(f"sim-till-{number}" for number in range(1, self.tills + 1))

    @property
    def host_names(self) -> tuple[str, ...]:
        """All hosts: the tills; the door with its way in and out and the cloakroom beside it; the guard's desk."""
        return (*self.till_names, DOOR, GUARD)

    def services_of(self, host: str) -> tuple[str, ...]:
        """Return what a host's readers serve."""
        if host in self.till_names:
            return (CANTEEN,)
        return ("door", "cloakroom", "copies") if host == DOOR else ()

    @property
    def pupil_names(self) -> tuple[str, ...]:
        """The pupils' ids."""
        return tuple(f"P-{number:03}" for number in range(1, self.pupils + 1))


def of_seed(seed: int, pupils: int | None = None) -> Size:
    """Return the size of the school of a seed: two to four tills, which speak with each other in two schools of three."""
    random = Random(f"size {seed}")  # noqa: S311  a game of chance, no secret
    return Size(tills=random.choice((2, 2, 3, 4)), pupils=pupils or 16, speaks=random.random() < 2 / 3)


def text(size: Size) -> str:
    """Return the school's file, with everybody and each card."""
    parts = [_HEAD]
    parts += [f'[[host]]\nname = "{name}"\n' for name in size.host_names]
    for number, name in enumerate(size.pupil_names, 1):
        parts.append(
            f'[[person]]\nexternal_id = "{name}"\ngiven_name = "Mari"\nfamily_name = "Proov{number}"\nclass = "{number % 9 + 1}a"\n'
            "from = 2024-09-01\n"
        )
        parts.append(
            f'[[card]]\nnumber = "{card_of(name)}"\nperson = "{name}"\nuid = "{uid_of(card_of(name)).hex()}"\nvalid_from = 2024-09-01\n'
        )
    for name in substitutes(size):
        parts.append(f'[[card]]\nnumber = "{name}"\nkind = "substitute"\nuid = "{uid_of(name).hex()}"\n')
    return "\n".join(parts)


def substitutes(size: Size) -> tuple[str, ...]:
    """Return the numbers of the substitutes."""
    return tuple(f"S-{number:02}" for number in range(1, size.substitutes + 1))


def card_of(person: str, count: int = 1) -> str:
    """Return the number of a pupil's first card, or of a later one."""
    return f"C-{person.removeprefix('P-')}-{count}"


def uid_of(card: str) -> bytes:
    """Return a card's UID: seven bytes as NXP's chips have them."""
    return b"\x04" + hashlib.sha256(card.encode()).digest()[:6]


def school_days(count: int) -> list[date]:
    """Return the first school days of the years from 1 September 2026 on; each school year has 175 of them, at most."""
    days: list[date] = []
    day = FIRST_DAY
    while len(days) < count:
        if day.weekday() < 5 and not any(first <= day <= last for first, last in _BREAKS):
            days.append(day)
        day += timedelta(days=1)
    return days


def local(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a moment of a school-local day."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=ZONE)
