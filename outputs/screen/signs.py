"""How the host is, in a few short signs at the foot of a display: calm while all is well, loud where somebody must do something. Pure."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

HEARD_S: Final = 90  # of a registry that says something every 15 s
OLD_S: Final = 24 * 3600
_HOUR_S: Final = 3600
_MINUTE_S: Final = 60


class Level(IntEnum):
    """How loud a sign is."""

    GOOD = 0
    NOTE = 1  # true, and nothing to do: pupils are served all the same
    LOUD = 2


class Sign(NamedTuple):
    """One sign: a word of the page, and the values in it."""

    level: Level
    word: str
    values: Mapping[str, object] = {}

    def told(self) -> Mapping[str, object]:
        """Lay it out for the page."""
        return {"level": self.level.name.lower(), "word": self.word, "values": dict(self.values)}


def signs(state: Mapping[str, Any], readers: Sequence[str], *, has_names: bool) -> list[Sign]:
    """Return the signs of a host's state (`viipe status --json`), the loud ones first; `readers` are those that the display shows."""
    if not state:  # the daemon answers, and cannot tell how it is
        return [Sign(Level.LOUD, "till.sign_disk")]
    found = [
        *(_reader(each) for each in state.get("readers", ()) if each.get("name") in readers),
        _data(state),
        *_neighbours(state.get("neighbours")),
        *_journal(state.get("journal") or {}),
        *_clock(state.get("clock") or {}),
        *([Sign(Level.NOTE, "till.sign_config")] if state.get("config_fault") else []),
        *([] if has_names else [Sign(Level.NOTE, "till.sign_no_names")]),
    ]
    return sorted(found, key=lambda sign: -sign.level)


def _reader(reader: Mapping[str, Any]) -> Sign:
    if reader.get("state") == "reading":
        return Sign(Level.GOOD, "till.sign_reader", {"reader": reader["name"]})
    return Sign(Level.LOUD, "till.sign_reader_away", {"reader": reader["name"]})


def _data(state: Mapping[str, Any]) -> Sign:
    """Tell how old what is decided on is. Silence of the registry restricts nothing by itself (DESIGN.md §4)."""
    if state.get("cards") is None:
        return Sign(Level.LOUD, "till.sign_no_cards")
    link = state.get("link")
    if link is None:
        return Sign(Level.GOOD, "till.sign_own_cards")
    age_s = link.get("data_age_s")
    if age_s is None:
        return Sign(Level.NOTE, "till.sign_never_heard")
    if age_s <= HEARD_S:
        return Sign(Level.GOOD, "till.sign_in_step")
    hours, minutes = age_s // _HOUR_S, max(1, age_s // _MINUTE_S)
    level = Level.LOUD if age_s >= OLD_S else Level.NOTE
    if hours:
        return Sign(level, "till.sign_hours", {"hours": hours})
    return Sign(level, "till.sign_minutes", {"minutes": minutes})


def _neighbours(neighbours: object) -> list[Sign]:
    """Tell of the other tills of the site, where this host knows any: a list of `{"name", "reachable"}`."""
    known = neighbours if isinstance(neighbours, list) else []
    away = [str(each.get("name")) for each in known if isinstance(each, Mapping) and not each.get("reachable")]
    if away:
        return [Sign(Level.NOTE, "till.sign_neighbours_away", {"names": ", ".join(sorted(away))})]
    return [Sign(Level.GOOD, "till.sign_neighbours", {"count": len(known)})] if known else []


def _journal(journal: Mapping[str, Any]) -> list[Sign]:
    if journal.get("fault") or journal.get("waiting_in_memory"):
        return [Sign(Level.LOUD, "till.sign_disk")]
    return []


def _clock(clock: Mapping[str, Any]) -> list[Sign]:
    """Tell of a clock that is impossible; one that nobody vouches for is no news for a canteen."""
    return [Sign(Level.LOUD, "till.sign_clock")] if clock.get("trust") == "wrong" else []
