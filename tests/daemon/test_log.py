"""The log: lines that a machine reads, and that delay nobody."""

import json
import os
import re
import subprocess
import sys
import threading
from io import StringIO

from daemon.log import MOST_WAITING, LineWriter, make_log

WAIT_S = 10.0


class Gate(StringIO):
    """A stream that takes nothing until it is opened, as a pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked = threading.Event()
        self.opened = threading.Event()

    def write(self, text: str) -> int:
        """Take text, when open."""
        self.blocked.set()
        self.opened.wait(WAIT_S)
        return super().write(text)


class Broken(StringIO):
    """A stream whose reader is gone, until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = True
        self.tried = threading.Event()

    def write(self, text: str) -> int:
        """Fail, or take text."""
        if self.broken:
            self.tried.set()
            raise BrokenPipeError
        return super().write(text)


def test_each_entry_is_a_line_of_json() -> None:
    """A machine finds event, level, time in UTC and what was told, whatever line ends stand in it."""
    stream = StringIO()
    writer = LineWriter(stream)
    make_log(writer, readable=False).error("reader lost", reader="front-in", why="two\nlines")
    writer.close()
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", entry.pop("timestamp"))
    assert entry == {"event": "reader lost", "level": "error", "reader": "front-in", "why": "two\nlines"}


def test_an_exception_is_told_with_its_trace() -> None:
    """What went wrong can be found."""
    stream = StringIO()
    writer = LineWriter(stream)
    try:
        bytes.fromhex("no hex")
    except ValueError:
        make_log(writer, readable=False).exception("broken")
    writer.close()
    assert "test_log.py" in json.loads(stream.getvalue())["exception"]


def test_a_person_reads_words() -> None:
    """At a terminal there is no JSON."""
    stream = StringIO()
    writer = LineWriter(stream)
    make_log(writer, readable=True).info("running", host="trial")
    writer.close()
    line = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
    assert re.search(r"running +host=trial", line)
    assert not line.startswith("{")


def test_small_talk_is_left_out() -> None:
    """What is below the level of information is not written."""
    stream = StringIO()
    writer = LineWriter(stream)
    make_log(writer, readable=False).debug("nothing")
    writer.close()
    assert stream.getvalue() == ""


def test_a_log_that_nobody_reads_delays_nobody() -> None:
    """Lines beyond a thousand are dropped without waiting; how many is said when somebody reads again."""
    gate = Gate()
    writer = LineWriter(gate)
    writer.msg("first")
    assert gate.blocked.wait(WAIT_S)
    for number in range(MOST_WAITING + 25):
        writer.msg(str(number))
    assert gate.getvalue() == ""
    gate.opened.set()
    writer.close(WAIT_S)
    lines = gate.getvalue().splitlines()
    assert lines[:2] == ["first", "0"]
    assert lines[-2:] == [str(MOST_WAITING - 1), "(25 lines were dropped: nobody read them)"]
    assert len(lines) == 1 + 1 + MOST_WAITING


def test_closing_waits_no_longer_than_it_may() -> None:
    """A log that nobody reads does not keep the daemon from ending, full or not."""
    gate = Gate()
    writer = LineWriter(gate)
    writer.msg("stuck")
    assert gate.blocked.wait(WAIT_S)
    writer.close(0.01)
    for number in range(MOST_WAITING):
        writer.msg(str(number))
    writer.close(0.01)
    assert gate.getvalue() == ""
    gate.opened.set()


def test_a_reader_that_went_and_came_is_told_what_it_missed() -> None:
    """A broken pipe ends nothing; the lost line is counted."""
    stream = Broken()
    writer = LineWriter(stream)
    writer.msg("lost")
    assert stream.tried.wait(WAIT_S)
    stream.broken = False
    writer.msg("heard")
    writer.close(WAIT_S)
    assert stream.getvalue() in {
        "heard\n(1 lines were dropped: nobody read them)\n",
        "(1 lines were dropped: nobody read them)\nheard\n",
    }


def test_a_daemon_ends_though_its_log_is_stuck() -> None:
    """A process whose standard error nobody reads ends by itself, with its own exit code."""
    program = (
        "import sys\nfrom daemon.log import make_default_log\n"
        "log, writer = make_default_log()\n"
        "for _ in range(2000): log.info('x' * 100)\n"
        "writer.close()\nsys.exit(7)\n"
    )
    reading, writing = os.pipe()
    child = subprocess.Popen([sys.executable, "-c", program], stderr=writing)
    os.close(writing)
    assert child.wait(WAIT_S * 3) == 7
    assert os.read(reading, 1) == b"{"
    os.close(reading)
