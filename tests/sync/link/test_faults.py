"""The tree of the link's faults."""

import pytest

from sync.faults import StoreFault
from sync.link import faults


@pytest.mark.parametrize(
    "fault",
    [faults.Unreachable, faults.CertificateFault, faults.TooSlow, faults.TooMuch, faults.Odd, faults.NotEnrolled],
)
def test_each_fault_is_one_of_the_link_and_of_the_store(fault: type[Exception]) -> None:
    """A command that catches what the host holds catches the link's faults too."""
    assert issubclass(fault, faults.LinkFault)
    assert issubclass(fault, StoreFault)


def test_a_refusal_keeps_what_is_decided_by() -> None:
    """Status, the registry's word and its time stay beside the text."""
    refusal = faults.Refusal("no", status=410, code="take_snapshot", date="now")
    assert (str(refusal), refusal.status, refusal.code, refusal.date) == ("no", 410, "take_snapshot", "now")
