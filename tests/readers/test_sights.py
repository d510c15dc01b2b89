"""What looks at a field mean: taps, made-up UIDs, and two cards that take turns."""

from hypothesis import given
from hypothesis import strategies as st

from readers.presence import Presence
from readers.sights import TURN_MS, Sights, Told

ANNA = bytes.fromhex("EBF2CE70")
BERTA = bytes.fromhex("04112233445566")
CARL = bytes.fromhex("11223344")


def looked() -> Sights:
    """Return the sights at a reader that has seen its field empty."""
    sights = Sights(Presence())
    sights.empty(0)
    return sights


def test_a_card_is_new_once() -> None:
    """One that lies there is told at its first sight alone, and again when it was away long enough."""
    sights = looked()
    assert [sights.card(ANNA, at) for at in (10, 60, 5_000)] == [Told.NEW, Told.OLD, Told.OLD]
    sights.empty(5_050)
    assert sights.card(ANNA, 5_100) is Told.OLD
    sights.empty(5_150)
    sights.passed(5_400)
    assert sights.card(ANNA, 5_450) is Told.NEW


def test_a_card_that_was_swapped_is_new() -> None:
    """Another card in the place of the first, faster than the looks, is a tap; so is a third."""
    sights = looked()
    assert [sights.card(uid, at) for uid, at in ((ANNA, 10), (BERTA, 60), (CARL, 110))] == [Told.NEW] * 3


def test_two_cards_that_take_turns_are_told_once() -> None:
    """A B A B is two cards in the field: asked for one, and no tap until the field was empty."""
    sights = looked()
    told = [sights.card(uid, at) for at, uid in enumerate([ANNA, BERTA] * 50, start=10)]
    assert told[:3] == [Told.NEW, Told.NEW, Told.SEVERAL]
    assert set(told[3:]) == {Told.OLD}
    assert sights.card(CARL, 200) is Told.OLD
    sights.empty(250)
    sights.passed(460)
    assert sights.card(ANNA, 500) is Told.NEW


def test_pupils_who_alternate_slowly_are_no_crowd() -> None:
    """Two who swap places in more than a second, without a look at the empty field, tap each time."""
    sights = looked()
    told = [sights.card(uid, turn * (TURN_MS + 1)) for turn, uid in enumerate([ANNA, BERTA, ANNA, BERTA], start=1)]
    assert told == [Told.NEW] * 4


def test_a_made_up_uid_is_one_card() -> None:
    """A chip that shows another random UID at each look (08…, or a PUPI) is told once."""
    sights = looked()
    random = [sights.card(bytes([8, 0, 0, at]), 10 + at) for at in range(100)]
    assert random == [Told.NEW] + [Told.OLD] * 99
    sights = looked()
    pupis = [sights.card(bytes([at, 1, 2, 3]), 10 + at, made_up=True) for at in range(100)]
    assert pupis == [Told.NEW] + [Told.OLD] * 99


def test_a_7_byte_uid_that_begins_with_08_is_itself() -> None:
    """Only of 4 bytes is 08 the sign of a random UID."""
    sights = looked()
    told = [sights.card(bytes([8, 0, 0, 0, 0, 0, last]), 10 + last) for last in range(3)]
    assert told == [Told.NEW] * 3


def test_a_lost_reader_remembers_its_card() -> None:
    """The same card after an unplugging is the same presentation; another is a tap."""
    sights = looked()
    sights.card(ANNA, 10)
    sights.lost(20)
    assert sights.card(ANNA, 10_000) is Told.OLD
    sights.lost(10_010)
    assert sights.card(BERTA, 20_000) is Told.NEW


looks = st.lists(
    st.tuples(st.sampled_from(["anna", "berta", "random", "mute", "empty", "lost", "pass"]), st.integers(0, 400)),
    max_size=60,
)


@given(looks)
def test_any_sequence_of_sights_is_answered(sequence: list[tuple[str, int]]) -> None:
    """Whatever is seen in whatever order, nothing fails, and only a card is ever a tap."""
    sights, at_ms = Sights(Presence()), 0
    for what, pause_ms in sequence:
        at_ms += pause_ms
        match what:
            case "anna" | "berta" | "random":
                uid = {"anna": ANNA, "berta": BERTA, "random": bytes([8, at_ms & 0xFF, 0, 0])}[what]
                assert sights.card(uid, at_ms) in Told
            case "mute":
                sights.mute(at_ms)
            case "empty":
                sights.empty(at_ms)
            case "lost":
                sights.lost(at_ms)
            case _:
                sights.passed(at_ms)
        assert 0 <= sights.wait_ms(at_ms, 1_000) <= 1_000
