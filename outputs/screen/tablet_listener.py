"""The tablets' listener, tried until it can be had: its network may come late, its port may be another program's for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from outputs.screen.server import Served
from outputs.screen.tablets import TabletDoor

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


async def opened(
    door: TabletDoor,
    open_now: Callable[[], Served],
    tell: Callable[[str], object],
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Served:
    """Return the listener once `open_now` gives it; that raises OSError or ValueError until then.

    Why none can come in is in `door.fault` meanwhile, and told once for each reason. The pause between two tries grows.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            served = open_now()
        except (OSError, ValueError) as error:
            why = str(error)
            if why != door.fault:
                door.fault = why
                tell(why)
        else:
            door.fault = None
            return served
        await sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
