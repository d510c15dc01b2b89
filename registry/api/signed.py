"""Who sends a request: a host that is enrolled, has signed it just now, and was not revoked. Each request is taken once."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction

from registry.api.refusals import Refusal
from registry.models import Host, Nonce
from sync.wire import times
from sync.wire.faults import Frozen, Malformed, WireFault
from sync.wire.request import MAX_SKEW_S, Signed, verify_request

_REMEMBERED: Final = timedelta(seconds=2 * MAX_SKEW_S)
# In SQL, since every request pays for these two, and to make them of Django's parts costs ten times what they do.
_HOST: Final = "SELECT * FROM registry_host WHERE name = %s"
_TAKE: Final = "INSERT INTO registry_nonce (host_id, value, expires_at) VALUES (%s, %s, %s) ON CONFLICT (host_id, value) DO NOTHING"
_HEARD_EVERY: Final = timedelta(seconds=5)  # a time that people read need not be written with each request


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: the path and query as they were on the wire."""

    method: str
    path_and_query: str
    headers: Mapping[str, str]
    body: bytes


def signer_of(asked: Asked, now: datetime) -> Host:
    """Return the host that signed a request. Raises Refusal: unsigned, malformed, bad_signature, revoked, replayed."""
    hosts: dict[str, Host] = {}

    def public_of(name: str) -> bytes | None:
        for host in Host.objects.raw(_HOST, [name]):
            hosts[name] = host
            return bytes(host.public_key or b"") or None
        return None

    signed = _verified(asked, public_of, now)
    host = hosts[signed.host]
    if host.revoked_at is not None:
        raise Refusal("revoked", "keyid", f"host {host.name}, revoked", "a host that is enrolled")
    _take_once(host, signed, now)
    return host


def _verified(asked: Asked, public_of: Callable[[str], bytes | None], now: datetime) -> Signed:
    if "signature-input" not in asked.headers or "signature" not in asked.headers:
        raise Refusal("unsigned", "signature-input", "nothing", "a signature as docs/wire.md tells")
    try:
        return verify_request(public_of, asked.method, asked.path_and_query, asked.headers, asked.body, now)
    except Malformed as fault:
        raise Refusal("malformed", "signature", str(fault), "headers as docs/wire.md tells") from fault
    except Frozen as fault:
        raise Refusal(
            "bad_signature", "created", str(fault), f"within {MAX_SKEW_S} s of {times.to_text(now)}"
        ) from fault
    except WireFault as fault:
        raise Refusal("bad_signature", "signature", str(fault), "the signature of an enrolled host") from fault


def _take_once(host: Host, signed: Signed, now: datetime) -> None:
    is_heard_anew = host.last_heard_at is None or now - host.last_heard_at > _HEARD_EVERY
    with transaction.atomic() if is_heard_anew else nullcontext(), connection.cursor() as cursor:
        expires_at = connection.ops.adapt_datetimefield_value(signed.created + _REMEMBERED)
        cursor.execute(_TAKE, [host.pk, signed.nonce, expires_at])
        if cursor.rowcount == 0:
            raise Refusal("replayed", "nonce", "a nonce that was used before", "a nonce of its own")
        if is_heard_anew:
            Host.objects.filter(pk=host.pk).update(last_heard_at=now)


def forget_nonces(now: datetime) -> int:
    """Forget the nonces of requests that would be refused for their age by now; returns their number."""
    return Nonce.objects.filter(expires_at__lt=now).delete()[0]
