"""How a till signs what it answers a neighbour: over the question's own signature, so that it passes for no other answer.

    {"answer": object, "host": name, "signature": base64 of Ed25519 over message("neighbour-answer", SHA-256(Signature) + answer)}

where `Signature` is the value of the question's header of that name, in UTF-8, and `answer` its canonical JSON.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sync.wire import canonical
from sync.wire.faults import Malformed, Mixed
from sync.wire.keys import SigningKey, check_signature, message

MAX_BYTES: Final = 1 << 15
_KIND: Final = "neighbour-answer"
_NAMES: Final = frozenset({"answer", "host", "signature"})


def sign_answer(key: SigningKey, host: str, signature: str, answer: Mapping[str, object]) -> bytes:
    """Return the body of an answer to the question whose header `Signature` this is."""
    signed = key.sign(_signed(signature, answer))
    return canonical.encode({"answer": dict(answer), "host": host, "signature": canonical.to_base64(signed)})


def open_answer(body: bytes, public: bytes, host: str, signature: str) -> dict[str, Any]:
    """Return the answer that `host` gave to our question. Raises Malformed, TooLarge, Mixed (another host's), BadSignature."""
    found = canonical.table(canonical.decode(body, "answer", MAX_BYTES), "answer", _NAMES)
    if found["host"] != host:
        raise Mixed(f"answer: found one of another host, expected {host}'s")
    answer = found["answer"]
    if not isinstance(answer, dict):
        raise Malformed("answer: expected an object")
    check_signature(public, canonical.from_base64(found["signature"], "answer: signature"), _signed(signature, answer))
    return answer


def _signed(signature: str, answer: Mapping[str, object]) -> bytes:
    return message(_KIND, hashlib.sha256(signature.encode()).digest() + canonical.encode(answer))
