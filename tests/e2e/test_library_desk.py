"""The library's desk, with the daemon, its pages' process and the keyboard's device: what is typed, and what never is."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.rig.host_rig import CLOSED, GOOD, GOOD_7_BYTES, POOL, SUBSTITUTE, UNKNOWN
from tests.rig.library_desk import LibraryDesk
from tests.rig.people import PIN
from tests.rig.screen import Client

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def desk() -> Iterator[LibraryDesk]:
    """Give a library's desk at work."""
    with LibraryDesk() as made:
        yield made


def test_T11_V6_4_a_card_is_typed_and_whatever_is_not_granted_is_not(desk: LibraryDesk) -> None:
    """The card's number and Enter, once a tap; a substitute is refused with its reason, as are closed and unknown cards."""
    assert desk.tap(GOOD)["verdict"] == "grant"
    assert desk.typed(9) == "X-T-1001\n"
    refused = {uid: desk.tap(uid) for uid in (SUBSTITUTE, POOL, CLOSED, UNKNOWN)}
    assert [each["verdict"] for each in refused.values()] == ["deny"] * 4
    assert refused[SUBSTITUTE]["reason"] == "not_admitted"
    assert desk.typed() == ""
    desk.tap(GOOD_7_BYTES)
    assert desk.typed(9) == "X-T-1002\n"
    log = desk.log() + desk.host.log()
    assert "X-T-1001" not in log
    assert GOOD.hex() not in log.lower()


def test_no_start_stop_crash_or_reconnect_types(desk: LibraryDesk) -> None:
    """Pages and daemon end and come back, each in its way, with a card lying there and without: nothing is typed of before."""
    desk.tap(GOOD)
    assert desk.typed(9) == "X-T-1001\n"
    for number in (signal.SIGTERM, signal.SIGKILL):
        desk.stop_screen(number)
        desk.start_screen()
    desk.host.stop()
    desk.host.start()
    desk.host.stop(signal.SIGKILL)
    desk.host.start()
    desk.await_hearing()
    assert desk.typed() == ""
    desk.tap(GOOD_7_BYTES)
    assert desk.typed(9) == "X-T-1002\n"


def test_a_tap_while_the_pages_were_stopped_is_not_typed_late(desk: LibraryDesk) -> None:
    """Stopped for longer than a number may wait: it is typed into nobody's program."""
    assert desk.screen is not None
    desk.screen.send_signal(signal.SIGSTOP)
    desk.tap(GOOD)
    with pytest.raises(AssertionError, match="in vain"):
        desk.host.wait_until(lambda: False, "the time to pass", within_s=6)
    desk.screen.send_signal(signal.SIGCONT)
    assert desk.typed() == ""


def test_T11_whoever_forgot_the_card_is_handed_over_by_name(desk: LibraryDesk) -> None:
    """PIN, a part of the name, one deed: the daemon notes a mark by hand at the library, and then the number is typed, once."""
    client = Client(desk.port)

    def post(path: str, **body: str) -> dict[str, Any]:
        status, _, told = client.request("POST", path, json.dumps(body))
        assert status == 200, told
        answer: dict[str, Any] = json.loads(told)
        return answer

    post("/api/shift/open", pin=PIN)
    (found,) = post("/api/desk/find", text="maasi")["found"]
    assert (found["name"], found["class"]) == ("Mari Maasikas", "7a")
    for _ in range(2):  # a browser that asks again changes nothing
        post("/api/desk/hand", person=found["person"], id="ab" * 16)
    assert desk.typed(9) == "X-T-1001\n"
    assert desk.typed() == ""
    (mark,) = desk.host.events("mark")
    assert (mark["service"], mark["person"], mark["tap_id"]) == ("library", "T-1001", "ab" * 16)
    assert (mark["fact"]["act"], mark["fact"]["how"], mark["fact"]["by"]) == ("serve", "hand", "1")


def test_the_doctor_looks_at_the_keyboard(desk: LibraryDesk) -> None:
    """A finding of its own, in order here; without the device it says what mends it."""
    told = [json.loads(line) for line in desk.host.viipe("doctor", "--json").stdout.splitlines()]
    (found,) = [each for each in told if each["check"] == "desk's keyboard"]
    assert found["level"] == "ok"
    desk.device.unlink()
    told = [json.loads(line) for line in desk.host.viipe("doctor", "--json").stdout.splitlines()]
    (found,) = [each for each in told if each["check"] == "desk's keyboard"]
    assert (found["level"], "viipe-keyboard-gadget" in found["mend"]) == ("warning", True)
