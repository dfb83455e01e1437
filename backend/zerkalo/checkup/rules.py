"""Find the problems in the facts. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from zerkalo.checkup.machine.rules import problems_of_machine
from zerkalo.checkup.model import CompanyFacts, Facts, Problem, Severity, Verdict
from zerkalo.kit.zones import is_outdated

WORKER_SILENT = timedelta(minutes=2)
"""The worker reports itself when it starts, and every ten seconds from then on."""
UNFINISHED = frozenset({"webhook_never", "linked_none"})
"""Advice that makes the verdict UNFINISHED, though nothing fails."""
LATE_INTERVALS = 2
"""A sync is late when none has succeeded for so many intervals."""


def problems_of(facts: Facts) -> tuple[Problem, ...]:
    """Return the errors, most urgent first, then the advice. Empty: all is well."""
    of_machine = problems_of_machine(facts.machine)
    if not facts.schema_is_current:
        return (
            Problem("schema_outdated" if facts.has_tables else "schema_missing", Severity.ERROR),
            *of_machine,
        )
    found = [
        *_setup(facts),
        *of_machine,
        *_companies(facts),
        *_zones(facts),
        *_engine(facts),
        *_people(facts),
    ]
    return tuple(sorted(found, key=lambda problem: problem.severity is Severity.ADVICE))


def verdict_of(problems: Sequence[Problem]) -> Verdict:
    """Return the overall result: errors, an incomplete setup, or all well."""
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Verdict.ILL
    return Verdict.UNFINISHED if any(problem.code in UNFINISHED for problem in problems) else Verdict.WELL


def sync_lag(facts: Facts) -> timedelta | None:
    """Return how long ago the slowest company's last successful read began; None if a company has none, or there is none."""
    successes = [company.last_success_at for company in facts.companies]
    if not successes or any(success is None for success in successes):
        return None
    return facts.now - min(success for success in successes if success is not None)


def _setup(facts: Facts) -> Iterator[Problem]:
    if not facts.enabled:
        yield Problem("yclients_disabled", Severity.ERROR)
        return
    if not facts.has_tokens:
        yield Problem("tokens_missing", Severity.ERROR)
    if not facts.has_secret:
        yield Problem("secret_missing", Severity.ADVICE, {"url": facts.webhook_url})
    if facts.last_webhook_at is None:
        yield Problem("webhook_never", Severity.ADVICE, {"url": facts.webhook_url})


def _companies(facts: Facts) -> Iterator[Problem]:
    # Without tokens nothing is read, and earlier failures don't matter.
    for company in facts.companies if facts.enabled and facts.has_tokens else ():
        values = {"company": company.id}
        if company.problem:
            yield Problem("yclients_refuses", Severity.ERROR, {**values, "reason": company.problem})
        elif company.answer and company.answer.problem:
            yield Problem(company.answer.problem, Severity.ERROR, {**values, "reason": company.answer.reason})
        elif company.last_status == "failed":
            yield Problem("sync_failed", Severity.ERROR, {**values, "reason": company.last_error or "?"})
        elif _is_late(company, facts):
            yield Problem("sync_late", Severity.ERROR, values)
        if company.absent_waiting:
            told = {**values, "count": company.absent_waiting, "shown": company.absent_newest}
            yield Problem("absent_waiting", Severity.ERROR, told)
        if company.refused_records:
            yield Problem("records_refused", Severity.ERROR, {**values, "count": company.refused_records})


def _zones(facts: Facts) -> Iterator[Problem]:
    """Compare this machine's rules of the salon's zones with those in use and with the package's."""
    for company in facts.companies:
        zone = facts.zones.get(company.timezone_name or "")
        if zone is None:
            continue
        values = {
            "company": company.id,
            "zone": company.timezone_name,
            "version": zone.machine.version or "?",
        }
        if is_outdated(company.zone_rules, company.zone_data_version, zone.machine):
            newer = {**values, "newer": company.zone_data_version}
            yield Problem("zone_data_older", Severity.ERROR, newer)
        elif zone.package and is_outdated(zone.package.fingerprint, zone.package.version, zone.machine):
            yield Problem("zone_data_old", Severity.ADVICE, {**values, "newer": zone.package.version})


def _is_late(company: CompanyFacts, facts: Facts) -> bool:
    """Return whether a sync is late; never during a run, as the first full history may take long."""
    if company.is_running:
        return False
    allowed = LATE_INTERVALS * timedelta(minutes=facts.interval_minutes)
    since = company.last_success_at or facts.since
    return since is None or facts.now - since > allowed


def _engine(facts: Facts) -> Iterator[Problem]:
    if facts.enabled and _worker_is_silent(facts.worker_seen_at, facts):
        yield Problem("worker_silent", Severity.ERROR)
    if facts.own_faults:
        yield Problem("own_faults", Severity.ERROR, {"count": facts.own_faults})
    if facts.quarantine > facts.own_faults:
        yield Problem("quarantine", Severity.ERROR, {"count": facts.quarantine - facts.own_faults})
    if facts.outbox_failing:
        yield Problem("messages_failing", Severity.ERROR, {"count": facts.outbox_failing})
    if facts.refused_cards:
        yield Problem("balances_refused", Severity.ERROR, {"count": facts.refused_cards})
    for task in facts.failing_tasks:
        values = {"task": task.name, "count": task.failures, "error": task.error}
        yield Problem("task_failing", Severity.ERROR, values)


def _worker_is_silent(seen_at: datetime | None, facts: Facts) -> bool:
    since = seen_at or facts.since
    return since is None or facts.now - since > WORKER_SILENT


def _people(facts: Facts) -> Iterator[Problem]:
    if facts.users_without_code:
        yield Problem("codes_missing", Severity.ERROR, {"count": facts.users_without_code})
    if facts.users_with_short_code:
        yield Problem("codes_short", Severity.ADVICE, {"count": facts.users_with_short_code})
    if facts.unmatched and not facts.matched:
        yield Problem("linked_none", Severity.ADVICE, {"count": facts.unmatched})
    if facts.ambiguous:
        yield Problem("ambiguous", Severity.ADVICE, {"count": facts.ambiguous})
    if not facts.can_send_email:
        yield Problem("email_unset", Severity.ADVICE)
    if not facts.can_send_sms:
        yield Problem("sms_unset", Severity.ADVICE)
