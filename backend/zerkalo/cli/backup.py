"""`zerkalo backup FILE` and `zerkalo restore FILE`: our schema to a file and back, and erasures applied again."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from psycopg.errors import UndefinedTable

from zerkalo.cli.shared.database import database_in_use
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.cli.shared.loop import run
from zerkalo.composition import command_parts, journal_writer
from zerkalo.db import backup as files
from zerkalo.db.backup import BackupError
from zerkalo.db.migrate import upgrade
from zerkalo.db.pool import open_pool
from zerkalo.settings import load_settings
from zerkalo.users.erasing import service, store
from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.model import Erasure


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="where to write; an older file is replaced")],
) -> None:
    """Write the whole database to FILE, readable by you only. Servers and workers may keep running.

    The ids of erased people are written beside it, so that a later restore erases them again.
    """
    with database_in_use(makes=False) as dsn:
        size_bytes = files.backup(dsn, file)
        erasures = run(_erasures_in(dsn))
    journal.append(journal.journal_beside(file), erasures)
    print(f"{file}: {size_bytes / 1e6:.1f} MB written")


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="made by `zerkalo backup`, on PostgreSQL 15 to 18")
    ],
    force: Annotated[bool, typer.Option("--force", help="replace what the database holds")] = False,
    erasures: Annotated[
        Path | None,
        typer.Option(help="the journal of erasures to apply again; else those beside DATA_DIR and FILE"),
    ] = None,
) -> None:
    """Fill an empty database from FILE, all or nothing, and migrate its tables to this version.

    People who were erased after the backup are erased again.
    """
    if erasures is not None and not erasures.is_file():
        raise CommandFailed(f"{erasures} is not there: name the journal of erasures, or leave --erasures out")
    paths = [erasures] if erasures is not None else _journals(file)
    known = journal.merged(journal.read(path) for path in paths)
    with database_in_use() as dsn, _telling_of_erasures(file, erasures, known):
        files.restore(dsn, file, force=force)
        # Before anything else can fail: `zerkalo check` compares the database with the journal beside DATA_DIR.
        journal_writer(load_settings())(known)
        upgrade(dsn)
    print(f"{file}: restored")
    if not any(path.is_file() for path in paths):
        print(
            f"No journal of erasures was found ({', '.join(str(path) for path in paths)}): people who were erased after"
            " this backup are back. Name the journal with --erasures FILE."
        )
        return
    with _telling_of_erasures(file, erasures, known):
        back = run(_erase_again(known))
    print(f"Erasures applied again: {len(known)}; people whom the backup had brought back: {back}.")


@contextmanager
def _telling_of_erasures(file: Path, erasures: Path | None, known: Sequence[Erasure]) -> Generator[None]:
    """Tell, where a restore ends before its end, that erased people may be back. A refused backup changed nothing."""
    try:
        yield
    except BackupError:
        raise
    except BaseException:  # Ctrl-C too; whatever it was goes on
        if known:
            option = f" --erasures {erasures}" if erasures is not None else ""
            sys.stderr.write(
                "zerkalo restore: ended before erasures were applied again: people who were erased after the backup"
                f" may be back. Run `zerkalo restore {file} --force{option}` before anybody uses the database.\n"
            )
        raise


def _journals(file: Path) -> list[Path]:
    return [journal.journal_beside(load_settings().data_dir), journal.journal_beside(file)]


async def _erasures_in(dsn: str) -> list[Erasure]:
    async with open_pool(dsn, name="backup") as pool, pool.connection() as conn:
        try:
            return await store.read_erasures(conn)
        except UndefinedTable:
            return []  # a database that has not been migrated yet


async def _erase_again(known: Sequence[Erasure]) -> int:
    async with command_parts() as parts:
        return await service.erase_again(
            parts.pool,
            known,
            settle_bookings=parts.people.ports.settle_bookings,
            contact_key=parts.people.proof_key,
            email_counts_alone=parts.people.email_counts_alone,
            now=parts.clock(),
        )
