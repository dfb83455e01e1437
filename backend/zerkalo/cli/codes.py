"""`zerkalo codes`: give a code to every user who has none."""

from typing import Annotated

import typer

from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.progress import progress
from zerkalo.codes.service import give_missing_codes
from zerkalo.codes.store import count_without_code
from zerkalo.composition import command_parts


async def codes(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print how many would get one.")] = False,
) -> None:
    """Give a unique code to every user who has none. Safe to repeat at any time."""
    async with command_parts() as parts:
        log_warnings(parts.settings)
        async with parts.pool.connection() as conn:
            missing = await count_without_code(conn)
        if dry_run:
            print(f"Пользователей без кода: {missing}. Ничего не изменено (--dry-run).")
            return
        with progress("codes", missing) as show:
            given = await give_missing_codes(parts.pool, now=parts.clock(), on_progress=show)
        print(f"Выдано кодов: {given}.")
