"""What the name of a class says: its grade, and what it is called a year later. Pure."""

import re
from typing import Final

_NAME: Final = re.compile(r"(\s*)([0-9]{1,2})(?![0-9])(.*)", re.DOTALL)


def grade_of(class_name: str) -> int | None:
    """Return the grade of a class such as `7b`, `10.a` or `12`; None for a class of none, such as `teachers`."""
    found = _NAME.fullmatch(class_name)
    return int(found[2]) if found else None


def by_grade(class_name: str) -> tuple[bool, int, str]:
    """Return by what classes are put in order: 10a comes after 9b, classes of no grade before them, no class at all comes last."""
    return not class_name, grade_of(class_name) or 0, class_name


def promoted(class_name: str) -> str | None:
    """Return the class's name in the year after, `7b` as `8b`; None for a class that has no grade."""
    found = _NAME.fullmatch(class_name)
    return f"{found[1]}{int(found[2]) + 1}{found[3]}" if found else None
