"""`zerkalo user`, `import-users` and `codes` as real processes on a real database."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from zerkalo.auth.passwords.rules import verify_password

BACKEND = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.slow

PROGRAM = "import sys; from zerkalo.cli.main import main; main(sys.argv[1:])"


class Shell:
    """Runs commands in an empty folder, on one database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.folder = folder

    def run(self, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        parts = conninfo_to_dict(self.dsn)
        where = "&".join(
            f"{key}={quote(str(parts[key]), safe='')}" for key in ("host", "port") if parts.get(key)
        )
        password = f":{quote(str(parts['password']), safe='')}" if parts.get("password") else ""
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(BACKEND),
            "DATABASE_URL": f"postgresql://{parts['user']}{password}@/{parts['dbname']}?{where}",
            "SECRET_KEY": "a secret of the tests, long enough",
        }
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=self.folder,
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def users(self) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(
                "select id, email, phone, unique_code, is_admin, email_verified_at is not null, password_hash"
                " from users order by id"
            ).fetchall()


@pytest.fixture
def shell(dsn: str, tmp_path: Path) -> Shell:
    return Shell(dsn, tmp_path)


def test_a_user_is_added_listed_and_made_an_admin(shell: Shell) -> None:
    added = shell.run(
        "user", "add", "Anna@Example.com", "--phone", "8 999 123-45-67", "--name", "Анна", "--password", "-",
        typed="a long password\n",
    )  # fmt: skip
    assert (added.returncode, added.stderr) == (0, "")
    ((id_, email, phone, code, is_admin, is_proved, hash_),) = shell.users()
    assert added.stdout == f"{id_}\tanna@example.com\t{code}\n"
    assert (email, phone, is_admin, is_proved) == ("anna@example.com", "+79991234567", False, True)
    assert verify_password("a long password", str(hash_))

    made = shell.run("user", "make-admin", "anna@example.com")
    assert (made.returncode, made.stderr) == (0, "")
    listed = shell.run("user", "list", "--search", "ann")
    assert listed.stdout == f"{id_}\tanna@example.com\t+79991234567\tАнна\t{code}\tadmin\n"
    with psycopg.connect(shell.dsn) as conn:
        audited = conn.execute("select action, subject, admin_id from audit_entries order by id").fetchall()
    assert audited == [("user.add", f"user {id_}", None), ("user.make_admin", f"user {id_}", None)]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("user", "add", "anna"), 2, "e-mail"),
        (("user", "add", "b@example.com", "--phone", "12"), 2, "phone"),
        (("user", "add", "b@example.com", "--password", "short"), 2, "characters"),
        (("user", "add", "taken@example.com"), 1, "has this e-mail already"),
        (("user", "add", "b@example.com", "--code", "TAKEN001"), 1, "code is somebody's"),
        (("user", "make-admin", "nobody@example.com"), 1, "nobody has this e-mail"),
        (("user", "make-admin", "999"), 1, "no user 999"),
        (("user", "make-admin", "claimed@example.com"), 1, "nobody has proved this e-mail"),
        (("user", "make-admin", "alone@example.com"), 1, "nobody has proved this e-mail"),
        (("user",), 2, ""),
        (("import-users", "missing.csv"), 1, "can't be read"),
    ],
)
def test_what_can_not_be_done_is_told_in_a_line(
    shell: Shell, words: tuple[str, ...], code: int, says: str
) -> None:
    with psycopg.connect(shell.dsn, autocommit=True) as conn:
        conn.execute(
            "insert into users (email, email_verified_at, unique_code) values"
            " ('taken@example.com', now(), 'TAKEN001'),"
            " ('claimed@example.com', null, null), ('claimed@example.com', null, null),"
            " ('alone@example.com', null, null)"
        )

    done = shell.run(*words)

    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(shell.users()) == 4


def test_a_phone_that_somebody_has_proved_is_given_to_nobody_else(shell: Shell) -> None:
    first = shell.run("user", "add", "anna@example.com", "--phone", "8 999 123-45-67")
    id_ = first.stdout.split("\t")[0]

    second = shell.run("user", "add", "olga@example.com", "--phone", "+7 999 123 45 67")

    assert second.returncode == 1
    assert f"user {id_} has proved this phone" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert [row[1] for row in shell.users()] == ["anna@example.com"]


def test_an_import_and_then_codes(shell: Shell) -> None:
    (shell.folder / "people.csv").write_text(
        "email;phone;name;unique_code\na@example.com;89991234567;Анна;CARD0001\n;89997654321;Ольга;\n",
        encoding="utf-8-sig",
    )

    first = shell.run("import-users", "people.csv")
    assert first.returncode == 0, first.stderr
    assert "Добавлено: 2" in first.stdout
    assert "zerkalo codes" in first.stdout
    assert "без изменений: 2" in shell.run("import-users", "people.csv").stdout
    dry = shell.run("codes", "--dry-run")
    assert "без кода: 1" in dry.stdout
    assert shell.users()[1][3] is None
    given = shell.run("codes")
    assert (given.returncode, given.stdout) == (0, "Выдано кодов: 1.\n")
    assert "codes: 1 / 1" in given.stderr
    assert len(str(shell.users()[1][3])) == 8
    assert shell.run("codes").stdout == "Выдано кодов: 0.\n"


def test_an_import_tells_how_many_phones_have_two_holders(shell: Shell) -> None:
    (shell.folder / "people.csv").write_text("email,phone\na@example.com,89991234567\n,89991234567\n")
    (shell.folder / "others.csv").write_text("email,phone\nb@example.com,89997654321\n")

    done, others = shell.run("import-users", "people.csv"), shell.run("import-users", "others.csv")

    assert "Телефон подтверждён ещё у кого-то: 2 из добавленных." in done.stdout
    assert "999123" not in done.stdout
    assert "Телефон" not in others.stdout


def test_a_bad_line_stops_an_import_and_is_named(shell: Shell) -> None:
    (shell.folder / "people.csv").write_text("email,phone\na@example.com,\nb@@,\n")

    done = shell.run("import-users", "people.csv")

    assert done.returncode == 1
    assert "line 3: email is no e-mail address" in done.stderr
    assert "nothing was imported" in done.stderr
    assert shell.users() == []


def test_a_hostile_name_writes_nothing_to_the_terminal(shell: Shell) -> None:
    with psycopg.connect(shell.dsn, autocommit=True) as conn:
        conn.execute("insert into users (name) values (%s)", ["a\x1b[2J\u202eb\nc\td"])

    listed = shell.run("user", "list").stdout

    assert listed.count("\n") == 1
    assert listed.count("\t") == 5
    assert "\x1b" not in listed
    assert "\u202e" not in listed
