"""`zerkalo demo` (`make demo`): everything at once on a made-up salon, with the emulator in YCLIENTS's place."""

import asyncio
import contextlib
import logging
import secrets
import shutil
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from embedded_postgres.locks import is_locked
from yclients_emulator.cli import build, new_server
from yclients_emulator.emulator import Emulator
from yclients_emulator.keeping import keep, load
from yclients_emulator.life import Life, Person
from yclients_emulator.settings import EmulatorSettings
from zerkalo.checkup.service import webhook_url
from zerkalo.cli.demo.banner import banner
from zerkalo.cli.demo.model import ADMIN, COMPANY_ID, Guest
from zerkalo.cli.demo.story import add_accounts, fail_yesterday, tell_the_rest
from zerkalo.cli.demo.visits import fill, visit_of_today
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.cli.shared.loop import run
from zerkalo.cli.shared.ports import see_that_it_is_free
from zerkalo.composition import assembled, prepare_database
from zerkalo.db.database import database
from zerkalo.logs import configure_logging
from zerkalo.main import ending_with_parent, running_app, serve_until_stopped, server_of
from zerkalo.settings import SETTING_NAMES, Settings, load_settings
from zerkalo.users.erasing.journal.store import journal_beside

HOOK_DELAY_SECONDS = 1.0
LIFE_SECONDS = 8.0
"""Mean pause between two happenings in the salon."""
KNOWN_BY_CODE = 5
"""So many of the people, Anna first, write their code into the comment when they book while the demo runs."""
HEAD = "# Written by `zerkalo demo` at each start.\n"
"""The first line of the `.env` in a demo's folder, and how such a folder is known."""


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the server answers.")] = 8000,
    emulator_port: Annotated[int, typer.Option(min=1, max=65535, help="Where the emulator answers.")] = 8100,
    seed: Annotated[int, typer.Option(help="Decides what happens in the salon.")] = 1,
    life: Annotated[bool, typer.Option(help="Bookings get made, moved and cancelled by themselves.")] = True,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the last demo and make the salon anew.")
    ] = False,
    log: Annotated[bool, typer.Option("--log", help="Print the log, not only what is wrong.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when whoever started it is gone.")
    ] = False,
) -> None:
    """Run server, worker, embedded database and emulator until Ctrl-C; print where everything is."""
    for wanted in (port, emulator_port):
        see_that_it_is_free("127.0.0.1", wanted, options="zerkalo demo --port and --emulator-port")
    if reset:
        forget(load_settings().data_dir / "demo")
    settings = _settings(port, emulator_port)
    configure_logging(settings)
    if not log:
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger("zerkalo.outbox").setLevel(logging.INFO)  # codes that would go out by mail and SMS
    run(_demo(settings, port, emulator_port, seed=seed, life=life, with_parent=with_parent))


async def _demo(
    settings: Settings, port: int, emulator_port: int, *, seed: int, life: bool, with_parent: bool
) -> None:
    emulator, people, is_new = _salon(settings, seed=seed, life=life)
    parent = ending_with_parent() if with_parent else contextlib.nullcontext()
    async with parent, database(settings, serves=True) as dsn:
        await prepare_database(settings, dsn)
        async with assembled(settings, dsn, name="demo", is_demo=True) as parts:
            await add_accounts(parts, people)
            await fail_yesterday(parts)
        async with (
            _emulator(emulator, emulator_port),
            running_app(settings, dsn, with_worker=True, is_demo=True) as (app, parts),
        ):
            server = server_of(app, "127.0.0.1", port)
            async with (
                _beside(_tell_when_started(server, settings, emulator_port)),
                _beside(tell_the_rest(parts, emulator, people if is_new else ())),
            ):
                await serve_until_stopped(server, parts.stop)


def _salon(settings: Settings, *, seed: int, life: bool) -> tuple[Emulator, list[Guest], bool]:
    """The emulator with the salon as it was left, else with a new one; its people; whether it is new."""
    emulator = build(
        seed=seed,
        webhook_url=webhook_url(settings),
        life=False,
        company_ids=(COMPANY_ID,),
        hook_delay_seconds=HOOK_DELAY_SECONDS,
        settings=EmulatorSettings(),
    )
    people = fill(emulator)
    truth = settings.data_dir / "emulator.json"
    is_new = not load(emulator, truth)
    emulator.muted = True  # the sync of the start finds it
    annas = visit_of_today(emulator)
    emulator.muted = False
    emulator.background.append(partial(keep, emulator, truth))
    if life:
        known = [
            Person(name=f"{one.name} {one.surname}", phone=one.phone, email=one.email, code=one.code)
            for one in people[:KNOWN_BY_CODE]
        ]
        living = Life(emulator, people=known, company_ids=(COMPANY_ID,), spared=[annas] if annas else ())
        emulator.background.append(partial(living.run, LIFE_SECONDS))
    return emulator, people, is_new


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    """The work as a task beside the block, ended with it; raises what it raised."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _emulator(emulator: Emulator, port: int) -> AsyncGenerator[None]:
    """The emulator's server as a task of this process; our own server takes the signals."""
    server = new_server(emulator, "127.0.0.1", port)
    server.capture_signals = contextlib.nullcontext  # pyright: ignore[reportAttributeAccessIssue]  as in main.Server
    task = asyncio.create_task(server.serve(), name="emulator")
    while not server.started and not task.done():  # noqa: ASYNC110  uvicorn has no event to wait for
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def forget(folder: Path) -> None:
    """Remove the last demo's folder, and no other: it is known by the `.env` that a demo writes."""
    if not folder.exists():
        return
    written = folder / ".env"
    if not written.exists() or not written.read_text(encoding="utf-8").startswith(HEAD):
        raise CommandFailed(f"{folder} is no demo's folder; remove it yourself if nothing in it is needed")
    lock = folder / "postgres.lock"
    if lock.exists() and is_locked(lock):
        raise CommandFailed(f"a demo is running in {folder}, or just ending; stop it first")
    shutil.rmtree(folder)
    journal_beside(folder).unlink(missing_ok=True)


def _settings(port: int, emulator_port: int) -> Settings:
    """The demo's settings: its own, whatever `.env` says; only the folder and the log's form are the user's.

    They are written to a `.env` in the demo's folder: commands that are typed there are about this salon.
    """
    own = load_settings()
    folder = own.data_dir / "demo"
    chosen = {
        "DATA_DIR": ".",
        "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": f"http://127.0.0.1:{emulator_port}/api/v1",
        "YCLIENTS_PARTNER_TOKEN": EmulatorSettings().partner_token,
        "YCLIENTS_USER_TOKEN": EmulatorSettings().user_token,
        "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
        "YCLIENTS_WEBHOOK_SECRET": _webhook_secret(folder),
        "LOYALTY_ENABLED": "True",
        "LOYALTY_START_DATE": "2000-01-01",  # the made-up past earns too
        "NOTICES": "moved,cancelled,points",
        "QUIET_HOURS": "4-5",  # whoever looks at the demo in the evening sees them too
        "ADMIN_EMAIL": ADMIN.email,
        "ADMIN_PASSWORD": ADMIN.password,
        "LOG_FORMAT": own.log_format,
        "LOG_LEVEL": own.log_level,
        "PUBLIC_URL": f"http://localhost:{port}",
    }
    _write_private(folder / ".env", HEAD + "".join(f"{name}={text}\n" for name, text in chosen.items()))
    # Every name is given, so that nothing comes from a file: a DATABASE_URL there is the salon's real one.
    return load_settings(environ={**dict.fromkeys(SETTING_NAMES, ""), **chosen}, cwd=folder)


def _webhook_secret(folder: Path) -> str:
    """A secret made once and kept, so that the address stays the same from one demo to the next."""
    kept = folder / "webhook_secret"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_private(kept, secrets.token_urlsafe(18))
    return kept.read_text()


def _write_private(path: Path, text: str) -> None:
    """A file for its owner only, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(path)


async def _tell_when_started(server: uvicorn.Server, settings: Settings, emulator_port: int) -> None:
    while not server.started:  # noqa: ASYNC110  uvicorn has no event to wait for
        await asyncio.sleep(0.05)
    sys.stdout.write("\n".join(banner(settings, emulator_port)) + "\n")
    sys.stdout.flush()
