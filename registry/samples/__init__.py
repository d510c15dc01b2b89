"""The two schools whose rules DOMAIN.md quotes, as example configurations with synthetic people and cards."""

from datetime import datetime
from pathlib import Path
from typing import Final

from registry.models import School
from registry.schools import school_file, school_load

FOLDER: Final = Path(__file__).parent
SCHOOLS: Final = ("thg", "viimsi")


def load(now: datetime, *, actor: str = "samples") -> tuple[School, ...]:
    """Fill a registry with both schools; returns them. To load them again changes nothing."""
    return tuple(load_one(code, now, actor=actor) for code in SCHOOLS)


def load_one(code: str, now: datetime, *, actor: str = "samples") -> School:
    """Fill a registry with one of the schools."""
    text = (FOLDER / f"{code}.toml").read_text(encoding="utf-8")
    return school_load.load(school_file.parse(text), actor=actor, now=now).school
