"""One of the two shipped schools, alive: its registry on Django, and a host that holds what it publishes and answers taps.

The parts are those of the simulator (`tests.simulation`): everything between the registry's tables and the decision is the real thing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from config.host import ReaderConfig
from policy.model import Decision, Direction
from registry import samples
from registry.models import Card, Host, Person
from tests.simulation.clocks import TrueTime
from tests.simulation.host_end import HostEnd, Wiring
from tests.simulation.network import Network
from tests.simulation.registry_end import ACTOR, RegistryEnd

TALLINN: Final = ZoneInfo("Europe/Tallinn")
HOST: Final = {"thg": "thg-canteen", "viimsi": "viimsi-canteen"}


class ShippedSchool:
    """A school's registry and host. `change` does something at the registry and lets the host take it up."""

    def __init__(self, folder: Path, code: str, at: datetime) -> None:
        """Load the school's file as it is shipped."""
        self.time = TrueTime(at)
        self.network = Network(self.time.pass_ms)
        text = (samples.FOLDER / f"{code}.toml").read_text(encoding="utf-8")
        self.registry = RegistryEnd(folder / "registry", self.time, text)
        name = HOST[code]
        state = folder / name / "life-0"
        state.mkdir(parents=True)
        self.registry.enrol(name, state)
        self.host = HostEnd(name, folder / name, self.time, self.network, self.registry.serve, Wiring())
        self.host.start()
        self.host.fetch()
        self.host.look_round()

    def close(self) -> None:
        """End the host."""
        self.host.stop()

    def sync(self) -> None:
        """Let the host send what it has and take what is new."""
        self.registry.keep_house(is_weekend=False)
        self.host.upload()
        self.host.fetch()
        self.host.look_round()

    def go_to(self, year: int, month: int, day: int, hour: int) -> None:
        """Let time pass until a school-local moment, and the registry and the host do what they do by themselves."""
        self.time.go_to(datetime(year, month, day, hour, tzinfo=TALLINN))
        self.sync()

    def act(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401  what a step takes besides
        """Return who does a step and when."""
        return {"actor": ACTOR, "now": self.time(), **more}

    def tap(self, card: str, service: str, direction: str | None = None) -> Decision:
        """Tap a card by its number, at a reader of a service."""
        return self.tap_uid(bytes(self.card(card).uid or b""), service, direction)

    def tap_uid(self, uid: bytes, service: str, direction: str | None = None) -> Decision:
        """Tap whatever shows this UID; five minutes pass, so that no repeat window is met."""
        self.time.pass_ms(5 * 60_000)
        way = None if direction is None else Direction(direction)
        return self.host.tap(ReaderConfig(name="reader", kind="pcsc", service=service, match="*", direction=way), uid)

    def card(self, number: str) -> Card:
        """Return a card."""
        return self.registry.card(number)

    def person(self, external_id: str) -> Person:
        """Return a person."""
        return self.registry.person(external_id)

    def host_row(self) -> Host:
        """Return the host as the registry knows it."""
        return Host.objects.get(pk=self.registry.hosts[self.host.name].pk)


@contextmanager
def shipped_school(folder: Path, code: str, at: datetime) -> Iterator[ShippedSchool]:
    """Bring a shipped school to life at a moment."""
    made = ShippedSchool(folder, code, at)
    try:
        yield made
    finally:
        made.close()
