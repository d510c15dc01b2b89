"""Django's settings for the tests: the registry's own, on SQLite or, by VIIPE_TEST_DATABASE, on PostgreSQL."""

import os
import tempfile

from registry import data_dir

os.environ[data_dir.VARIABLE] = tempfile.mkdtemp(prefix="viipe-registry-test-")

from registry.settings import *  # noqa: F403
from registry.settings import DATA_DIR

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a slow hash is what tests need least
if address := os.environ.get("VIIPE_TEST_DATABASE"):
    DATABASES = {"default": data_dir.database(DATA_DIR, address)}
