"""Why the database did not do what it was asked, in a few words for a line of the log. Pure."""

from collections.abc import Iterator

from psycopg.errors import DiskFull, ReadOnlySqlTransaction, TooManyConnections

SILENT = "the database does not answer"
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (DiskFull, "the disk of the database is full"),
    (ReadOnlySqlTransaction, "the database is read-only"),
    (TooManyConnections, "the database takes no more connections"),
)


def reason_of(error: BaseException) -> str:
    """What the error, or one that caused it, says of the database; where it says nothing, that it does not answer."""
    for cause in _causes(error):
        for kind, reason in _REASONS:
            if isinstance(cause, kind):
                return reason
    return SILENT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from: the engine wraps those of the database in its own."""
    while error is not None:
        yield error
        error = error.__cause__
