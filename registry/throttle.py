"""How often somebody may fail: the failures of each key within a span of time, in bounded memory."""

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

_KEYS: Final = 10_000  # then the one that has failed least recently is forgotten


class Throttle:
    """At most `most` failures of a key within `within`. Several threads may ask."""

    def __init__(self, most: int, within: timedelta, *, keys: int = _KEYS) -> None:
        """Begin with no failures."""
        self._most = most
        self._within = within
        self._keys = keys
        self._failed: OrderedDict[Hashable, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def has_enough(self, key: Hashable, now: datetime) -> bool:
        """Whether the key has failed as often as it may."""
        with self._lock:
            failed = self._failed.get(key)
            return failed is not None and len(failed) == self._most and now - failed[0] < self._within

    def failed(self, key: Hashable, now: datetime) -> None:
        """Count a failure."""
        with self._lock:
            self._failed.setdefault(key, deque(maxlen=self._most)).append(now)
            self._failed.move_to_end(key)
            while len(self._failed) > self._keys:
                self._failed.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget its failures: it has done it right."""
        with self._lock:
            self._failed.pop(key, None)
