"""A refusal of the registry's: where it stands, what was found and what is expected, in the language of whoever asks."""

from django.utils.translation import gettext as _


class Refused(Exception):
    """Something was asked that cannot be done; nothing was changed.

    `code` is for programs and never translated. `where`, `found` and `expected` are for people, in the language that was active when
    it was refused. None of them ever holds a UID or a personal code.
    """

    def __init__(self, code: str, where: str, found: str, expected: str) -> None:
        """Keep the parts apart as well, for the API."""
        super().__init__(code, where, found, expected)
        self.code = code
        self.where = where
        self.found = found
        self.expected = expected

    def __str__(self) -> str:
        """Tell it in a sentence."""
        parts = {"where": self.where, "found": self.found, "expected": self.expected}
        return _("%(where)s: found %(found)s, expected %(expected)s") % parts
