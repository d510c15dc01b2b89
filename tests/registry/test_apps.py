"""The registry is one application of Django's, and its migrations say all that its models say."""

import pytest
from django.apps import apps
from django.core.management import call_command


def test_the_tables_are_the_registrys_own() -> None:
    """Each table bears the application's name."""
    names = [model._meta.db_table for model in apps.get_app_config("registry").get_models()]
    assert names
    assert all(name.startswith("registry_") for name in names)


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    """A model that changed without a migration is found here."""
    call_command("makemigrations", "registry", check=True, dry_run=True, verbosity=0)
