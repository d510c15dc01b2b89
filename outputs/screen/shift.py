"""The worker's shift (`/shift`): opened by a PIN, then pupils are served by name, a class or a paper list at once, and undone.

Without an open shift nothing here names anybody. A shift is the browser's session: it ends by its button, after half an hour without
a touch, at the school's midnight, when its worker is removed, and with the program.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from outputs.screen import web
from outputs.screen.guard import LOCAL
from outputs.screen.parts import Parts, Worker
from outputs.screen.pins import Attempts
from outputs.screen.shift_deeds import Deeds, services_of
from outputs.screen.web import Asked, Refused

IDLE: Final = timedelta(minutes=30)
_KEPT: Final = "shift"
_PIN_MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Shift:
    """An open shift: whose, on which local day, and when it was last touched (aware)."""

    worker: Worker
    day: date
    touched_at: datetime


def shift_routes(parts: Parts) -> list[BaseRoute]:
    """Lay out the shift's routes. Each but the page itself and the PIN asks for an open shift."""
    pages = _Pages(parts)
    deeds = Deeds(parts)

    def route(name: str, deed: Any) -> Route:  # noqa: ANN401  a deed: (Asked, Worker) -> answer
        return Route(f"/api/shift/{name}", web.answered(parts, pages.within(deed)), methods=["POST"])

    return [
        Route("/shift", web.page(parts, "shift", _at)),
        Route("/api/shift/open", web.answered(parts, pages.open), methods=["POST"]),
        Route("/api/shift/close", web.answered(parts, pages.close), methods=["POST"]),
        Route("/api/shift/state", web.answered(parts, pages.state), methods=["POST"]),
        route("class", deeds.of_class),
        route("find", deeds.find),
        route("serve", deeds.serve),
        route("mark", deeds.mark),
        route("undo", deeds.undo),
    ]


def _at(request: Request) -> Mapping[str, object]:
    """Tell the page whether it goes back to the till's display by itself: the line waits for answers there; a tablet is carried about."""
    return {"returns": "yes" if web.device_of(request) == LOCAL else "no"}


def within_shift(parts: Parts, deed: Any) -> Any:  # noqa: ANN401  as in `_Pages.within`
    """Have another page's deed, `(Asked, Worker) -> answer`, done within an open shift alone; it is a touch."""
    return _Pages(parts).within(deed)


class _Pages:
    """Opens, closes and watches shifts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._attempts = Attempts()
        self._deeds = Deeds(parts)

    def open(self, asked: Asked) -> Mapping[str, object]:
        """Open a shift by a PIN; refused with the seconds to wait after too many wrong ones."""
        pin = asked.text("pin", most=_PIN_MOST)
        if self._parts.people.version == 0:
            raise Refused("shift.no_names", 503)
        now = self._parts.now()
        wait_s = self._attempts.take(asked.device, now)
        if wait_s > 0:
            raise Refused("shift.wait", 429, seconds=int(wait_s) + 1)
        worker = self._parts.people.check_pin(pin)
        if worker is None:
            raise Refused("shift.wrong_pin", 403, left=self._attempts.left(asked.device))
        self._attempts.succeeded(asked.device)
        asked.session.kept[_KEPT] = Shift(worker, self._today(), now)
        return {"worker": worker.name}

    def close(self, asked: Asked) -> Mapping[str, object]:
        """End the shift of this browser, if one is open."""
        asked.session.kept.pop(_KEPT, None)
        return {}

    def state(self, asked: Asked) -> Mapping[str, object]:
        """Tell whether a shift is open, and what it sees. Asked time and again by the page: no touch, unless it says so (`touched`)."""
        shift = self._shift(asked)
        if shift is None:
            return {"open": False, "has_names": self._parts.people.version > 0}
        if asked.body.get("touched") is True:
            self._touch(asked, shift)
        services = services_of(self._parts)
        head = {"open": True, "worker": shift.worker.name, "services": services, "today": self._today().isoformat()}
        return {**head, **(self._deeds.state(asked) if services else {})}

    def within(self, deed: Any) -> Any:  # noqa: ANN401  from (Asked, Worker) -> answer to (Asked) -> answer
        """Have a deed done within an open shift alone; it is a touch."""

        def done(asked: Asked) -> Mapping[str, object]:
            shift = self._shift(asked)
            if shift is None:
                raise Refused("shift.closed", 403)
            self._touch(asked, shift)
            told: Mapping[str, object] = deed(asked, shift.worker)
            return told

        return done

    def _shift(self, asked: Asked) -> Shift | None:
        """Return the open shift; one whose time is over is ended."""
        shift = asked.session.kept.get(_KEPT)
        if not isinstance(shift, Shift):
            return None
        idle = self._parts.now() - shift.touched_at
        if shift.day == self._today() and timedelta(minutes=-1) <= idle < IDLE and self._is_known(shift.worker):
            return shift
        asked.session.kept.pop(_KEPT, None)
        return None

    def _is_known(self, worker: Worker) -> bool:
        """Whether the office still lets the worker open a shift: one who was removed goes on with none."""
        return self._parts.people.worker(worker.id) is not None

    def _touch(self, asked: Asked, shift: Shift) -> None:
        asked.session.kept[_KEPT] = Shift(shift.worker, shift.day, self._parts.now())

    def _today(self) -> date:
        return self._parts.now().astimezone(self._parts.config.host.timezone).date()
