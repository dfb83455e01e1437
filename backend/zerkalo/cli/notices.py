"""`zerkalo notices`: count the notices that the last days would have sent. Sends nothing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import typer

from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.language import language_option
from zerkalo.composition import command_parts
from zerkalo.kit.language import Language
from zerkalo.notices import store
from zerkalo.notices.model import WouldBe

REMIND_HOURS_USUAL = 24
"""Hours before a visit for which reminders are counted where none are switched on."""
_KINDS: Mapping[str, Mapping[Language, str]] = {
    "confirmation": {"ru": "запись создана", "en": "a visit was booked"},
    "moved": {"ru": "перенос", "en": "a visit was moved"},
    "cancelled": {"ru": "отмена", "en": "a visit was cancelled"},
    "reminder": {"ru": "напоминание", "en": "a reminder"},
    "points": {"ru": "начислены баллы", "en": "points came"},
    "burning": {"ru": "баллы сгорали", "en": "points expired"},
}


async def notices(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look back.")] = 30,
    lang: Annotated[str, typer.Option(help="Language: ru or en.")] = "ru",
) -> None:
    """Count the notices that the last days would have sent, by kind and channel. Sends and changes nothing."""
    language = language_option(lang)
    async with command_parts() as parts:
        log_warnings(parts.settings)
        now, settings = parts.clock(), parts.settings
        hours = settings.remind_hours_before
        async with parts.pool.connection() as conn:
            found = await store.would_have_been(
                conn,
                since=now - timedelta(days=days),
                now=now,
                before=timedelta(hours=hours or REMIND_HOURS_USUAL),
                has_telegram=settings.telegram_bot_token is not None,
            )
    known = {one.kind: one for one in found}
    for kind in _KINDS:
        print(line_of(known.get(kind) or WouldBe(kind, 0, 0, 0, 0, 0, 0), language))
    print(settings_line(settings.notices, hours, language))


def line_of(one: WouldBe, language: Language) -> str:
    """One kind with its counts; messages are counted by channel, since one occasion may go by several."""
    words = _KINDS[one.kind][language]
    if language == "en":
        return (
            f"{one.kind}\t{words}\toccasions: {one.occasions}, people: {one.people}; e-mail {one.by_email},"
            f" SMS {one.by_phone}, Telegram {one.by_telegram}; nobody to write to: {one.unreachable}"
        )
    return (
        f"{one.kind}\t{words}\tслучаев: {one.occasions}, людей: {one.people}; e-mail {one.by_email},"
        f" SMS {one.by_phone}, Telegram {one.by_telegram}; писать некуда: {one.unreachable}"
    )


def settings_line(kinds: tuple[str, ...], hours: int | None, language: Language) -> str:
    """The notices that are switched on now."""
    if language == "en":
        reminder = f"{hours} h before" if hours else f"none (counted at {REMIND_HOURS_USUAL} h before)"
        return f"Switched on now: {', '.join(kinds) or 'none'}; reminder: {reminder}."
    reminder = f"за {hours} ч" if hours else f"нет (посчитано за {REMIND_HOURS_USUAL} ч)"
    return f"Сейчас включены: {', '.join(kinds) or 'никакие'}; напоминание: {reminder}."
