"""What registry and neighbours say to one claim: how long is waited, and for whom."""

import threading
import time
from dataclasses import dataclass

from sync.link.gathering import Gathering
from sync.wire.neighbour import ReserveAnswer
from sync.wire.quota import ClaimAnswer

SOON_S = 10.0  # of what is there already
SHORT_S = 0.1
NOTHING = ReserveAnswer({})


@dataclass(frozen=True)
class Till:
    """A neighbour that was asked."""

    name: str
    is_away: bool = False


ONE, TWO, AWAY = Till("till-1"), Till("till-2"), Till("till-9", is_away=True)


def seconds(gathering: Gathering, *asked: Till, total_s: float = SOON_S) -> float:
    """Return how long it is waited."""
    begun_s = time.monotonic()
    gathering.told(asked, total_s)
    return time.monotonic() - begun_s


def test_all_that_came_is_told() -> None:
    """The registry's answer as it is, each neighbour's with its name; of a silent one nothing."""
    gathering = Gathering(1)
    gathering.registry(ClaimAnswer(granted=True, served=0), "")
    gathering.neighbour("till-1", ReserveAnswer({"till-1": 0}))
    gathering.neighbour("till-2", None)
    assert gathering.told((ONE, TWO), SOON_S) == {
        "granted": True,
        "served": 0,
        "neighbours": [{"host": "till-1", "served": {"till-1": 0}, "held": []}],
    }


def test_the_registrys_no_ends_it() -> None:
    """Nothing that a neighbour could say changes that."""
    gathering = Gathering(1)
    gathering.registry(ClaimAnswer(granted=False, served=1), "")
    assert seconds(gathering, ONE) < SOON_S / 2


def test_of_an_unsure_no_neighbours_may_know_more() -> None:
    """They may have heard of the lunch that the silent till served: they are waited for."""
    gathering = Gathering(1)
    gathering.registry(ClaimAnswer(granted=False, served=1, is_unsure=True), "")
    assert seconds(gathering, ONE, total_s=SHORT_S) >= SHORT_S
    gathering.neighbour("till-1", NOTHING)
    assert seconds(gathering, ONE) < SOON_S / 2


def test_a_serving_that_a_neighbour_gave_ends_it() -> None:
    """By its own word, to the limit; what it heard of others is no such word, nor is less than the limit."""
    gathering = Gathering(2)
    gathering.neighbour("till-1", ReserveAnswer({"till-1": 1, "till-3": 1}))
    assert seconds(gathering, ONE, TWO, total_s=SHORT_S) >= SHORT_S
    gathering.neighbour("till-2", ReserveAnswer({"till-2": 1}))
    assert seconds(gathering, ONE, TWO) < SOON_S / 2


def test_the_registrys_yes_waits_for_the_neighbours_that_are_there() -> None:
    """One of them may have served out of the registry's sight; for one that was away before nobody waits."""
    gathering = Gathering(1)
    gathering.registry(ClaimAnswer(granted=True, served=0), "")
    assert seconds(gathering, ONE, total_s=SHORT_S) >= SHORT_S
    assert seconds(gathering, AWAY) < SOON_S / 2
    threading.Timer(SHORT_S, lambda: gathering.neighbour("till-1", NOTHING)).start()
    assert seconds(gathering, ONE, AWAY) < SOON_S / 2


def test_while_nobody_has_spoken_also_those_are_waited_for_that_were_away() -> None:
    """They may be back, and theirs would be the only word; one that is there is enough not to wait for them."""
    gathering = Gathering(1)
    gathering.registry(None, "nobody answers there")
    assert seconds(gathering, AWAY, total_s=SHORT_S) >= SHORT_S
    gathering.neighbour("till-1", NOTHING)
    assert seconds(gathering, ONE, AWAY) < SOON_S / 2


def test_without_any_word_it_is_said_why() -> None:
    """The deadline was reached, or the registry could not be reached and there is nobody else."""
    assert Gathering(1).told((ONE,), SHORT_S) == {"unknown": "no answer in time", "neighbours": []}
    gathering = Gathering(1)
    gathering.registry(None, "nobody answers there")
    assert gathering.told((), SOON_S) == {"unknown": "nobody answers there", "neighbours": []}
