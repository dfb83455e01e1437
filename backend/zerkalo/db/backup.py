"""Backup to a file and back, by PostgreSQL's own programs; a backup made on any of 15 to 18 goes into any of them."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded_postgres import program

LOCK_WAIT_SECONDS_MAX = 60
SERVER_MAJORS = range(15, 19)

_OURS = """
    n.nspname = 'public' and not exists (
        select from pg_depend e
        where e.objid = o.oid and e.classid = o.tableoid and e.deptype in ('e', 'a', 'i'))"""
"""Objects of schema `public` that stand for themselves: no part of another one, and of no extension, since the
salon may have installed one there."""

_COUNT_RELATIONS = (
    f"select count(*) from pg_class o join pg_namespace n on n.oid = o.relnamespace where {_OURS}"
)

_COUNT_OTHERS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and usename is not null
        and coalesce(backend_type, 'client backend') = 'client backend'"""

_EMPTY_PUBLIC = f"""
set client_min_messages = warning;
do $$
declare
    it record;
    overload record;
begin
    for it in
        select case o.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            when 'f' then 'foreign table' else 'table' end as kind, o.relname as name
        from pg_class o join pg_namespace n on n.oid = o.relnamespace
        where {_OURS} and o.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        union all
        select 'routine', o.proname from pg_proc o join pg_namespace n on n.oid = o.pronamespace where {_OURS}
        union all
        select 'type', o.typname from pg_type o join pg_namespace n on n.oid = o.typnamespace
        where {_OURS} and o.typtype in ('e', 'd', 'c', 'r')
    loop
        -- "cascade" takes what hangs on it along, which is then gone when its own turn comes.
        if it.kind <> 'routine' then
            execute format('drop %s if exists public.%I cascade', it.kind, it.name);
        else
            for overload in select o.oid::regprocedure::text as name from pg_proc o
                    join pg_namespace n on n.oid = o.pronamespace where {_OURS} and o.proname = it.name loop
                execute format('drop routine if exists %s cascade', overload.name);
            end loop;
        end if;
    end loop;
end $$;
"""


class BackupError(Exception):
    """A backup or a restore is refused or failed. The text is one line that says why; nothing was changed."""


def backup(dsn: str, file: Path) -> int:
    """Writes the whole database at `dsn` to `file` (PostgreSQL's custom format), returns its size in bytes.

    One consistent moment, while others go on writing. The file is readable by its owner only, and appears whole or
    not at all: an older one of the same name stays until then. Raises `BackupError`.
    """
    conninfo, environment = _without_password(dsn)
    try:
        fd, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # made with mode 0600
        os.close(fd)
    except OSError as error:
        raise BackupError(f"{file} can't be written: {error.strerror}") from error
    # By its name, not by stdout: there pg_dump appends, and can't go back to note where each table's rows begin.
    command = [
        str(program("pg_dump")),
        *("--format=custom", "--no-owner", "--no-privileges", "--no-statistics", f"--file={unfinished}"),
        *(f"--lock-wait-timeout={LOCK_WAIT_SECONDS_MAX}s", f"--dbname={conninfo}"),
    ]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            raise BackupError(f"the backup failed: {_reason(done.stderr)}")
        size_bytes = os.path.getsize(unfinished)  # pg_dump has synced it
        os.replace(unfinished, file)
    except OSError as error:
        raise BackupError(f"{file} can't be written: {error.strerror}") from error
    finally:
        Path(unfinished).unlink(missing_ok=True)
    _sync_folder(file.parent)
    return size_bytes


def restore(dsn: str, file: Path, *, force: bool = False) -> None:
    """Fills the database at `dsn` (PostgreSQL 15 to 18) from `file`, in one transaction: whole or not at all.

    Refuses one that holds any table or that others are connected to; with `force` the objects of its schema
    `public` (but for extensions) are dropped in the same transaction first. Raises `BackupError`. It ends at the
    revision of the backup: migrate afterwards.
    """
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    _check_readable(file)
    _check_target(dsn, force=force)
    conninfo, environment = _without_password(dsn)
    reader = subprocess.Popen(
        [str(program("pg_restore")), "--file=-", "--no-owner", "--no-privileges", str(file)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writer = subprocess.Popen(
        [
            str(program("psql")),
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            f"--dbname={conninfo}",
        ],
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert reader.stdout
    assert reader.stderr
    assert writer.stdin
    assert writer.stderr
    with reader, writer:
        try:
            writer.stdin.write(b"begin;\n" + (_EMPTY_PUBLIC.encode() if force else b""))
            _copy_script(reader.stdout, writer.stdin)
            # The commit goes last and only after a whole read: a file that breaks off changes nothing.
            if reader.wait() == 0:
                writer.stdin.write(b"commit;\n")
            writer.stdin.close()
        except BrokenPipeError:  # psql stopped at an error, and says why
            reader.kill()
        refused, unreadable = writer.stderr.read(), reader.stderr.read()
        if writer.wait():
            raise BackupError(f"the database refused the backup: {_reason(refused)}")
        if reader.returncode:
            raise BackupError(f"{file} can't be read: {_reason(unreadable)}")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("analyze")  # without statistics the first queries would choose bad plans


def _without_password(dsn: str) -> tuple[str, dict[str, str]]:
    """The address without its password, which goes by the environment: a command line is seen by everyone."""
    parts = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    environment = {**os.environ, "PGAPPNAME": "zerkalo backup", "LC_MESSAGES": "C"}
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), environment


def _check_readable(file: Path) -> None:
    listed = subprocess.run(
        [str(program("pg_restore")), "--list", str(file)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if listed.returncode:
        raise BackupError(f"{file} is no backup made by `zerkalo backup`: {_reason(listed.stderr)}")


def _check_target(dsn: str, *, force: bool) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        major = conn.info.server_version // 10_000
        if major not in SERVER_MAJORS:
            raise BackupError(
                f"the server is PostgreSQL {major}; a backup goes into {SERVER_MAJORS[0]} to {SERVER_MAJORS[-1]}"
            )
        if force:
            return
        if _count(conn, _COUNT_RELATIONS):
            raise BackupError(
                "the database is not empty: restore into an empty one,"
                " or replace everything in this one with `zerkalo restore FILE --force`"
            )
        if _count(conn, _COUNT_OTHERS):
            raise BackupError(
                "others are connected to the database: stop `zerkalo serve` and `zerkalo worker` first"
            )


def _count(conn: psycopg.Connection, query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _copy_script(source: IO[bytes], target: IO[bytes]) -> None:
    """Copies the SQL of pg_restore 18, without the one setting in its head that servers before 17 don't know."""
    for line in source:
        if line == b"SET transaction_timeout = 0;\n":
            continue
        target.write(line)
        if line.startswith((b"CREATE ", b"COPY ")):  # the head is over; rows are copied untouched
            break
    while chunk := source.read(1 << 20):
        target.write(chunk)


def _reason(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").split("\n") if line.strip()]
    telling = [line for line in lines if "error:" in line.lower() or "fatal:" in line.lower()]
    return (telling or lines or ["no reason given"])[0].strip()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
