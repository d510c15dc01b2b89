"""Rosters brought in: a dry run that says what would change, kept; then applied, whole or not at all (DOMAIN.md, trap 7).

The file waits beside the database, in the data directory, from its dry run until it is applied; it is read again then, so that memory is
bounded by the number of persons and not by the file. If what it would change is no longer what was shown, nothing is done.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from registry import audit
from registry.models import Card, LeavingProposal, RosterImport, School
from registry.people import leavings, roster_csv, roster_ekool
from registry.people.roster_diff import Change, ChangeKind, RosterDiff
from registry.people.roster_row import BadRow, RosterRow
from registry.people.roster_writing import RosterWriter
from registry.refusal import Refused
from registry.transactions import deed

MAX_BYTES: Final = 64 << 20
MAX_SHOWN: Final = 1_000  # changes of each kind, and bad rows, that a dry run lists; all are counted
KEPT: Final = timedelta(days=1)
_BLOCK: Final = 1 << 16


def preview(school: School, name: str, file: IO[bytes], *, actor: str, now: datetime) -> RosterImport:
    """Read a roster and keep what it would change (`diff`); changes nothing else. Raises Refused for what is no roster at all.

    `diff` is JSON: `format`; `sha256`; `counts` of `rows`, `bad` and of each ChangeKind; `current`, how many stays of its kinds there
    are where absence is looked at; `classes`, within which alone it is, empty for all; `ended`, how many stays get an earlier end;
    `leaving_percent`, of the absent and the ended; `needs_confirmation`; `changes_sha256` over all changes; `shown`, by ChangeKind at
    most 1,000 of `{"line", "who", "what"}`; `bad`, at most 1,000 of `{"line", "column", "found", "expected"}`. It holds
    neither UIDs nor personal codes. A roster with bad rows cannot be applied.
    """
    forget_old(now)
    kind = _format(name)
    roster = RosterImport.objects.create(school=school, file_name=Path(name).name[:200], made_at=now, made_by=actor)
    try:
        digest = _keep(file, path_of(roster))
        told = _Told(school)
        with path_of(roster).open("rb") as kept:
            diff = RosterDiff(school, school.local_day(now))
            for change in diff.changes(told.counted(_rows(kind, kept))):
                told.add(change)
        roster.diff = told.as_json(diff) | {"format": kind, "sha256": digest}
        roster.save(update_fields=["diff"])
        if told.counts["bad"]:
            forget(roster)  # it will never be applied
    except BaseException:
        path_of(roster).unlink(missing_ok=True)
        roster.delete()
        raise
    audit.record(actor, "roster read", school, roster, at=now, counts=roster.diff["counts"])
    return roster


@deed
def apply(roster: RosterImport, *, actor: str, now: datetime, confirm_removals: bool = False) -> RosterImport:
    """Do what the dry run said, all of it or nothing. Who is absent is proposed as leaving, and goes on until somebody decides.

    Raises Refused: bad rows; applied before; more absent or ended than `School.removal_limit_percent` allows, and not confirmed; or the
    tables, the file or the day have changed so that it would do something else now.
    """
    roster = RosterImport.objects.select_for_update(of=("self",)).select_related("school").get(pk=roster.pk)
    school = School.objects.select_for_update(no_key=True).get(pk=roster.school_id)  # one import at a time; cards go on
    _check(roster, confirm_removals=confirm_removals)
    told = _Told(school)
    diff = RosterDiff(school, school.local_day(now))
    path = path_of(roster)
    try:
        kept = path.open("rb")
    except FileNotFoundError:
        raise Refused("roster_gone", roster.file_name, _("no file any more"), _("a new dry run")) from None
    with kept:
        if _sha256(kept) != roster.diff["sha256"]:
            raise Refused("overtaken", roster.file_name, _("another file than in the dry run"), _("a new dry run"))
        kept.seek(0)
        changes = diff.changes(told.counted(_rows(roster.diff["format"], kept)))
        RosterWriter(school, roster, actor=actor, now=now).write(_only_changes(changes, told))
    if (told.counts, told.digest()) != (roster.diff["counts"], roster.diff["changes_sha256"]):
        found = _("other changes than in the dry run")
        raise Refused("overtaken", roster.file_name, found, _("a new dry run"))
    _withdraw(school, diff.met(), actor=actor, now=now)
    roster.applied_at, roster.applied_by = now, actor
    roster.save(update_fields=["applied_at", "applied_by"])
    audit.record(actor, "roster applied", school, roster, at=now, counts=told.counts, confirm_removals=confirm_removals)
    transaction.on_commit(lambda: path.unlink(missing_ok=True))
    return roster


def forget(roster: RosterImport) -> None:
    """Remove the file of a dry run that nobody will apply: it may hold personal codes."""
    path_of(roster).unlink(missing_ok=True)


def forget_old(now: datetime) -> None:
    """Remove the files of dry runs that nobody applied within a day: they hold personal codes."""
    folder = Path(settings.DATA_DIR) / "rosters"
    paths = {path.name: path for path in folder.glob("*")} if folder.is_dir() else {}
    made = RosterImport.objects.in_bulk([int(name) for name in paths if name.isdecimal()])
    for name, path in paths.items():
        roster = made.get(int(name)) if name.isdecimal() else None
        try:
            since = roster.made_at if roster is not None else datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError:
            continue  # applied or removed meanwhile
        if since < now - KEPT:
            path.unlink(missing_ok=True)


def path_of(roster: RosterImport) -> Path:
    """Return where a roster's file waits."""
    return Path(settings.DATA_DIR) / "rosters" / str(roster.pk)


class _Told:
    """What a dry run says: all counted, the first of each kind listed."""

    def __init__(self, school: School) -> None:
        self.counts: dict[str, int] = {"rows": 0, "bad": 0, **{str(kind): 0 for kind in ChangeKind}}
        self._shown: dict[str, list[dict[str, object]]] = {}
        self._bad: list[dict[str, object]] = []
        self._limit_percent = school.removal_limit_percent
        self._digest = hashlib.sha256()

    def digest(self) -> str:
        """Return what tells these changes from all others."""
        return self._digest.hexdigest()

    def counted(self, rows: Iterator[RosterRow | BadRow]) -> Iterator[RosterRow | BadRow]:
        for row in rows:
            self.counts["rows"] += 1
            yield row

    def add(self, change: Change | BadRow) -> None:
        if isinstance(change, BadRow):
            self.counts["bad"] += 1
            if len(self._bad) < MAX_SHOWN:
                self._bad.append(
                    {
                        "line": change.line,
                        "column": change.column,
                        "found": change.found,
                        "expected": change.expected,
                    }
                )
            return
        self.counts[change.kind] += 1
        self._digest.update(_bytes_of(change))
        shown = self._shown.setdefault(change.kind, [])
        if len(shown) < MAX_SHOWN:
            shown.append({"line": change.line, "who": change.who, "what": _what(change)})

    def as_json(self, diff: RosterDiff) -> dict[str, Any]:
        current, ended = diff.count_before(), diff.count_ended()
        percent = 100 * (self.counts[ChangeKind.LEAVING] + ended) / current if current else 0.0
        return {
            "counts": self.counts,
            "current": current,
            "classes": diff.limited_to(),
            "ended": ended,
            "changes_sha256": self.digest(),
            "leaving_percent": round(percent, 1),
            "needs_confirmation": percent > self._limit_percent,
            "shown": self._shown,
            "bad": self._bad,
        }


def _bytes_of(change: Change) -> bytes:
    """Return all of a change, as far as it can be known before it is made."""
    card = None
    if change.card is not None:
        columns = (column.attname for column in Card._meta.concrete_fields)  # noqa: SLF001  Django's public way to the columns
        card = [(name, getattr(change.card, name)) for name in columns]
    rows = (change.person, change.target, change.former)
    return repr(
        (str(change.kind), change.line, change.who, change.key, rows, sorted(change.fields.items()), card)
    ).encode()


def _what(change: Change) -> str:
    """Tell a change in a few words, without secrets."""
    if change.card is not None:
        return f"{change.card.kind}, {change.card.state}"
    told = [f"{name}: {value}" for name, value in change.fields.items() if value and name not in _UNTOLD]
    told += [name for name in change.fields if name in {"personal_code", "uid"} and change.fields[name]]
    return ", ".join(told)


_UNTOLD: Final = frozenset({"personal_code", "uid", "external_id"})


def _only_changes(changes: Iterator[Change | BadRow], told: _Told) -> Iterator[Change]:
    for change in changes:
        told.add(change)
        if isinstance(change, Change):
            yield change


def _check(roster: RosterImport, *, confirm_removals: bool) -> None:
    where, diff = roster.file_name, roster.diff
    if roster.applied_at is not None:
        raise Refused(
            "applied_already", where, f"{roster.applied_at:%Y-%m-%d %H:%M}", _("a roster that is not applied yet")
        )
    if diff["counts"]["bad"]:
        found = _("%(count)d bad rows") % {"count": diff["counts"]["bad"]}
        raise Refused("bad_rows", where, found, _("a roster without bad rows"))
    if diff["needs_confirmation"] and not confirm_removals:
        found = _("%(count)d of %(all)d absent or ended (%(percent)s %%)") % {
            "count": diff["counts"][ChangeKind.LEAVING] + diff["ended"],
            "all": diff["current"],
            "percent": diff["leaving_percent"],
        }
        expected = _("at most %(percent)d %%, or a confirmation") % {"percent": roster.school.removal_limit_percent}
        raise Refused("too_many_removals", where, found, expected)


def _withdraw(school: School, met: frozenset[int], *, actor: str, now: datetime) -> None:
    """Take back what earlier rosters proposed of those who are in this one; of whom it does not speak the proposals wait on."""
    for proposal in LeavingProposal.objects.filter(enrolment__school=school, decided_at=None).order_by("pk"):
        if proposal.enrolment_id in met:
            leavings.withdraw(proposal, actor=actor, now=now)


def _format(name: str) -> str:
    match Path(name).suffix.lower():
        case ".csv":
            return "csv"
        case ".xml":
            return "ekool"
        case other:
            raise Refused("unknown_format", Path(name).name, f"“{other}”", ".csv, .xml")


def _rows(kind: str, file: IO[bytes]) -> Iterator[RosterRow | BadRow]:
    return roster_csv.rows(file) if kind == "csv" else roster_ekool.rows(file)


def _keep(file: IO[bytes], path: Path) -> str:
    """Copy an upload to where it waits, its owner's alone; returns its SHA-256."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    digest = hashlib.sha256()
    size = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > MAX_BYTES:
                expected = _("at most %(most)d MiB") % {"most": MAX_BYTES >> 20}
                raise Refused("too_large", path.name, _("a larger file"), expected)
            digest.update(block)
            kept.write(block)
    return digest.hexdigest()


def _sha256(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed wants more than it uses
