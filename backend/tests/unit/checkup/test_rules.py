"""What a check-up makes of the facts."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from zerkalo.checkup.model import Answer, CompanyFacts, Facts, FailingTask, Problem, Severity, Zone
from zerkalo.checkup.rules import problems_of, sync_lag, verdict_of
from zerkalo.checkup.service import is_healthy
from zerkalo.checkup.texts.model import TEXTS
from zerkalo.checkup.texts.rules import fix_of, programme_text, text_of
from zerkalo.kit.zones import ZoneRules
from zerkalo.loyalty.model import Programme

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
COMPANY = CompanyFacts(
    id=7,
    title="Salon",
    timezone_name="Europe/Moscow",
    last_status="finished",
    last_started_at=NOW - timedelta(minutes=20),
    last_finished_at=NOW - timedelta(minutes=19),
    last_error=None,
    last_success_at=NOW - timedelta(minutes=20),
    problem=None,
    answer=Answer(),
)
WELL = Facts(
    now=NOW,
    settings={},
    enabled=True,
    has_tokens=True,
    has_secret=True,
    webhook_url="https://salon.test/hook?token=t",
    interval_minutes=30,
    can_send_email=True,
    can_send_sms=True,
    schema_is_current=True,
    since=None,
    companies=(COMPANY,),
    last_webhook_at=NOW - timedelta(hours=1),
    worker_seen_at=NOW - timedelta(seconds=10),
)


def company(**changes: object) -> Facts:
    return replace(WELL, companies=(replace(COMPANY, **changes),))


def codes(facts: Facts) -> list[str]:
    return [problem.code for problem in problems_of(facts)]


def test_zone_data_that_say_the_same_are_no_problem_however_old():
    assert problems_of(in_almaty(machine=ZoneRules(NEW.fingerprint, "2023c"), known=NEW)) == ()


def test_where_all_is_well_nothing_is_said():
    assert problems_of(WELL) == ()
    assert sync_lag(WELL) == timedelta(minutes=20)


OLD, NEW = ZoneRules("+06", "2023c"), ZoneRules("+05", "2025b")


def in_almaty(*, machine: ZoneRules, known: ZoneRules) -> Facts:
    """A company there whose visits are read by rules that may be others than the machine's; the package has the new ones."""
    facts = company(
        timezone_name="Asia/Almaty", zone_rules=known.fingerprint, zone_data_version=known.version
    )
    return replace(facts, zones={"Asia/Almaty": Zone(machine, NEW)})


@pytest.mark.parametrize(
    ("facts", "code", "severity"),
    [
        (replace(WELL, schema_is_current=False), "schema_outdated", Severity.ERROR),
        (replace(WELL, schema_is_current=False, has_tables=False), "schema_missing", Severity.ERROR),
        (replace(WELL, users_with_short_code=4), "codes_short", Severity.ADVICE),
        (replace(WELL, enabled=False), "yclients_disabled", Severity.ERROR),
        (replace(WELL, has_tokens=False), "tokens_missing", Severity.ERROR),
        (replace(WELL, has_secret=False), "secret_missing", Severity.ADVICE),
        (replace(WELL, last_webhook_at=None), "webhook_never", Severity.ADVICE),
        (company(problem="401: Необходима авторизация"), "yclients_refuses", Severity.ERROR),
        (
            company(answer=Answer("yclients_silent", "no connection: ConnectError")),
            "yclients_silent",
            Severity.ERROR,
        ),
        (company(answer=Answer("company_unknown", "not found")), "company_unknown", Severity.ERROR),
        (company(last_status="failed", last_error="503"), "sync_failed", Severity.ERROR),
        (company(last_success_at=NOW - timedelta(minutes=61)), "sync_late", Severity.ERROR),
        (company(last_success_at=None, last_status=None), "sync_late", Severity.ERROR),
        (
            company(last_success_at=NOW - timedelta(days=3), last_status="running"),
            "sync_late",
            Severity.ERROR,
        ),
        (replace(WELL, worker_seen_at=None), "worker_silent", Severity.ERROR),
        (replace(WELL, worker_seen_at=NOW - timedelta(seconds=121)), "worker_silent", Severity.ERROR),
        (replace(WELL, quarantine=2), "quarantine", Severity.ERROR),
        (replace(WELL, outbox_failing=1), "messages_failing", Severity.ERROR),
        (replace(WELL, refused_cards=2), "balances_refused", Severity.ERROR),
        (
            replace(WELL, failing_tasks=(FailingTask("prune", 3, "UndefinedTable"),)),
            "task_failing",
            Severity.ERROR,
        ),
        (replace(WELL, quarantine=2, own_faults=2), "own_faults", Severity.ERROR),
        (company(absent_waiting=125), "absent_waiting", Severity.ERROR),
        (company(refused_records=1), "records_refused", Severity.ERROR),
        (in_almaty(machine=OLD, known=NEW), "zone_data_older", Severity.ERROR),
        (in_almaty(machine=OLD, known=OLD), "zone_data_old", Severity.ADVICE),
        (replace(WELL, users_without_code=3), "codes_missing", Severity.ERROR),
        (replace(WELL, ambiguous=1), "ambiguous", Severity.ADVICE),
        (replace(WELL, can_send_email=False), "email_unset", Severity.ADVICE),
        (replace(WELL, can_send_sms=False), "sms_unset", Severity.ADVICE),
    ],
)
def test_each_fault_has_its_problem(facts: Facts, code: str, severity: Severity):
    (problem,) = problems_of(facts)

    assert (problem.code, problem.severity) == (code, severity)
    assert is_healthy((problem,)) == (severity is Severity.ADVICE)
    for language in ("ru", "en"):
        assert "{" not in text_of(problem, language) + fix_of(problem, language)


@pytest.mark.parametrize(
    "facts",
    [
        company(last_success_at=NOW - timedelta(minutes=60)),
        company(last_success_at=NOW - timedelta(days=3), last_status="running", is_running=True),  # a first history takes its time
        replace(company(last_success_at=None, last_status=None), since=NOW - timedelta(minutes=59)),
        replace(WELL, worker_seen_at=None, since=NOW - timedelta(seconds=119)),
    ],
)  # fmt: skip
def test_what_is_only_beginning_is_no_fault(facts: Facts):
    assert problems_of(facts) == ()


def test_one_reason_is_told_once_and_what_needs_doing_first():
    refused = replace(
        company(problem="401", answer=Answer("yclients_refuses", "401"), last_status="failed"),
        has_secret=False,
        quarantine=1,
    )
    assert codes(refused) == ["yclients_refuses", "quarantine", "secret_missing"]
    assert codes(replace(refused, enabled=False)) == ["yclients_disabled", "quarantine"]


def test_all_is_well_is_not_said_before_a_webhook_came_or_a_booking_was_somebodys():
    fresh = replace(WELL, last_webhook_at=None)
    nobody = replace(WELL, unmatched=533)

    assert verdict_of(problems_of(WELL)) == "well"
    assert verdict_of(problems_of(replace(WELL, can_send_sms=False))) == "well"
    assert verdict_of(problems_of(fresh)) == verdict_of(problems_of(nobody)) == "unfinished"
    assert verdict_of(problems_of(replace(nobody, matched=1))) == "well"
    assert verdict_of(problems_of(replace(fresh, quarantine=1))) == "ill"


def test_the_lag_is_that_of_the_slowest_company():
    slow = replace(COMPANY, id=8, last_success_at=NOW - timedelta(hours=2))
    assert sync_lag(replace(WELL, companies=(COMPANY, slow))) == timedelta(hours=2)
    assert sync_lag(replace(WELL, companies=(COMPANY, replace(slow, last_success_at=None)))) is None
    assert sync_lag(replace(WELL, companies=())) is None


def test_every_problem_that_may_be_found_has_its_words():
    values: dict[str, object] = {
        "company": 7,
        "reason": "r",
        "url": "u",
        "count": 1,
        "zone": "z",
        "version": "2",
        "newer": "3",
    }
    values |= {"newest": "3", "major": 15, "folder": "f", "free": "9", "path": "p", "mode": "644"}
    values |= {"seconds": "+9", "host": "h", "other": "o", "task": "t", "error": "e"}
    for code in TEXTS:
        for language in ("ru", "en"):
            problem = Problem(code, Severity.ERROR, values)
            assert text_of(problem, language).endswith((".", "r", "1"))
            assert len(fix_of(problem, language)) > 10


def test_without_tokens_what_came_of_asking_before_is_no_news() -> None:
    facts = replace(company(problem="401", last_status="failed"), has_tokens=False)

    assert "tokens_missing" in codes(facts)
    assert not {"yclients_refuses", "sync_failed"} & {*codes(facts)}


def test_the_programme_is_told_with_its_start_and_what_the_history_was_given():
    since = date(2023, 1, 1)
    begun = Programme(Decimal("5.0"), date(2026, 11, 27))
    given = Programme(Decimal("7.5"), since, 98_000, 2_100, since)

    assert programme_text(Programme(), "ru") == "Программа баллов выключена."
    assert programme_text(begun, "ru") == "Программа баллов: 5 % от цены, за визиты с 27.11.2026."
    assert programme_text(given, "ru").replace("\N{NO-BREAK SPACE}", " ") == (
        "Программа баллов: 7,5 % от цены, за визиты с 01.01.2023."
        " За прошлое начислено: 98 000 баллов за 2 100 визитов с 01.01.2023."
    )
    assert programme_text(given, "en").replace("\N{NO-BREAK SPACE}", " ") == (
        "Programme of points: 7.5 % of the price, for visits since 2023-01-01."
        " The history was given 98 000 points for 2 100 visits since 2023-01-01."
    )
