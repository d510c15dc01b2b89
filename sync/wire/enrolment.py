"""How a host becomes known: a one-time code, the request it makes of it, and what the registry answers.

The code is 56 characters in groups of four (Crockford's base32: no I, L, O, U): 16 secret bytes, the 16 bytes of the root's fingerprint
and a checksum of 3 bytes. The secret tells the registry which host this is, the fingerprint tells the host which registry.
The request proves that the host has the key it names; the answer is signed by the registry and bound to the request, and the site's
key in it is sealed to the host.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from sync.wire import canonical, times
from sync.wire.faults import BadSignature, Malformed
from sync.wire.keys import KEY_BYTES, SIGNATURE_BYTES, BoxKey, SigningKey, check_signature, message, seal
from sync.wire.root import FINGERPRINT_CHARS, Root, chain

SECRET_BYTES: Final = 16
MAX_REQUEST_BYTES: Final = 4096
MAX_ROOTS: Final = 1000
MAX_ANSWER_BYTES: Final = 8 << 20
_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LIKE: Final = str.maketrans("OIL", "011", "- ")  # what is misread, and what groups the characters
_CHECK_BYTES: Final = 3
_CODE_BYTES: Final = SECRET_BYTES + FINGERPRINT_CHARS // 2 + _CHECK_BYTES
_CODE_CHARS: Final = _CODE_BYTES * 8 // 5
_GROUP: Final = 4
_REQUEST: Final = frozenset({"box_key", "name", "proof", "public_key", "secret"})
_ANSWER: Final = frozenset({"host", "roots", "signature", "site", "site_key", "time"})


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code: `secret` is known to the registry by its SHA-256 alone, `fingerprint` is the root's."""

    secret: bytes
    fingerprint: str

    @classmethod
    def make(cls, fingerprint: str) -> Self:
        """Make a new code for a host of the registry with this root."""
        return cls(secrets.token_bytes(SECRET_BYTES), fingerprint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a code as a person typed it: any case, with or without its groups. Raises Malformed, without repeating it."""
        digits = text.strip().upper().translate(_LIKE)
        if len(digits) != _CODE_CHARS or not set(digits) <= set(_DIGITS):
            raise Malformed(f"code: expected {_CODE_CHARS} letters and digits in groups of {_GROUP}")
        number = 0
        for digit in digits:
            number = number * len(_DIGITS) + _DIGITS.index(digit)
        content = number.to_bytes(_CODE_BYTES, "big")
        if content[-_CHECK_BYTES:] != _checksum(content[:-_CHECK_BYTES]):
            raise Malformed("code: mistyped: its last characters do not fit the others")
        return cls(content[:SECRET_BYTES], content[SECRET_BYTES:-_CHECK_BYTES].hex())

    @property
    def text(self) -> str:
        """The code as it is told to a person."""
        content = self.secret + bytes.fromhex(self.fingerprint)
        number = int.from_bytes(content + _checksum(content), "big")
        digits = "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (_CODE_CHARS - 1), -1, -5))
        return "-".join(digits[place : place + _GROUP] for place in range(0, _CODE_CHARS, _GROUP))

    @property
    def secret_sha256(self) -> bytes:
        """What the registry keeps of the secret."""
        return hashlib.sha256(self.secret).digest()


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """What a host asks with. `name` is its own; the keys are public and raw; `proof` is signed with the key that it names."""

    secret: bytes
    name: str
    public_key: bytes
    box_key: bytes
    proof: bytes

    @classmethod
    def make(cls, code: Code, name: str, key: SigningKey, box_key: BoxKey) -> Self:
        """Make the request of a host with these keys."""
        told = _asked(code.secret, name, key.public, box_key.public)
        return cls(code.secret, name, key.public, box_key.public, key.sign(message("enrol", canonical.encode(told))))

    @property
    def secret_sha256(self) -> bytes:
        """By which the registry finds the code."""
        return hashlib.sha256(self.secret).digest()

    def to_json(self) -> bytes:
        """Return the body of the request."""
        told = _asked(self.secret, self.name, self.public_key, self.box_key)
        return canonical.encode({**told, "proof": self.proof.hex()})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request and check its proof. Raises Malformed, TooLarge, BadSignature."""
        found = canonical.table(canonical.decode(body, "enrol", MAX_REQUEST_BYTES), "enrol", _REQUEST)
        request = cls(
            secret=canonical.from_hex(found["secret"], "enrol: secret", SECRET_BYTES),
            name=canonical.text(found["name"], "enrol: name", 100),
            public_key=canonical.from_hex(found["public_key"], "enrol: public_key", KEY_BYTES),
            box_key=canonical.from_hex(found["box_key"], "enrol: box_key", KEY_BYTES),
            proof=canonical.from_hex(found["proof"], "enrol: proof", SIGNATURE_BYTES),
        )
        told = _asked(request.secret, request.name, request.public_key, request.box_key)
        check_signature(request.public_key, request.proof, message("enrol", canonical.encode(told)))
        return request


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """What the registry answers: the host's name and its site's code there, the root documents, the site's key sealed, its own time."""

    host: str
    site: str
    roots: tuple[bytes, ...]
    site_key: bytes
    time: datetime
    signature: bytes

    @classmethod
    def make(  # noqa: PLR0913  the parts of the answer
        cls,
        request: EnrolRequest,
        *,
        host: str,
        site: str,
        roots: Sequence[bytes],
        site_key: bytes,
        time: datetime,
        signer: SigningKey,
    ) -> Self:
        """Answer a request: `site_key` is the plain key, 32 bytes, `signer` one of the newest root's signing keys."""
        sealed = seal(request.box_key, site_key, _context(site, host))
        answer = cls(host, site, tuple(roots), sealed, times.cut(time), b"")
        return replace(answer, signature=signer.sign(answer.message_to(request.public_key)))

    def to_json(self) -> bytes:
        """Return the body of the answer."""
        told = _answered(self.host, self.site, self.roots, self.site_key, self.time)
        return canonical.encode({**told, "signature": self.signature.hex()})

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read an answer, and believe nothing of it before `verified`. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "enrolled", MAX_ANSWER_BYTES), "enrolled", _ANSWER)
        roots = found["roots"]
        if not isinstance(roots, list) or not 0 < len(roots) <= MAX_ROOTS:
            raise Malformed(f"enrolled: roots: expected 1 to {MAX_ROOTS}")
        return cls(
            host=canonical.text(found["host"], "enrolled: host", 100),
            site=canonical.text(found["site"], "enrolled: site"),
            roots=tuple(canonical.from_base64(root, "enrolled: roots") for root in roots),
            site_key=canonical.from_base64(found["site_key"], "enrolled: site_key"),
            time=times.from_text(found["time"], "enrolled: time"),
            signature=canonical.from_hex(found["signature"], "enrolled: signature", SIGNATURE_BYTES),
        )

    def verified(self, code: Code, request: EnrolRequest) -> Root:
        """Return the newest root, if the answer is the code's registry's to this request. Raises WireFault."""
        root = chain(self.roots, code.fingerprint)
        told = self.message_to(request.public_key)
        for public in root.signing_keys:
            try:
                check_signature(public, self.signature, told)
            except BadSignature:
                continue
            return root
        raise BadSignature("enrolled: signed by none of the registry's keys, or the answer to another request")

    def message_to(self, public_key: bytes) -> bytes:
        """Return what the registry signs for the host with this key."""
        told = _answered(self.host, self.site, self.roots, self.site_key, self.time)
        return message("enrolled", canonical.encode({**told, "public_key": public_key.hex()}))

    def open_site_key(self, box_key: BoxKey) -> bytes:
        """Return the site's plain key. Raises BadSignature, Malformed."""
        secret = box_key.open(self.site_key, _context(self.site, self.host))
        if len(secret) != KEY_BYTES:
            raise Malformed(f"enrolled: site_key: found {len(secret)} bytes, expected {KEY_BYTES}")
        return secret


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(b"viipe code v1\n" + content).digest()[:_CHECK_BYTES]


def _context(site: str, host: str) -> bytes:
    return f"site key {site} {host}".encode()


def _asked(secret: bytes, name: str, public_key: bytes, box_key: bytes) -> dict[str, object]:
    return {"secret": secret.hex(), "name": name, "public_key": public_key.hex(), "box_key": box_key.hex()}


def _answered(host: str, site: str, roots: Sequence[bytes], sealed: bytes, time: datetime) -> dict[str, object]:
    return {
        "host": host,
        "site": site,
        "roots": [canonical.to_base64(root) for root in roots],
        "site_key": canonical.to_base64(sealed),
        "time": times.to_text(time),
    }
