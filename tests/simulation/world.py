"""The world of one run: a school, its registry and its hosts, the physical cards, and the model that all answers are held against."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, Final

from django.db import transaction

from config.host import ReaderConfig
from daemon.noted import derived_id
from policy.model import Decision, Verdict
from policy.reasons import Flag, Reason
from registry.cards import entering, substitutes, transitions
from registry.ledger import booking
from registry.models import AccountKind, Enrolment, PublishedRow
from registry.people import enrolments
from registry.refusal import Refused
from sync.link.faults import Unreachable
from sync.link.neighbours.directory import Neighbour
from sync.wire.event import Event, from_utc_text, place_of
from sync.wire.neighbour import Heard, Tell
from sync.wire.quota import ClaimAnswer
from tests.simulation import checks, school
from tests.simulation.clocks import FAR_FUTURE, RTC_IS_DEAD, TrueTime
from tests.simulation.host_end import COPIER, HOOK, TILL, WAY_IN, WAY_OUT, Crash, HostEnd, Wiring
from tests.simulation.model import (
    Broken,
    HeldCard,
    Invariant,
    Ledger,
    LocalFact,
    Purse,
    Served,
    is_flagged_by_clock,
    overlaid,
    refusals_of,
)
from tests.simulation.network import REGISTRY, Line, Network
from tests.simulation.plan import Act, Step
from tests.simulation.registry_end import ACTOR
from tests.simulation.school import DOOR, GUARD, Size

FOLDER: Final = Path("/dev/shm") if Path("/dev/shm").is_dir() else None  # noqa: S108  memory, and a folder of our own in it
_SERVED_ALREADY: Final = frozenset({Reason.ALREADY_TODAY, Reason.ALREADY_JUST_NOW})
_MOST_ROUNDS: Final = 6
_READERS: Final = {Act.COME: WAY_IN, Act.GO: WAY_OUT, Act.HANG_UP: HOOK}


@dataclass
class Hands:
    """What is physically where: the pupils' own cards, the substitutes in their hands and those in the guard's drawer."""

    own: dict[str, list[str]]  # by pupil: the numbers of all cards that were ever theirs, the newest last
    drawer: list[str]
    borrowed: dict[str, str] = field(default_factory=dict)
    forgot: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)  # cards

    def card_of(self, who: str) -> str | None:
        """Return the card that a pupil taps: a substitute before the own one, None without any."""
        own = self.own[who][-1]
        if who in self.borrowed:
            return self.borrowed[who]
        return None if who in self.forgot or own in self.lost else own

    def any_of(self, who: str, random: Random) -> str:
        """Return any card that a pupil may have kept."""
        return random.choice([*self.own[who], *([self.borrowed[who]] if who in self.borrowed else [])])


class World:
    """One run. `do` takes a step and raises Broken where an invariant does not hold."""

    def __init__(self, seed: int, size: Size, folder: Path, wiring: Wiring | None = None) -> None:
        """Make the school, enrol its hosts and bring them into step, on the morning of the first day."""
        self.seed = seed
        self.size = size
        self.trace: list[str] = []
        self.true = TrueTime(school.local(school.FIRST_DAY, 6))
        self.network = Network(self.true.pass_ms)
        self.registry = (wiring or Wiring()).registry(folder / "registry", self.true, school.text(size))
        self.hands = Hands({who: [school.card_of(who)] for who in size.pupil_names}, list(school.substitutes(size)))
        self.person_ids = {who: str(self.registry.person(who).pk) for who in size.pupil_names}
        self.rows: dict[int, dict[bytes, HeldCard]] = {}
        self.ledger = Ledger()
        self.facts: dict[str, list[LocalFact]] = {}
        self.settled: dict[tuple[str, int], int] = {}  # by host and row: the version that holds the fact
        self.claims: set[str] = (
            set()
        )  # the taps that the registry has promised a serving: of one that it refused it knows nothing
        self.by_tap: dict[str, Served] = {}
        self.marks: dict[str, list[tuple[str, str]]] = {}  # by host: (tap_id, holder) of marks
        self.records = {name: checks.Record() for name in size.host_names}
        self.purses = {self.person_ids[who]: Purse() for who in size.pupil_names}
        self.disturbed: set[str] = set()
        self.wrong_clocks: set[str] = set()
        self._doubts: list[Callable[[], None]] = []  # refusals of a tap that another one is under way with
        self._under_way = 0
        self.hosts: dict[str, HostEnd] = {}
        wires = wiring or Wiring()
        keys: dict[str, bytes] = {}
        for name in size.host_names:
            state = folder / name / "life-0"
            state.mkdir(parents=True)
            keys[name] = self.registry.enrol(name, state)
        for name in size.host_names:
            others = {
                other: Neighbour(
                    other, key, f"{other}:8441", frozenset({school.CANTEEN} & set(size.services_of(other)))
                )
                for other, key in keys.items()
                if other != name
            }
            self.hosts[name] = HostEnd(
                name,
                folder / name,
                self.true,
                self.network,
                self.serve,
                wires,
                others if size.speaks else None,
                self.ask_daemon,
                school.ABROAD if name == size.till_names[-1] else school.ZONE,
            )
        self.observe()
        for host in self.hosts.values():
            host.start()
            host.fetch()
            host.look_round()

    def close(self) -> None:
        """End all programs."""
        for host in self.hosts.values():
            host.stop()

    # The registry, and what is seen of it

    def serve(self, host: str, method: str, path: str, body: bytes) -> bytes:
        """Let the registry answer a host, and note what it has heard by that."""
        if (
            path == "/v1/claims"
        ):  # what a till has told is in doubt once it has fallen silent; the others hold their stream
            self.registry.hear(self._in_touch())
        answer = self.registry.serve(host, method, path, body)
        if path == "/v1/claims" and ClaimAnswer.parse(answer).granted:
            self._promised(body)
        elif method == "POST" and path == "/v1/events":
            self.observe()
            checks.note_taken(self, host)
        return answer

    def _in_touch(self) -> set[str]:
        """Return the hosts whose stream the registry holds: they run, and every message gets through."""
        return {name for name, each in self.hosts.items() if each.runs and self.network.is_up(name, REGISTRY)}

    def _promised(self, body: bytes) -> None:
        tap_id = checks.tap_id_of(body)
        self.claims.add(tap_id)
        if served := self.by_tap.get(tap_id):
            served.known_at.add(REGISTRY)

    def ask_daemon(self, host: str, other: str, word: str, body: bytes) -> Mapping[str, Any]:
        """Let a host's deciding process answer another host, and note what it has heard by that. Raises LinkFault."""
        end = self.hosts[other]
        if not end.runs:
            raise Unreachable(f"{other}: no connection")
        try:
            answer = end.answer_neighbour(host, word, body)
        except Crash:
            self._crashed(end)
            raise Unreachable(f"{other}: the connection broke") from None
        if word == "tell" and "error" not in answer:
            for heard in Tell.parse(body).events:
                self._heard_of(end, heard)
        return answer

    def _heard_of(self, end: HostEnd, heard: Heard) -> None:
        if served := self.by_tap.get(heard.tap_id):
            served.known_at.add(end.name)
        known = self.facts.setdefault(end.name, [])
        for fact in self.facts.get(heard.host, []):
            if fact.tap_id == heard.tap_id and fact not in known:
                known.append(fact)
        if heard.fact is not None and heard.fact.undoes is not None:
            known[:] = [each for each in known if each.tap_id != heard.fact.undoes]

    def hear_each_other(self, name: str) -> bool:
        """Whether a host's neighbours hear all that it tells, or there are none."""
        return not self.size.speaks or all(
            self.network.is_up(name, other) and not self.hosts[other].is_ill
            for other in self.size.till_names
            if other != name
        )

    def observe(self) -> None:
        """Read what is published now, as hosts that take it must hold it."""
        version = self.registry.version
        if version in self.rows:
            return
        before = max(self.rows, default=0)
        rows = dict(self.rows.get(before, {}))
        changed = PublishedRow.objects.filter(school=self.registry.school, table="cards", version__gt=before)
        for key, row in changed.values_list("key", "row"):
            if row is None:
                rows.pop(bytes.fromhex(key), None)
            else:
                rows[bytes.fromhex(key)] = HeldCard.of_row(row)
        self.rows[version] = rows
        for old in [each for each in self.rows if each < version - 400]:
            del self.rows[old]

    @contextmanager
    def _at_office(self) -> Iterator[None]:
        """Do something at the registry; what it refuses is not done."""
        with suppress(Refused), transaction.atomic():
            yield
        self.observe()

    # Steps

    def do(self, step: Step) -> None:
        """Take a step. Raises Broken."""
        self.true.go_to(step.at)
        self.network.random = Random(f"{self.seed} step {step.number}")  # noqa: S311  a game of chance
        self.network.meanwhile = []
        try:
            self.network.deliver_late()
            _DO[step.act](self, step)
        except Broken:
            raise
        except Exception as error:
            raise Broken(Invariant.NO_CRASH, f"{type(error).__name__}: {error}") from error

    def pass_reader(self, step: Step) -> None:
        """A pupil at the door or the cloakroom."""
        if (card := self.hands.card_of(step.who)) is not None:
            self.tap(self.hosts[DOOR], _READERS[step.act], card)

    def copy(self, step: Step) -> None:
        """A pupil copies a page, prepaid."""
        if (card := self.hands.card_of(step.who)) is not None:
            self.purses[self.person_ids[step.who]].asked += 1
            self.tap(self.hosts[DOOR], COPIER, card)

    def pay_in(self, step: Step) -> None:
        """A pupil pays in at the office."""
        now = self.true()
        order = booking.Order(int(step.how), f"step {step.number}", now.astimezone(school.ZONE).date(), ACTOR, now)
        booking.top_up(self.registry.school, self.registry.person(step.who), order, AccountKind.CASH)
        self.purses[self.person_ids[step.who]].paid_cents += int(step.how)

    def try_door(self, step: Step) -> None:
        """A pupil at the door with any card that is or was theirs."""
        self.tap(self.hosts[DOOR], WAY_IN, self.hands.any_of(step.who, self.network.random))

    def eat(self, step: Step) -> None:
        """A pupil at a till: with the card in hand, else the worker marks the meal."""
        card = self.hands.card_of(step.who)
        if card is None:
            self.by_hand(step)
        else:
            self.tap(self.hosts[step.where], TILL, card, who=step.who)

    def eat_again(self, step: Step) -> None:
        """A pupil at a till with any card that is or was theirs."""
        self.tap(self.hosts[step.where], TILL, self.hands.any_of(step.who, self.network.random), who=step.who)

    def eat_twice_at_once(self, step: Step) -> None:
        """Two cards of one pupil at two tills: the second is tapped while the first still waits for its answer."""
        first = self.hands.card_of(step.who) or self.hands.own[step.who][-1]
        second = self.hands.any_of(step.who, self.network.random)
        self.network.meanwhile = [lambda: self.tap(self.hosts[step.how], TILL, second, who=step.who)]
        self.tap(self.hosts[step.where], TILL, first, who=step.who)

    def by_hand(self, step: Step) -> None:
        """The worker finds the pupil by name and marks the meal."""
        host = self.hosts[step.where]
        if host.runs:
            self._mark(host, self.person_ids[step.who])

    def by_class(self, step: Step) -> None:
        """The worker marks all of a list; whoever has eaten is left out by the program itself."""
        host = self.hosts[step.where]
        if not host.runs:
            return
        persons = [self.person_ids[who] for who in step.who.split()]
        try:
            answer = host.note(act="serve", service="canteen", persons=persons, how="class")
        except Crash:
            self._crashed(host)
            return
        if "error" in answer:
            if not host.is_ill:
                raise Broken(Invariant.NOBODY_REFUSED, f"a list at {host.name} failed: {answer['error']}")
            return
        for each in answer["answers"]:
            self._listed(host, each)

    def _listed(self, host: HostEnd, answer: Mapping[str, Any]) -> None:
        """Hold one line of the answer to a list against what ought to be."""
        holder = f"person {answer['person']}"
        self.say(f"list with {holder} at {host.name}: {answer if 'refused' in answer else 'noted'}")
        if "refused" in answer:
            reason = answer["refused"]["reason"]
            if reason in set(_SERVED_ALREADY):
                self._doubt({holder}, "canteen", self._today(host), host)
            elif reason != "left":
                raise Broken(Invariant.NOBODY_REFUSED, f"{holder} of a list at {host.name} was refused: {reason}")
            return
        tap_id = str(answer["noted"]["tap_id"])
        event: Any = host.event_of(tap_id)
        self.marks.setdefault(host.name, []).append((tap_id, holder))
        served = Served(holder, "canteen", date.fromisoformat(event["service_day"]), host.name, {host.name})
        # Once nobody has answered for one of the list, nobody is asked for the others (`daemon.marks`): what that costs is flagged.
        served.is_excused = bool({Flag.CLOCK_UNTRUSTED, Flag.QUOTA_UNKNOWN} & set(event["flags"]))
        self._serve(host, served, tap_id)

    def undo(self, step: Step) -> None:
        """The worker takes the last mark back; after two minutes that is refused."""
        host, marks = self.hosts[step.where], self.marks.get(step.where, [])
        if not host.runs or not marks:
            return
        tap_id, _holder = marks.pop()
        try:
            answer = host.note(act="undo", undoes=tap_id)
        except Crash:
            self._crashed(host)
            return
        self.say(f"undo at {host.name}: {sorted(answer)}")
        if "noted" in answer and tap_id in self.by_tap:
            self.by_tap[tap_id].is_undone = True
            lend = derived_id(tap_id, "lend")
            self.facts[host.name] = [each for each in self.facts.get(host.name, []) if each.tap_id != lend]
            if host.neighbours is not None:
                host.neighbours.tell()
            self._survives(host, host.upload)  # within a second, where the line allows it
            self._survives(host, host.look_round)

    # Taps and marks

    def tap(self, host: HostEnd, reader: ReaderConfig, card: str, who: str = "") -> None:
        """Tap a card, and hold the answer against what ought to be."""
        if not host.runs:
            return
        host.was_answered = host.was_unsure = False
        self._under_way += 1
        try:
            decision = host.tap(reader, school.uid_of(card))
            event = host.last_event()
            self.say(
                f"{card} at {host.name} {reader.name}: {decision.verdict} {decision.reason} {','.join(decision.flags)}"
            )
            self._judge(host, reader, card, decision, event)
        except Crash:
            self._crashed(host)
            return
        finally:
            self._under_way -= 1
        if not self._under_way:
            self.network.go_on_elsewhere()  # nobody was asked, so that nothing has happened meanwhile
            doubts, self._doubts = self._doubts, []
            for doubt in doubts:
                doubt()
        if decision.verdict is Verdict.ASK and who:
            self._mark(host, self.person_ids[who], asked=str(event["tap_id"]))

    def _mark(self, host: HostEnd, person: str, *, asked: str | None = None) -> None:
        """The worker picks the pupil and serves; with the tap that asked, a substitute is lent provisionally (DOMAIN.md, trap 10)."""
        host.was_answered = host.was_unsure = False
        holder = f"person {person}"
        more = {} if asked is None else {"asked": asked}
        try:
            answer = host.note(act="serve", service="canteen", person=person, how="hand", **more)
        except Crash:
            self._crashed(host)
            return
        self.say(f"mark of {holder} at {host.name}: {answer if 'refused' in answer else sorted(answer)}")
        if "refused" in answer:
            reason = answer["refused"]["reason"]
            if reason in set(_SERVED_ALREADY):
                self._doubt({holder}, "canteen", self._today(host), host)
            elif reason not in {"asked_unknown", "asked_answered", "left", "card_of_another"}:
                raise Broken(Invariant.NOBODY_REFUSED, f"a mark of {holder} at {host.name} was refused: {reason}")
            return
        if "error" in answer:
            if not host.is_ill:
                raise Broken(Invariant.NOBODY_REFUSED, f"a mark of {holder} at {host.name} failed: {answer['error']}")
            return
        last = host.last_event()
        if last["kind"] == "loan":
            self._note_fact(host, last)
        tap_id = str(answer["noted"]["tap_id"])
        event = host.event_of(tap_id)
        self.marks.setdefault(host.name, []).append((tap_id, holder))
        served = Served(holder, "canteen", date.fromisoformat(str(event["service_day"])), host.name, {host.name})
        served.is_excused = Flag.CLOCK_UNTRUSTED in (event["flags"] or ())  # type: ignore[operator]
        self._serve(host, served, tap_id)

    def _today(self, host: HostEnd) -> date:
        """Return the day that a host goes by, of a refusal that is no event and so tells of none."""
        return host.clock.moment().at.astimezone(school.ZONE).date()

    def _serve(self, host: HostEnd, served: Served, tap_id: str) -> None:
        reachable = {host.name, *self._reached_tills(host)}
        served.known_at |= reachable
        if (self.network.is_up(host.name, REGISTRY) or host.was_answered) and not host.was_unsure:
            reachable.add(REGISTRY)
        if self.network.is_up(host.name, REGISTRY) or tap_id in self.claims:
            served.known_at.add(REGISTRY)
        silent = {name for name in self.size.till_names if self.registry.is_silent(name)} - self._in_touch()
        self.ledger.check_second(served, reachable, silent)
        self.ledger.add(served)
        self.by_tap[tap_id] = served
        if host.neighbours is not None:
            host.neighbours.tell(service=school.CANTEEN)  # within a tenth of a second

    def _reached_tills(self, host: HostEnd) -> set[str]:
        """Return the tills that hear this one, and answer it, whatever it asks."""
        if not self.size.speaks:
            return set()
        return {
            name
            for name in self.size.till_names
            if name != host.name and self.network.is_up(host.name, name) and not self.hosts[name].is_ill
        }

    def _candidates(self, host: HostEnd, card: str) -> list[HeldCard | None]:
        """Return how the host may hold a card: with the facts that the registry's data lack, or with all that it may still keep."""
        version = host.version
        row = self.rows.get(version, {}).get(self.registry.site_key.card_key(school.uid_of(card)))
        kept = self.facts.get(host.name, [])
        unsettled = [each for each in kept if self.settled.get((each.host, each.row_id), version + 1) > version]
        # Of each host's facts it may still keep those that the registry has taken: that they are settled is told by that host.
        origins = sorted({each.host for each in kept})
        choices = product((unsettled, kept), repeat=len(origins))
        found = [
            overlaid(
                row,
                [each for origin, some in zip(origins, choice, strict=True) for each in some if each.host == origin],
            )
            for choice in choices
        ]
        return list(dict.fromkeys(found))

    def _judge(self, host: HostEnd, reader: ReaderConfig, card: str, decision: Decision, event: Event) -> None:
        self.records[host.name].answered.append(
            checks.Answer(
                str(event["tap_id"]), str(decision.verdict), str(decision.reason), Flag.NOT_DURABLE in decision.flags
            )
        )
        self._check_day(host, decision, event)
        day = date.fromisoformat(str(event["service_day"]))
        candidates = self._candidates(host, card)
        against = [refusals_of(each, reader.service, day) for each in candidates]
        if decision.verdict is Verdict.GRANT:
            self._granted(host, reader, card, decision, event, candidates, against)
        elif decision.reason in against:
            return
        elif decision.reason in _SERVED_ALREADY:
            holders = {each.holder() for each in candidates if each is not None}
            self._doubt(holders, place_of(reader.service, reader.direction), day, host)
        elif reader is COPIER and decision.reason in {Reason.NO_CREDIT, Reason.QUOTA_UNKNOWN}:
            self._unpaid(decision, event)
        elif not (decision.reason is Reason.DISK_FAILED and host.is_ill and reader.service != "canteen"):
            raise Broken(
                Invariant.NOBODY_REFUSED,
                f"{card} at {host.name}: {decision.verdict} {decision.reason}, expected {against}",
            )

    def _unpaid(self, decision: Decision, event: Event) -> None:
        """A copy was refused for money: then there is none, or nobody could be asked and the host's own allowance is used up."""
        purse = self.purses[str(event["person"])]
        spent_at_most = (purse.asked - 1) * school.COPY_CENTS
        if decision.reason is Reason.NO_CREDIT and purse.paid_cents - spent_at_most >= school.COPY_CENTS:
            raise Broken(
                Invariant.NOBODY_REFUSED, f"person {event['person']} has money, and was told that there is none"
            )

    def _granted(  # noqa: PLR0917  what an answer is judged by
        self,
        host: HostEnd,
        reader: ReaderConfig,
        card: str,
        decision: Decision,
        event: Event,
        candidates: list[HeldCard | None],
        against: list[Reason | None],
    ) -> None:
        if Flag.EXIT_GRANTED in decision.flags:
            is_ill = decision.reason is Reason.DISK_FAILED and host.is_ill
            if reader is not WAY_OUT or not (decision.reason in against or is_ill):
                raise Broken(
                    Invariant.CLOSED,
                    f"{card} was let out at {host.name} {reader.name}: {decision.reason}, expected {against}",
                )
            return
        if None not in against:
            is_wrong_day = is_flagged_by_clock(decision.flags) and set(against) <= {Reason.NOT_YET_VALID}
            if not is_wrong_day:
                raise Broken(Invariant.CLOSED, f"{card} was let in at {host.name} {reader.name} though {against[0]}")
            return
        if event["holder"] is None:
            raise Broken(Invariant.ANSWERED, f"{card} was served at {host.name} and its event tells of no serving")
        holders = {each.holder() for each, refusal in zip(candidates, against, strict=True) if each and refusal is None}
        if event["holder"] not in holders:
            raise Broken(Invariant.ANSWERED, f"{card} counts as {event['holder']}, expected {holders}")
        if reader is not TILL:
            return
        served = Served(
            str(event["holder"]), "canteen", date.fromisoformat(str(event["service_day"])), host.name, {host.name}
        )
        served.is_excused = bool({Flag.CLOCK_UNTRUSTED, Flag.SECOND_SERVING, Flag.SECOND_CHARGED} & set(decision.flags))
        self._serve(host, served, str(event["tap_id"]))

    def _doubt(self, holders: set[str], place: str, day: date, host: HostEnd) -> None:
        """A holder (one of these) was refused as served already: somebody must have served, or be serving just now."""

        def settle() -> None:
            around = [day, day - timedelta(days=1)]
            if not any(self.ledger.may_refuse(holder, place, each) for holder in holders for each in around):
                raise Broken(
                    Invariant.NOBODY_REFUSED,
                    f"{sorted(holders)} was refused at {host.name} on {day} as served already: nobody served",
                )

        if self._under_way > 1:
            self._doubts.append(settle)
        else:
            settle()

    def _check_day(self, host: HostEnd, decision: Decision, event: Event) -> None:
        told = date.fromisoformat(str(event["service_day"]))
        at = from_utc_text(str(event["time"]))
        if at.astimezone(school.ZONE).date() != told:
            raise Broken(Invariant.SERVICE_DAY, f"{host.name}: {event['time']} is not of {told}")
        is_right = told == self.true().astimezone(school.ZONE).date()
        if not is_right and not (host.name in self.wrong_clocks and is_flagged_by_clock(decision.flags)):
            raise Broken(Invariant.SERVICE_DAY, f"{host.name}: found {told}, expected that of {self.true()}")

    # Cards change hands

    def forget(self, step: Step) -> None:
        """The card lies at home today."""
        self.hands.forgot.add(step.who)

    def borrow(self, step: Step) -> None:
        """The guard hands out a substitute and enters it; where the system is not at hand, on paper alone."""
        if step.who in self.hands.borrowed or not self.hands.drawer or step.who not in self.hands.own:
            return
        card = self.hands.drawer.pop(0)
        self.hands.borrowed[step.who] = card
        if step.act is Act.BORROW:
            self._fact(self.hosts[GUARD], "lend", card, self.person_ids[step.who])
            return
        with self._at_office():
            substitutes.lend(self.registry.card(card), self.registry.person(step.who), actor=ACTOR, now=self.true())

    def give_back(self, step: Step) -> None:
        """A pupil brings a substitute back."""
        card = self.hands.borrowed.pop(step.who, None)
        if card is None:
            return
        self.hands.drawer.append(card)
        if step.act is Act.GIVE_BACK:
            self._fact(self.hosts[GUARD], "return", card, None)
            return
        with self._at_office():
            substitutes.take_back(self.registry.card(card), actor=ACTOR, now=self.true())

    def lose(self, step: Step) -> None:
        """A pupil tells that the own card is lost."""
        card = self.hands.own[step.who][-1]
        self.hands.lost.add(card)
        if step.act is Act.LOSE_AT_DESK:
            self._fact(self.hosts[GUARD], "lost", card, None)
            return
        with self._at_office():
            transitions.close(self.registry.card(card), "lost", actor=ACTOR, now=self.true())

    def find(self, step: Step) -> None:
        """The card is found, and the office opens it again."""
        card = self.hands.own[step.who][-1]
        self.hands.lost.discard(card)
        with self._at_office():
            transitions.reopen(self.registry.card(card), actor=ACTOR, now=self.true())

    def renew(self, step: Step) -> None:
        """A replacement was made and is activated, which closes the former card."""
        cards = self.hands.own[step.who]
        number = school.card_of(step.who, len(cards) + 1)
        with self._at_office():
            new = entering.NewCard(number=number, uid=school.uid_of(number))
            made = entering.succeed(
                self.registry.card(cards[-1]), new, "replacement", "lost", actor=ACTOR, now=self.true()
            )
            transitions.activate(made, actor=ACTOR, now=self.true())
            cards.append(number)

    def leave(self, step: Step) -> None:
        """A pupil leaves on a day that may have passed."""
        day = self.true().astimezone(school.ZONE).date() + timedelta(days=int(step.how))
        with self._at_office():
            enrolments.leave(self._stay(step.who), day, actor=ACTOR, now=self.true())

    def come_back(self, step: Step) -> None:
        """A leaving is taken back."""
        with self._at_office():
            if self._stay(step.who).valid_until is not None:
                enrolments.cancel_leaving(self._stay(step.who), actor=ACTOR, now=self.true())

    def _stay(self, who: str) -> Enrolment:
        return Enrolment.objects.get(person=self.registry.person(who), school=self.registry.school)

    def _fact(self, host: HostEnd, act: str, card: str, person: str | None) -> None:
        if not host.runs:
            return
        try:
            answer = host.note(act=act, card=str(self.registry.card(card).pk), person=person)
        except Crash:
            self._crashed(host)
            return
        self.say(f"{act} {card} at {host.name}: {sorted(answer)}")
        if "noted" in answer:
            self._note_fact(host, host.last_event())

    def _note_fact(self, host: HostEnd, event: Event) -> None:
        fact = event["fact"]
        assert isinstance(fact, dict)
        known = self.facts.setdefault(host.name, [])
        if "epoch" in event:
            row_id = host.journal.id_of(int(str(event["epoch"])), int(str(event["seq"]))) or 0
        else:  # it waits in memory for the disk, and is in force when that has it: from now on it may be or not
            row_id = -1 - len(known)
            self.settled[host.name, row_id] = 0
        noted = LocalFact(
            card=str(fact["card"]),
            act=str(fact["act"]),
            person=fact["person"],
            time=from_utc_text(str(event["time"])),
            host=host.name,
            row_id=row_id,
            tap_id=str(event["tap_id"]),
        )
        known.append(noted)
        if host.neighbours is not None:
            host.neighbours.tell()

    # Faults

    def line(self, step: Step) -> None:
        """A line gets better or worse."""
        one, other, how = step.how.split()
        for host in self.size.host_names if one == "*" else (one,):
            self.network.set(host, other, Line(how))
            if how != Line.UP:
                self.disturbed.add(host)

    def heal(self, _step: Step) -> None:
        """All lines work again."""
        self.network.heal()

    def crash(self, step: Step) -> None:
        """The power goes: now, or in the midst of what the host does next."""
        host = self.hosts[step.where]
        self.disturbed.add(host.name)
        if not host.runs:
            return
        if step.how == "now":
            self._crashed(host)
        else:
            host.crash_at = step.how

    def _crashed(self, host: HostEnd) -> None:
        self.say(f"{host.name} goes down ({host.crash_at or 'now'})")
        if host.crash_at == "after commit":
            checks.note_unanswered(self, host)
        host.crash()
        checks.forget_what_was_not_durable(self, host)

    def restart(self, step: Step) -> None:
        """A host that is down comes up."""
        host = self.hosts[step.where]
        host.crash_at = ""
        if not host.runs:
            host.time.boot()
            self._come_up(host)

    def _come_up(self, host: HostEnd) -> None:
        host.start()
        self.say(f"{host.name} is up")

    def reboot(self, step: Step) -> None:
        """A host is started anew, and its clock is then as the step says."""
        host = self.hosts[step.where]
        if host.runs:
            self._crashed(host)
        host.time.boot()
        self.clock(step)
        self._come_up(host)

    def clock(self, step: Step) -> None:
        """A host's wall clock is set, rightly or wrongly."""
        host, true = self.hosts[step.where], self.true()
        self.disturbed.add(host.name)
        if step.how in {"right", "synced"}:
            host.time.set_wall(true)
        else:
            self.wrong_clocks.add(host.name)
            host.time.set_wall(_WRONG[step.how](true))
        host.time.is_synced = step.how == "synced"
        if host.runs:
            host.clock.look_for_synchronisation()  # asked every minute

    def disk(self, step: Step) -> None:
        """A host's disk is full, is taken away, or takes writes again."""
        host = self.hosts[step.where]
        self.disturbed.add(host.name)
        if not host.runs:
            return
        if step.how == "gone":
            host.journal.db.close()
        else:
            _bound_pages(host, is_full=step.how == "full")

    # What goes on by itself

    def sync(self, _step: Step) -> None:
        """Every host that runs sends what it has and takes what is new."""
        for host in self.hosts.values():
            if host.runs and host.has_news:
                self._survives(host, host.upload)
        newest = self.registry.version
        for host in self.hosts.values():
            if host.runs and host.version != newest:
                self._survives(host, host.fetch)
        for host in self.hosts.values():
            if host.runs and host.neighbours is not None:
                has_facts = any(each.host == host.name for each in self.facts.get(host.name, ()))
                host.neighbours.tell(service=None if has_facts else school.CANTEEN)
        for host in self.hosts.values():
            self._survives(host, host.look_round)

    def _survives(self, host: HostEnd, act: Callable[[], object]) -> None:
        """Let a host that runs do something by itself, in the midst of which its power may go."""
        if not host.runs:
            return
        try:
            act()
        except Crash:
            self._crashed(host)

    def night(self, step: Step) -> None:
        """The registry's chores; then all that can be said of the day is checked."""
        day = (step.at - timedelta(hours=4)).astimezone(school.ZONE).date()
        self.hands.forgot.clear()
        self.registry.keep_house(is_weekend=step.act is Act.WEEKEND)
        self.observe()
        self.sync(step)
        checks.of_the_day(self, day)
        self.disturbed = {
            name for name, host in self.hosts.items() if not host.runs or not self.network.is_up(name, REGISTRY)
        }

    def weekend(self, step: Step) -> None:
        """Everything is mended and comes into step; then everything is checked."""
        self.network.heal()
        self.network.deliver_late()
        for host in self.hosts.values():
            host.time.set_wall(self.true())
            host.time.is_synced = False
            host.crash_at = ""
            if not host.runs:
                host.time.boot()
                self._come_up(host)
            _bound_pages(host, is_full=False)
        self.sync(step)
        self.night(step)
        for _ in range(_MOST_ROUNDS):  # what they heard of each other, and what befell them meanwhile, is told too
            if self._is_in_step():
                break
            self.sync(step)
        checks.of_the_week(self)
        self.wrong_clocks.clear()

    def _is_in_step(self) -> bool:
        """Whether nobody has anything to tell, and everybody holds what is published: then another round would change nothing."""
        newest = self.registry.version
        return not any(host.has_news or host.version != newest for host in self.hosts.values())

    def say(self, what: str) -> None:
        """Write a line into the trace of the run."""
        self.trace.append(what)


def _bound_pages(host: HostEnd, *, is_full: bool) -> None:
    """Let the journal grow no more, as on a full disk, or again; one that was taken away is left to the host itself."""
    with suppress(sqlite3.ProgrammingError):
        pages = host.journal.db.execute("PRAGMA page_count").fetchone()[0]
        host.is_full = is_full
        host.journal.db.execute(f"PRAGMA max_page_count = {pages if is_full else 1 << 30}")


_WRONG: Final[dict[str, Callable[[datetime], datetime]]] = {
    "dead": lambda _true: RTC_IS_DEAD,
    "future": lambda _true: FAR_FUTURE,
    "back 3 min": lambda true: true - timedelta(minutes=3),
    "back 2 h": lambda true: true - timedelta(hours=2),
    "ahead 3 min": lambda true: true + timedelta(minutes=3),
}

_DO: Final[dict[Act, Callable[[World, Step], None]]] = {
    Act.COME: World.pass_reader,
    Act.GO: World.pass_reader,
    Act.HANG_UP: World.pass_reader,
    Act.TRY: World.try_door,
    Act.COPY: World.copy,
    Act.PAY_IN: World.pay_in,
    Act.EAT: World.eat,
    Act.EAT_AGAIN: World.eat_again,
    Act.EAT_TWICE_AT_ONCE: World.eat_twice_at_once,
    Act.BY_HAND: World.by_hand,
    Act.BY_CLASS: World.by_class,
    Act.UNDO: World.undo,
    Act.FORGET: World.forget,
    Act.BORROW: World.borrow,
    Act.BORROW_AT_OFFICE: World.borrow,
    Act.GIVE_BACK: World.give_back,
    Act.GIVE_BACK_AT_OFFICE: World.give_back,
    Act.LOSE: World.lose,
    Act.LOSE_AT_DESK: World.lose,
    Act.FIND: World.find,
    Act.RENEW: World.renew,
    Act.LEAVE: World.leave,
    Act.RETURN: World.come_back,
    Act.LINE: World.line,
    Act.HEAL: World.heal,
    Act.CRASH: World.crash,
    Act.RESTART: World.restart,
    Act.REBOOT: World.reboot,
    Act.CLOCK: World.clock,
    Act.DISK: World.disk,
    Act.SYNC: World.sync,
    Act.NIGHT: World.night,
    Act.WEEKEND: World.weekend,
}


@contextmanager
def world(seed: int, size: Size, wiring: Wiring | None = None) -> Iterator[World]:
    """Make a world in memory, and let nothing of it stay: neither files nor rows."""
    folder = Path(tempfile.mkdtemp(prefix="viipe-simulation-", dir=FOLDER))
    try:
        with transaction.atomic():
            made = World(seed, size, folder, wiring)
            try:
                yield made
            finally:
                made.close()
                transaction.set_rollback(True)
    finally:
        shutil.rmtree(folder)
