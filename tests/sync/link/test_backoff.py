"""Waiting before the registry is tried again."""

from sync.link.backoff import FIRST_S, MOST_S, Backoff


def test_waits_grow_to_a_bound_and_no_further() -> None:
    """Each failure doubles the bound of the wait, until the longest."""
    backoff = Backoff(draw=lambda _low, high: high)
    waits = [backoff.next_s() for _ in range(200)]
    assert waits[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert set(waits[20:]) == {MOST_S}


def test_a_wait_is_drawn_from_all_below_the_bound() -> None:
    """Full jitter: a thousand hosts do not come back at one moment."""
    asked: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    assert Backoff(draw=draw).next_s() == 0.0
    assert asked == [(0.0, FIRST_S)]


def test_success_forgets_the_failures() -> None:
    """After the registry was reached the next wait is short again."""
    backoff = Backoff(draw=lambda _low, high: high)
    for _ in range(9):
        backoff.next_s()
    backoff.succeeded()
    assert backoff.next_s() == FIRST_S
