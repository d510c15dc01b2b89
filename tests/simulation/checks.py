"""What is checked at night and at the week's end: journals against answers, the registry against journals, hosts against the registry."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db.models import Sum

from policy.reasons import Flag
from registry.models import Event, EventFlag, Seen, SiteState, Transfer
from sync import current
from sync.journal_reading import read_events
from sync.wire import canonical
from sync.wire.card_row import COLUMNS, DIGEST_MODULUS, CardRow, row_digest
from sync.wire.delta import document_digest
from tests.simulation.model import Broken, HeldCard, Invariant, Served
from tests.simulation.network import REGISTRY
from tests.simulation.school import COPIES

if TYPE_CHECKING:
    from tests.simulation.host_end import HostEnd
    from tests.simulation.world import World

_READ: Final = f"SELECT {', '.join(COLUMNS)} FROM cards"  # noqa: S608  our own column names


class _Lunch(NamedTuple):
    """One lunch, in the order in which the day is given: by its time, then by its place."""

    time: str
    host: str
    epoch: int
    seq: int
    tap_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that somebody at a reader was given. One that was not durable may be lost in a crash."""

    tap_id: str
    verdict: str
    reason: str
    is_doubtful: bool


@dataclass
class Record:
    """What is known of one host's journal from outside."""

    answered: list[Answer] = field(default_factory=list)
    durable: dict[tuple[int, int], bytes] = field(default_factory=dict)  # what the registry was not yet held against
    last_id: int = 0
    last_place: tuple[int, int] = (0, 0)
    verified: set[tuple[int, int]] = field(default_factory=set)  # places that the registry was found to hold
    last_pk: int = 0
    lunches: dict[tuple[str, str], list[_Lunch]] = field(default_factory=dict)  # by (day, holder)
    touched: set[tuple[str, str]] = field(
        default_factory=set
    )  # since the last look: a dead clock adds to days long gone
    undone: set[str] = field(default_factory=set)


def tap_id_of(body: bytes) -> str:
    """Return the tap that a claim is for."""
    return str(json.loads(body)["tap_id"])


def note_taken(world: "World", name: str) -> None:
    """The registry has taken a batch of a host: what it holds is known there, facts are in what it has published by now."""
    host = world.hosts[name]
    last_id = host.journal.id_of(*world.registry.mark_of(name))
    if last_id is None:
        return
    for fact in world.facts.get(name, []):
        if fact.row_id <= last_id:
            world.settled.setdefault((name, fact.row_id), world.registry.version)
    if last_id == host.journal.last_id and not len(host.journal.ring):
        world.ledger.heard_by_registry(name, everybody_hears=world.hear_each_other(name))


def note_unanswered(world: "World", host: "HostEnd") -> None:
    """A host went down between a commit and its answer: the event stands, though nobody was told."""
    event: Any = host.last_event()
    if event["kind"] != "tap" or any(each.tap_id == event["tap_id"] for each in world.records[host.name].answered[-3:]):
        return
    doubtful = "not_durable" in event["flags"]
    world.records[host.name].answered.append(Answer(event["tap_id"], event["verdict"], event["reason"], doubtful))
    if event["holder"] and event["service"] == "canteen":
        known = {host.name, *([REGISTRY] if event["tap_id"] in world.claims else [])}
        served = Served(event["holder"], "canteen", date.fromisoformat(event["service_day"]), host.name, known)
        served.is_excused = True  # nobody got it
        world.ledger.add(served)
        world.by_tap[event["tap_id"]] = served


def forget_what_was_not_durable(world: "World", host: "HostEnd") -> None:
    """What waited in memory is gone with the power: its servings were flagged, and their day is not held against anybody."""
    there = {
        json.loads(body)["tap_id"]
        for _, body in read_events(host.state_dir / "journal.db", after_id=max(0, host.journal.last_id - 300))
    }
    for answer in world.records[host.name].answered:
        if answer.is_doubtful and answer.tap_id not in there and answer.tap_id in world.by_tap:
            served = world.by_tap[answer.tap_id]
            served.known_at.discard(host.name)
            served.is_excused = True


def of_the_day(world: "World", day: date) -> None:
    """Read each journal on, hold it against the answers, and count the lunches against the groups. Raises Broken."""
    for host in world.hosts.values():
        _read_on(world, host)
    tills = set(world.size.till_names)
    groups = len(tills & world.disturbed) + (1 if tills - world.disturbed else 0)
    world.ledger.check_bound(day, groups)
    world.ledger.forget_before(day - timedelta(days=3))
    if len(world.claims) > 5000:
        world.claims.clear()
        world.by_tap = {tap_id: served for tap_id, served in world.by_tap.items() if served.day >= day}


def _read_on(world: "World", host: "HostEnd") -> None:
    """Take up what is durable since the last look: numbers without gaps, and each answer in its order."""
    record = world.records[host.name]
    taps: list[Any] = []
    for row_id, body in read_events(host.state_dir / "journal.db", after_id=record.last_id):
        event = json.loads(body)
        place = (event["epoch"], event["seq"])
        epoch, seq = record.last_place
        follows = place == (epoch, seq + 1) or (place[0] > epoch and place[1] == 1)
        if not follows or (record.last_id and row_id != record.last_id + 1):
            raise Broken(Invariant.ORDERED, f"{host.name}: found event {place} behind {record.last_place}")
        record.last_place, record.last_id = place, row_id
        record.durable[place] = body
        _note_lunch(record, event)
        _note_copy(world, event)
        if event["kind"] == "tap":
            taps.append(event)
    _match(record, host, taps)


def _match(record: Record, host: "HostEnd", taps: list[Any]) -> None:
    """Hold the answers against the taps that became durable, in their order. Raises Broken."""
    waiting = {str(each.event.get("tap_id")) for each in host.journal.ring.waiting()} if host.runs else set()
    found = iter(taps)
    left: list[Answer] = []
    ahead = next(found, None)
    for answer in record.answered:
        if ahead is not None and ahead["tap_id"] == answer.tap_id:
            if (ahead["verdict"], ahead["reason"]) != (answer.verdict, answer.reason):
                raise Broken(Invariant.ANSWERED, f"{host.name}: answered {answer.reason}, journalled {ahead['reason']}")
            ahead = next(found, None)
        elif answer.tap_id in waiting:
            left.append(answer)
        elif not answer.is_doubtful:
            raise Broken(
                Invariant.ANSWERED, f"{host.name}: the answer {answer.verdict} {answer.reason} is not in its journal"
            )
    if ahead is not None:
        raise Broken(
            Invariant.ANSWERED, f"{host.name}: its journal has a tap that nobody was answered, or out of order"
        )
    record.answered = left


def _note_lunch(record: Record, event: Any) -> None:  # noqa: ANN401  an event
    """Write down what an event tells of lunches: one that was eaten, or a mark that was taken back."""
    if event["kind"] not in {"tap", "mark"}:
        return
    if event["fact"] is not None and event["fact"].get("undoes"):
        record.undone.add(event["fact"]["undoes"])
    if event["holder"] and event["service"] == "canteen":
        day = (event["service_day"], event["holder"])
        lunch = _Lunch(event["time"], event["host"], event["epoch"], event["seq"], event["tap_id"])
        record.lunches.setdefault(day, []).append(lunch)
        record.touched.add(day)


def _note_copy(world: "World", event: Any) -> None:  # noqa: ANN401  the same
    """Write down what an event charged for a copy."""
    if event["service"] == COPIES and event["holder"]:
        purse = world.purses[event["person"]]
        purse.charged_cents += event["price_cents"]
        purse.charged_offline_cents += event["price_cents"] * (Flag.CHARGED_OFFLINE in event["flags"])


def of_the_week(world: "World") -> None:
    """Everything has healed: each event is at the registry once, and each host holds what the registry publishes. Raises Broken."""
    for host in world.hosts.values():
        _read_on(world, host)
        _exactly_once(world, host)
        _equal(world, host)
    _excess(world)
    _money(world)
    world.facts.clear()
    world.settled.clear()
    for served in world.by_tap.values():
        served.is_undoing_known = served.is_undone


def _exactly_once(world: "World", host: "HostEnd") -> None:
    record = world.records[host.name]
    rows = Event.objects.filter(host=world.registry.hosts[host.name], pk__gt=record.last_pk).order_by("pk")
    found: Counter[tuple[int, int]] = Counter()
    wrong = 0
    for pk, epoch, seq, body in rows.values_list("pk", "epoch", "seq", "body"):
        found[epoch, seq] += 1
        wrong += record.durable.get((epoch, seq)) != bytes(body)
        record.last_pk = pk
    missing = sorted(record.durable.keys() - found.keys())
    twice = sum(count > 1 for count in found.values()) + len(found.keys() & record.verified)
    if missing or twice or wrong:
        told = f"{len(missing)} missing (from {missing[:1]}), {twice} twice, {wrong} that the host does not have"
        raise Broken(Invariant.EXACTLY_ONCE, f"{host.name}: {told}; {host.report.faults}")
    record.verified |= found.keys()
    record.durable.clear()  # they were compared, and are not compared again


def _excess(world: "World") -> None:
    """Hold the registry's flags against the lunches that the journals tell of: the earliest keeps the day, all others are flagged."""
    lunches: dict[tuple[str, str], list[_Lunch]] = {}
    undone: set[str] = set()
    touched: set[tuple[str, str]] = set()
    for record in world.records.values():
        undone |= record.undone
        touched |= record.touched
        record.touched.clear()
        for day, eaten in record.lunches.items():
            lunches.setdefault(day, []).extend(eaten)
    flags = EventFlag.objects.filter(school=world.registry.school, why=Seen.EXCESS, service="canteen")
    flagged: dict[tuple[str, str], set[str]] = {}
    for of_day, holder, tap_id in flags.values_list("day", "holder", "event__tap_id"):
        flagged.setdefault((str(of_day), holder), set()).add(tap_id)
    for day in touched:
        left = sorted(each for each in lunches[day] if each.tap_id not in undone)
        found = flagged.get(day, set())
        if found != {each.tap_id for each in left[1:]}:
            raise Broken(Invariant.EXCESS, f"{day[1]} on {day[0]}: {len(left)} lunches, and {len(found)} flagged")


def _money(world: "World") -> None:
    """Hold each person's account against what was paid in and what the journals charged; what was charged in contact was there."""
    transfers = Transfer.objects.filter(school=world.registry.school)
    came = dict(transfers.order_by().values_list("target__person").annotate(Sum("cents")))
    went = dict(transfers.order_by().values_list("source__person").annotate(Sum("cents")))
    for person, purse in world.purses.items():
        balance = came.get(int(person), 0) - went.get(int(person), 0)
        expected = purse.paid_cents - purse.charged_cents
        if balance != expected:
            raise Broken(Invariant.LEDGER, f"person {person} has {balance} cents, expected {expected}")
        if purse.charged_cents - purse.charged_offline_cents > purse.paid_cents:
            raise Broken(Invariant.LEDGER, f"person {person} was charged more than was paid in, in contact: {purse}")


def _equal(world: "World", host: "HostEnd") -> None:
    """Sum up what lies in the host's cache file, and hold it against the registry's digest and the model's rows."""
    state = SiteState.objects.get(school=world.registry.school)
    serving = current.look(host.state_dir).serving
    with closing(sqlite3.connect(f"file:{host.state_dir / str(serving)}?mode=ro", uri=True)) as db:
        rows = [CardRow(*row) for row in db.execute(_READ)]
        documents = db.execute("SELECT name, value FROM documents").fetchall()
    shares = [row_digest(row[:-1]) for row in rows]
    shares += [document_digest(name, canonical.decode(text.encode(), "document", 1 << 20)) for name, text in documents]
    digest = sum(int.from_bytes(share, "big") for share in shares) % DIGEST_MODULUS
    if f"{digest:064x}" != state.digest:
        raise Broken(
            Invariant.EQUAL, f"{host.name}: holds another state than version {state.version}; {host.report.faults}"
        )
    expected = world.rows[state.version]
    held = {
        row.key: HeldCard.of_row(
            [row.card, row.person, row.kind, row.state, row.valid_from, row.valid_until, row.groups]
        )
        for row in rows
    }
    if held != expected:
        raise Broken(Invariant.EQUAL, f"{host.name}: holds other cards than version {state.version}")
