"""The tablets' listener: tried again until it can be had, with the reason told meanwhile."""

import asyncio
import socket
from pathlib import Path

from outputs.screen.pairing import Pairing
from outputs.screen.server import Served
from outputs.screen.tablet_listener import LONGEST_PAUSE_S, opened
from outputs.screen.tablets import TabletDoor

MINUTES = 8


async def nothing(_scope: object, _receive: object, _send: object) -> None:
    """Serve nobody."""


def test_it_is_tried_with_growing_pauses_until_it_can_be_had(tmp_path: Path) -> None:
    """The reason is on the door while it is shut, told once for each; then the door is open, with nobody touching it."""
    with socket.socket() as sock:
        faults = [OSError("no network")] * 2 + [ValueError("a spoilt certificate")] * MINUTES
        served = Served(nothing, sock)
        door = TabletDoor(Pairing(tmp_path), lambda: "https://192.168.1.7:8443/")
        told: list[str] = []
        seen: list[str | None] = []
        pauses_s: list[float] = []

        def open_now() -> Served:
            if faults:
                raise faults.pop(0)
            return served

        async def sleep(pause_s: float) -> None:
            pauses_s.append(pause_s)
            seen.append(door.fault)

        assert asyncio.run(opened(door, open_now, told.append, sleep)) is served
    assert told == ["no network", "a spoilt certificate"]
    assert seen == ["no network"] * 2 + ["a spoilt certificate"] * MINUTES
    assert door.fault is None
    assert pauses_s[:3] == [1.0, 2.0, 4.0]
    assert max(pauses_s) == LONGEST_PAUSE_S
