"""The database that a command works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from zerkalo.cli.failure import CommandFailed
from zerkalo.db.binaries import EmbeddedError
from zerkalo.db.embedded import database
from zerkalo.db.migrate import MigrationError
from zerkalo.settings import load_settings


@contextmanager
def database_in_use() -> Iterator[str]:
    """Yields the address of the database that the settings name; the embedded one runs for as long as the block.

    What the user can mend is raised as `CommandFailed`. The tables are not migrated by this.
    """
    try:
        with database(load_settings()) as dsn:
            yield dsn
    except (EmbeddedError, MigrationError) as error:
        raise CommandFailed(str(error)) from error
