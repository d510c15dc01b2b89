"""Timestamps tell the newest state and the time."""

from datetime import timedelta

import pytest

from registry.publishing import changes, timestamps
from registry.publishing.state import state_of
from sync.wire.document import TIMESTAMP, open_bytes
from sync.wire.keys import BoxKey, SigningKey
from sync.wire.root import Root
from sync.wire.trust import Trusted, admit
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def test_a_timestamp_answers_its_nonce_and_nothing_else() -> None:
    """It names version, digest and time; a host takes it, and sees that it is behind."""
    school, key = registered.school(), SigningKey.generate()
    root = Root(1, 1, (key.public,), 1, (key.public,), BoxKey.generate().public, NOON, NOON + timedelta(days=9))
    changes.documents_changed(school, now=lambda: NOON)
    header, raw = open_bytes(timestamps.make(school, key, NOON, "ab" * 16), root)
    assert (header.kind, header.version, header.nonce, header.issued_at) == (TIMESTAMP, 1, "ab" * 16, NOON)
    assert (header.digest, raw) == (state_of(school).digest, b"")
    assert admit(Trusted("thg", root), header, NOON, nonce="ab" * 16).is_behind
    assert open_bytes(timestamps.make(school, key, NOON), root)[0].nonce is None
