"""How long an output stays moved."""

from hypothesis import given
from hypothesis import strategies as st

from outputs.pulse import Pulse


def test_a_pulse_ends_after_its_length() -> None:
    """One grant is one pulse of its length."""
    pulse = Pulse(15_000)
    assert pulse.grant(3_000, 100)
    assert not pulse.is_over(3_099)
    assert pulse.is_over(3_100)
    pulse.rest()
    assert not pulse.is_over(10_000)
    assert pulse.ends_ms is None


def test_a_second_grant_extends_up_to_the_longest() -> None:
    """Grants during a pulse put its end off, never past max_pulse_ms after its begin, and begin none."""
    pulse = Pulse(15_000)
    assert [pulse.grant(3_000, at) for at in (0, 2_000, 4_000)] == [True, False, False]
    assert pulse.ends_ms == 7_000
    for at in range(4_000, 15_000, 1_000):
        pulse.grant(3_000, at)
    assert pulse.ends_ms == 15_000


def test_a_shorter_grant_shortens_nothing() -> None:
    """A grant of a shorter pulse does not close the door on the one before."""
    pulse = Pulse(15_000)
    pulse.grant(5_000, 0)
    pulse.grant(1_000, 100)
    assert pulse.ends_ms == 5_000


def test_one_grant_alone_is_bounded_too() -> None:
    """No single pulse is longer than the longest."""
    pulse = Pulse(15_000)
    pulse.grant(60_000, 0)
    assert pulse.ends_ms == 15_000


@given(st.integers(100, 60_000), st.lists(st.tuples(st.integers(1, 60_000), st.integers(0, 5_000)), max_size=50))
def test_no_sequence_of_grants_passes_the_longest(longest_ms: int, grants: list[tuple[int, int]]) -> None:
    """However grants come, an output is at rest at the latest max_pulse_ms after it began to move."""
    pulse, at_ms, began_ms = Pulse(longest_ms), 0, 0
    for pulse_ms, pause_ms in grants:
        at_ms += pause_ms
        if pulse.is_over(at_ms):
            pulse.rest()
        if pulse.grant(pulse_ms, at_ms):
            began_ms = at_ms
        assert pulse.ends_ms is not None
        assert at_ms < pulse.ends_ms <= began_ms + longest_ms
