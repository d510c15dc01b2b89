"""The closed lists agree with what hosts know: what the tables themselves refuse."""

from policy.model import Kind
from registry.models import CardKind


def test_kinds_are_those_that_rules_speak_of() -> None:
    """A kind that a host does not know would be refused there."""
    assert set(CardKind.values) == {str(kind) for kind in Kind}
