"""The word to stop that a poll hears."""

import gc
import select

from readers.wake import Wake
from tests.rig.running_reader import held


def test_a_poll_hears_it_and_goes_on_hearing_it() -> None:
    """Said once, it is readable for everybody from then on."""
    wake = Wake()
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    assert poll.poll(0) == []
    assert not wake.is_set()
    wake.set()
    wake.set()
    assert [descriptor for descriptor, _ in poll.poll(0)] == [wake.fileno()]
    assert wake.is_set()
    assert wake.wait(0)


def test_it_gives_its_descriptor_back() -> None:
    """A reader that is made anew for weeks holds no more descriptors than at first."""
    gc.collect()
    _, before = held()
    for _ in range(100):
        Wake()
    gc.collect()
    assert held()[1] <= before
