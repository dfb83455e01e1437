"""The database in use: the salon's own server in DATABASE_URL, else an embedded one in DATA_DIR."""

from pathlib import Path
from types import TracebackType
from typing import Protocol

from embedded_postgres import (
    LENT_USERS,
    DataFolderUnusable,
    EmbeddedError,
    EmbeddedPostgres,
    NotAvailableHere,
    OtherMajorVersion,
)
from zerkalo.db.address import in_schema
from zerkalo.db.reach import see_that_it_can_be_read

DATABASE = "zerkalo"
"""The name of our database in the embedded server."""


class Database(Protocol):
    """A database in use: `with` or `async with` yields its address; the end of the block releases it."""

    def __enter__(self) -> str: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    async def __aenter__(self) -> str: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class DatabaseSettings(Protocol):
    """The settings that choose the database."""

    @property
    def database_url(self) -> str | None: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def database_schema(self) -> str: ...


def database(settings: DatabaseSettings, *, serves: bool = False) -> Database:
    """Return the database in use, for `with` or `async with`: that of DATABASE_URL, else the embedded one.

    Yields its address, which names our schema (`db.address`). The embedded one is started if it does not run, and
    stopped at the end if no other process uses it; with `serves` (the server's process) it is always stopped at the
    end. Raises `EmbeddedError`, or `DatabaseUnreachable` for an invalid address, with one line for the user.
    Does not migrate.
    """
    inner = (
        OwnServer(settings.database_url)
        if settings.database_url
        else embedded_database(settings.data_dir, serves=serves)
    )
    return InSchema(inner, settings.database_schema)


def embedded_database(data_dir: Path, *, serves: bool = False, durable: bool = True) -> EmbeddedPostgres:
    """Our database in the embedded server of `data_dir`; the arguments are those of `EmbeddedPostgres`."""
    return EmbeddedPostgres(
        data_dir, database=DATABASE, serves=serves, durable=durable, users=("zerkalo", *LENT_USERS)
    )


def is_made(settings: DatabaseSettings) -> bool:
    """Return whether a database exists: the salon's own server, or an embedded one that was started before."""
    return settings.database_url is not None or (settings.data_dir / "postgres").exists()


def none_here(settings: DatabaseSettings) -> str:
    """Return one line for a command that needs an existing database."""
    return (
        f"there is no database in {settings.data_dir} yet: `zerkalo serve` makes it;"
        " where it was made elsewhere, run the command in the folder of its .env"
    )


def advice(error: EmbeddedError) -> str:
    """Return what the user can do, by the names of our settings and commands; empty where the error suffices."""
    match error:
        case DataFolderUnusable():
            return "the setting is DATA_DIR, for example DATA_DIR=/var/lib/zerkalo"
        case NotAvailableHere():
            return "the setting is DATABASE_URL, for example DATABASE_URL=postgresql://zerkalo:password@localhost/zerkalo"
        case OtherMajorVersion():
            return "run `zerkalo backup FILE` with the Zerkalo that made them, then `zerkalo restore FILE` with this one"
        case _:
            return ""


class InSchema:
    """A database in use whose address names our schema."""

    def __init__(self, database: Database, schema: str) -> None:
        self._database = database
        self._schema = schema

    def __enter__(self) -> str:
        return in_schema(self._database.__enter__(), self._schema)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._database.__exit__(kind, error, trace)

    async def __aenter__(self) -> str:
        return in_schema(await self._database.__aenter__(), self._schema)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self._database.__aexit__(kind, error, trace)


class OwnServer:
    """A server of the salon's own: nothing to start or to stop."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def __enter__(self) -> str:
        see_that_it_can_be_read(self.database_url)
        return self.database_url

    def __exit__(self, *_: object) -> None:
        return None

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        return None
