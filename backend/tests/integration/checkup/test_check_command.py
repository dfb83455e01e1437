"""`zerkalo check` on a salon: what it tells, in which words, with which keys, and how it ends."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import typer
from psycopg.conninfo import conninfo_to_dict

from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import COMPANY_ID, SECRET, WEBHOOK, Application, running_application
from tests.support.vendor import State, event
from zerkalo.cli.check import check
from zerkalo.db.pool import Pool
from zerkalo.inbox import store as inbox
from zerkalo.settings import SETTING_NAMES

pytestmark = pytest.mark.integration

CHANGED_AT = "2025-06-01T12:00:00+0300"
"""Long ago by every clock: a change of the future is not applied at once, it is asked for."""


@pytest.fixture
async def salon(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    """A salon with one booking, and this process's settings those of it."""
    async with running_application(dsn, tmp_path) as application:
        async with application.client() as client:
            body = event(State(1), id=41, company_id=COMPANY_ID, last_change_date=CHANGED_AT)
            body |= {"company_id": COMPANY_ID}
            assert (await client.post(f"{WEBHOOK}/{SECRET}", json=body)).json()["status"] == "applied"
        for name in SETTING_NAMES:
            monkeypatch.delenv(name, raising=False)
        settings = application.settings
        for name, text in {
            "DATABASE_URL": as_url(dsn),
            "SECRET_KEY": settings.secret_key or "",
            "YCLIENTS_ENABLED": "True",
            "YCLIENTS_API_URL": application.emulator_url,
            "YCLIENTS_PARTNER_TOKEN": settings.yclients_partner_token or "",
            "YCLIENTS_USER_TOKEN": settings.yclients_user_token or "",
            "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
            "YCLIENTS_WEBHOOK_SECRET": SECRET,
            "PUBLIC_URL": "https://salon.test",
        }.items():
            monkeypatch.setenv(name, text)
        monkeypatch.chdir(tmp_path)
        yield application


async def told(capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, str]:
    """The exit code and what was printed."""
    capsys.readouterr()
    code = 0
    try:
        await check(**{"json": False, "lang": "ru", **options})
    except typer.Exit as end:
        code = end.exit_code
    return code, capsys.readouterr().out


async def make_well(pool: Pool) -> None:
    """The worker is alive and a sync has succeeded."""
    async with pool.connection() as conn:
        await conn.execute(
            "insert into facts (name, value, updated_at) values ('worker', '{}', now())"
            " on conflict (name) do update set updated_at = now()"
        )
        await conn.execute(
            "insert into sync_runs (company_id, status, full_history, started_at, finished_at)"
            " values (%s, 'finished', true, now(), now())",
            [COMPANY_ID],
        )


async def test_the_keys_of_the_json_are_those_promised(
    salon: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = await told(capsys, json=True)
    report = json.loads(out)

    assert code == 1
    assert report["healthy"] is False
    assert (report["bookings"]["total"], report["bookings"]["matched"], report["bookings"]["unmatched"]) == (
        1,
        0,
        1,
    )
    assert report["bookings"]["by_status"].keys() == {"PENDING", "CONFIRMED", "COMPLETED", "CANCELLED"}
    assert sum(report["bookings"]["by_status"].values()) == 1
    assert report["users"] == {"with_code": 0, "without_code": 0}
    assert report["last_run"] is None
    assert report["last_webhook"].keys() == {"at", "age_seconds"}
    assert report["quarantine"] == 0
    assert [company["answers"] for company in report["companies"]] == [True]
    assert {problem["code"] for problem in report["problems"]} >= {"sync_late", "worker_silent"}
    assert all(problem.keys() == {"code", "severity", "text", "fix"} for problem in report["problems"])


async def test_it_ends_with_0_where_nothing_needs_doing(
    salon: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_well(salon.runtime.pool)

    code, out = await told(capsys, json=True)
    report = json.loads(out)

    assert (code, report["healthy"]) == (0, True)
    assert {problem["severity"] for problem in report["problems"]} == {"advice"}
    assert report["last_run"]["status"] == "finished"
    assert report["last_run"]["company_id"] == COMPANY_ID


async def test_it_is_told_in_russian_and_on_request_in_english(
    salon: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_well(salon.runtime.pool)
    await salon.new_user(email="coded@mail.test", unique_code="ABCD2345")
    await salon.new_user(email="codeless@mail.test", unique_code=None)

    code, russian = await told(capsys)
    _, english = await told(capsys, lang="en")

    assert code == 1
    for line in (
        r"  YCLIENTS_USER_TOKEN +\*\*\*",
        rf"  филиал {COMPANY_ID} .+: отвечает",
        r"Записи в базе: всего 1",
        r"  с пользователем: 0, без пользователя: 1",
        r"Пользователи: с кодом 1, без кода 1",
        r"  #\d+  YClients ID 41  \d\d\.\d\d\.\d{4} \d\d:\d\d  \w+ .+",
        rf"Последняя синхронизация \(филиал {COMPANY_ID}\): .+ назад, завершена",
        r"Последний webhook: .+ назад",
        rf"Адрес вебхука для YCLIENTS: https://salon\.test/api/v1/yclients/webhook\?token={SECRET}",
        r"Отложенные события: 0",
        r"  ! Пользователи без кода: 1\.\n      → Запустите: python scripts/generate_unique_codes\.py",
    ):
        assert re.search(f"^{line}$", russian, re.MULTILINE), line
    advice = russian.split("Рекомендации:")[1]
    names_of_the_salon = r"Стрижка|Салон «Отражение»|Salon"
    assert not re.search("[А-Яа-я]", re.sub(names_of_the_salon, "", english))
    assert len(english.split("Recommendations:")[1].splitlines()) == len(advice.splitlines())
    assert "Users without a code: 1." in english
    assert "ago, finished" in english


async def test_what_yclients_refuses_is_told_with_its_reason(
    salon: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_well(salon.runtime.pool)
    monkeypatch.setenv("YCLIENTS_USER_TOKEN", "a-wrong-one")
    monkeypatch.setenv("YCLIENTS_PARTNER_TOKEN", "a-wrong-one")

    code, out = await told(capsys, json=True)
    report = json.loads(out)

    assert code == 1
    assert [company["answers"] for company in report["companies"]] == [False]
    (problem,) = [one for one in report["problems"] if one["severity"] == "error"]
    assert problem["code"] == "yclients_refuses"
    assert str(COMPANY_ID) in problem["text"]
    assert "a-wrong-one" not in out


async def test_number_of_a_branch_that_yclients_does_not_know_is_told_as_such(
    salon: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YCLIENTS_COMPANY_ID", "999")

    _, out = await told(capsys, json=True)

    (problem,) = [one for one in json.loads(out)["problems"] if "999" in one["text"]]
    assert problem["code"] == "company_unknown"
    assert "YCLIENTS_COMPANY_ID" in problem["fix"]


async def test_last_webhook_is_neither_a_test_nor_what_a_sync_put_in_quarantine(
    salon: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await salon.execute("delete from deliveries")
    await salon.execute(
        "insert into deliveries (received_at, company_id, resource, event, body, outcome, finished_at)"
        " values (now(), 1, 'zerkalo_test', 'update', '', 'ignored', now())"
    )
    async with salon.runtime.pool.connection() as conn:
        await inbox.quarantine_record(
            conn, company_id=COMPANY_ID, record_id=5, raw=b"{}", reason="no date", now=salon.runtime.clock()
        )

    _, out = await told(capsys, json=True)
    report = json.loads(out)

    assert (report["last_webhook"], report["quarantine"]) == (None, 1)


async def test_tables_that_are_out_of_date_are_the_only_thing_told(
    salon: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await salon.execute("alter schema zerkalo rename to elsewhere")

    code, out = await told(capsys)

    assert code == 1
    assert out.count("  ! ") == 1
    assert "zerkalo migrate" in out


async def test_a_database_that_takes_nothing_new_is_told(
    salon: Application, capsys: pytest.CaptureFixture[str], dsn: str
) -> None:
    """As a host leaves it whose disk is full, or as a standby is."""
    await make_well(salon.runtime.pool)
    name = str(conninfo_to_dict(dsn)["dbname"])
    await salon.execute(f"alter database {name} set default_transaction_read_only = on")

    code, out = await told(capsys, json=True)

    assert code == 1
    assert [one["code"] for one in json.loads(out)["problems"] if one["severity"] == "error"] == [
        "database_read_only"
    ]
