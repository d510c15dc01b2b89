"""What can go wrong between a host and its registry, on the way there or at its other end.

StoreFault
└── LinkFault          the tree of this folder: tried again later, decisions go on
    ├── Unreachable        no connection, or one that was cut
    ├── CertificateFault   somebody answered whose certificate is not trusted
    ├── TooSlow            the registry was silent, or dripped, beyond the time allowed
    ├── TooMuch            it sent more than the answer may hold
    ├── Odd                what came is no answer of a registry: another program, a login page, a redirect
    ├── Refusal            the registry said no, with its reason
    └── NotEnrolled        the host has no enrolment, or one that cannot be read
"""

from sync.faults import StoreFault


class LinkFault(StoreFault):
    """A fault of the link; its text says where, what was found and what is expected, without UIDs or names."""


class Unreachable(LinkFault):
    """No connection, or one that was cut."""


class CertificateFault(LinkFault):
    """The certificate of whoever answered is not trusted."""


class TooSlow(LinkFault):
    """The answer did not come in time."""


class TooMuch(LinkFault):
    """The answer is longer than any right one."""


class Odd(LinkFault):
    """No answer of a registry."""


class NotEnrolled(LinkFault):
    """There is no enrolment, or none that can be read."""


class Refusal(LinkFault):
    """The registry refused: `status` is HTTP's, `code` the registry's word for the reason ("" where it gave none).

    `date` is the text of the answer's Date header, which nobody vouches for.
    """

    def __init__(self, text: str, *, status: int, code: str = "", date: str | None = None) -> None:
        """Keep what a caller decides by beside the text."""
        super().__init__(text)
        self.status = status
        self.code = code
        self.date = date
