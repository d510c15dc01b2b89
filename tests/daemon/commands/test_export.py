"""`viipe export`, as a user types it."""

import csv
import io
import json
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import openpyxl
import pytest

from sync.journal import Journal, Transaction
from sync.servings import Boot
from tests.rig.host_rig import VIIPE

HOST: Final = """
[host]
name = "till"
timezone = "Europe/Tallinn"
state_dir = "{state}"

[[reader]]
name = "till-1"
kind = "pcsc"
match = "*"
service = "canteen"

[service.canteen]
per_day = 1
"""
CARDS: Final = """uid,card,person,kind,state,valid_from,valid_until,groups
EBF2CE70,C-1,1,personal,active,,,pupil;7b;grade-7
EBF2CE71,C-2,2,substitute,active,,,10a
EBF2CE72,C-3,3,staff,active,,,staff
"""
DAYS: Final = ("--service", "canteen", "--from", "2026-11-01", "--until", "2026-11-30")


def event(number: int, **given: Any) -> dict[str, Any]:  # noqa: ANN401  fields of an event
    """A granted tap at the till, unless it is said otherwise."""
    return {
        "kind": "tap",
        "tap_id": f"{number:032x}",
        "time": f"2026-11-23T10:{number:02}:00.000Z",
        "service_day": "2026-11-23",
        "reader": "till-1",
        "service": "canteen",
        "verdict": "grant",
        "reason": "ok",
        "card": "C-1",
        "person": "1",
        "holder": "person 1",
        **given,
    }


def mark(number: int, act: str = "serve", **given: Any) -> dict[str, Any]:  # noqa: ANN401  the fact's, or the event's
    """A hand mark, or its undoing."""
    fact = {"act": act, "card": None, "person": "4"} | {
        name: given.pop(name) for name in ("how", "undoes") if name in given
    }
    holder = "person 4" if act == "serve" else None
    return event(
        number, kind="mark", card=None, person="4", holder=holder, verdict=None, reason=None, fact=fact, **given
    )


SERVED: Final = (
    event(1),
    event(2, card="C-2", person="2", holder="person 2"),
    event(3, card="C-3", person="3", holder="person 3", price_cents=350),
    event(4, verdict="deny", reason="closed", holder=None),
    event(5, service="library"),
    event(6, service_day="2026-12-01"),
    mark(7),
    mark(8, how="paper"),
    mark(9, how="class"),
    mark(10, "undo", undoes=f"{9:032x}"),
    event(11, card="=C-9", person=None, holder="card =C-9"),
    event(12, flags=["second_serving"]),
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host that has served, and is not running."""
    folder = tmp_path_factory.mktemp("export")
    path = folder / "host.toml"
    path.write_text(HOST.format(state=folder / "state"))
    (folder / "state").mkdir()
    (folder / "cards.csv").write_text(CARDS)
    subprocess.run([VIIPE, "cards", "import", folder / "cards.csv", "--config", path], check=True, capture_output=True)
    with closing(Journal(folder / "state", "till", Boot("boot", lambda: 1))) as journal:
        for each in SERVED:
            journal.transact(partial(_append, each))
    return path


def _append(told: dict[str, Any], transaction: Transaction) -> None:
    transaction.append(told)


def export(config: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Call the command."""
    return subprocess.run([VIIPE, "export", "--config", config, *DAYS, *options], capture_output=True, check=False)


def table(file: bytes) -> list[dict[str, str]]:
    """Read a file as a spreadsheet does."""
    return list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_servings_are_counted_by_day_kind_and_how(config: Path) -> None:
    """Refusals, other services, other days and marks that were undone are none; adults, payers and second servings are told apart."""
    done = export(config)
    assert done.returncode == 0, done.stderr
    rows = [tuple(row.values()) for row in table(done.stdout)]
    assert rows == [
        ("2026-11-23", "canteen", "", "", "", "hand", "free", "0,00", "1", "0"),
        ("2026-11-23", "canteen", "", "", "", "paper", "free", "0,00", "1", "0"),
        ("2026-11-23", "canteen", "", "", "", "tap", "free", "0,00", "1", "0"),
        ("2026-11-23", "canteen", "", "staff", "no", "tap", "pays", "3,50", "1", "0"),
        ("2026-11-23", "canteen", "10a", "substitute", "yes", "tap", "free", "0,00", "1", "0"),
        ("2026-11-23", "canteen", "7b", "personal", "yes", "tap", "free", "0,00", "1", "1"),
    ]
    assert b"the journal here begins on 2026-11-23" in done.stderr


def test_each_serving_is_told_with_ids_and_no_formula(config: Path) -> None:
    """A card's number that begins like a formula is a text."""
    rows = table(export(config, "--each").stdout)
    assert [(row["card"], row["person"]) for row in rows] == [
        ("C-1", "1"),
        ("C-2", "2"),
        ("C-3", "3"),
        ("", "4"),
        ("", "4"),
        ("'=C-9", ""),
        ("C-1", "1"),
    ]
    assert rows[0]["class"] == "7b"
    assert rows[-1]["flags"] == "second_serving"


def test_a_spreadsheet_is_written_to_a_file(config: Path, tmp_path: Path) -> None:
    """Where it was asked for, with texts as texts."""
    path = tmp_path / "november.xlsx"
    done = export(config, "--each", "--format", "xlsx", "-o", str(path))
    assert (done.returncode, done.stdout) == (0, b"")
    page = openpyxl.load_workbook(path).active
    assert page is not None
    odd = list(page.iter_rows())[-2]
    assert (odd[8].value, odd[8].data_type) == ("=C-9", "s")


def test_days_the_wrong_way_round_are_refused(config: Path) -> None:
    """A usage fault."""
    assert export(config, "--until", "2026-10-01").returncode == 64


def test_nothing_of_the_journal_is_changed(config: Path) -> None:
    """It is only read."""
    before = subprocess.run([VIIPE, "events", "--json", "--config", config], capture_output=True, check=True).stdout
    export(config)
    after = subprocess.run([VIIPE, "events", "--json", "--config", config], capture_output=True, check=True).stdout
    assert before == after
    assert len([json.loads(line) for line in after.splitlines()]) == len(SERVED)
