"""From the decision of a tap to the till's page: when the answer stands in the page, and when the browser has painted it.

Both ends are read from the machine's wall clock, the decision's to the millisecond below: what is told is at most 1 ms too long. The
browser is Debian's Chromium without a window, on the same cores as the daemon, the pages' process and pcscd.
"""

import json
import socket
import tempfile
import time
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

from playwright.sync_api import Page

from bench.figure import Figure, micros, p50, p99
from bench.memory import held_mb
from bench.plan import Plan
from daemon.answer_feed import NAME as SOCKET_NAME
from daemon.answer_feed import AnswerFeed
from sync.wire.event import Event, from_utc_text
from tests.rig.parts import heard_log
from tests.rig.till_screen import QUEUE, TillScreen, chromium

NAME: Final = "screen"
TAPS: Final = 300
GOAL_MS: Final = 100.0
TELLINGS: Final = 2000
LIFTED_S: Final = 0.12
LAST_WITHIN_S: Final = 2.0
WATCH: Final = """() => {
  window.shown = {};
  const answer = document.getElementById("answer");
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    const tap = answer.dataset.tap;
    if (!tap || window.shown[tap]) return;
    window.shown[tap] = [now(), null];
    requestAnimationFrame(() => requestAnimationFrame(() => { window.shown[tap][1] = now(); }));
  }).observe(answer, {attributes: true, attributeFilter: ["data-tap"]});
}"""


def measure(plan: Plan) -> list[Figure]:
    """Tap at a till with its display, and hold each decision's time against the page's."""
    taps = plan.taps or TAPS
    with chromium() as browser, TillScreen(browser) as till:
        page = till.open()
        page.evaluate(WATCH)
        for number in range(taps):
            till.put(QUEUE[number % len(QUEUE)])
            time.sleep(LIFTED_S)
        decided = {event["tap_id"]: from_utc_text(event["time"]).timestamp() * 1e3 for event in till.host.events("tap")}
        shown = _shown(page, len(decided))
        assert till.process is not None, "the pages are served"  # noqa: S101  an invariant of the measurement
        held = held_mb(till.process.pid)
    in_page = [times[0] - decided[tap] for tap, times in shown.items()]
    painted = [times[1] - decided[tap] for tap, times in shown.items() if times[1] is not None]
    return [
        Figure(NAME, "decision → page, p50", p50(in_page), "ms", GOAL_MS),
        Figure(NAME, "decision → page, p99", p99(in_page), "ms", GOAL_MS),
        Figure(NAME, "decision → painted, p50", p50(painted), "ms", GOAL_MS),
        Figure(NAME, "decision → painted, p99", p99(painted), "ms", GOAL_MS),
        Figure(NAME, "answers that the page did not show", len(decided) - len(shown), "", 0),
        Figure(NAME, "pages' process, PSS", held["Pss"], "MB", None, "with one page open, without tablets"),
        *micros(NAME, "telling one listener, on the tap's own thread", _tellings()),
    ]


def _shown(page: Page, expected: int) -> dict[str, list[Any]]:
    until_s = time.monotonic() + LAST_WITHIN_S
    while True:
        shown: dict[str, list[Any]] = page.evaluate("window.shown")
        if len(shown) >= expected or time.monotonic() > until_s:
            return shown
        time.sleep(0.1)


def _tellings() -> list[int]:
    """Tell one listener that reads; what that costs a tap."""
    log, _ = heard_log()
    event: Event = {
        "kind": "tap",
        "tap_id": "00" * 16,
        "reader": "till-1",
        "service": "canteen",
        "flags": [],
        "outputs": [],
    }
    with tempfile.TemporaryDirectory(prefix="viipe-bench-") as folder, socket.socket(socket.AF_UNIX) as listener:
        feed = AnswerFeed(Path(folder), dict, log)
        listener.connect(str(Path(folder) / SOCKET_NAME))
        lines = listener.makefile()
        assert "state" in json.loads(lines.readline()), "a listener is told how things are"  # noqa: S101  an invariant
        timed = []
        for _ in range(TELLINGS):
            began = perf_counter_ns()
            feed.tell(event)
            timed.append(perf_counter_ns() - began)
            lines.readline()
        feed.close()
    return timed
