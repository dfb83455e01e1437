"""A backup holds everything, goes into every supported server, and a restore is whole or nothing."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from embedded_postgres import MAJOR
from tests.support.database import TestServer
from tests.support.own_server import installed_servers, own_server
from zerkalo.db.backup import BackupError, _copy_script, backup, restore
from zerkalo.db.migrate import upgrade

pytestmark = pytest.mark.integration

TREACHEROUS_NAME = "Аня\nSET transaction_timeout = 0;\n\\.\ncommit;\t\\N"


@pytest.fixture
def filled_dsn(dsn: str) -> str:
    """A database with a row that would break a careless copy, and one in each corner that a dump may forget."""
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "insert into users (email, phone, name) values ('a@salon.ru', '+79991234567', %s)",
            [TREACHEROUS_NAME],
        )
        conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " select id, 5, 'adjustment', 'k', now(), now() from users"
        )
        conn.execute("insert into procrastinate_jobs (queue_name, task_name) values ('q', 't')")
    return dsn


@pytest.fixture
def empty_dsn(database_server: TestServer) -> Iterator[str]:
    with database_server.database(migrated=False) as address:
        yield address


def _content(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(
            "select u.name, u.phone10, b.amount, j.task_name from users u, bonus_entries b, procrastinate_jobs j"
        ).fetchall()


def _tables(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("select count(*) from pg_tables where schemaname = 'zerkalo'").fetchone()
    assert row is not None
    return row[0]


def test_backup_appears_whole_and_private(filled_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "zerkalo.backup"
    file.write_text("an older one")
    file.chmod(0o644)

    size_bytes = backup(filled_dsn, file)

    assert file.stat().st_size == size_bytes > 1000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["zerkalo.backup"]


def test_backup_that_fails_leaves_the_older_one(filled_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "zerkalo.backup"
    file.write_text("an older one")

    with pytest.raises(BackupError, match=r"the backup failed: .*nowhere"):
        backup(make_conninfo(filled_dsn, dbname="nowhere"), file)

    assert file.read_text() == "an older one"
    assert len(list(tmp_path.iterdir())) == 1


def test_backup_into_a_missing_folder_says_so(filled_dsn: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="can't be written: No such file or directory"):
        backup(filled_dsn, tmp_path / "nowhere" / "zerkalo.backup")


@pytest.mark.slow
@pytest.mark.parametrize("target", installed_servers())
@pytest.mark.parametrize("source", installed_servers())
def test_backup_goes_from_any_supported_server_into_any(source: int, target: int, tmp_path: Path) -> None:
    file = tmp_path / "zerkalo.backup"
    with own_server(installed_servers()[source]) as dsn:
        upgrade(dsn)
        with psycopg.connect(dsn) as conn:
            conn.execute(
                "insert into users (email, phone, name) values ('a@salon.ru', '+79991234567', %s)",
                [TREACHEROUS_NAME],
            )
            conn.execute("insert into facts values ('n', '1', now())")
            assert conn.info.server_version // 10_000 == source
        backup(dsn, file)

    with own_server(installed_servers()[target]) as dsn:
        restore(dsn, file)
        with psycopg.connect(dsn) as conn:
            assert conn.info.server_version // 10_000 == target
            assert conn.execute("select name, phone10 from users").fetchall() == [
                (TREACHEROUS_NAME, "9991234567")
            ]
            assert conn.execute("insert into users (name) values ('next') returning id").fetchall() == [(2,)]
        assert upgrade(dsn) is False


def test_restore_brings_everything_back(filled_dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    backup(filled_dsn, tmp_path / "b")

    restore(empty_dsn, tmp_path / "b")

    assert _content(empty_dsn) == _content(filled_dsn) == [(TREACHEROUS_NAME, "9991234567", 5, "t")]
    with psycopg.connect(empty_dsn) as conn, pytest.raises(psycopg.errors.RaiseException, match="only grows"):
        conn.execute("delete from bonus_entries")


def test_restore_refuses_a_database_that_is_not_empty(filled_dsn: str, dsn: str, tmp_path: Path) -> None:
    backup(filled_dsn, tmp_path / "b")

    with pytest.raises(BackupError, match=r"not empty.*--force"):
        restore(dsn, tmp_path / "b")


def test_restore_by_force_replaces_what_was_there(filled_dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    backup(filled_dsn, tmp_path / "b")
    upgrade(empty_dsn)
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("insert into users (name) values ('somebody else')")
        conn.execute("create table of_a_newer_version (user_id bigint references users (id))")
        conn.execute("create view everybody as select * from users")

    restore(empty_dsn, tmp_path / "b", force=True)

    assert _content(empty_dsn) == _content(filled_dsn)
    assert _tables(empty_dsn) == _tables(filled_dsn)


def test_restore_refuses_while_others_are_connected(filled_dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    backup(filled_dsn, tmp_path / "b")

    with (
        psycopg.connect(empty_dsn, application_name="zerkalo server"),
        pytest.raises(BackupError, match=r"others are connected.*zerkalo serve"),
    ):
        restore(empty_dsn, tmp_path / "b")


def test_restore_by_force_too_refuses_while_a_server_runs(filled_dsn: str, tmp_path: Path) -> None:
    """It would go on with what it had read before, and write it into the restored tables."""
    backup(filled_dsn, tmp_path / "b")
    with psycopg.connect(filled_dsn) as conn:
        conn.execute("update users set name = 'written after the backup'")

    with (
        psycopg.connect(filled_dsn, application_name="zerkalo server"),
        pytest.raises(BackupError, match=r"others are connected.*zerkalo serve"),
    ):
        restore(filled_dsn, tmp_path / "b", force=True)

    with psycopg.connect(filled_dsn) as conn:
        assert conn.execute("select name from users").fetchall() == [("written after the backup",)]


def test_another_program_may_stay_connected(filled_dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    backup(filled_dsn, tmp_path / "b")

    with psycopg.connect(empty_dsn, application_name="the salon's app"):
        restore(empty_dsn, tmp_path / "b")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_backup_that_breaks_off_changes_nothing(filled_dsn: str, tmp_path: Path, kept: float) -> None:
    file = tmp_path / "b"
    with psycopg.connect(filled_dsn) as conn:  # enough rows that the file breaks off among them
        conn.execute("insert into users (name) select md5(n::text) from generate_series(1, 20000) n")
    backup(filled_dsn, file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * kept)])
    with psycopg.connect(filled_dsn) as conn:
        conn.execute("insert into users (name) values ('written after the backup')")

    with pytest.raises(BackupError):
        restore(filled_dsn, file, force=True)

    with psycopg.connect(filled_dsn) as conn:
        assert conn.execute("select count(*) from users where name like 'written%'").fetchall() == [(1,)]


def test_file_that_is_no_backup_is_refused(empty_dsn: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("drop table users;")

    with pytest.raises(BackupError, match="is no backup made by"):
        restore(empty_dsn, tmp_path / "b")
    with pytest.raises(BackupError, match="there is no file"):
        restore(empty_dsn, tmp_path / "nothing")


def test_setting_that_old_servers_lack_is_left_out_of_the_head_and_nothing_out_of_the_rows() -> None:
    head = b"SET lock_timeout = 0;\n"
    newer = b"SET transaction_timeout = 0;\n"
    rows = b"COPY zerkalo.users (name) FROM stdin;\n" + newer + b"\\.\n"
    target = io.BytesIO()

    _copy_script(io.BytesIO(head + newer + rows), target)

    assert target.getvalue() == head + rows


def test_every_supported_server_includes_the_wheels() -> None:
    assert MAJOR in installed_servers()
