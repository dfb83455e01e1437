"""How the command ends: 0 for done, 2 for wrong usage, 1 with one line for a failure."""

import asyncio
import gc
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zerkalo.cli.main import COMMANDS, load, main
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.settings import SettingsError


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Puts functions in the place of a command's module, in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    monkeypatch.setenv("DATA_DIR", "data")  # where it is by default depends on who runs the tests

    def put(module: str, **functions: Any) -> None:
        fake = types.ModuleType(module)
        vars(fake).update(functions)
        monkeypatch.setitem(sys.modules, module, fake)

    return put


def _end(*words: str) -> object:
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code or 0


def _raiser(error: BaseException) -> Callable[[], None]:
    def check() -> None:
        raise error

    return check


def test_help_lists_every_command_and_imports_none(capsys: pytest.CaptureFixture[str]):
    before = set(sys.modules)

    assert _end("--help") == 0

    shown = capsys.readouterr().out
    assert all(f"  {command.words} " in shown for command in COMMANDS)
    assert not {"typer", "fastapi", "psycopg", "pydantic"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("user",), ("user", "nonsense"), ("check", "--nonsense")]
)
def test_wrong_usage_ends_with_2(install: Callable[..., None], words: tuple[str, ...]):
    install("zerkalo.cli.check", check=lambda: None)
    install("zerkalo.cli.users", add=lambda: None, list_users=lambda: None, make_admin=lambda: None)
    assert _end(*words) == 2


def test_functions_and_coroutine_functions_run_alike(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    async def check(times: int = 1) -> None:
        print("checked " * times)

    def add(email: str) -> None:
        print(f"added {email}")

    install("zerkalo.cli.check", check=check)
    install("zerkalo.cli.users", add=add, list_users=lambda: None, make_admin=lambda: None)

    assert _end("check", "--times", "2") == 0
    assert _end("user", "add", "a@b.ru") == 0
    assert capsys.readouterr().out == "checked checked \nadded a@b.ru\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CommandFailed("the salon is closed; open it"), "zerkalo check: the salon is closed; open it\n"),
        (SettingsError("INBOX_DAYS: must be …"), "zerkalo check: INBOX_DAYS: must be …\n"),
        (
            RuntimeError("boom\nfor +79161234567"),
            "zerkalo check: boom for <phone> (RuntimeError; LOG_LEVEL=DEBUG shows where)\n",
        ),
        (ExceptionGroup("tasks", [CommandFailed("one of two")]), "zerkalo check: one of two\n"),
        (OSError(), "zerkalo check: OSError (OSError; LOG_LEVEL=DEBUG shows where)\n"),
    ],
)
def test_failure_is_one_line_and_1(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], error: Exception, line: str
):
    install("zerkalo.cli.check", check=_raiser(error))
    assert _end("check") == 1
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("at", ["import", "call"])
def test_ctrl_c_is_no_traceback(
    install: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    at: str,
):
    install("zerkalo.cli.check", check=_raiser(KeyboardInterrupt()))
    if at == "import":
        monkeypatch.setattr("zerkalo.cli.main.load", lambda _: _raiser(KeyboardInterrupt())())

    assert _end("check") == 1
    assert capsys.readouterr() == ("", "zerkalo check: interrupted\n")


def test_traceback_shows_only_when_debugging_and_without_secrets(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    install("zerkalo.cli.check", check=_raiser(RuntimeError("for a@b.ru")))
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")

    assert _end("check") == 1

    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "a@b.ru" not in shown


@pytest.mark.parametrize(
    ("code", "ends_with"), [(0, 0), (None, 0), (1, 1), (2, 2), (3, 1), (130, 1), (-9, 1)]
)
def test_no_other_exit_code_gets_out(install: Callable[..., None], code: int | None, ends_with: int):
    install("zerkalo.cli.check", check=_raiser(SystemExit(code)))
    assert _end("check") == ends_with


def test_command_runs_on_the_fast_event_loop(install: Callable[..., None]):
    """The server serves on its command's loop, whatever uvicorn's own option says."""
    loops: list[str] = []

    async def look() -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    install("zerkalo.cli.worker", worker=look)

    assert (_end("worker"), loops) == (0, ["uvloop"])


def test_warnings_about_the_settings_are_told_once_and_the_command_goes_on(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    install("zerkalo.cli.check", check=lambda: print("done"))
    (tmp_path / ".env").write_text("EMAIL_HOST=h\n")

    assert _end("check") == 0

    out, err = capsys.readouterr()
    assert out == "done\n"
    assert err.startswith("zerkalo check: EMAIL_HOST: is no setting of Zerkalo")
    assert err.count("\n") == 1


def test_a_command_is_loaded_without_collections_that_run_again_afterwards():
    gc.unfreeze()

    assert load("zerkalo.cli.migrate:migrate") is not None

    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.unfreeze()
