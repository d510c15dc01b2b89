"""The taps of `./dev run --check`: who taps where, what is done at the registry before, and the answer that is right."""

from dataclasses import dataclass
from typing import Final

DOOR: Final = 0  # which virtual reader is which
TILL: Final = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """One tap. `before` is a command of the registry's that has to reach the host first: at once."""

    told: str
    uid: str
    place: int
    verdict: str
    reason: str
    before: tuple[str, ...] = ()


TRIALS: Final = (
    Trial("a good card at the door", "EBF2CE70", DOOR, "grant", "ok"),
    Trial("a closed card at the door", "5A17C3E2", DOOR, "deny", "closed"),
    Trial("a good card in the canteen", "EBF2CE70", TILL, "grant", "ok"),
    Trial("a closed card in the canteen", "5A17C3E2", TILL, "deny", "closed"),
    Trial("a lent substitute in the canteen", "77E01B2D", TILL, "grant", "ok"),
    Trial("the same substitute in the canteen again", "77E01B2D", TILL, "deny", "already_today"),
    Trial("another good card at the door", "04A1B2C3D4E5F6", DOOR, "grant", "ok"),
    Trial(
        "the same, closed at the registry just now",
        "04A1B2C3D4E5F6",
        DOOR,
        "deny",
        "closed",
        before=("card", "close", "THG-0002", "--reason", "lost"),
    ),
)
