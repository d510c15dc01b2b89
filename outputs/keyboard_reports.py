"""What a USB keyboard says of its keys: 8-byte boot reports (Device Class Definition for HID 1.11, appendix B.1), pure.

    byte 0     modifiers, a bit each: bit 0 left Ctrl, bit 1 left Shift …
    byte 1     reserved, 0
    bytes 2-7  usages (page 0x07) of the keys that are down, 0 where none is

A key is down from the report that names it to the next that does not, so each stroke is two reports.
"""

from collections.abc import Sequence
from typing import Final

from outputs.keystrokes import Stroke

REPORT_BYTES: Final = 8
LEFT_SHIFT: Final = 0x02
ALL_UP: Final = bytes(REPORT_BYTES)


def reports(strokes: Sequence[Stroke]) -> tuple[bytes, ...]:
    """Return the reports that press and let go each key, one after another."""
    return tuple(report for stroke in strokes for report in (_pressed(stroke), ALL_UP))


def _pressed(stroke: Stroke) -> bytes:
    return bytes([LEFT_SHIFT if stroke.shift else 0, 0, stroke.usage, 0, 0, 0, 0, 0])
