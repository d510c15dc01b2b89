"""The personal code is checked and never repeated."""

import pytest
from stdnum.ee import ik

from registry.people.personal_code import checked
from registry.refusal import Refused

GOOD = "3760503029" + ik.calc_check_digit("37605030290")


def test_a_code_whose_check_digit_fits_is_taken() -> None:
    """Blanks around it are nothing."""
    assert checked(f" {GOOD} ", "line 2") == GOOD


@pytest.mark.parametrize(
    "bad",
    [GOOD[:-1] + str((int(GOOD[-1]) + 1) % 10), GOOD[:-1], GOOD + "1", "37613320290", "3760503029x", "abcdefghijk"],
)
def test_a_bad_code_is_refused_and_not_repeated(bad: str) -> None:
    """What is wrong is said, the code is not."""
    with pytest.raises(Refused) as refused:
        checked(bad, "line 2")
    assert refused.value.where == "line 2"
    assert bad not in str(refused.value)
    assert bad not in repr(refused.value)
    assert refused.value.__cause__ is None
