"""`zerkalo notices`: what the notices of the last days would have been. Sends nothing."""

from datetime import timedelta
from typing import Annotated

import typer

from zerkalo.cli.companies import log_warnings
from zerkalo.composition import command_parts
from zerkalo.notices import store

WORDS = {
    "confirmation": "запись создана",
    "moved": "перенос",
    "cancelled": "отмена",
    "reminder": "напоминание",
    "points": "начислены баллы",
}


async def notices(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look back.")] = 30,
) -> None:
    """Tell what the notices of the last days would have been, of each kind. Sends nothing, changes nothing."""
    async with command_parts() as parts:
        log_warnings(parts.settings)
        now = parts.clock()
        async with parts.pool.connection() as conn:
            found = await store.would_have_been(conn, since=now - timedelta(days=days), now=now)
        for one in found:
            print(
                f"{one.kind}\t{WORDS.get(one.kind, one.kind)}\tсообщений: {one.messages}, людей: {one.people}"
            )
        kinds = ", ".join(parts.settings.notices) or "никакие"
        hours = parts.settings.remind_hours_before
        print(f"Сейчас включены: {kinds}; напоминание: {f'за {hours} ч' if hours else 'нет'}.")
