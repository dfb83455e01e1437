"""`zerkalo check`: whether everything works, and what to do if not. Exits 1 when something needs doing."""

import sys
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from zerkalo.checkup.machine.service import look
from zerkalo.checkup.model import Facts, Problem, Severity
from zerkalo.checkup.rules import problems_of, verdict_of
from zerkalo.checkup.service import examine, examine_without_database, is_healthy, report_of
from zerkalo.checkup.texts.rules import fix_of, programme_text, text_of
from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.language import language_option
from zerkalo.composition import command_parts
from zerkalo.db.database import is_made, none_here
from zerkalo.kit.clock import utc_now
from zerkalo.kit.language import Language
from zerkalo.kit.text import printable_text
from zerkalo.settings import load_settings

EXIT_UNHEALTHY = 1

_WORDS: dict[str, tuple[str, str]] = {
    "settings": ("Настройки", "Settings"),
    "unset": ("не задано", "not set"),
    "yclients": ("YCLIENTS", "YCLIENTS"),
    "answers": ("отвечает", "answers"),
    "not_asked": ("не спрошен", "not asked"),
    "company": ("филиал", "company"),
    "bookings": ("Записи в базе", "Bookings in the database"),
    "total": ("всего", "total"),
    "matched": ("с пользователем", "with a user"),
    "unmatched": ("без пользователя", "without a user"),
    "users": ("Пользователи", "Users"),
    "with_code": ("с кодом", "with a code"),
    "without_code": ("без кода", "without a code"),
    "last": ("Последние синхронизированные записи", "Last synced bookings"),
    "none": ("нет", "none"),
    "run": ("Последняя синхронизация", "Last sync"),
    "run_running": ("идёт", "running"),
    "run_finished": ("завершена", "finished"),
    "run_failed": ("не удалась", "failed"),
    "webhook": ("Последний webhook", "Last webhook"),
    "never": ("ещё не было", "never"),
    "ago": ("назад", "ago"),
    "h": ("ч", "h"),
    "min": ("мин", "min"),
    "s": ("с", "s"),
    "paste": ("Адрес вебхука для YCLIENTS", "Webhook address for YCLIENTS"),
    "quarantine": ("Отложенные события", "Quarantine"),
    "advice": ("Рекомендации", "Recommendations"),
    "verdict_well": ("Всё в порядке.", "All is well."),
    "verdict_unfinished": (
        "Настроено не до конца: см. рекомендации.",
        "Not all is set up yet: see the recommendations.",
    ),
    "verdict_ill": ("Нужно внимание, дел: {}.", "Something needs doing: {}."),
}


async def check(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
    lang: Annotated[str, typer.Option(help="Language: ru or en.")] = "ru",
) -> None:
    """Check settings, sync and database, and say what to do where something is wrong."""
    language = language_option(lang)
    settings = load_settings()
    if is_made(settings):
        async with command_parts(needs_tables=False) as parts:
            log_warnings(parts.settings)
            async with parts.pool.connection() as conn:
                machine = await look(conn, parts.settings, now=parts.clock)
            # A question to YCLIENTS takes a slot of the rate limit, which is written.
            ask = parts.ask_yclients if machine.refusal is None else None
            facts = await examine(parts.pool, parts.settings, now=parts.clock(), ask=ask)
            facts = replace(facts, machine=machine)
    else:
        sys.stderr.write(f"zerkalo check: {none_here(settings)}\n")
        facts = examine_without_database(settings, now=utc_now())
        facts = replace(facts, machine=await look(None, settings, now=utc_now))
    problems = problems_of(facts)
    if json:
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report_of(facts, language))).decode() + "\n")
    else:
        sys.stdout.write("\n".join(_lines(facts, problems, language)) + "\n")
    if not is_healthy(problems):
        raise typer.Exit(EXIT_UNHEALTHY)


def _lines(facts: Facts, problems: tuple[Problem, ...], language: Language) -> list[str]:
    def say(word: str) -> str:
        return _WORDS[word][0 if language == "ru" else 1]

    todo = sum(problem.severity is Severity.ERROR for problem in problems)
    lines = [say(f"verdict_{verdict_of(problems)}").format(todo)]
    if problems:
        lines += ["", f"{say('advice')}:", *(_advice(problem, language) for problem in problems)]
    width = max(map(len, facts.settings), default=0)
    lines += ["", f"{say('settings')}:"]
    lines += [f"  {name:{width}}  {value or say('unset')}" for name, value in facts.settings.items()]
    lines += ["", f"{say('yclients')}:"]
    for company in facts.companies:
        answer = say("not_asked") if company.answer is None else company.answer.reason or say("answers")
        told = printable_text(f"{company.title}: {company.problem or answer}")
        lines.append(f"  {say('company')} {company.id} {told}")
    if facts.schema_is_current:
        lines += [*_stored(facts, say), "", programme_text(facts.programme, language)]
    return lines


def _stored(facts: Facts, say: Any) -> list[str]:
    total = facts.matched + facts.unmatched
    lines = ["", f"{say('bookings')}: {say('total')} {total}"]
    lines += [f"  {status:<10} {count}" for status, count in facts.by_status.items()]
    lines += [f"  {say('matched')}: {facts.matched}, {say('unmatched')}: {facts.unmatched}"]
    lines += [
        "",
        f"{say('users')}: {say('with_code')} {facts.users_with_code}, {say('without_code')} {facts.users_without_code}",
    ]
    lines += ["", f"{say('last')}:" + ("" if facts.last_bookings else f" {say('none')}")]
    for booking in facts.last_bookings:
        shown = booking.appointment_local or booking.appointment_datetime
        lines.append(
            f"  #{booking.id}  YClients ID {booking.yclients_record_id}  {shown:%d.%m.%Y %H:%M}  {booking.status:<10}"
            f" {printable_text(booking.service_name) or '-'}  ({booking.matched_by or '-'})"
        )
    lines.append("")
    for company in facts.companies:
        told = _ago(company.last_started_at, facts.now, say)
        ended = f", {say(f'run_{company.last_status}')}" if company.last_status else ""
        ended += f": {printable_text(company.last_error)}" if company.last_error else ""
        lines.append(f"{say('run')} ({say('company')} {company.id}): {told}{ended}")
    lines.append(f"{say('webhook')}: {_ago(facts.last_webhook_at, facts.now, say)}")
    lines.append(f"{say('paste')}: {facts.webhook_url}")
    lines.append(f"{say('quarantine')}: {facts.quarantine}")
    return lines


def _advice(problem: Problem, language: Language) -> str:
    mark = "!" if problem.severity is Severity.ERROR else "·"
    text, fix = printable_text(text_of(problem, language)), printable_text(fix_of(problem, language))
    return f"  {mark} {text}\n      → {fix}"


def _ago(at: datetime | None, now: datetime, say: Any) -> str:
    if at is None:
        return str(say("never"))
    minutes, seconds = divmod(max(0, round((now - at).total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    age = (
        f"{hours} {say('h')} {minutes} {say('min')}"
        if hours
        else f"{minutes} {say('min')} {seconds} {say('s')}"
    )
    return f"{at:%Y-%m-%d %H:%M:%S} UTC, {age} {say('ago')}"
