"""What the admin shows."""

from django.contrib.auth.models import Group

from registry.models import Card, Event, Person, School
from registry.office.site import office


def test_our_own_site_has_the_settings_alone() -> None:
    """Cards, persons and events have pages of their own, where each step is audited; Django's groups are not used."""
    assert office.is_registered(School)
    assert not any(office.is_registered(model) for model in (Card, Person, Event, Group))
