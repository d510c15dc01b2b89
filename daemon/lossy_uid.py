"""A tap at a reader whose form loses bits, where its host's file allows that (`lossy = true`): which held card it may be.

A host holds keyed hashes of whole UIDs, so every UID that the reader could have meant is looked up: 256 for the forms that keep 3
bytes of 4. What several held cards share names none of them (FAULTS.md, "truncated UIDs refused unless configured, collisions reported").
A part of a longer UID would take 2^24 look-ups and more: such cards are not found.
"""

from collections.abc import Callable

from config.host import ReaderConfig
from policy.uid import UidError, canonical, completions, partial


def uid_of(reader: ReaderConfig, raw: bytes | str, is_held: Callable[[bytes], bool]) -> bytes:
    """Return the canonical UID of what a reader said; `is_held` tells whether this host holds a card with a UID.

    Of a form that loses bits it is the only held card's that it can be, or, where none is held, any UID that it can be: nobody's.
    Raises UidError for what is no UID in the reader's form, or is a part that several held cards share.
    """
    if reader.uid_form.keeps_all or not reader.lossy:
        return canonical(reader.uid_form, raw)
    may_be = list(completions(partial(reader.uid_form, raw)))
    held = [uid for uid in may_be if is_held(uid)]
    if len(held) > 1:
        raise UidError(f"a part of a UID that {len(held)} held cards share", "a reader that writes the whole UID")
    return held[0] if held else may_be[0]
