"""The one-page schema and the migrations make the same database."""

import threading
from pathlib import Path

import psycopg
import pytest

import zerkalo.db
from tests.support.database import TestServer
from zerkalo.db.address import in_schema
from zerkalo.db.migrate import MigrationError, current_revision, head_revision, is_current, upgrade
from zerkalo.db.pool import Connection, Pool

SCHEMA = Path(zerkalo.db.__file__).parent / "schema.sql"

OURS = "n.nspname = 'zerkalo' and c.relname not like all (array['%%procrastinate%%', 'alembic_version%%'])"
CATALOGS = {
    "tables": f"""
        select c.relname, c.relkind, c.relpersistence, c.reloptions, obj_description(c.oid)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where {OURS}""",
    "columns": f"""
        select c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
            a.attgenerated, a.attstorage, pg_get_expr(d.adbin, d.adrelid)
        from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
            left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where {OURS} and a.attnum > 0 and not a.attisdropped""",
    "constraints": f"""
        select c.relname, k.conname, pg_get_constraintdef(k.oid)
        from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
        where {OURS}""",
    "indexes": f"""
        select i.indexname, i.indexdef from pg_indexes i
            join pg_class c on c.relname = i.tablename join pg_namespace n on n.oid = c.relnamespace
        where {OURS} and i.schemaname = 'zerkalo'""",
    "triggers": f"""
        select c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)
        from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
        where {OURS} and not t.tgisinternal""",
    "functions": """
        select p.proname, pg_get_functiondef(p.oid) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'zerkalo' and p.proname not like 'procrastinate%%'""",
    "types": """
        select t.typname, t.typtype, (select array_agg(e.enumlabel order by e.enumsortorder) from pg_enum e
            where e.enumtypid = t.oid)
        from pg_type t join pg_namespace n on n.oid = t.typnamespace
        where n.nspname = 'zerkalo' and t.typname not like all (array['%%procrastinate%%', '%%alembic_version'])""",
}


def _catalog(dsn: str) -> dict[str, set[tuple[object, ...]]]:
    with psycopg.connect(dsn) as conn:
        return {
            name: {
                tuple(tuple(v) if isinstance(v, list) else v for v in row)
                for row in conn.execute(query, [])  # pyright: ignore[reportArgumentType]  the literals above
            }
            for name, query in CATALOGS.items()
        }


@pytest.fixture
def empty_dsn(database_server: TestServer):
    with database_server.database(migrated=False) as address:
        yield address


@pytest.mark.parametrize("catalog", CATALOGS)
def test_schema_page_shows_what_migrations_make(dsn: str, empty_dsn: str, catalog: str) -> None:
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("create schema zerkalo")
        conn.execute(SCHEMA.read_text(encoding="utf-8").encode())

    made, shown = _catalog(dsn)[catalog], _catalog(empty_dsn)[catalog]

    assert shown, "the comparison must see something"
    assert {"only the migrations": made - shown, "only schema.sql": shown - made} == {
        "only the migrations": set(),
        "only schema.sql": set(),
    }


async def test_migrated_database_is_current(pool: Pool, conn: Connection) -> None:
    assert await current_revision(conn) == head_revision()
    assert await is_current(conn)


async def test_database_without_migrations_is_not_current(empty_dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty_dsn) as conn:
        assert await current_revision(conn) is None
        assert not await is_current(conn)


def test_upgrade_runs_once(empty_dsn: str) -> None:
    assert upgrade(empty_dsn) is True
    assert upgrade(empty_dsn) is False


def test_processes_that_start_at_once_migrate_one_after_the_other(empty_dsn: str) -> None:
    done: list[bool] = []

    threads = [threading.Thread(target=lambda: done.append(upgrade(empty_dsn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == [False, False, False, True]


def test_revision_of_a_newer_version_is_left_alone(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("update alembic_version set version_num = '9999_future'")

    with pytest.raises(MigrationError, match="9999_future"):
        upgrade(dsn)


def test_migration_that_fails_leaves_nothing(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as conn:
        conn.execute("create schema zerkalo")
        conn.execute("create sequence audit_entries")  # in the way of a table

    with pytest.raises(psycopg.errors.DuplicateTable):
        upgrade(empty_dsn)

    with psycopg.connect(empty_dsn) as conn:
        assert conn.execute("select tablename from pg_tables where schemaname = 'zerkalo'").fetchall() == []


def test_everything_of_ours_stands_in_our_schema(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        elsewhere = conn.execute("""
            select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname not in ('zerkalo', 'pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%'
            union all
            select n.nspname, p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname not in ('zerkalo', 'pg_catalog', 'information_schema')
        """).fetchall()

    assert elsewhere == []


def test_another_schema_may_be_named(empty_dsn: str) -> None:
    other = in_schema(empty_dsn, "mirror_2")

    assert upgrade(other) is True
    assert upgrade(empty_dsn) is True

    with psycopg.connect(other) as conn:
        found = conn.execute("select schemaname from pg_tables where tablename = 'bookings' order by 1")
        assert found.fetchall() == [("mirror_2",), ("zerkalo",)]
        seen = conn.execute("select 'bookings'::regclass = 'mirror_2.bookings'::regclass").fetchone()
        assert seen == (True,)


def test_functions_and_triggers_work_from_a_session_with_another_path(dsn: str) -> None:
    with psycopg.connect(in_schema(dsn, "elsewhere"), autocommit=True) as conn:
        conn.execute("insert into zerkalo.users (email) values ('a@salon.test')")
        conn.execute("""
            insert into zerkalo.bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)
            select id, 5, 'adjustment', 'k', now(), now() from zerkalo.users
        """)
        with pytest.raises(psycopg.errors.RaiseException, match="only grows"):
            conn.execute("delete from zerkalo.bonus_entries")
        # A job of the engine passes through its triggers.
        conn.execute(
            "insert into zerkalo.procrastinate_jobs (queue_name, task_name) values ('bell', 'sweep')"
        )
        events = conn.execute("select count(*) from zerkalo.procrastinate_events").fetchone()
        assert events == (1,)
