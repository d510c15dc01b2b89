"""PINs."""

import time

import pytest

from sync.wire.pin import PinHash, is_pin


def test_a_pin_fits_its_own_hash_alone() -> None:
    """Whatever the salt; and two hashes of one PIN are not alike."""
    one, other = PinHash.of("2468"), PinHash.of("2468")
    assert one.fits("2468")
    assert other.fits("2468")
    assert one.hash != other.hash
    assert not one.fits("2469")
    assert not one.fits("")


@pytest.mark.parametrize("text", ["", "123", "123456789", "12a4", "١٢٣٤", " 1234", "1234\n"])
def test_what_is_no_pin_is_never_hashed(text: str) -> None:
    """Four to eight digits of ours."""
    assert not is_pin(text)
    with pytest.raises(ValueError, match="4 to 8 digits"):
        PinHash.of(text)


def test_a_guess_costs_little_of_a_tills_time() -> None:
    """At most some 60 ms of a processor, so that a shift of ten workers opens while one waits."""
    kept = PinHash.of("2468")
    began = time.process_time()
    for _ in range(3):
        kept.fits("1357")
    assert (time.process_time() - began) / 3 < 0.12
