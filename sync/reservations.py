"""Tills of one site that promise each other a day's servings while nobody knows them all: pure, so that a simulator can drive it.

A till that is about to serve makes a *reservation*, of a time and its own name, and asks every till that it reaches. Each answers with
what it served and heard of, and with the reservations of that holder that it knows; the asked one remembers the asker's, and orders
whatever it begins later behind it (Lamport's clock on top of the wall clock: no wrong clock breaks the order). **The lowest (time, host)
wins**: who is asked by a lower one gives way to it, and waits for what comes of it as long as its own deadline lasts.

What a neighbour means, of whom a reservation is known:
- it *served* (its own count says so), or told that it did (*confirmed*): one of the day's servings is gone;
- it *released* it, or answers without naming it: there is no such reservation any more;
- it answers that it holds it (*unconfirmed*): a lower one wins, a higher one gives way, unless it has won already and is being recorded;
- it is *away* with the reservation neither confirmed nor released: nobody knows, and the rule's `when_quota_unknown` decides.

The bound, for a limit of one a day: **servings ≤ the number of terminal groups**, a group being tills that all reach each other within the
deadline; never two in one such group, since of two that reach each other one is the lower or was promised first. No entitled child is
refused under the default rule (serve and flag): a refusal needs a serving that a till or the registry vouches for, or a lower
reservation of a till that answered in this very question; the next tap is answered by what came of that one.

Nothing here is journalled: what was served is, and is heard (docs/adr/0018). A till that restarts has forgotten what it promised, so for as
long as a question may last it orders its own reservations late.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

from policy.model import Quota
from sync.wire import times
from sync.wire.event import Serving

LONGEST_QUESTION_MS: Final = 5_000  # no tap waits longer for its answers, whatever its deadline
OWN_MS: Final = 2 * LONGEST_QUESTION_MS  # a tap that was never settled, since its thread broke, is forgotten then
HELD_MS: Final = 12 * 3_600_000  # a school day: what nobody could ask about by then is another day's
# Of one host's reservations, and of what is known to be over of it: its own oldest goes first, so one that floods loses nobody else's.
MOST_HELD: Final = 500
MOST_SETTLED: Final = 500
MOST_HOSTS: Final = 64  # of whom anything is remembered; the one least lately heard goes first
_TICK: Final = timedelta(milliseconds=1)
V = TypeVar("V")
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)  # before all others


@dataclass(frozen=True, slots=True)
class Reservation:
    """A till's intention to serve. `tap_id` is lower-case hex; `at` (aware) and `host` are its place in the one order."""

    host: str
    tap_id: str
    at: datetime
    serving: Serving

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Its place: the lowest wins. Two of one host differ by their tap."""
        return self.at, self.host, self.tap_id


@dataclass(frozen=True, slots=True)
class Reply:
    """What one till says of a holder on a day at a place.

    `served` counts servings by the host that gave them, the answering one's own among them; `held` are reservations that it knows
    to be neither confirmed nor released, its own and others', without that of the one who asks.
    """

    host: str
    served: Mapping[str, int]
    held: tuple[Reservation, ...] = ()


@dataclass(slots=True)
class _Own:
    """A tap of this till that is under way. One that has won gives way to nobody: whoever asks by then is behind it."""

    reservation: Reservation
    until_ms: int
    has_won: bool = False

    def told(self) -> Reservation:
        """Return it as others are told of it."""
        return replace(self.reservation, at=_FIRST) if self.has_won else self.reservation


@dataclass(slots=True)
class _Promise:
    """Another till's reservation, and until when it is remembered (boot clock, ms)."""

    reservation: Reservation
    until_ms: int
    is_confirmed: bool = False


class _ByHost(Generic[V]):
    """What is remembered of others' taps, so many of each host at the most."""

    def __init__(self, most: int) -> None:
        """Begin empty; `most` are kept of one host."""
        self._most = most
        self._of_tap: dict[str, tuple[str, V]] = {}
        self._taps: OrderedDict[str, dict[str, None]] = OrderedDict()  # by the host, oldest first

    def __contains__(self, tap_id: str) -> bool:
        """Tell whether something of this tap is remembered."""
        return tap_id in self._of_tap

    def __len__(self) -> int:
        """Return of how many taps."""
        return len(self._of_tap)

    def values(self) -> list[V]:
        """Return all, oldest first."""
        return [value for _, value in self._of_tap.values()]

    def get(self, tap_id: str) -> V | None:
        """Return what is remembered of a tap."""
        found = self._of_tap.get(tap_id)
        return None if found is None else found[1]

    def put(self, host: str, tap_id: str, value: V) -> None:
        """Remember it, in the place of what was known of the tap; the host's oldest goes where there are too many."""
        self.pop(tap_id)
        self._of_tap[tap_id] = host, value
        taps = self._taps.setdefault(host, {})
        taps[tap_id] = None
        self._taps.move_to_end(host)
        if len(taps) > self._most:
            self.pop(next(iter(taps)))
        if len(self._taps) > MOST_HOSTS:
            for gone in self._taps.popitem(last=False)[1]:
                del self._of_tap[gone]

    def pop(self, tap_id: str) -> V | None:
        """Forget it; returns what was known."""
        host, value = self._of_tap.pop(tap_id, ("", None))
        if value is not None:
            del self._taps[host][tap_id]
            if not self._taps[host]:
                del self._taps[host]
        return value


class Reservations:
    """The reservations that one till knows: its own under way, and what it promised others. For one thread at a time.

    `now_ms` is the boot-time clock throughout; wall time only gives the order.
    """

    def __init__(self, host: str, started_ms: int) -> None:
        """Begin without any, at a start of the till."""
        self.host = host
        self._started_ms = started_ms
        self._own: dict[str, _Own] = {}  # by the tap
        self._promised: _ByHost[_Promise] = _ByHost(MOST_HELD)
        self._settled: _ByHost[bool] = _ByHost(MOST_SETTLED)  # was it served? No word that comes late is believed

    # The till's own taps

    def begin(self, tap_id: str, serving: Serving, at: datetime, now_ms: int) -> Reservation:
        """Reserve for a tap of this till, behind all that was promised before. To be ended, whatever came of it.

        What is finer than the wire's millisecond orders nothing: both tills must see the same two times.
        """
        at = times.cut(at)
        after = max((each.at + _TICK for each in self._pending(serving, now_ms)), default=at)
        if now_ms - self._started_ms < LONGEST_QUESTION_MS:
            after = max(after, at + timedelta(milliseconds=LONGEST_QUESTION_MS))
        own = Reservation(self.host, tap_id, max(at, after), serving)
        self._own[tap_id] = _Own(own, now_ms + OWN_MS)
        return own

    def end(self, tap_id: str) -> bool:
        """The tap is decided and recorded: its serving, if there was one, counts by itself. Says whether there was a reservation."""
        return self._own.pop(tap_id, None) is not None

    def quota(  # noqa: PLR0913, PLR0917  all that a verdict is made of
        self,
        own: Reservation,
        limit: int,
        served: Mapping[str, int],
        replies: Iterable[Reply],
        granted: bool | None,  # noqa: FBT001  the registry's word is one of three
        now_ms: int,
        *,
        is_last: bool,
    ) -> Quota | None:
        """Say what the day's limit has left for this reservation; None to be asked again when something was heard, or at the deadline.

        `served` is what this till's journal tells by now, by the host that served; `replies` are those of this question; `granted` is
        the registry's answer, None where none came. `is_last`: the deadline is reached. To whom it is not used up it is promised.
        """
        told = {reply.host: reply for reply in replies}
        found = self._found(own, limit, served, told, granted, now_ms, is_last=is_last)
        if own.tap_id in self._own and found in {Quota.FREE, Quota.UNKNOWN}:
            self._own[own.tap_id].has_won = True
        return found

    def _found(  # noqa: PLR0913, PLR0917  as above
        self,
        own: Reservation,
        limit: int,
        served: Mapping[str, int],
        told: Mapping[str, Reply],
        granted: bool | None,  # noqa: FBT001
        now_ms: int,
        *,
        is_last: bool,
    ) -> Quota | None:
        if granted is False:
            return Quota.USED_UP
        used = self._used(own.serving, served, told, is_hearsay_believed=granted is None)
        held = [*self._own_beside(own), *self._held_by_who_answered(told)]
        lower = sum(each.order < own.order for each in held)
        if used < limit <= used + lower and not is_last:
            return None  # it gives way, but to what? what comes of that one is told at once
        if granted:  # what the registry promises only a serving that a till vouches for takes back
            return Quota.FREE if used < limit else Quota.USED_UP
        if used + lower >= limit:
            return Quota.USED_UP
        away = len(self._held_by_who_is_away(own, told, now_ms))
        return Quota.FREE if told and used + lower + away < limit else Quota.UNKNOWN

    def counts(self, serving: Serving, served: Mapping[str, int]) -> dict[str, int]:
        """Return the servings by host: what the journal tells, and what was confirmed and is still to be heard of."""
        counts = dict(served)
        for each in self._promised.values():
            if each.is_confirmed and each.reservation.serving == serving:
                host = each.reservation.host
                counts[host] = counts.get(host, 0) + 1
        return counts

    # What others ask and tell

    def reply(self, asked: Reservation, served: Mapping[str, int], now_ms: int) -> Reply:
        """Answer another till, and remember its reservation. The same question again gets what is known by then.

        `served` must have been read after the taps that it counts were ended, or before: a tap in both is counted twice, never missed.
        """
        held = tuple(each for each in self._pending(asked.serving, now_ms) if each.tap_id != asked.tap_id)
        if asked.tap_id not in self._settled and asked.tap_id not in self._promised:
            self._promise(_Promise(asked, now_ms + HELD_MS))
        return Reply(self.host, self.counts(asked.serving, served), held)

    def settle(self, told: Reservation, *, was_served: bool, now_ms: int) -> None:
        """Another till says what came of its reservation: a serving, which it will tell of, or nothing."""
        promise = self._promised.get(told.tap_id)
        if told.tap_id in self._settled or (promise is not None and promise.reservation.host != told.host):
            return
        if was_served:
            self._promise(_Promise(told, now_ms + HELD_MS, is_confirmed=True))
        else:
            self._forget(told.tap_id, told.host, was_served=False)

    def heard(self, tap_id: str) -> None:
        """The serving itself was heard of: the journal counts it."""
        promise = self._promised.get(tap_id)
        self._forget(tap_id, promise.reservation.host if promise else "", was_served=True)

    def _forget(self, tap_id: str, host: str, *, was_served: bool) -> None:
        self._promised.pop(tap_id)
        self._settled.put(host, tap_id, was_served)

    def __len__(self) -> int:
        """Return how many are remembered of others."""
        return len(self._promised)

    def _promise(self, promise: _Promise) -> None:
        self._promised.put(promise.reservation.host, promise.reservation.tap_id, promise)

    def _pending(self, serving: Serving, now_ms: int) -> list[Reservation]:
        """Return all that is neither confirmed nor released, forgetting what is overdue; those of this till that have won come first."""
        for promise in [each for each in self._promised.values() if each.until_ms <= now_ms]:
            self._promised.pop(promise.reservation.tap_id)
        for tap_id in [tap for tap, each in self._own.items() if each.until_ms <= now_ms]:
            del self._own[tap_id]
        own = [each.told() for each in self._own.values()]
        others = [each.reservation for each in self._promised.values() if not each.is_confirmed]
        return [each for each in (*own, *others) if each.serving == serving]

    def _own_beside(self, own: Reservation) -> list[Reservation]:
        """Return what else this till has under way for the same holder, such as at its other reader."""
        told = [each.told() for each in self._own.values()]
        return [each for each in told if each.serving == own.serving and each.tap_id != own.tap_id]

    def _used(
        self, serving: Serving, served: Mapping[str, int], told: Mapping[str, Reply], *, is_hearsay_believed: bool
    ) -> int:
        """Count the day's servings: each till's by its own word where it gave one, else by the most that anybody heard of it."""
        ours = self.counts(serving, served)
        total = served.get(self.host, 0)
        for reply in told.values():
            since = sum(self._was_served(each) for each in reply.held if each.host == reply.host)
            total += reply.served.get(reply.host, 0) + since
        if not is_hearsay_believed:
            return total
        known = [ours, *(reply.served for reply in told.values())]
        others = {host for counts in known for host in counts} - {self.host, *told}
        return total + sum(max(counts.get(host, 0) for counts in known) for host in others)

    def _held_by_who_answered(self, told: Mapping[str, Reply]) -> Iterable[Reservation]:
        """Return what the tills that answered had under way themselves, as far as nothing was heard of it since."""
        return (
            each
            for reply in told.values()
            for each in reply.held
            if each.host == reply.host and not self._is_over(each)
        )

    def _held_by_who_is_away(
        self, own: Reservation, told: Mapping[str, Reply], now_ms: int
    ) -> Mapping[str, Reservation]:
        """Return, by the tap, what is known of tills that gave no answer: by us, or by those who did."""
        known = [*self._pending(own.serving, now_ms), *(each for reply in told.values() for each in reply.held)]
        return {
            each.tap_id: each
            for each in known
            if each.host not in told and each.host != self.host and not self._is_over(each)
        }

    def _is_over(self, reservation: Reservation) -> bool:
        """Whether it was confirmed, released or heard of."""
        return reservation.tap_id in self._settled or self._is_confirmed(reservation)

    def _was_served(self, reservation: Reservation) -> bool:
        """Whether it was confirmed or heard of."""
        return bool(self._settled.get(reservation.tap_id)) or self._is_confirmed(reservation)

    def _is_confirmed(self, reservation: Reservation) -> bool:
        promise = self._promised.get(reservation.tap_id)
        return promise is not None and promise.is_confirmed
