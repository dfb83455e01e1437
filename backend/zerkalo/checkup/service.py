"""The whole check-up: the facts, and whether YCLIENTS answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from zerkalo.checkup.model import Answer, Counts, Facts, Problem, Severity, Zone
from zerkalo.checkup.rules import problems_of
from zerkalo.checkup.store import facts_without_database, read_facts
from zerkalo.checkup.texts.rules import fix_of, text_of
from zerkalo.db.pool import Pool
from zerkalo.kit.language import Language
from zerkalo.kit.zones import packaged_rules, rules_of, zone_of
from zerkalo.settings import Settings

ASK_SECONDS_MAX = 15.0

Ask = Callable[[int], Awaitable[Answer]]
"""Asks YCLIENTS about a company."""


def webhook_url(settings: Settings) -> str:
    """Return the address to paste into YCLIENTS, with the secret if there is one."""
    url = f"{settings.public_url.rstrip('/')}/api/v1/yclients/webhook"
    secrets = settings.yclients_webhook_secrets
    return f"{url}?token={quote(secrets[0], safe='')}" if secrets else url


async def examine(
    pool: Pool,
    settings: Settings,
    *,
    now: datetime,
    ask: Ask | None = None,
    since: datetime | None = None,
    counts: Counts | None = None,
) -> Facts:
    """Read the facts of this installation; with `ask`, also whether YCLIENTS answers for each company, asked in parallel.

    `since`, `counts`: as in `store.read_facts`.
    """
    async with pool.connection() as conn:
        facts = await read_facts(
            conn, settings, webhook_url=webhook_url(settings), now=now, since=since, counts=counts
        )
    facts = replace(facts, zones=_zones_of(facts))
    if ask is None or not facts.enabled or not facts.has_tokens:
        return facts
    company_ids = [company.id for company in facts.companies]
    return with_answers(facts, await ask_companies(ask, company_ids))


def examine_without_database(settings: Settings, *, now: datetime) -> Facts:
    """Return the facts where no database was ever created."""
    return facts_without_database(settings, webhook_url=webhook_url(settings), now=now)


def _zones_of(facts: Facts) -> dict[str, Zone]:
    zones: dict[str, Zone] = {}
    for name in {company.timezone_name for company in facts.companies}:
        zone = zone_of(name)
        if name and zone is not None:
            zones[name] = Zone(rules_of(zone), packaged_rules(name))
    return zones


async def ask_companies(ask: Ask, company_ids: Sequence[int]) -> dict[int, Answer]:
    """Ask YCLIENTS about these companies in parallel; takes `ASK_SECONDS_MAX` at most."""
    answers = await asyncio.gather(*(_answer(ask, company_id) for company_id in company_ids))
    return dict(zip(company_ids, answers, strict=True))


def with_answers(facts: Facts, answers: Mapping[int, Answer]) -> Facts:
    """Add YCLIENTS's answers to the facts; a company without one was not asked."""
    companies = (replace(company, answer=answers.get(company.id)) for company in facts.companies)
    return replace(facts, companies=tuple(companies))


def is_healthy(problems: tuple[Problem, ...]) -> bool:
    """Return whether there are no errors; advice is allowed."""
    return all(problem.severity is Severity.ADVICE for problem in problems)


def report_of(facts: Facts, language: Language) -> dict[str, Any]:
    """Return the check-up as JSON, with the names of the contract, section 9."""
    problems = problems_of(facts)
    return {
        "healthy": is_healthy(problems),
        "checked_at": facts.now,
        "settings": dict(facts.settings),
        "bookings": {
            "total": facts.matched + facts.unmatched,
            "by_status": dict(facts.by_status),
            "matched": facts.matched,
            "unmatched": facts.unmatched,
            "ambiguous": facts.ambiguous,
        },
        "users": {"with_code": facts.users_with_code, "without_code": facts.users_without_code},
        "programme": {
            "enabled": facts.programme.percent is not None,
            "starts_on": facts.programme.starts_on,
            "history": {
                "points": facts.programme.history_points,
                "visits": facts.programme.history_visits,
                "since": facts.programme.history_since,
            },
        },
        "last_bookings": [_booking(booking) for booking in facts.last_bookings],
        "companies": [
            {
                "id": company.id,
                "title": company.title,
                "timezone_name": company.timezone_name,
                "answers": None if company.answer is None else not company.answer.problem,
                "problem": company.problem or (company.answer and company.answer.reason) or None,
                "last_success_at": company.last_success_at,
            }
            for company in facts.companies
        ],
        "last_run": _last_run(facts),
        "last_webhook": _moment(facts.last_webhook_at, facts.now),
        "quarantine": facts.quarantine,
        "waiting_refetches": facts.waiting_refetches,
        "webhook_url": facts.webhook_url,
        "problems": [
            {
                "code": problem.code,
                "severity": problem.severity,
                "text": text_of(problem, language),
                "fix": fix_of(problem, language),
            }
            for problem in problems
        ],
    }


async def _answer(ask: Ask, company_id: int) -> Answer:
    try:
        return await asyncio.wait_for(ask(company_id), ASK_SECONDS_MAX)
    except TimeoutError:
        return Answer("yclients_silent", f"no answer in {ASK_SECONDS_MAX:.0f} s")


def _booking(booking: Any) -> dict[str, Any]:
    names = (
        "id",
        "company_id",
        "yclients_record_id",
        "service_name",
        "appointment_datetime",
        "status",
        "matched_by",
    )
    return {name: getattr(booking, name) for name in names}


def _last_run(facts: Facts) -> Mapping[str, Any] | None:
    started = [company for company in facts.companies if company.last_started_at is not None]
    if not started:
        return None
    last = max(started, key=lambda company: company.last_started_at or facts.now)
    return {
        "company_id": last.id,
        "status": last.last_status,
        "started_at": last.last_started_at,
        "finished_at": last.last_finished_at,
        "error": last.last_error,
        "age_seconds": _age(last.last_started_at, facts.now),
    }


def _moment(at: datetime | None, now: datetime) -> Mapping[str, Any] | None:
    return None if at is None else {"at": at, "age_seconds": _age(at, now)}


def _age(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else max(0, round((now - at).total_seconds()))
