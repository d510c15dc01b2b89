"""Seeded mutations of bytes: what a disk, a network or an enemy without keys may make of a document."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from sync.wire.faults import WireFault

_INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x20, 0x22, 0x2C, 0x30, 0x5C, 0x7B, 0x7D)

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def mutations(count: int, seed: int, sound: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Give `count` mutations of sound documents, each with its number; the same seed gives the same ones.

    None of them is one of the sound documents themselves.
    """
    originals = frozenset(sound)
    for number in range(count):
        yield number, mutation(number, seed, sound, originals)


def mutation(number: int, seed: int, sound: Sequence[bytes], originals: frozenset[bytes] | None = None) -> bytes:
    """Give one mutation by its number, to see a failure again."""
    known = frozenset(sound) if originals is None else originals
    source = random.Random(f"{seed} {number}")  # noqa: S311  repeatable on purpose
    changed = source.choice(sound)
    while changed in known:
        for _ in range(source.choice((1, 1, 1, 2, 3, 8))):
            changed = source.choice(_MUTATIONS)(source, changed, sound)
    return changed


def taken(count: int, seed: int, sound: Sequence[bytes], take: Callable[[bytes], object]) -> list[int]:
    """Return the numbers of those among `count` mutations that `take` took: there should be none.

    `take` refuses by a WireFault; whatever else it raises is a fault of its own and is not caught. The tests ask for 10⁴, the long
    benchmark for 10⁶.
    """
    numbers = []
    for number, mutated in mutations(count, seed, sound):
        with suppress(WireFault):
            take(mutated)
            numbers.append(number)
    return numbers


def _flip_bit(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    place, bit = source.randrange(len(content) or 1), 1 << source.randrange(8)
    return content[:place] + bytes(byte ^ bit for byte in content[place : place + 1]) + content[place + 1 :]


def _set_byte(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    place = source.randrange(len(content) or 1)
    return content[:place] + bytes([source.choice(_INTERESTING)]) + content[place + 1 :]


def _change_head(source: random.Random, content: bytes, sound: Sequence[bytes]) -> bytes:
    """The head is a small part of a big document, and the part that is believed."""
    return _flip_bit(source, content[:700], sound) + content[700:]


def _cut_off(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    return content[: source.randrange(len(content) + 1)]


def _cut_out(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    place = source.randrange(len(content) + 1)
    return content[:place] + content[place + source.randrange(1, 64) :]


def _put_in(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    place = source.randrange(len(content) + 1)
    return content[:place] + source.randbytes(source.randrange(1, 64)) + content[place:]


def _repeat(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    place = source.randrange(len(content) + 1)
    return content[:place] + content[place : place + source.randrange(1, 256)] + content[place:]


def _splice(source: random.Random, content: bytes, sound: Sequence[bytes]) -> bytes:
    """The beginning of one document and the end of another, at the same place or elsewhere."""
    other = source.choice(sound)
    place = source.randrange(len(content) + 1)
    return content[:place] + other[source.choice((place, source.randrange(len(other) + 1))) :]


def _change_digit(source: random.Random, content: bytes, _sound: Sequence[bytes]) -> bytes:
    """Another number or another hex digit leaves the form as it is."""
    places = [place for place, byte in enumerate(content[:4096]) if chr(byte) in "0123456789abcdef"]
    if not places:
        return content
    place = source.choice(places)
    return content[:place] + source.choice("0123456789abcdef").encode() + content[place + 1 :]


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _change_head,
    _cut_off,
    _cut_out,
    _put_in,
    _repeat,
    _splice,
    _change_digit,
)
