"""The stream's lines come over whole, and an endless one costs nothing."""

from collections import deque
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.wire import times
from sync.wire.faults import Malformed, TooLarge
from sync.wire.stream import (
    MAX_DELTA_BYTES,
    MAX_LINE_BYTES,
    DeltaLine,
    DeskLine,
    Line,
    LineReader,
    PeopleLine,
    RootLine,
    TimestampLine,
    VersionLine,
    parse_line,
    to_line,
)

NUMBERS = st.integers(1, 2**62)
TIMES = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(times.cut)  # noqa: DTZ001  bounds of Hypothesis are naive
LINES: st.SearchStrategy[Line] = st.one_of(
    st.builds(TimestampLine, st.binary(max_size=100)),
    st.builds(DeltaLine, st.binary(max_size=100)),
    st.builds(VersionLine, NUMBERS, NUMBERS),
    st.builds(DeskLine, NUMBERS, TIMES),
    st.builds(RootLine, NUMBERS),
    st.builds(PeopleLine, st.integers(0, 2**62)),
)


@given(st.lists(LINES), st.integers(1, 50))
def test_lines_come_over_in_whatever_pieces(lines: list[Line], piece_bytes: int) -> None:
    """However the network cuts them, the same lines arrive in the same order."""
    content = b"".join(map(to_line, lines))
    reader, found = LineReader(), []
    for start in range(0, len(content), piece_bytes):
        found += [parse_line(line) for line in reader.feed(content[start : start + piece_bytes])]
    assert found == lines


def test_the_biggest_delta_that_is_sent_unasked_fits_a_line() -> None:
    """64 KiB of a document are less than 128 KiB of a line; more than a line is not written."""
    line = to_line(DeltaLine(bytes(MAX_DELTA_BYTES)))
    assert len(line) < MAX_LINE_BYTES
    assert list(LineReader().feed(line)) == [line.rstrip()]
    with pytest.raises(TooLarge):
        to_line(DeltaLine(bytes(MAX_LINE_BYTES)))


def test_an_endless_line_is_given_up() -> None:
    """A line without an end is refused when it is longer than any, however small its pieces."""
    reader = LineReader()
    with pytest.raises(TooLarge, match="stream"):
        deque((list(reader.feed(b"x" * 100)) for _ in range(MAX_LINE_BYTES)), maxlen=0)
    with pytest.raises(TooLarge):
        list(LineReader().feed(b"x" * MAX_LINE_BYTES + b"\n"))


@pytest.mark.parametrize(
    "line", [b"{}", b'{"surprise":1}', b'{"version":1,"generation":1,"more":1}', b'{"timestamp":"","delta":""}']
)
def test_a_line_of_another_sort_is_passed_over(line: bytes) -> None:
    """A newer registry may say more than this host understands."""
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"nothing",
        b'{"timestamp":1}',
        b'{"delta":"?"}',
        b'{"version":"1","generation":1}',
        b'{"version":1,"generation":0}',
        b'{"desk":1}',
        b'{"desk":{"request":1}}',
        b'{"desk":{"request":1,"expires_at":"soon"}}',
        b'{"root":0}',
        b'{"people":-1}',
        b'{"people":"5"}',
    ],
)
def test_a_line_of_another_form_is_refused(line: bytes) -> None:
    """What is of a known sort has its form."""
    with pytest.raises(Malformed, match="stream"):
        parse_line(line)


def test_a_line_for_a_desk_is_as_it_is_told() -> None:
    """The form is what a stranger writes."""
    line = DeskLine(7, datetime(2026, 9, 1, 8, tzinfo=UTC))
    assert to_line(line) == b'{"desk":{"expires_at":"2026-09-01T08:00:00.000Z","request":7}}\n'
