"""`/admin/reports`: what is shown is what was counted, each figure with its definition, in both languages, as a file and as JSON."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from html import unescape

import httpx2
import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.kit.language import Language
from zerkalo.reports.model import DayFigures, Period
from zerkalo.reports.rules import days_of
from zerkalo.web.pages.admin.reports import words
from zerkalo.web.pages.admin.reports.rows import DAYS_BY_DAY_MAX, steps_of
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

DAY = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)
MARCH = "from=2031-03-01&to=2031-03-31"
APRIL = "from=2031-04-01&to=2031-04-30"
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, is_demo=False, with_worker=False, PUBLIC_URL="http://localhost:8000"
        ) as application:
            for days, columns in (
                (0, {"service_price": 100_000, "staff_name": "=Алиса", "service_name": "Стрижка"}),
                (1, {"service_price": 250_050, "staff_name": "Борис", "service_name": "Укладка"}),
                (2, {"status": "CANCELLED", "cancel_reason": "no_show", "staff_name": "Борис"}),
                (-28, {"service_price": 50_000, "staff_name": "Борис"}),
            ):
                at = DAY + timedelta(days=days)
                local = at.replace(tzinfo=None) + timedelta(hours=3)
                given = {
                    "appointment_datetime": at,
                    "appointment_local": local,
                    "status": "COMPLETED",
                    "client_id": days,
                }
                async with application.runtime.pool.connection() as conn:
                    await add_booking(conn, company_id=COMPANY_ID, **given | columns)
            yield application


@pytest.fixture
async def owner(salon: Application, request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    name = re.sub(r"\W", "", request.node.name)[-12:]
    user_id = await salon.new_user(email=f"{name}@example.com", is_admin=True)
    session = await salon.session_of(user_id)
    async with salon.client(cookies={SESSION: session.refresh_token}) as client:
        client.headers["Accept-Language"] = "ru"
        yield client


def shown(html: str, name: str) -> list[str]:
    """The cells of a figure's row, without marks."""
    found = re.search(rf'<tr id="{name}">(.+?)</tr>', html, re.DOTALL)
    assert found is not None
    cells = re.findall(r"<td>(.*?)</td>", found[1], re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in cells]


async def test_the_page_shows_both_periods_and_the_change(owner: httpx2.AsyncClient) -> None:
    html = (await owner.get(f"/admin/reports?{MARCH}")).text

    assert shown(html, "revenue") == [f"3{NBSP}500,50{NBSP}₽", f"500{NBSP}₽", "+600 %"]
    assert shown(html, "visits") == ["2", "1", "+100 %"]
    assert shown(html, "average") == [f"1{NBSP}750,25{NBSP}₽", f"500{NBSP}₽", "+250 %"]
    assert shown(html, "no_shows") == ["1 33 %", "0", "–"]
    assert shown(html, "new") == ["2", "1", "+100 %"]
    assert "01.02.2031 – 28.02.2031" in html


async def test_a_fall_is_shown_with_a_minus(owner: httpx2.AsyncClient) -> None:
    html = (await owner.get(f"/admin/reports?{APRIL}")).text

    assert shown(html, "visits") == ["0", "2", "−100 %"]


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_every_figure_and_table_has_its_definition_beside_it(
    owner: httpx2.AsyncClient, language: Language
) -> None:
    html = unescape((await owner.get(f"/admin/reports?{MARCH}&lang={language}")).text)

    for title, definition in words.FIGURES.values():
        assert title[language] in html
        assert definition[language] in html
    for kind in ("staff", "service", "weekday", "hour"):
        assert words.GROUPS[kind][1][language] in html
    if language == "en":
        main = html[html.index("<main") : html.index("</main>")]
        visible = re.sub(r"<[^>]+>", " ", main)
        assert set(re.findall(r"[а-яА-ЯёЁ]+", visible)) == {"Алиса", "Борис", "Стрижка", "Укладка"}


async def test_the_file_has_every_figure_and_table_and_no_formula(
    owner: httpx2.AsyncClient, salon: Application
) -> None:
    answer = await owner.get(f"/admin/reports.csv?{MARCH}")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="report-2031-03-01-2031-03-31.csv"'
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
    by_title = {row[0]: row for row in rows if row}
    assert by_title["С"] == ["С", "01.03.2031", "01.02.2031"]
    assert by_title["Выручка"][:3] == ["Выручка", "3500,50", "500,00"]
    assert by_title["Борис"][:6] == ["Борис", "1", "2500,50", "2500,50", "1", "0"]
    assert "'=Алиса" in by_title
    (noted,) = await salon.fetch("select count(*) as n from audit_entries where action = 'report.export'")
    assert noted["n"] == 1


async def test_the_api_tells_the_same(owner: httpx2.AsyncClient, salon: Application) -> None:
    user_id = await salon.new_user(email="api@example.com", is_admin=True)
    token = (await salon.session_of(user_id)).access_token
    async with salon.client(token) as client:
        told = (await client.get(f"/api/v1/admin/reports?{MARCH}")).json()

    assert told["period"] == {"first": "2031-03-01", "last": "2031-03-31"}
    assert [part["revenue"] for part in told["totals"]] == [350_050, 50_000]
    assert [one["key"] for one in told["groups"]["staff"]] == ["Борис", "=Алиса"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "period=nonsense",
        "from=x&to=y",
        "from=9999-12-31",
        "from=0001-01-01&to=9999-12-31",
        "company=7",
        "company=x",
    ],
)
async def test_an_address_that_makes_no_sense_shows_something(owner: httpx2.AsyncClient, query: str) -> None:
    assert (await owner.get(f"/admin/reports?{query}")).status_code == 200


def test_a_long_chart_is_by_week() -> None:
    year = Period(date(2026, 1, 1), date(2026, 12, 31))
    days = [DayFigures(day, 1, 10) for day in days_of(year)]

    step, bars = steps_of(days)

    assert (step, sum(one.visits for one in bars), {one.day.weekday() for one in bars}) == (7, 365, {0})
    assert steps_of(days[:DAYS_BY_DAY_MAX])[0] == 1
