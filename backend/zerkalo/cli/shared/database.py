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

    Does not migrate the tables. With `makes` off, raises `CommandFailed` where the embedded one was never created. Raises
    `DatabaseUnreachable` where the server of DATABASE_URL does not answer.
    """
    settings = load_settings()
    if not makes and not is_made(settings):
        raise CommandFailed(none_here(settings))
    with database(settings) as dsn:
        if settings.database_url is not None:
            see_that_it_answers(dsn)
        yield dsn
