"""What can be wrong with what came over the wire; a document that raises one of these changes nothing.

WireFault           (a StoreFault, sync/faults.py)
├── Malformed       not in the form that docs/wire-format.md gives
├── BadSignature    a known key's signature does not fit the bytes
├── UnknownKey      signed by nobody whom the held root names, or of a generation that a newer root opens: ask for roots
├── WrongAudience   meant for another site
├── Rollback        older than what is held: a version, a root or an issue time that went back
├── Frozen          expired, or too far from the present
├── TooLarge        more bytes than are allowed, or than its header says
├── TooSlow         fewer bytes a second than a document may come with
└── Mixed           parts that do not belong together: a digest, a hash, a nonce or the version that a delta starts from
"""

from sync.faults import StoreFault


class WireFault(StoreFault):
    """Something from the other side cannot be taken; the text says where, what was found and what is expected."""


class Malformed(WireFault):
    """The bytes are not in the form they should be in."""


class BadSignature(WireFault):
    """The signature of a known key does not fit."""


class UnknownKey(WireFault):
    """Nobody whom the root names has signed; a newer root may name them."""


class WrongAudience(WireFault):
    """A document for another site."""


class Rollback(WireFault):
    """Older than what is held already."""


class Frozen(WireFault):
    """Expired: somebody keeps the newer ones away, or a clock is wrong."""


class TooLarge(WireFault):
    """Longer than allowed."""


class TooSlow(WireFault):
    """It came so slowly that it would keep its reader for ever."""


class Mixed(WireFault):
    """Its parts, or it and what is held, do not belong together."""
