"""How a host signs its requests: HTTP Message Signatures (RFC 9421) with Ed25519, content digests after RFC 9530.

Covered: "@method" "@path" "@query" "content-digest", with the parameters `created` (Unix seconds), `nonce` and `keyid` (the host's
name), under the label `viipe`. The signature is over RFC 9421's signature base as it stands, without a prefix of ours: that begins with
`"@method"`, so it passes for nothing else that is signed here. An empty body has its digest too. That a nonce is used once is for
the registry's memory to see, for twice `max_skew_s`.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sync.wire.faults import Frozen, Malformed, Mixed, UnknownKey
from sync.wire.keys import SigningKey, check_signature

MAX_SKEW_S: Final = 300
MAX_HEADER_CHARS: Final = 1024
COVERED: Final = '("@method" "@path" "@query" "content-digest")'
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_PARAMETER: Final = r'(?:;(?:created|expires)=[0-9]{1,12}|;(?:nonce|keyid|alg|tag)="[A-Za-z0-9._-]{1,100}")'
_INPUT: Final = re.compile(rf"viipe=({re.escape(COVERED)}({_PARAMETER}{{3,6}}))", re.ASCII)
_PAIR: Final = re.compile(r';([a-z]+)="?([A-Za-z0-9._-]+)"?', re.ASCII)
_SIGNATURE: Final = re.compile(r"viipe=:([A-Za-z0-9+/]{86}==):", re.ASCII)
_DIGEST: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a request, when (aware UTC), and the nonce that makes it this request and no other."""

    host: str
    nonce: str
    created: datetime


def sign_request(  # noqa: PLR0913, PLR0917  the parts of a request, in the order in which it is written
    key: SigningKey, host: str, method: str, path_and_query: str, body: bytes, created: datetime, nonce: str
) -> dict[str, str]:
    """Return the headers to send with a request. `path_and_query` as it goes over the wire; `nonce` is random, 16 to 64 characters.

    Raises Malformed for a nonce or a host's name of another form.
    """
    if not _NONCE.fullmatch(nonce) or not _HOST.fullmatch(host):
        raise Malformed(
            "request: expected a nonce of 16 to 64 characters and a host's name of letters, digits, '.', '_', '-'"
        )
    digest = content_digest(body)
    parameters = f'{COVERED};created={int(created.timestamp())};nonce="{nonce}";keyid="{host}"'
    signature = key.sign(signature_base(method, path_and_query, digest, parameters))
    return {
        "Content-Digest": digest,
        "Signature-Input": f"viipe={parameters}",
        "Signature": f"viipe=:{b64encode(signature).decode()}:",
    }


def verify_request(  # noqa: PLR0913, PLR0917  the parts of a request, in the order in which it is written
    public_of: Callable[[str], bytes | None],
    method: str,
    path_and_query: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    max_skew_s: int = MAX_SKEW_S,
) -> Signed:
    """Return who signed a request. `public_of` gives a host's key, None for one that is unknown or revoked.

    Raises Malformed (a header is missing or of another form), Mixed (the body is another), UnknownKey, BadSignature, and Frozen when it
    was made more than `max_skew_s` before or after `now`. Header names may be of any case.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    digest = _header(lower, "content-digest", _DIGEST)[0]
    parameters, pairs = _header(lower, "signature-input", _INPUT).groups()
    signature = b64decode(_header(lower, "signature", _SIGNATURE)[1])
    signed = _signed(_PAIR.findall(pairs), now)
    if digest != content_digest(body):
        raise Mixed("request: its body is another than Content-Digest names")
    public = public_of(signed.host)
    if public is None:
        raise UnknownKey("request: signed by a host that is not enrolled, or revoked")
    check_signature(public, signature, signature_base(method, path_and_query, digest, parameters))
    skew_s = abs((now - signed.created).total_seconds())
    if skew_s > max_skew_s:
        raise Frozen(f"request: made {skew_s:.0f} s from the registry's time, expected at most {max_skew_s} s")
    return signed


def content_digest(body: bytes) -> str:
    """Return the value of the header Content-Digest."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(method: str, path_and_query: str, digest: str, parameters: str) -> bytes:
    """Return what is signed (RFC 9421, section 2.5); `parameters` is Signature-Input behind its label.

    An absent query stands as "?" (2.2.7).
    """
    path, _, query = path_and_query.partition("?")
    lines = (
        f'"@method": {method}',
        f'"@path": {path or "/"}',
        f'"@query": ?{query}',
        f'"content-digest": {digest}',
        f'"@signature-params": {parameters}',
    )
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError as error:
        raise Malformed("request: expected a path and query in ASCII, the rest percent-encoded") from error


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> re.Match[str]:
    value = headers.get(name)
    if value is None or len(value) > MAX_HEADER_CHARS:
        raise Malformed(f"request: expected a header {name} of at most {MAX_HEADER_CHARS} characters")
    match = form.fullmatch(value)
    if match is None:
        raise Malformed(f"request: header {name}: expected the form that docs/wire-format.md gives")
    return match


def _signed(pairs: list[tuple[str, str]], now: datetime) -> Signed:
    found = dict(pairs)
    if len(found) != len(pairs) or not {"created", "nonce", "keyid"} <= found.keys():
        raise Malformed("request: signature-input: expected created, nonce and keyid, each once")
    if found.get("alg", "ed25519") != "ed25519" or not _NONCE.fullmatch(found["nonce"]):
        raise Malformed("request: signature-input: expected alg ed25519 and a nonce of 16 to 64 characters")
    try:
        if int(found.get("expires", "999999999999")) <= now.timestamp():
            raise Frozen("request: expired, says its signature")
        return Signed(found["keyid"], found["nonce"], datetime.fromtimestamp(int(found["created"]), UTC))
    except (OverflowError, ValueError, OSError) as error:
        raise Malformed("request: signature-input: created: expected Unix seconds") from error
