"""An update: what stood in the tables stands there afterwards, servers of the version before go on, and nobody queues for long.

The next version's migration is made here: expand (a column, an index, a table), which the version before does not see.
What takes something away waits for a later version (docs/production.md).
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.application import COMPANY_ID, SECRET, WEBHOOK, running_application
from tests.support.database import TestServer
from tests.support.million import fill
from tests.support.vendor import State, event
from zerkalo.db.migrate import FOLDER, MigrationError, head_revision, upgrade

pytestmark = pytest.mark.integration

READ = ("/api/v1/admin/bookings", "/api/v1/auth/me", "/readyz")
FIRST = "2026_11_26_initial"
EXPAND = f'''
"""Expand: a column, an index, a table."""
from alembic import op

revision = "2099_01_01_expand"
down_revision = "{head_revision()}"


def upgrade() -> None:
    op.execute("alter table bookings add column colour text")
    op.execute("alter table users add column nickname text not null default ''")
    op.execute("create index bookings_by_colour on bookings (colour) where colour is not null")
    op.execute("create table colours (name text primary key)")
'''


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The migrations of a version to come."""
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER, folder)
    (folder / "versions" / "2099_01_01_expand.py").write_text(EXPAND, encoding="utf-8")
    return folder


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """The first migration alone."""
    folder = tmp_path / "first"
    shutil.copytree(FOLDER, folder)
    for path in (folder / "versions").glob("*.py"):
        if f'revision = "{FIRST}"' not in path.read_text(encoding="utf-8").split("down_revision")[0]:
            path.unlink()
    return folder


@pytest.fixture
def empty_dsn(database_server: TestServer) -> Iterator[str]:
    with database_server.database(migrated=False) as address:
        yield address


def contents(dsn: str, columns: dict[str, list[str]] | None = None) -> dict[str, tuple[list[str], list[str]]]:
    """Table -> its columns and its rows as text; `columns`: only those, of those tables."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    with psycopg.connect(dsn) as conn:
        every = conn.execute(
            "select table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns"
            " join information_schema.tables using (table_schema, table_name)"
            " where table_schema = current_schema() and table_type = 'BASE TABLE' and table_name <> 'alembic_version'"
            " group by 1"
        ).fetchall()
        for table, known in every:
            if columns is not None and table not in columns:
                continue
            names = columns[table] if columns else known
            query = sql.SQL("select row({})::text from {} order by 1").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table)
            )
            found[table] = (names, [row[0] for row in conn.execute(query).fetchall()])
    return found


@pytest.mark.parametrize("is_next", [False, True], ids=["newest", "one to come"])
def test_data_of_the_first_migration_survive(
    empty_dsn: str, first_version: Path, next_version: Path, *, is_next: bool
) -> None:
    upgrade(empty_dsn, folder=first_version)
    fill(empty_dsn, bookings=1000, companies=range(1, 6))
    before = contents(empty_dsn)

    upgrade(empty_dsn, folder=next_version if is_next else FOLDER)

    after = contents(empty_dsn, {table: names for table, (names, _) in before.items()})
    assert after == before
    assert sum(len(rows) for _, rows in before.values()) > 1400


async def test_servers_of_the_version_before_go_on_while_the_tables_are_brought_up_to_date(
    dsn: str, tmp_path: Path, next_version: Path
) -> None:
    async with running_application(dsn, tmp_path, with_worker=False) as application:
        user_id = await application.new_user(email="anna@example.com", is_admin=True)
        token = (await application.session_of(user_id)).access_token
        statuses: list[int] = []
        migrated = asyncio.Event()

        async def go_on(number: int) -> None:
            async with application.client(token) as client:
                after = 0
                while after < 10:
                    after += migrated.is_set()
                    body = event(State(1), id=number * 1000 + len(statuses), company_id=COMPANY_ID)
                    body |= {"company_id": COMPANY_ID}
                    statuses.append((await client.post(f"{WEBHOOK}/{SECRET}", json=body)).status_code)
                    statuses.extend([(await client.get(path)).status_code for path in READ])

        callers = [asyncio.create_task(go_on(number)) for number in range(1, 4)]
        while len(statuses) < 50:
            await asyncio.sleep(0.01)
        assert await asyncio.to_thread(upgrade, dsn, folder=next_version)
        migrated.set()
        await asyncio.gather(*callers)

    assert set(statuses) == {200}


def test_a_migration_waits_for_nobody_for_long_leaves_nothing_and_can_be_repeated(
    dsn: str, next_version: Path
) -> None:
    before = contents(dsn)
    with psycopg.connect(dsn) as somebody:
        somebody.execute("lock table users in access share mode")  # a long report
        with pytest.raises(MigrationError, match="run `zerkalo migrate` again"):
            upgrade(dsn, folder=next_version, lock_timeout_seconds=0.05)

    assert contents(dsn) == before
    assert upgrade(dsn, folder=next_version) is True
    assert upgrade(dsn, folder=next_version) is False


def test_a_version_that_does_not_know_the_tables_leaves_them_alone(dsn: str, next_version: Path) -> None:
    upgrade(dsn, folder=next_version)
    before = contents(dsn)

    with pytest.raises(MigrationError, match="2099_01_01_expand"):
        upgrade(dsn)

    assert contents(dsn) == before
