"""The till's stream: what a page is told, when, and what it never is."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from outputs.screen.till import LATE_MS
from tests.rig.screen import HOST_FILE, PHOTO, ScreenRig

WITHIN_S = 10.0
TODAY = {"day": "2026-11-23", "served": {"T-1001": 1}, "others": 0, "day_type": "school_day", "class_days": {}}
TAP: dict[str, Any] = {
    "kind": "tap",
    "tap_id": "ab" * 16,
    "reader": "till-1",
    "service": "canteen",
    "service_day": "2026-11-23",
    "verdict": "grant",
    "reason": "ok",
    "person": "T-1002",
    "holder": "person T-1002",
}
STATE: dict[str, Any] = {
    "state": {
        "readers": [{"name": "till-1", "state": "reading"}],
        "cards": {"version": 1},
        "link": None,
        "clock": {"time": "2026-11-23T10:05:00.000Z", "trust": "vouched"},
    }
}


class Stream:
    """A page's stream, read as a browser reads it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event: its name and what it tells."""
        name = ""
        while True:
            line = self._response.readline().decode().strip()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
            else:
                assert line == "" or line.startswith(":"), line

    def until(self, wanted: str) -> dict[str, Any]:
        """Return the next event of a name."""
        while True:
            name, told = self.next()
            if name == wanted:
                return told


@contextmanager
def stream(screen: ScreenRig, query: str = "?reader=till-1", cookie: str = "") -> Iterator[Stream]:
    """Follow the stream while the block lasts."""
    connection = http.client.HTTPConnection("127.0.0.1", screen.port, timeout=WITHIN_S)
    headers = {"sec-fetch-site": "same-origin", **({"cookie": cookie} if cookie else {})}
    connection.request("GET", f"/api/stream{query}", headers=headers)
    response = connection.getresponse()
    assert (response.status, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    yield Stream(response)
    connection.close()


@pytest.fixture
def screen() -> Iterator[ScreenRig]:
    """Give pages whose daemon tells today's counts."""
    with ScreenRig() as made:
        made.daemon.answers["today"] = TODAY
        yield made


def test_a_page_hears_at_once_that_nobody_is_heard_and_then_how_things_are(screen: ScreenRig) -> None:
    """Until the daemon speaks nothing is shown as right; then the signs, the school's time and the counts."""
    with stream(screen) as events:
        assert events.next() == ("away", {})
        screen.tell(STATE)
        name, told = events.next()
        assert (name, told["time"]) == ("state", "12:05")
        assert [sign["level"] for sign in told["signs"]] == ["good", "good"]
        counts = events.until("counts")
        assert (counts["pupils"], counts["expected"]) == (1, 3)


def test_an_answer_goes_out_before_its_counts(screen: ScreenRig) -> None:
    """The pupil's answer first; the sum follows, without the daemon being asked anew."""
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.tell(TAP)
        assert [events.next()[0] for _ in range(2)] == ["answer", "counts"]
        assert len(screen.daemon.asked) == 1


def test_while_the_daemon_is_asked_answers_go_on(screen: ScreenRig) -> None:
    """A daemon that takes its time to count keeps no answer back; what came meanwhile is counted, too."""

    def slow(_question: object) -> dict[str, Any]:
        time.sleep(0.5)
        return TODAY

    screen.daemon.answers["today"] = slow
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("state")
        began_s = time.monotonic()
        screen.tell(TAP)
        assert events.until("answer")["name"] == "Jaan"
        assert time.monotonic() - began_s < 0.4
        assert events.until("counts")["pupils"] == 2


def test_a_mark_has_the_counts_asked_for_anew(screen: ScreenRig) -> None:
    """It may be of another day, or take one back: the daemon knows."""
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.daemon.answers["today"] = {**TODAY, "served": {"T-1001": 1, "T-1003": 1}}
        screen.tell({"kind": "mark", "service": "canteen", "person": "T-1003", "fact": {"act": "serve", "how": "hand"}})
        assert events.until("answer")["how"] == "hand"
        assert events.until("counts")["pupils"] == 2


def test_what_another_till_served_is_counted_though_nobody_tells_of_it(screen: ScreenRig) -> None:
    """A neighbour's serving comes into the journal without an answer here: the journal's growth has the counts asked for anew."""
    grown = {"state": {**STATE["state"], "journal": {"seq": 7}}}
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.daemon.answers["today"] = {**TODAY, "served": {"T-1001": 1, "T-1003": 1}}
        screen.tell(grown)
        assert events.until("counts")["pupils"] == 2
        screen.tell(grown)
        screen.tell(TAP)
        assert [events.next()[0] for _ in range(3)] == ["state", "answer", "counts"]
        assert len(screen.daemon.asked) == 2


def test_another_readers_answers_are_counted_but_not_shown(screen: ScreenRig) -> None:
    """A second till of this host serves of the same classes; a library's taps are nothing of the canteen's."""
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.tell({**TAP, "reader": "desk-1", "service": "library"})
        screen.tell({**TAP, "reader": "till-2"})
        name, told = events.next()
        assert (name, told["pupils"]) == ("counts", 2)


def test_the_loss_of_the_reader_and_of_the_daemon_is_told_at_once(screen: ScreenRig) -> None:
    """Nobody waits for the next state."""
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.tell({"kind": "reader_lost", "reader": "till-1"})
        assert events.next() == ("reader", {"away": True})
        screen.tell({"kind": "reader_lost", "reader": "desk-1"})
        screen.tell({"kind": "reader_back", "reader": "till-1"})
        assert events.next() == ("reader", {"away": False})
        screen.tell({"lost": "killed"})
        assert events.next() == ("away", {})


def test_an_answer_that_was_long_on_its_way_is_not_shown(screen: ScreenRig) -> None:
    """The machine was stopped and goes on: whoever stood there is gone. It is counted."""
    now_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("counts")
        screen.tell({**TAP, "told_ms": now_ms - LATE_MS - 1000})
        assert events.next()[0] == "counts"
        screen.tell({**TAP, "told_ms": now_ms})
        assert events.next()[0] == "answer"


def test_without_counts_the_answers_go_on(screen: ScreenRig) -> None:
    """A daemon that does not answer questions may still decide."""
    screen.daemon.answers.clear()
    with stream(screen) as events:
        screen.tell(STATE)
        events.until("state")
        screen.tell(TAP)
        assert events.until("answer")["look"] == "served"


def test_counts_that_cannot_be_had_leave_those_of_before(screen: ScreenRig) -> None:
    """A daemon that is asked too much at once is no empty day: the page keeps what it shows, and asks again."""
    with stream(screen) as events:
        screen.tell(STATE)
        before = events.until("counts")
        screen.daemon.answers["today"] = {"error": "16 questions wait already"}
        screen.tell(
            {"kind": "mark", "service": "canteen", "person": "T-1003", "fact": {"act": "serve", "how": "class"}}
        )
        screen.daemon.answers["today"] = {"error": "16 questions wait already"}
        screen.tell({**TAP, "person": "T-1002", "holder": "person T-1002"})
        events.until("answer")
        assert events.until("counts")["pupils"] == before["pupils"] + 1


def test_the_language_of_reasons_is_the_visitors(screen: ScreenRig) -> None:
    """As chosen on the page."""
    with stream(screen, cookie="language=en") as events:
        screen.tell(STATE)
        events.until("state")
        screen.tell({**TAP, "verdict": "deny", "reason": "closed"})
        assert events.until("answer")["reason"] == "Card closed"


def test_a_photo_is_shown_where_there_is_one(screen: ScreenRig) -> None:
    """As a picture, kept in no cache, at the address that was told; nobody's is not found."""
    with stream(screen) as events:
        screen.tell(TAP)
        told = events.until("answer")["photo"]
    status, headers, body = screen.client.request("GET", told)
    assert (status, headers["content-type"], headers["cache-control"], body) == (200, "image/jpeg", "no-store", PHOTO)
    for address in ("/photo/T-1002", "/photo/T-1002/", "/photo/T-1002/0", told.replace("T-1002", "T-1001"), f"{told}ä"):
        assert screen.get(quote(address))[0] == 404
    assert screen.get("/photo/T-1001")[0] == 404
    assert screen.get("/photo/nobody")[0] == 404


def test_of_several_readers_the_page_asks_which(screen: ScreenRig) -> None:
    """A reader that is not there leads back to the choice; a stream of one is none."""
    assert b'data-readers="till-1 desk-1"' in screen.get("/")[1]
    assert screen.client.request("GET", "/till/nothing")[0] == 303
    assert screen.get("/api/stream?reader=nothing")[0] == 404


def test_one_reader_is_shown_at_once() -> None:
    """A kiosk opens `/` and is there."""
    text = HOST_FILE.replace('[[reader]]\nname = "desk-1"', '[[reader]]\nname = "till-2"')
    with ScreenRig(text + '\n[screen]\nreaders = ["till-1"]\nsounds = false\n') as screen:
        page = screen.get("/")[1].decode()
        assert 'data-reader="till-1"' in page
        assert 'data-sounds="off"' in page


def test_a_librarys_host_leads_to_its_desk() -> None:
    """`/` of a host whose readers are all a desk's is the desk's page; of several, the desk's reader leads there."""
    desk = '\n[desk]\nservice = "library"\n'
    with ScreenRig(HOST_FILE.replace('service = "canteen"', 'service = "library"') + desk) as screen:
        status, headers, _ = screen.client.request("GET", "/")
        assert (status, headers["location"]) == (303, "/desk")
    with ScreenRig(HOST_FILE + desk) as screen:
        assert b'data-readers="till-1 desk-1"' in screen.get("/")[1]
        status, headers, _ = screen.client.request("GET", "/till/desk-1")
        assert (status, headers["location"]) == (303, "/desk")
        assert b'data-reader="till-1"' in screen.get("/till/till-1")[1]
