"""Timestamps: small signed documents that tell the newest state and the time, so that silence and old answers are recognised."""

from datetime import datetime, timedelta
from typing import Final

from registry.models import School
from registry.publishing.state import state_of
from sync.wire.document import TIMESTAMP, sign
from sync.wire.keys import SigningKey

LIFE: Final = timedelta(hours=1)


def make(school: School, signer: SigningKey, now: datetime, nonce: str | None = None) -> bytes:
    """Return a timestamp of a school's newest state. With a `nonce` (hex) it answers whoever asked with it, and vouches for the time."""
    state = state_of(school)
    return sign(
        kind=TIMESTAMP,
        audience=school.code,
        generation=state.generation,
        version=state.version,
        issued_at=now,
        expires_at=now + LIFE,
        digest=state.digest,
        signer=signer,
        nonce=nonce,
    )
