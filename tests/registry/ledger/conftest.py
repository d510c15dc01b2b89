"""What is refused is told in English here."""

from collections.abc import Iterator

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Speak English, whatever the registry's own language is."""
    with translation.override("en"):
        yield
