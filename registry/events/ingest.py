"""Hosts' events are taken in: in order, each exactly once, the chain of their hashes held against what was taken before.

A batch that comes again after its acknowledgement was lost changes nothing. One that does not join what is known is answered with
where to go back to, unless the host says that what lies between is gone: that is written down and said, and it goes on. An event that
cannot be read is set aside, and the rest goes on. A history other than the known one, as a restored image of a host tells it, becomes
a branch of its own: nothing is ever passed over because its number was seen before (DESIGN.md §2.6, FAULTS.md, Storage).
"""

import logging
from datetime import datetime
from typing import Final

from django.db.models import Max

from registry import audit
from registry.events import claims, excess, facts, rows, sightings
from registry.events.body import Poison, Told, read
from registry.events.history import GoBack, Known, Offered, Place, follows, place
from registry.events.many import among, asked, listed
from registry.events.progress import mark_at, tip_of
from registry.events.rows import Row
from registry.ledger import charging
from registry.models import Event, Gap, Host, SetAside
from registry.reports import months
from registry.transactions import deed
from sync.wire.faults import Malformed
from sync.wire.upload import Batch, GapAnswer, Taken

_LOG: Final = logging.getLogger("registry.events")
_ID_DIGITS: Final = 18  # what fits a row's id whatever the digits


def take(host: Host, batch: Batch, now: datetime) -> Taken | GapAnswer:
    """Take a batch in one transaction, under the lock of the host's row. Raises Malformed for one of epoch 0, before any event."""
    if batch.epoch == 0:
        raise Malformed("batch: epoch: found 0, expected 1 or more: 0 stands for before any event")
    return _take(host, batch, now)


@deed
def _take(host: Host, batch: Batch, now: datetime) -> Taken | GapAnswer:
    locked = Host.objects.select_for_update(of=("self",), no_key=True)
    held = locked.select_related("school").get(pk=host.pk)
    tip, links = tip_of(held), batch.links()
    offered = Offered(batch.epoch, batch.first_seq, batch.link_before, links, batch.is_after_gap)
    known = _NOTHING if follows(offered, tip) else _known(held, offered)
    found = place(offered, tip, known)
    if isinstance(found, GoBack):
        return GapAnswer(mark_at(found.epoch, found.seq, found.link, held.school_id))
    _put(held, batch, links, found, now)
    return Taken(mark_at(batch.epoch, offered.last_seq, links[-1], held.school_id))


_NOTHING: Final = Known({}, {}, holds_link_before=False)


def _known(host: Host, batch: Offered) -> Known:
    """Look up what is held of the batch's epoch; events set aside are held too."""
    branch_of: dict[tuple[int, bytes], int] = {}
    last_seq_of: dict[int, int] = {}
    for model in (Event, SetAside):
        of_epoch = model._default_manager.filter(host=host, epoch=batch.epoch)  # noqa: SLF001  the name that mypy knows for both
        around = of_epoch.filter(seq__gte=batch.first_seq - 1, seq__lte=batch.last_seq)
        branch_of |= {(seq, bytes(link)): branch for seq, link, branch in around.values_list("seq", "link", "branch")}
        for branch, last_seq in of_epoch.order_by().values_list("branch").annotate(Max("seq")):
            last_seq_of[branch] = max(last_seq, last_seq_of.get(branch, 0))
    holds = batch.first_seq == 1 and any(
        model._default_manager.filter(host=host, link=batch.link_before).exists()  # noqa: SLF001  the same
        for model in (Event, SetAside)
    )
    return Known(branch_of, last_seq_of, holds)


def _put(host: Host, batch: Batch, links: list[bytes], found: Place, now: datetime) -> None:
    """Write what is new of the batch, fold its facts, and move the watermark."""
    _say(host, batch, found, now)
    told = _read(host, batch, links, found, now)
    if found.may_be_removed:
        # What was removed because its time was over is not taken anew.
        oldest = now - host.school.events_kept_for
        told = [row for row in told if row.told.time >= oldest]
    days = excess.touched(host, told)
    if days:
        excess.lock(host.school_id)
    before = months.held(host, days)
    facts.lock_cards(host, told)
    charging.lock(host, told)
    rows.insert(host, batch.epoch, found.branch, told, now)
    claims.use(host, [row.told for row in told], now)
    facts.fold(host, batch.epoch, found.branch, told, now)
    charging.book(host, told, now)
    excess.flag(host.school, told, days, now)
    sightings.flag(host, told, now)
    months.adjust(before, host, days, excess.undone_days(host, told), now)
    if found.known < len(batch.events) and not found.may_be_removed:
        host.epoch, host.branch = batch.epoch, found.branch
        host.seq, host.link = batch.first_seq + len(batch.events) - 1, links[-1]
        host.save(update_fields=["epoch", "branch", "seq", "link"])


def _read(host: Host, batch: Batch, links: list[bytes], found: Place, now: datetime) -> list[Row]:
    """Read the events that are new; set those aside that cannot be read."""
    told: list[tuple[int, int, Told]] = []
    aside: list[SetAside] = []
    for at in range(found.known, len(batch.events)):
        seq, body = batch.first_seq + at, batch.events[at]
        try:
            told.append((at, seq, read(body, batch.epoch, seq)))
        except Poison as poison:
            place_of = {"host": host, "epoch": batch.epoch, "seq": seq, "branch": found.branch}
            aside.append(SetAside(**place_of, body=body, link=links[at], why=str(poison)[:300], at=now))
    if aside:
        SetAside.objects.bulk_create(aside, ignore_conflicts=found.may_be_removed)
        # What is wrong with it stands beside it alone: it quotes the event, and a log is read by more people.
        _LOG.warning("%s: %d events set aside, from %d/%d on", host.name, len(aside), batch.epoch, aside[0].seq)
        count, seq = len(aside), aside[0].seq
        audit.record(
            f"host {host.name}", "events set aside", host.school, host, at=now, count=count, epoch=batch.epoch, seq=seq
        )
    cards, persons = _rows_named(host, [each for _, _, each in told])
    return [
        Row(seq, batch.events[at], links[at], each, cards.get(_names(each)[0]), persons.get(_names(each)[1]))
        for at, seq, each in told
    ]


def _names(told: Told) -> tuple[str, str]:
    """Return the ids of card and person as the event names them; a fact names its own."""
    named = told.fact.fact if told.fact else told
    return named.card or "", named.person or ""


# In plain SQL, since each batch asks; a plus before a column keeps both databases from going by all of the school's rows.
_CARDS: Final = "SELECT id FROM registry_card WHERE +school_id = %s AND {cards}"
_PERSONS: Final = "SELECT DISTINCT person_id FROM registry_enrolment WHERE +school_id = %s AND {persons}"


def _rows_named(host: Host, told: list[Told]) -> tuple[dict[str, int], dict[str, int]]:
    """Find the cards and persons that the events name, by the text of their ids; those of other schools are not found."""
    named = [_names(each) for each in told]
    card_ids = {int(card) for card, _ in named if _is_id(card)}
    person_ids = {int(person) for _, person in named if _is_id(person)}
    cards = asked(_CARDS.format(cards=among("id", "bigint")), host.school_id, listed(card_ids))
    persons = asked(_PERSONS.format(persons=among("person_id", "bigint")), host.school_id, listed(person_ids))
    return {str(pk): pk for (pk,) in cards}, {str(pk): pk for (pk,) in persons}


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS


def _say(host: Host, batch: Batch, found: Place, now: datetime) -> None:
    """Say loudly what befell a host's journal, and write it down."""
    for lost in found.lost:
        Gap.objects.create(host=host, epoch=lost.epoch, first_seq=lost.first_seq, last_seq=lost.last_seq, at=now)
        _LOG.warning(
            "%s: events %d/%d to %s are lost", host.name, lost.epoch, lost.first_seq, lost.last_seq or "its end"
        )
        audit.record(
            f"host {host.name}",
            "events lost",
            host.school,
            host,
            at=now,
            epoch=lost.epoch,
            first_seq=lost.first_seq,
            last_seq=lost.last_seq,
        )
    if found.is_fork:
        seq = batch.first_seq + found.known
        _LOG.warning(
            "%s: from %d/%d on it tells another history; kept as branch %d", host.name, batch.epoch, seq, found.branch
        )
        audit.record(
            f"host {host.name}",
            "events forked",
            host.school,
            host,
            at=now,
            epoch=batch.epoch,
            seq=seq,
            branch=found.branch,
        )
