"""`zerkalo migrate`: bring the database's tables up to date."""

from zerkalo.cli.shared.database import database_in_use
from zerkalo.db.migrate import head_revision, upgrade


def migrate() -> None:
    """Bring the tables of the database in use up to this version. Safe to repeat, and beside a running server."""
    with database_in_use() as dsn:
        changed = upgrade(dsn)
    print(f"the tables {'were brought' if changed else 'are already'} up to date ({head_revision()})")
