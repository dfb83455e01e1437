"""Examine the machine: the database, a few files, and one request without a token to YCLIENTS's host."""

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from psycopg.errors import DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction

from zerkalo.checkup.machine.model import Failure, LooseFile, Machine, Reach, Refusal
from zerkalo.checkup.machine.rules import other_url
from zerkalo.db.migrate import is_current
from zerkalo.db.pool import Connection
from zerkalo.settings import Settings
from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.store import count_lacking

REACH_SECONDS_MAX = 10.0
HEAD_BYTES_MAX = 16 * 1024

AskDate = Callable[[str, Path | None], Awaitable[datetime | None]]
"""Asks the host of an address, with a CA bundle, for its time; raises what the network raises."""


async def ask_date(url: str, ca_file: Path | None) -> datetime | None:
    """Return the `Date` header of the server at the address. Raises gaierror, SSLError, OSError, TimeoutError."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None) if is_tls else None
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if is_tls else 80), ssl=context, limit=HEAD_BYTES_MAX
    )
    try:
        writer.write(f"HEAD / HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        # The server is reachable, but does not answer with HTTP.
        return None
    finally:
        writer.close()
    for line in head.decode("latin-1").splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "date":
            return _instant(value.strip())
    return None


@dataclass(frozen=True, slots=True)
class World:
    """Access to the machine; tests pass a replacement."""

    ask_date: AskDate = ask_date
    free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    mode: Callable[[Path], int] = lambda path: path.stat().st_mode


async def look(
    conn: Connection | None, settings: Settings, *, now: Callable[[], datetime], world: World | None = None
) -> Machine:
    """Examine the machine. `conn` None: there is no database. Takes `2 * REACH_SECONDS_MAX` at most."""
    world = world or World()
    version, ahead = await _database(conn, now) if conn is not None else (None, None)
    url = settings.yclients_api_url
    reach = await _reach(url, settings.yclients_ca_file, now, world) if settings.yclients_enabled else None
    other = other_url(url) if reach is not None and reach.failure is not None else None
    found = await _reach(other, settings.yclients_ca_file, now, world) if other else None
    return Machine(
        postgres_version=version,
        refusal=await _refusal(conn) if conn is not None else None,
        is_embedded=settings.database_url is None,
        clock_ahead_seconds=ahead,
        data_dir=str(settings.data_dir),
        free_bytes=_free_bytes(settings.data_dir, world),
        loose_files=tuple(_loose_files(settings, world)),
        journal=str(journal.journal_beside(settings.data_dir)),
        erasures_lacking=await _erasures_lacking(conn, settings) if conn is not None else 0,
        yclients=reach,
        other_host=found.host if found is not None and found.failure is None else None,
    )


async def _database(conn: Connection, now: Callable[[], datetime]) -> tuple[int, float]:
    before = now()
    row = await (await conn.execute("select clock_timestamp()")).fetchone()
    assert row is not None, "a question without a table has a row"
    middle = before + (now() - before) / 2
    return conn.info.server_version, (middle - row[0]).total_seconds()


async def _erasures_lacking(conn: Connection, settings: Settings) -> int:
    if not await is_current(conn):
        return 0
    try:
        found = journal.read(journal.journal_beside(settings.data_dir))
    except OSError:
        # Whoever typed the command may not read the service's files; the database can still be examined.
        return 0
    return await count_lacking(conn, found)


async def _refusal(conn: Connection) -> Refusal | None:
    """Return why the database accepts no writes, tried on a temporary table that is rolled back."""
    try:
        async with conn.transaction(force_rollback=True):
            await conn.execute("create temporary table zerkalo_check as select repeat('0', 1000) as filler")
    except DiskFull:
        return Refusal.DISK_FULL
    except ReadOnlySqlTransaction:
        return Refusal.READ_ONLY
    except InsufficientPrivilege:
        # A role may be allowed to write to its tables, but not to create temporary ones.
        return None
    return None


async def _reach(url: str, ca_file: Path | None, now: Callable[[], datetime], world: World) -> Reach:
    host = urlsplit(url).hostname or ""
    try:
        async with asyncio.timeout(REACH_SECONDS_MAX):
            date = await world.ask_date(url, ca_file)
    except socket.gaierror as error:
        return Reach(host, Failure.NAME, error.strerror or "")
    except ssl.SSLError as error:
        return Reach(
            host, Failure.TLS, getattr(error, "verify_message", "") or getattr(error, "reason", "") or "TLS"
        )
    except TimeoutError:
        return Reach(host, Failure.CONNECT, f"no answer in {REACH_SECONDS_MAX:.0f} s")
    except OSError as error:
        return Reach(host, Failure.CONNECT, error.strerror or type(error).__name__)
    return Reach(host, clock_ahead_seconds=(now() - date).total_seconds() if date else None)


def _free_bytes(folder: Path, world: World) -> int | None:
    # The folder may not exist yet: then its nearest parent counts.
    for path in (folder, *folder.parents):
        try:
            return world.free_bytes(path)
        except OSError:
            continue
    return None


def _loose_files(settings: Settings, world: World) -> list[LooseFile]:
    """Return secret files with too wide permissions: the key is for its owner only; a service's group may read `.env`."""
    found: list[LooseFile] = []
    key = settings.data_dir / "secret_key" if settings.secret_key is None else None
    for path, forbidden in ((settings.env_file, 0o007), (key, 0o077)):
        if path is None:
            continue
        try:
            mode = world.mode(path)
        except OSError:
            continue
        if mode & forbidden:
            found.append(LooseFile(os.fspath(path), f"{mode & 0o777:03o}"))
    return found


def _instant(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
