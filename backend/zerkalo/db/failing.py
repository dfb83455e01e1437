"""The reason of a database failure, in a few words for the log. Pure."""

from collections.abc import Iterator

from psycopg.errors import DiskFull, ReadOnlySqlTransaction, TooManyConnections

SILENT = "the database does not answer"
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (DiskFull, "the disk of the database is full"),
    (ReadOnlySqlTransaction, "the database is read-only"),
    (TooManyConnections, "the database takes no more connections"),
)


def reason_of(error: BaseException) -> str:
    """Return the database's reason in the error or its causes; where there is none, that it does not answer."""
    for cause in _causes(error):
        for kind, reason in _REASONS:
            if isinstance(cause, kind):
                return reason
    return SILENT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and its causes: the job engine wraps database errors in its own."""
    while error is not None:
        yield error
        error = error.__cause__
