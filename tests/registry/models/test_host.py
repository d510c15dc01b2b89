"""Hosts, codes, nonces: what the tables themselves refuse."""

import pytest
from django.db import IntegrityError

from registry.models import Nonce
from tests.rig import registered

pytestmark = pytest.mark.django_db


def test_a_nonce_is_taken_once_from_each_host() -> None:
    """A request that is sent again is known."""
    school = registered.school()
    host, other = registered.host(school), registered.host(school, "library")
    Nonce.objects.create(host=host, value="ab", expires_at=registered.NOON)
    Nonce.objects.create(host=other, value="ab", expires_at=registered.NOON)
    with pytest.raises(IntegrityError):
        Nonce.objects.create(host=host, value="ab", expires_at=registered.NOON)
