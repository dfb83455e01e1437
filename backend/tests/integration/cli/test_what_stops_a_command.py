"""What can be wrong around a command, and the one line that it ends with: what it is, what to do, and no secret."""

import os
import socket
from pathlib import Path

import psycopg
import pytest

from tests.integration.processes.test_sync_processes import as_url
from tests.support.database import TestServer
from zerkalo.cli.main import main
from zerkalo.db import reach
from zerkalo.db.reach import DatabaseUnreachable, see_that_it_answers
from zerkalo.settings import SETTING_NAMES

pytestmark = pytest.mark.integration

KEY = {"SECRET_KEY": "0123456789abcdef0123"}
ON = {
    "YCLIENTS_ENABLED": "1",
    "YCLIENTS_COMPANY_ID": "5",
    "YCLIENTS_PARTNER_TOKEN": "partner",
    "YCLIENTS_USER_TOKEN": "user",
}


def _end(monkeypatch: pytest.MonkeyPatch, folder: Path, words: list[str], settings: dict[str, str]) -> object:
    monkeypatch.chdir(folder)
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", "data")  # where it is by default depends on who runs the tests
    for name, text in settings.items():
        monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        (["codes"], {"DATA_DIR": "~nobody-of-that-name/data"}, "DATA_DIR: names the home of nobody"),
        (["codes"], {"DATA_DIR": "/proc/nowhere"}, "/proc/nowhere: No such file or directory; mend that, or choose another data folder (the setting is DATA_DIR, "),
        (["codes"], {"DATA_DIR": "/dev/null"}, "/dev/null is a file: choose a folder for the data (the setting is DATA_DIR, "),
        (["codes"], {"ADMIN_PASSWORD": "pw-of-admin"}, "for example ADMIN_EMAIL=admin@salon.ru\n"),
        (["codes"], {"PUBLIC_URL": "https://u:pw-of-web@salon.ru"}, "PUBLIC_URL: must be an address without"),
        (["serve", "--host", "192.0.2.1"], {}, "can't listen on 192.0.2.1, port 8000 (Cannot assign requested address)"),
        (["serve", "--host", "x" * 99], {}, "--host"),
        *(
            ([*words], {"DATABASE_URL": f"postgresql://u:{password}@127.0.0.1:{port}/d", **KEY}, told)
            for words in (["check", "--json"], ["migrate"], ["psql"], ["backup", "b"], ["user", "list"])
            for password, port, told in (
                ("pw-of-db", 1, "the database does not answer (connection failed: connection to server at"),
                ("pw-of-db%zz", 1, "DATABASE_URL: is no address that can be read (in a password, write @ as %40"),
                ("pw-of-db/", 1, "DATABASE_URL: is no address that can be read"),
                ("pw-of-db@", 1, "DATABASE_URL: is no address that can be read"),
                ("pw-of-db", "port", "DATABASE_URL: is no address that can be read"),
            )
        ),
    ],
)  # fmt: skip
def test_it_is_told_in_one_line_without_a_secret(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    settings: dict[str, str],
    told: str,
):
    assert _end(monkeypatch, tmp_path, words, settings) == 1

    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"zerkalo {words[0]}: ")
    assert err.count("\n") == 1
    assert told in err
    assert "pw-of" not in err
    assert "LOG_LEVEL" not in err, "it says what to do, and not where to look"


@pytest.mark.parametrize("words", [["serve"], ["serve", "--workers", "2"], ["emulator"], ["demo"]])
def test_a_taken_port_stops_a_server_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        assert _end(monkeypatch, tmp_path, [*words, "--port", str(port)], {}) == 1

    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"can't listen on 127.0.0.1, port {port} (Address already in use): stop what uses it" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["codes"], ["user", "list"], ["replay", "--quarantined"], ["sync"], ["worker"]]
)
def test_tables_that_are_missing_are_told_with_the_command_that_makes_them(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    database_server: TestServer,
):
    with database_server.database(migrated=False) as dsn:
        settings = {"DATABASE_URL": as_url(dsn), **ON, **KEY}

        assert _end(monkeypatch, tmp_path, words, settings) == 1

    _, err = capfd.readouterr()
    assert err.count("\n") == 1
    assert "run `zerkalo migrate`" in err


def test_a_server_that_is_too_old_is_told(dsn: str, monkeypatch: pytest.MonkeyPatch):
    with psycopg.connect(dsn) as conn:
        major = conn.info.server_version // 10_000
    monkeypatch.setattr(reach, "MAJOR_MIN", major + 1)

    with pytest.raises(
        DatabaseUnreachable, match=f"is PostgreSQL {major}, and {major + 1} or newer is needed"
    ):
        see_that_it_answers(dsn)


@pytest.mark.parametrize("encoding", ["ascii", "koi8-r"])
def test_a_terminal_that_lacks_letters_gets_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dsn: str, encoding: str
):
    """«→» is in no Russian 8-bit encoding."""
    with open(tmp_path / "out", "w", encoding=encoding) as out:
        monkeypatch.setattr("sys.stdout", out)
        code = _end(monkeypatch, tmp_path, ["check"], {"DATABASE_URL": as_url(dsn), **KEY})

    assert code == 1
    assert "YCLIENTS_ENABLED=True" in (tmp_path / "out").read_text(encoding=encoding)
    assert os.environ["SECRET_KEY"] == KEY["SECRET_KEY"]


@pytest.mark.parametrize("words", [["check", "--lang", "en"], ["psql"], ["backup", "b"]])
def test_a_command_that_only_looks_makes_no_database_in_a_wrong_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], words: list[str]
):
    assert _end(monkeypatch, tmp_path, words, {}) == 1

    out, err = capfd.readouterr()
    assert err.startswith(
        f"zerkalo {words[0]}: there is no database in {tmp_path / 'data'} yet: `zerkalo serve`"
    )
    assert ("zerkalo migrate" in out) == (words[0] == "check"), "the report says what to do"
    assert list(tmp_path.iterdir()) == []
