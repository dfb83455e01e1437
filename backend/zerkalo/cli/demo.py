"""`zerkalo demo` (`make demo`): everything at once on a made-up salon, with the emulator in YCLIENTS's place."""

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
import uvicorn

from yclients_emulator.cli import build, new_server
from yclients_emulator.emulator import Emulator
from yclients_emulator.keeping import keep, load
from yclients_emulator.life import Person
from yclients_emulator.settings import EmulatorSettings
from zerkalo.checkup.service import webhook_url
from zerkalo.cli.loop import run
from zerkalo.cli.ports import see_that_it_is_free
from zerkalo.composition import Parts, prepare_database
from zerkalo.db.database import database
from zerkalo.logs import configure_logging
from zerkalo.main import ending_with_parent, running_app, serve_until_stopped, server_of
from zerkalo.settings import SETTING_NAMES, Settings, load_settings
from zerkalo.users.model import NewUser
from zerkalo.users.service import add_user
from zerkalo.users.store import holder_of_email

COMPANY_ID = 100200
"""The emulator's branch in Moscow."""
SALON_ZONE = ZoneInfo("Europe/Moscow")
HOOK_DELAY_SECONDS = 1.0
LIFE_SECONDS = 8.0
"""Mean pause between two happenings in the salon."""


@dataclass(frozen=True)
class Login:
    """Somebody to sign in as. A demo's passwords are no secrets: its server listens on this machine only."""

    email: str
    password: str
    name: str
    phone: str
    code: str


USER = Login("demo@example.com", "demo-password", "Анна Примерова", "+70000000001", "ABC12345")
ADMIN = Login("admin@example.com", "admin-password", "Администратор", "+70000000002", "ADMNCDFG")


def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the server answers.")] = 8000,
    emulator_port: Annotated[int, typer.Option(min=1, max=65535, help="Where the emulator answers.")] = 8100,
    seed: Annotated[int, typer.Option(help="Decides what happens in the salon.")] = 1,
    life: Annotated[bool, typer.Option(help="Bookings get made, moved and cancelled by themselves.")] = True,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when whoever started it is gone.")
    ] = False,
) -> None:
    """Run server, worker, embedded database and emulator until Ctrl-C; print where everything is."""
    for wanted in (port, emulator_port):
        see_that_it_is_free("127.0.0.1", wanted, options="zerkalo demo --port and --emulator-port")
    settings = _settings(port, emulator_port)
    configure_logging(settings)
    run(_demo(settings, port, emulator_port, seed=seed, life=life, with_parent=with_parent))


async def _demo(
    settings: Settings, port: int, emulator_port: int, *, seed: int, life: bool, with_parent: bool
) -> None:
    person = Person(name=USER.name, phone=USER.phone, email=USER.email, code=USER.code)
    emulator = build(
        seed=seed,
        webhook_url=webhook_url(settings),
        life=life,
        life_seconds=LIFE_SECONDS,
        people=(person,),
        company_ids=(COMPANY_ID,),
        hook_delay_seconds=HOOK_DELAY_SECONDS,
        settings=EmulatorSettings(),
    )
    truth = settings.data_dir / "emulator.json"
    load(emulator, truth)
    emulator.background.append(partial(keep, emulator, truth))
    parent = ending_with_parent() if with_parent else contextlib.nullcontext()
    async with parent, database(settings, serves=True) as dsn:
        await prepare_database(settings, dsn)
        async with (
            _emulator(emulator, emulator_port),
            running_app(settings, dsn, with_worker=True, is_demo=True) as (
                app,
                parts,
            ),
        ):
            await _add_people(parts)
            await parts.runs.open_or_join(COMPANY_ID)
            await parts.bells.sync(COMPANY_ID)
            server = server_of(app, "127.0.0.1", port)
            telling = asyncio.create_task(_tell_when_started(server, settings, emulator_port))
            try:
                await serve_until_stopped(server, parts.stop)
            finally:
                telling.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await telling


@asynccontextmanager
async def _emulator(emulator: Emulator, port: int) -> AsyncIterator[None]:
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
        "ADMIN_EMAIL": ADMIN.email,
        "ADMIN_PASSWORD": ADMIN.password,
        "LOG_FORMAT": own.log_format,
        "LOG_LEVEL": own.log_level,
        "PUBLIC_URL": f"http://localhost:{port}",
    }
    head = "# Written by `zerkalo demo` at each start.\n"
    _write_private(folder / ".env", head + "".join(f"{name}={text}\n" for name, text in chosen.items()))
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


async def _add_people(parts: Parts) -> None:
    async with parts.pool.connection() as conn, conn.transaction():
        if await holder_of_email(conn, USER.email) is None:
            new = NewUser(
                email=USER.email,
                phone=USER.phone,
                name=USER.name,
                unique_code=USER.code,
                password_hash=await parts.people.auth.passwords.hash(USER.password, address="console"),
                email_proved=True,
                phone_proved=True,
            )
            await add_user(conn, new, now=parts.clock(), new_code=parts.people.ports.new_code)


async def _tell_when_started(server: uvicorn.Server, settings: Settings, emulator_port: int) -> None:
    while not server.started:  # noqa: ASYNC110  uvicorn has no event to wait for
        await asyncio.sleep(0.05)
    sys.stdout.write("\n".join(_banner(settings, emulator_port)) + "\n")
    sys.stdout.flush()


def _banner(settings: Settings, emulator_port: int) -> Sequence[str]:
    hook = webhook_url(settings)
    event = json.dumps(_event(datetime.now(SALON_ZONE)), ensure_ascii=False)
    here = shlex.quote(os.path.relpath(settings.data_dir))
    zerkalo = shlex.quote(os.path.relpath(Path(sys.executable).parent / "zerkalo", settings.data_dir))
    return (
        "",
        "Zerkalo is running on a made-up salon. Ctrl-C stops everything.",
        "",
        f"  start page        {settings.public_url}/",
        f"  book a visit      {settings.public_url}/book",
        f"  my visits         {settings.public_url}/me        {USER.email} / {USER.password}  (code {USER.code})",
        f"  the salon's desk  {settings.public_url}/admin     {ADMIN.email} / {ADMIN.password}",
        f"  API               {settings.public_url}/docs",
        f"  YCLIENTS emulator http://localhost:{emulator_port}/api/v1",
        f"  webhook           {hook}",
        f"  commands          cd {here} && {zerkalo} check",
        "",
        "Make a booking through the webhook:",
        "",
        f"  curl -X POST '{hook}' -H 'Content-Type: application/json' -d '{event}'",
        "",
        f"It stands on {settings.public_url}/me then. (The emulator has no such record: the next sync asks for it by its",
        "number, hears that there is none, and cancels the booking.)",
        "",
    )


def _event(now: datetime) -> dict[str, Any]:
    """A webhook's body: the user's booking for tomorrow noon. Its number is new at each start, so that it can be made anew."""
    record_id = 900_000_000 + int(time.time()) % 100_000_000
    tomorrow = (now + timedelta(days=1)).date()
    return {
        "company_id": COMPANY_ID,
        "resource": "record",
        "resource_id": record_id,
        "status": "create",
        "data": {
            "id": record_id,
            "company_id": COMPANY_ID,
            "date": f"{tomorrow} 12:00:00",
            "seance_length": 3600,
            "services": [{"id": 1, "title": "Стрижка", "cost": 1800, "amount": 1}],
            "attendance": 0,
            "deleted": False,
            "comment": f"Код клиента: {USER.code}",
            "client": {"name": USER.name, "phone": USER.phone, "email": USER.email},
            "staff": {"name": "Мастер"},
            "last_change_date": f"{now:%Y-%m-%dT%H:%M:%S%z}",
        },
    }
