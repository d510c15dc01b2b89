"""Where a batch belongs in what a host has told so far: pure, links in and a place out.

A link is a digest of all that came before it, so an event whose link is known at its place tells that the whole history up to it is
known; what follows is new. A history that differs from the one we know was told by a host image that was restored (FAULTS.md,
Storage): it becomes another branch, and both stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.wire.event import GENESIS


@dataclass(frozen=True, slots=True)
class Tip:
    """The last event that was taken: where the host's history, as far as we know it, ends. Epoch 0 is before all."""

    epoch: int
    seq: int
    branch: int
    link: bytes


START = Tip(0, 0, 0, GENESIS)


@dataclass(frozen=True, slots=True)
class Known:
    """What is held of the batch's epoch: the branch of each link from one event before the batch to its end, and how far each branch goes.

    `holds_link_before` tells whether any event of the host has the link on which the batch's first event hangs.
    """

    branch_of: Mapping[tuple[int, bytes], int]
    last_seq_of: Mapping[int, int]
    holds_link_before: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """Events that the host does not have any more; `last_seq` None is the end of the epoch."""

    epoch: int
    first_seq: int
    last_seq: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """The first `known` events of the batch are held already, the others go to `branch`. `is_fork`: it begins there.

    `may_be_removed`: they may have been held once, and removed when their time was over.
    """

    known: int
    branch: int
    is_fork: bool = False
    lost: tuple[Lost, ...] = ()
    may_be_removed: bool = False


@dataclass(frozen=True, slots=True)
class GoBack:
    """The batch does not join what is known: the host is to begin after this event. Number 0 is the beginning of the epoch."""

    epoch: int
    seq: int
    link: bytes


@dataclass(frozen=True, slots=True)
class Offered:
    """A batch, as far as its place goes; `links` are those of its events."""

    epoch: int
    first_seq: int
    link_before: bytes
    links: Sequence[bytes]
    is_after_gap: bool

    @property
    def last_seq(self) -> int:
        """The number of its last event."""
        return self.first_seq + len(self.links) - 1


def follows(batch: Offered, tip: Tip) -> bool:
    """Whether the batch goes on where the host's history ends: the usual case, in which nothing need be looked up."""
    return (batch.epoch, batch.first_seq, batch.link_before) == (tip.epoch, tip.seq + 1, tip.link)


def place(batch: Offered, tip: Tip, known: Known) -> Place | GoBack:
    """Tell where the batch belongs, or from where the host is to send again."""
    if follows(batch, tip):
        return Place(0, tip.branch)
    return _held(batch, known) or _strange(batch, tip, known)


def _strange(batch: Offered, tip: Tip, known: Known) -> Place | GoBack:
    """Tell what to do with a batch of which nothing is known, nor what it hangs on."""
    if not known.last_seq_of and batch.epoch > tip.epoch:
        return _new_epoch(batch, tip, known)
    if batch.epoch == tip.epoch and batch.first_seq > tip.seq + 1:
        return _after_gap(batch, tip)
    if _is_older_than_all(batch, tip, known):
        return Place(0, tip.branch if batch.epoch == tip.epoch else 0, may_be_removed=True)
    if batch.first_seq == 1 or batch.is_after_gap:
        return Place(0, _next_branch(known), is_fork=True)
    return GoBack(batch.epoch, 0, GENESIS)  # a history that differs, we do not see from where on


def _held(batch: Offered, known: Known) -> Place | None:
    """Find the last event that is held already, the one before the batch included."""
    for count in range(len(batch.links), -1, -1):
        seq = batch.first_seq + count - 1
        link = batch.links[count - 1] if count else batch.link_before
        branch = known.branch_of.get((seq, link))
        if branch is None:
            continue
        if count == len(batch.links) or known.last_seq_of[branch] == seq:
            return Place(count, branch)
        return Place(count, _next_branch(known), is_fork=True)
    return None


def _new_epoch(batch: Offered, tip: Tip, known: Known) -> Place | GoBack:
    """A new epoch begins with number 1, and hangs on an event that we hold, not always the last: the host may have been restored to it."""
    joins = batch.link_before == tip.link or known.holds_link_before
    if batch.first_seq == 1 and joins:
        return Place(0, 0)
    if not batch.is_after_gap:
        return GoBack(tip.epoch, tip.seq, tip.link)
    tail = () if tip == START else (Lost(tip.epoch, tip.seq + 1, None),)
    front = (Lost(batch.epoch, 1, batch.first_seq - 1),) if batch.first_seq > 1 else ()
    return Place(0, 0, lost=tail + front)


def _after_gap(batch: Offered, tip: Tip) -> Place | GoBack:
    if not batch.is_after_gap:
        return GoBack(tip.epoch, tip.seq, tip.link)
    return Place(0, tip.branch, lost=(Lost(tip.epoch, tip.seq + 1, batch.first_seq - 1),))


def _is_older_than_all(batch: Offered, tip: Tip, known: Known) -> bool:
    """Whether nothing is held at the batch's numbers or before, though more came after."""
    is_before_tip = (batch.epoch, batch.last_seq) < (tip.epoch, tip.seq)
    return is_before_tip and not any(seq >= batch.first_seq for seq, _ in known.branch_of)


def _next_branch(known: Known) -> int:
    return 1 + max(known.last_seq_of, default=0)
