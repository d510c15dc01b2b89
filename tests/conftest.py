"""What all tests share: Hypothesis without deadlines, since two cores are often busy, and the process as each test found it."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("viipe", deadline=None, print_blob=True)
hypothesis.settings.load_profile("viipe")


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """Put back what a command that was called in this process has narrowed: later tests make files that others must read."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
