"""Boot reports, byte by byte, and decoded by a reader written from the standard."""

from hypothesis import given
from hypothesis import strategies as st

from outputs.keyboard_reports import ALL_UP, REPORT_BYTES, reports
from outputs.keystrokes import LAYOUTS, LONGEST, Stroke, strokes


def test_a_key_is_pressed_and_let_go() -> None:
    """HID 1.11, B.1: modifiers, reserved, six usages."""
    assert reports([Stroke(0x1E)]) == (bytes.fromhex("00 00 1E 00 00 00 00 00"), ALL_UP)


def test_shift_is_a_bit_of_the_first_byte() -> None:
    """HID 1.11, 8.3: bit 1 is the left Shift."""
    assert reports([Stroke(0x17, shift=True)])[0] == bytes.fromhex("02 00 17 00 00 00 00 00")


def test_a_number_and_enter_byte_by_byte() -> None:
    """R-7 and Enter on an Estonian layout: Shift+r, the key right of the full stop, 7, Return."""
    typed = b"".join(reports(strokes("R-7", layout="et", suffix="enter")))
    assert typed == bytes.fromhex(
        "0200150000000000 0000000000000000"
        "0000380000000000 0000000000000000"
        "0000240000000000 0000000000000000"
        "0000280000000000 0000000000000000"
    )


def test_the_same_digit_twice_is_two_presses() -> None:
    """Between them the key is up, or a machine would see one long press."""
    assert reports(strokes("11", layout="et", suffix="none")).count(ALL_UP) == 2


def decoded(stream: bytes) -> list[Stroke]:
    """Read reports as a machine does: a usage that was not down before is a key pressed."""
    pressed, down = [], set[int]()
    for at in range(0, len(stream), REPORT_BYTES):
        modifiers, reserved, *usages = stream[at : at + REPORT_BYTES]
        assert reserved == 0
        assert modifiers & ~0x02 == 0
        now = {usage for usage in usages if usage}
        pressed += [Stroke(usage, shift=bool(modifiers & 0x02)) for usage in sorted(now - down)]
        down = now
    assert not down, "a key was left down"
    return pressed


@given(text=st.text(st.sampled_from(sorted(LAYOUTS["us"])), min_size=1, max_size=LONGEST))
def test_whatever_is_typed_is_heard(text: str) -> None:
    """A machine at the other end hears the same keys, and none is left down."""
    keys = strokes(text, layout="us", suffix="tab")
    assert decoded(b"".join(reports(keys))) == list(keys)
