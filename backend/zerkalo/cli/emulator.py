"""`zerkalo emulator`: a small YCLIENTS of our own, to try things on."""

from typing import Annotated

import typer

from zerkalo.cli.shared.ports import see_that_it_is_free


def emulator(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it answers.")] = 8100,
    host: Annotated[str, typer.Option(help="The address it answers on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Decides everything random.")] = 1,
    webhook_url: Annotated[str | None, typer.Option(help="Where the branches' webhooks go.")] = None,
    life: Annotated[bool, typer.Option(help="Bookings get made, moved and cancelled by themselves.")] = True,
) -> None:
    """Run the emulator until Ctrl-C; prints the settings that make Zerkalo talk to it."""
    see_that_it_is_free(host, port, options="--port and --host")
    from yclients_emulator.cli import run  # a second of imports that --help need not wait for

    run(host, port, seed=seed, webhook_url=webhook_url, life=life)
