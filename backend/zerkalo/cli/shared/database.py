"""The database that a command works on."""

from collections.abc import Generator
from contextlib import contextmanager

from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.db.database import database, is_made, none_here
from zerkalo.db.reach import see_that_it_answers
from zerkalo.settings import load_settings


@contextmanager
def database_in_use(*, makes: bool = True) -> Generator[str]:
    """Yield the address of the database that the settings name; the embedded one runs for as long as the block.

    With `makes` off, an embedded one that was never made raises `CommandFailed`. One of one's own that does not answer raises `DatabaseUnreachable`. The tables are not migrated by this.
    """
    settings = load_settings()
    if not makes and not is_made(settings):
        raise CommandFailed(none_here(settings))
    with database(settings) as dsn:
        if settings.database_url is not None:
            see_that_it_answers(dsn)
        yield dsn
