"""Amounts as people write and read them: euros with a comma or a point, kept as whole cents."""

import re
from typing import Final

_AMOUNT: Final = re.compile(r"([0-9]{1,6})(?:[.,]([0-9]{1,2}))?", re.ASCII)


def cents_of(text: str) -> int | None:
    """Return what an amount such as `5`, `5,5` or `5.05` is in cents; None for what is none."""
    found = _AMOUNT.fullmatch(text)
    return None if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def euros(cents: int) -> str:
    """Write an amount as prices are written here, with its sign where it is below zero."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100},{abs(cents) % 100:02d} €"
