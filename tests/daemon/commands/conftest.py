"""What the commands' tests share: event-driven readers, and one host at work, for each test module."""

from collections.abc import Iterator

import pytest

from tests.rig.host_rig import HostRig, door_and_till
from tests.rig.ifd import EventIfd


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd of the module's own, with two readers that the tests move."""
    with EventIfd(readers=2) as rig:
        yield rig


@pytest.fixture(scope="module")
def host(ifd: EventIfd) -> Iterator[HostRig]:
    """Give a fed host at work, its door and its till at these readers."""
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as rig:
        rig.feed()
        rig.start()
        yield rig


@pytest.fixture
def idle(ifd: EventIfd) -> Iterator[HostRig]:
    """Give a host of the test's own, not fed and not started."""
    with HostRig(ifd.environ(), door_and_till(ifd.names)) as rig:
        yield rig
