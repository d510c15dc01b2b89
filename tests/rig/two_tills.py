"""Two tills of one school that tell the registry what they served, each at once or late; and what is flagged of it."""

from datetime import datetime, timedelta
from typing import Any, Final

from registry.events.ingest import take
from registry.models import EventFlag, Host, Seen
from sync.wire.event import utc_text
from tests.rig import registered
from tests.rig.canteen import rule
from tests.rig.registered import NOON
from tests.rig.telling import Telling

HOLDER: Final = "person 12"


def at(minute: int) -> datetime:
    """A moment of the day's lunch."""
    return NOON + timedelta(minutes=minute)


class Tills:
    """Two tills of a school whose canteen serves one lunch a day."""

    def __init__(self, **limits: Any) -> None:  # noqa: ANN401  keys of a rule
        self.school = registered.school()
        self.hosts = {name: registered.host(self.school, name) for name in ("till-1", "till-2")}
        self.journals = {name: Telling(name) for name in self.hosts}
        rule(self.hosts["till-1"], limits or {"per_day": 1})

    def serve(self, till: str, minute: int, **given: Any) -> str:  # noqa: ANN401  fields of an event
        """Have a till tell of a lunch at once; returns its tap_id."""
        event = self.journals[till].tell(**{"holder": HOLDER, "time": utc_text(at(minute)), **given})
        self.send(till)
        return str(event["tap_id"])

    def mark(self, till: str, minute: int, act: str = "serve", **given: Any) -> str:  # noqa: ANN401  the same, and the fact's
        """Have a till tell of a hand mark, or of its undoing."""
        told = {"person": "12", "time": utc_text(at(minute)), "holder": HOLDER if act == "serve" else None, **given}
        event = self.journals[till].tell_fact(act, **told)
        self.send(till)
        return str(event["tap_id"])

    def send(self, till: str) -> None:
        """Send what was not taken yet."""
        host = Host.objects.get(pk=self.hosts[till].pk)
        take(host, self.journals[till].batch(host.seq + 1), NOON)


def flagged(why: str = Seen.EXCESS) -> list[tuple[str, str | None]]:
    """Who is flagged, and against what: by the tap_ids."""
    rows = EventFlag.objects.filter(why=why).order_by("event__time", "event__host__name")
    return [(flag.event.tap_id, flag.other.tap_id if flag.other else None) for flag in rows]
