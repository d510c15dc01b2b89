"""Where a person's photo is fetched: an address that whoever was told of the person has, and that nobody guesses for another.

Persons are numbered: a browser that may see the pages could otherwise look at every child of the school, one number after another.
"""

import hmac
import secrets
from typing import Final

from outputs.screen.parts import Person

PATH: Final = "/photo/{person}/{seal}"
_KEY: Final = secrets.token_bytes(32)  # of this run of the program: an address does not outlive it
_SEAL_CHARS: Final = 32


def address_of(person: Person | None) -> str | None:
    """Return the address, None where the school gave no photo."""
    return f"/photo/{person.id}/{_seal(person.id)}" if person is not None and person.has_photo else None


def is_told(id_: str, seal: str) -> bool:
    """Whether an address is one that was told."""
    return hmac.compare_digest(seal.encode(), _seal(id_).encode())


def _seal(id_: str) -> str:
    return hmac.digest(_KEY, id_.encode(), "sha256").hex()[:_SEAL_CHARS]
