"""`zerkalo backup FILE` and `zerkalo restore FILE`: the whole database to a file and back."""

from pathlib import Path
from typing import Annotated

import typer

from zerkalo.cli.database import database_in_use
from zerkalo.db import backup as files
from zerkalo.db.migrate import upgrade


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to write; an older file is replaced")],
) -> None:
    """Write the whole database to FILE, readable by you only. Others may go on working meanwhile."""
    with database_in_use() as dsn:
        size_bytes = files.backup(dsn, file)
    print(f"{file}: {size_bytes / 1e6:.1f} MB written")


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="made by `zerkalo backup`, on PostgreSQL 15 to 18")
    ],
    force: Annotated[bool, typer.Option("--force", help="replace what the database holds")] = False,
) -> None:
    """Fill an empty database from FILE, whole or not at all, and bring its tables up to this version."""
    with database_in_use() as dsn:
        files.restore(dsn, file, force=force)
        upgrade(dsn)
    print(f"{file}: restored")
