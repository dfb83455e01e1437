"""The database that a command works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from zerkalo.db.database import database
from zerkalo.db.reach import see_that_it_answers
from zerkalo.settings import load_settings


@contextmanager
def database_in_use() -> Iterator[str]:
    """Yields the address of the database that the settings name; the embedded one runs for as long as the block.

    One of one's own that does not answer raises `DatabaseUnreachable`. The tables are not migrated by this.
    """
    settings = load_settings()
    with database(settings) as dsn:
        if settings.database_url is not None:
            see_that_it_answers(dsn)
        yield dsn
