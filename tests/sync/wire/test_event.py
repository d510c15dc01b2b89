import json
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sync.wire.event import (
    FIELDS,
    GENESIS,
    EventKind,
    Outcome,
    Serving,
    canonical,
    chained,
    from_utc_text,
    outcome_event,
    serving_told,
    utc_text,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "event.json").read_text(encoding="utf-8"))
TAP: dict[str, Any] = VECTORS["chain"][0]["event"]


def test_the_vectors_chain_is_ours() -> None:
    """Each event of the vectors gives the bytes and the link that stand there, one hanging on the other."""
    link = GENESIS
    for vector in VECTORS["chain"]:
        body = canonical(vector["event"])
        assert body == vector["canonical"].encode()
        link = chained(link, body)
        assert link.hex() == vector["link"]


def test_a_stranger_can_check_the_chain_with_sha256_alone() -> None:
    """The links of the vectors follow from their canonical texts by plain SHA-256."""
    link = bytes(32)
    for vector in VECTORS["chain"]:
        link = sha256(link + vector["canonical"].encode()).digest()
        assert link.hex() == vector["link"]


def test_every_event_has_every_field_in_order() -> None:
    """Whoever reads the journal finds the same columns in each line, and what nobody defined is left out."""
    assert list(json.loads(canonical({"kind": "system", "surprise": 1}))) == list(FIELDS)
    assert canonical(dict(reversed(TAP.items()))) == canonical(TAP)


def test_an_outcome_tells_of_one_output_of_its_tap() -> None:
    """An outcome has its tap's id, place and card, counts as no serving and says why it failed."""
    told = outcome_event(TAP, "front-strike", Outcome.FAILED, at=datetime(2026, 9, 1, tzinfo=UTC), detail="no answer")
    assert (told["kind"], told["outcome"], told["outputs"], told["detail"]) == (
        EventKind.OUTCOME,
        "failed",
        ["front-strike"],
        "no answer",
    )
    assert {name: told[name] for name in ("tap_id", "reader", "card", "person")} == {
        name: TAP[name] for name in ("tap_id", "reader", "card", "person")
    }
    assert serving_told(told) is None


def test_only_an_event_with_a_holder_is_a_serving() -> None:
    """The way out alone is a place of its own, so that in and no direction count together; without a holder nothing was served."""
    assert serving_told(TAP) == Serving(date(2026, 9, 1), "door", "person 12")
    assert serving_told({**TAP, "direction": None}) == Serving(date(2026, 9, 1), "door", "person 12")
    assert serving_told({**TAP, "direction": "out"}) == Serving(date(2026, 9, 1), "door out", "person 12")
    assert serving_told({**TAP, "holder": None}) is None


def test_a_fact_stands_last() -> None:
    """Marks and loans tell their fact in the last field; no other event has one, and none counts as a serving by itself."""
    fact = {"act": "lend", "card": "7", "person": "12"}
    for kind in (EventKind.LOAN, EventKind.MARK):
        assert canonical({"kind": kind, "fact": fact}).endswith(b',"fact":{"act":"lend","card":"7","person":"12"}}')
    assert canonical(TAP).endswith(b',"fact":null}')
    assert FIELDS[-1] == "fact"


def test_a_price_stands_behind_all_fields_and_only_where_there_is_one() -> None:
    """So the bytes of events that cost nothing, or are of before there were prices, stay as they were."""
    assert canonical({**TAP, "price_cents": 180}).endswith(b',"fact":null,"price_cents":180}')
    assert canonical({**TAP, "price_cents": 0}) == canonical({**TAP, "price_cents": None}) == canonical(TAP)


def test_V6_5_an_event_says_that_an_account_pays_behind_its_price() -> None:
    """Nothing is to be paid of nothing; what is only reported keeps its bytes."""
    assert canonical({**TAP, "price_cents": 5, "prepaid": True}).endswith(b',"price_cents":5,"prepaid":true}')
    assert canonical({**TAP, "price_cents": 5, "prepaid": False}) == canonical({**TAP, "price_cents": 5})
    assert canonical({**TAP, "prepaid": True}) == canonical(TAP)


@pytest.mark.parametrize("offset_h", [0, 3, -11])
def test_times_are_written_in_utc_and_read_back(offset_h: int) -> None:
    """A time is written in UTC with milliseconds and `Z`, and read back as the same moment."""
    at = datetime(2026, 10, 25, 3, 59, 59, 999000, tzinfo=timezone(timedelta(hours=offset_h)))
    assert utc_text(at).endswith(":59:59.999Z")
    assert from_utc_text(utc_text(at)) == at
