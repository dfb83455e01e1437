"""Running the emulator as a server: `python -m yclients_emulator`, or `run` from another program."""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from functools import partial

import uvicorn

from yclients_emulator.app import build_app
from yclients_emulator.emulator import Emulator
from yclients_emulator.hooks import HookModes
from yclients_emulator.life import Life, Person
from yclients_emulator.salon import new_demo_emulator
from yclients_emulator.settings import EmulatorSettings

SHUTDOWN_SECONDS = 2


def build(
    *,
    seed: int = 1,
    webhook_url: str | None = None,
    life: bool = True,
    life_seconds: float = 6.0,
    people: Sequence[Person] = (),
    company_ids: Sequence[int] = (),
    hook_delay_seconds: float = 5.0,
    settings: EmulatorSettings | None = None,
) -> Emulator:
    """The demo emulator as `run` serves it: webhooks of the branches to `webhook_url`, the salon living.

    `company_ids` restricts both to these branches (all of them when empty).
    """
    emulator = new_demo_emulator(settings, seed=seed)
    emulator.hooks.set_modes(HookModes(delay_seconds=hook_delay_seconds))
    for company_id in company_ids or emulator.vendor.companies:
        if webhook_url is not None:
            emulator.set_hooks(company_id, [webhook_url])
    if life:
        living = Life(emulator, people=people, company_ids=company_ids)
        emulator.background.append(partial(living.run, life_seconds))
    return emulator


def new_server(emulator: Emulator, host: str = "127.0.0.1", port: int = 8100) -> uvicorn.Server:
    """A server not yet started, for who runs it beside other things: `await server.serve()`."""
    config = uvicorn.Config(
        build_app(emulator),
        host=host,
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return uvicorn.Server(config)


def run(
    host: str = "127.0.0.1",
    port: int = 8100,
    *,
    seed: int = 1,
    webhook_url: str | None = None,
    life: bool = True,
    life_seconds: float = 6.0,
    people: Sequence[Person] = (),
    company_ids: Sequence[int] = (),
    hook_delay_seconds: float = 5.0,
    settings: EmulatorSettings | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM; prints the address, the branches and the tokens."""
    emulator = build(
        seed=seed,
        webhook_url=webhook_url,
        life=life,
        life_seconds=life_seconds,
        people=people,
        company_ids=company_ids,
        hook_delay_seconds=hook_delay_seconds,
        settings=settings,
    )
    sys.stdout.write(banner(emulator, host, port) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again after it has shut down
        asyncio.run(new_server(emulator, host, port).serve())


def banner(emulator: Emulator, host: str, port: int) -> str:
    """What a person needs to talk to it: settings for a client, as lines of a `.env`."""
    companies = ",".join(str(company_id) for company_id in emulator.vendor.companies)
    return "\n".join(
        (
            f"YCLIENTS emulator on http://{host}:{port} (control: http://{host}:{port}/_control/settings)",
            f"YCLIENTS_API_URL=http://{host}:{port}/api/v1",
            f"YCLIENTS_PARTNER_TOKEN={emulator.settings.partner_token}",
            f"YCLIENTS_USER_TOKEN={emulator.settings.user_token}",
            f"YCLIENTS_COMPANY_ID={companies}",
        )
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """`python -m yclients_emulator --help`."""
    parser = argparse.ArgumentParser(prog="yclients_emulator", description="A small YCLIENTS of our own.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--seed", type=int, default=1, help="decides everything random")
    parser.add_argument("--webhook-url", default=None, help="where the branches' webhooks go")
    parser.add_argument("--no-life", action="store_true", help="nothing happens by itself")
    parser.add_argument("--life-seconds", type=float, default=6.0, help="mean pause between two happenings")
    parser.add_argument("--hook-delay-seconds", type=float, default=5.0)
    given = parser.parse_args(arguments)
    run(
        given.host,
        given.port,
        seed=given.seed,
        webhook_url=given.webhook_url,
        life=not given.no_life,
        life_seconds=given.life_seconds,
        hook_delay_seconds=given.hook_delay_seconds,
    )
