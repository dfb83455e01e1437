"""`migrate`, `psql`, `backup` and `restore` as they are typed: what they print and how they end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.integration.processes.test_sync_processes import as_url
from tests.support.database import open_folder
from tests.support.embedded import BACKEND, command_of, eventually, processes_of, server_pid, user_process
from zerkalo.db.database import embedded_database
from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.model import Erasure

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROGRAM = [sys.executable, "-c", "from zerkalo.cli.main import main; main()"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder to type commands in; its `data` holds a throw-away embedded database."""
    with open_folder() as folder:
        with embedded_database(folder / "data", durable=False):
            pass
        yield folder
        assert eventually(lambda: not processes_of(folder / "data"))


def _environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(BACKEND), **settings}


def _type(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=_environment(**settings),
        capture_output=True,
        text=True,
        check=False,
    )


def test_migrate_makes_the_tables_once(folder: Path) -> None:
    first, second = _type(folder, "migrate"), _type(folder, "migrate")

    assert (first.returncode, second.returncode) == (0, 0)
    assert "were brought up to date" in first.stdout
    assert "are already up to date" in second.stdout
    assert not processes_of(folder / "data")


def test_psql_answers_beside_a_running_server_and_leaves_it_running(folder: Path) -> None:
    with user_process(folder / "data", serves=True) as server:
        dsn = server.dsn()
        pid = server_pid(folder / "data")

        shown = _type(folder, "psql", "--", "-At", "-c", "select 'привет'")

        assert (shown.returncode, shown.stdout) == (0, "привет\n")
        with psycopg.connect(dsn) as conn:
            conn.execute("select 1")
        assert server_pid(folder / "data") == pid
        server.end()


def test_psql_fails_when_its_query_fails(folder: Path) -> None:
    failed = _type(folder, "psql", "--", "-c", "select * from nowhere")

    assert failed.returncode == 1
    assert 'relation "nowhere" does not exist' in failed.stderr


def test_ctrl_c_in_psql_ends_its_query_and_not_the_database_first(folder: Path) -> None:
    shell = subprocess.Popen(
        [*PROGRAM, "psql", "--", "-c", "select pg_sleep(60)"],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert eventually(lambda: _sleeps(folder))

    os.killpg(shell.pid, signal.SIGINT)
    _, errors = shell.communicate(timeout=30)

    assert "canceling statement due to user request" in errors
    assert "terminating connection" not in errors


def _sleeps(folder: Path) -> bool:
    commands = (" ".join(command_of(process)) for process in processes_of(folder / "data"))
    return any(
        command.startswith("postgres: postgres zerkalo") and "SELECT" in command for command in commands
    )


@pytest.mark.parametrize(
    ("words", "program"),
    [(["psql", "--", "-c", "select count(*) from users"], "psql"), (["backup", "b"], "pg_dump")],
)
def test_password_stands_on_no_command_line(folder: Path, dsn: str, words: list[str], program: str) -> None:
    address = as_url(dsn).replace("@", ":tops3cret@", 1)
    with psycopg.connect(dsn) as conn:
        name = conn.info.dbname
        conn.execute("lock table users in access exclusive mode")  # both wait for it: time to look
        command = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=folder,
            env=_environment(DATABASE_URL=address, SECRET_KEY="0123456789abcdef0123456789abcdef"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        assert eventually(lambda: any(f"bin/{program}" in line for line in _command_lines(command.pid)))
        lines = _command_lines(command.pid)
        for child in psutil.Process(command.pid).children():
            child.terminate()
        output, errors = command.communicate(timeout=30)

    assert any(f"bin/{program}" in line and name in line for line in lines)
    assert "tops3cret" not in "".join([*lines, output, errors])
    assert command.returncode == 1


def _command_lines(pid: int) -> list[str]:
    """The command lines of a process and its children; one that ends meanwhile has none any more."""
    try:
        process = psutil.Process(pid)
        return [" ".join(command_of(one)) for one in [process, *process.children()]]
    except psutil.NoSuchProcess:
        return []


def test_backup_and_restore_carry_a_salon_over(folder: Path) -> None:
    _type(folder, "migrate")
    _type(folder, "psql", "--", "-c", "insert into users (name) values ('Анна')")

    saved = _type(folder, "backup", "salon.backup")
    refused = _type(folder, "restore", "salon.backup")
    restored = _type(folder, "restore", "salon.backup", DATA_DIR="elsewhere")

    assert saved.returncode == 0, saved.stderr
    assert "salon.backup: 0." in saved.stdout
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "--force" in refused.stderr
    assert restored.returncode == 0, restored.stderr
    assert (
        _type(folder, "psql", "--", "-At", "-c", "select name from users", DATA_DIR="elsewhere").stdout
        == "Анна\n"
    )


CUT_OFF = """
import zerkalo.cli.backup

def upgrade(dsn):
    raise KeyboardInterrupt

zerkalo.cli.backup.upgrade = upgrade
"""


def test_a_restore_that_is_cut_off_says_that_erased_people_may_be_back(folder: Path) -> None:
    _type(folder, "migrate")
    _type(folder, "psql", "--", "-c", "insert into users (name, created_at) values ('Анна', '2025-01-01')")
    _type(folder, "backup", "salon.backup")
    journal.append(journal.journal_beside(folder / "data"), [Erasure(datetime.now(UTC), 1)])

    cut_off = subprocess.run(
        [sys.executable, "-c", f"{CUT_OFF}\n{PROGRAM[-1]}", "restore", "salon.backup", "--force"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    refused = _type(folder, "restore", "salon.backup")
    _type(folder, "migrate")
    back = _type(folder, "check", "--lang", "en")
    whole = _type(folder, "restore", "salon.backup", "--force")

    assert (cut_off.returncode, refused.returncode, whole.returncode) == (1, 1, 0)
    assert "Run `zerkalo restore salon.backup --force` before anybody uses the database." in cut_off.stderr
    assert "interrupted" in cut_off.stderr
    assert "erased" not in refused.stderr + whole.stderr, "nothing was changed, and nobody is back"
    assert f"{folder / 'data'}.erasures.jsonl that the database lacks: 1." in back.stdout
    assert "that the database lacks" not in _type(folder, "check", "--lang", "en").stdout
    assert "people whom the backup had brought back: 1." in whole.stdout


def test_what_is_wrong_with_the_data_is_told_in_one_line(folder: Path) -> None:
    (folder / "data" / "postgres" / "PG_VERSION").write_text("17\n")

    refused = _type(folder, "migrate")

    assert refused.returncode == 1
    assert refused.stderr.startswith("zerkalo migrate: ")
    assert refused.stderr.count("\n") == 1
    assert "zerkalo restore" in refused.stderr
