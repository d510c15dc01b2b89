"""Signed answers of neighbours: of one host, to one question."""

import pytest

from sync.wire import canonical
from sync.wire.faults import BadSignature, Malformed, Mixed, TooLarge
from sync.wire.keys import SigningKey
from sync.wire.neighbour_answer import MAX_BYTES, open_answer, sign_answer

KEY = SigningKey.generate()
ASKED = "viipe=:AAAA:"
ANSWER = {"epoch": 1, "seq": 5}
BODY = sign_answer(KEY, "till-2", ASKED, ANSWER)


def test_it_opens_for_who_asked() -> None:
    """The answer comes out as it went in."""
    assert open_answer(BODY, KEY.public, "till-2", ASKED) == ANSWER


def test_an_answer_to_another_question_is_none() -> None:
    """Replayed, it fits no other question, not even the same one asked again: each is signed anew."""
    with pytest.raises(BadSignature):
        open_answer(BODY, KEY.public, "till-2", "viipe=:BBBB:")


def test_another_hosts_answer_is_none() -> None:
    """Neither by its name nor by its key."""
    with pytest.raises(Mixed):
        open_answer(BODY, KEY.public, "till-3", ASKED)
    with pytest.raises(BadSignature):
        open_answer(BODY, SigningKey.generate().public, "till-2", ASKED)


def test_a_changed_answer_is_none() -> None:
    """Nobody on the way makes one lunch of none."""
    changed = BODY.replace(b'"seq":5', b'"seq":6')
    assert changed != BODY
    with pytest.raises(BadSignature):
        open_answer(changed, KEY.public, "till-2", ASKED)


def test_what_is_no_answer_is_refused() -> None:
    """Of another form, or too long."""
    for body in (b"{}", b"[]", b"x", canonical.encode({"answer": 5, "host": "till-2", "signature": ""})):
        with pytest.raises(Malformed):
            open_answer(body, KEY.public, "till-2", ASKED)
    with pytest.raises(TooLarge):
        open_answer(b" " * (MAX_BYTES + 1), KEY.public, "till-2", ASKED)
