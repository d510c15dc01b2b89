"""The database's own guard of the ledger: no statement, whoever sends it, changes a transfer that is written.

Laid after each migration, which may have made the table anew. SQLite fails such a statement; PostgreSQL's rule makes it do nothing, since a
function for a trigger would stand in the way of a restore. Taking a school's whole database away stays possible.
"""

from typing import Final

from django.db import connections

_GUARDS: Final = {
    "sqlite": """
        CREATE TRIGGER IF NOT EXISTS transfers_are_never_changed BEFORE UPDATE ON registry_transfer
        BEGIN SELECT RAISE(ABORT, 'a transfer is never changed'); END
    """,
    "postgresql": """
        CREATE OR REPLACE RULE transfers_are_never_changed AS ON UPDATE TO registry_transfer DO INSTEAD NOTHING
    """,
}


def lay(using: str = "default", **_told: object) -> None:
    """Lay the guard if the table is there; Django calls it after a migration (`post_migrate`)."""
    connection = connections[using]
    if "registry_transfer" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        cursor.execute(_GUARDS[connection.vendor])
