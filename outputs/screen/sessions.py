"""What the pages keep of a visitor between two requests: in memory alone, so that a restart closes every shift."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

MOST_SESSIONS: Final = 256


@dataclass(slots=True)
class Session:
    """One browser. `device` is "local" or a paired tablet's id; `kept` is the pages' own, each under its name."""

    id: str
    device: str
    kept: dict[str, object] = field(default_factory=dict)


class Sessions:
    """The sessions of all visitors. May be used from any thread."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def get(self, token: str | None, device: str) -> Session | None:
        """Return the session of a cookie, None where it is nobody's or of another device."""
        with self._lock:
            session = self._sessions.get(token or "")
            if session is None or session.device != device:
                return None
            self._sessions.move_to_end(session.id)
            return session

    def begin(self, device: str) -> Session:
        """Begin one. Where there are too many the one least lately used goes, those that keep nothing first."""
        session = Session(secrets.token_urlsafe(32), device)
        with self._lock:
            if len(self._sessions) >= MOST_SESSIONS:
                idle = (each.id for each in self._sessions.values() if not each.kept)
                del self._sessions[next(idle, next(iter(self._sessions)))]
            self._sessions[session.id] = session
        return session

    def end_device(self, device: str) -> None:
        """End all sessions of a device that was unpaired."""
        with self._lock:
            for session in [each for each in self._sessions.values() if each.device == device]:
                del self._sessions[session.id]
