"""`zerkalo psql`: a shell on the database in use."""

import os
import signal
import subprocess
from types import FrameType
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded_postgres import program
from zerkalo.cli.shared.database import database_in_use


def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="for psql itself: -- -c 'select 1'")
    ] = None,
) -> None:
    """Open PostgreSQL's own shell on the database in use; starts the embedded one if it is not running."""
    with database_in_use(makes=False) as dsn:
        parts = conninfo_to_dict(dsn)
        password = parts.pop("password", None)
        environment = {**os.environ, "PGAPPNAME": "zerkalo psql"}
        if password:  # not on the command line, which everyone on the machine can read
            environment["PGPASSWORD"] = str(password)
        # Ctrl-C cancels a query in psql and must not end the database under it. A handler, because psql would inherit
        # SIG_IGN.
        before = signal.signal(signal.SIGINT, _go_on)
        try:
            done = subprocess.run(
                [str(program("psql")), f"--dbname={make_conninfo('', **parts)}", *(arguments or [])],
                env=environment,
                check=False,
            )
        finally:
            signal.signal(signal.SIGINT, before)
    if done.returncode:
        raise typer.Exit(1)


def _go_on(_number: int, _frame: FrameType | None) -> None:
    pass
