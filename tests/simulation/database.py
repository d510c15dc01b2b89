"""A registry's database in memory, for a process that is no test: to be prepared before anything of the registry is imported."""

import os

import django
from django.db import connection


def prepare() -> None:
    """Give Django its settings and an empty database with all tables."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.rig.registry_settings")
    django.setup()
    connection.settings_dict["TEST"]["MIGRATE"] = False  # the tables as the models are now: a second quicker
    connection.settings_dict["OPTIONS"]["cached_statements"] = (
        1024  # some 300 come again each day: more than are kept otherwise
    )
    connection.creation.create_test_db(verbosity=0, serialize=False)
