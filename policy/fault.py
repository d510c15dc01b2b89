"""What is wrong with a piece of data that somebody wrote, told so that they can mend it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at one place.

    `path` leads to it from where the checking began: table keys as strings, places in a list as integers from 0.
    """

    path: tuple[str | int, ...]
    found: str
    expected: str

    def under(self, *parents: str | int) -> "Fault":
        """Return the same fault, told from further out."""
        return Fault((*parents, *self.path), self.found, self.expected)

    def __str__(self) -> str:
        """Tell it in one line, without a place where the whole is at fault."""
        place = f"{'.'.join(map(str, self.path))}: " if self.path else ""
        return f"{place}found {self.found}, expected {self.expected}"


class Faulty(ValueError):
    """A value could not be made; `faults` tells everything that is wrong with it, at least one."""

    def __init__(self, faults: "list[Fault] | tuple[Fault, ...]") -> None:
        """Keep all faults at once: the one who wrote the data mends them in one go."""
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)
