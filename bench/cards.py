"""Cards to measure with: as many as asked for, always the same, held by a state directory that the real import made."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from bench.plan import Plan
from sync import site_key
from sync.cache import CardCache
from sync.cards_file import COLUMNS
from sync.cards_import import import_cards

_ODD: Final = 0x9E3779B97F  # times an odd number is one to one, modulo a power of two: no two cards share a UID
_SPOT_CHECKS: Final = 50


def uid(number: int) -> bytes:
    """Return the 7-byte UID of the card with this number. The fourth byte is fixed, since a cascade tag may not stand there."""
    mixed = (number * _ODD % (1 << 40)).to_bytes(5, "big")
    return b"\x04" + mixed[:2] + b"\x5a" + mixed[2:]


def csv_lines(cards: int) -> Iterator[bytes]:
    """Give a cards file, line by line: pupils of some hundred classes, each with one card."""
    yield ",".join(COLUMNS).encode() + b"\n"
    for number in range(cards):
        line = f"{uid(number).hex()},c{number},p{number},personal,active,2020-09-01,2099-08-31,class-{number % 300};pupils\n"
        yield line.encode()


def fed_state(plan: Plan, cards: int, name: str) -> Path:
    """Return a fresh state directory `name` that holds so many cards, and nothing else.

    The cache file is made once for each number and linked from then on: ten million take minutes. It is warm in the kernel's memory.
    """
    kept = plan.folder / f"cards-{cards}"
    if not _serves(kept, cards):
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        import_cards(csv_lines(cards), kept, site_key.load_or_make(kept))
    state_dir = plan.folder / name
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir(parents=True)
    for source in (kept / "site.key", kept / "current"):
        shutil.copy(source, state_dir)
    for cache in kept.glob("cache-*.db"):
        (state_dir / cache.name).hardlink_to(cache)
        _warm(cache)
    return state_dir


def is_kept(plan: Plan, cards: int) -> bool:
    """Tell whether so many cards are at hand without a new import."""
    return _serves(plan.folder / f"cards-{cards}", cards)


def _serves(kept: Path, cards: int) -> bool:
    """Tell whether what an earlier run made is what today's code would find its cards in."""
    if not (kept / "current").exists():
        return False
    cache = CardCache(kept, site_key.load_or_make(kept))
    try:
        if cache.info is None or cache.info.cards != cards:
            return False
        spots = Random(0).sample(range(cards), min(cards, _SPOT_CHECKS))  # noqa: S311  no secret
        found = [cache.find(uid(number)) for number in spots]
        return [card.card if card else None for card in found] == [f"c{number}" for number in spots]
    finally:
        cache.close()


def _warm(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
