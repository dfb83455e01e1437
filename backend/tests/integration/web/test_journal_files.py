"""The journal as CSV and XLSX: what is shown, whole, harmless in a spreadsheet, in memory that does not grow with it."""

import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx2
import pytest

from tests.support.application import COMPANY_ID, Application, free_port, running_application, serving
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.main import server_of
from zerkalo.web.pages.admin.journal.export import up_to
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

DAY = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)
MANY = 100_000
GROWTH_BYTES_MAX = 60 * 1024 * 1024
CELLS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        port = free_port()
        async with (
            running_application(
                dsn, folder, is_demo=False, with_worker=False, PUBLIC_URL=f"http://localhost:{port}"
            ) as application,
            serving(server_of(application.app, "127.0.0.1", port)),
        ):
            yield application


@pytest.fixture(scope="module")
async def admin(salon: Application) -> AsyncIterator[httpx2.AsyncClient]:
    user_id = await salon.new_user(email="files@example.com", is_admin=True, unique_code="FILES234")
    session = await salon.session_of(user_id)
    url = salon.runtime.settings.public_url
    async with httpx2.AsyncClient(
        base_url=url, cookies={SESSION: session.refresh_token}, timeout=120
    ) as client:
        client.headers["Accept-Language"] = "ru"
        yield client


async def put(salon: Application, **columns: object) -> int:
    at = columns.pop("at", DAY)
    assert isinstance(at, datetime)
    async with salon.runtime.pool.connection() as conn:
        given = {
            "appointment_datetime": at,
            "appointment_local": at.replace(tzinfo=None) + timedelta(hours=3),
        }
        return await add_booking(conn, company_id=COMPANY_ID, **given | columns)


def rows_of_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


def rows_of_xlsx(body: bytes) -> tuple[list[list[str]], str]:
    """The cells' texts by row, and the sheet's XML."""
    xml = zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml").decode()
    rows = ET.fromstring(xml).iter(f"{CELLS}row")
    return [["".join(cell.itertext()) for cell in row] for row in rows], xml


async def test_a_file_has_what_the_address_shows(salon: Application, admin: httpx2.AsyncClient) -> None:
    paid = {"paid": True, "prepaid": False, "online": True}
    await put(salon, client_name="Анна", staff_name="Алиса", staff_id=5, phone="+79990001122", **paid)
    await put(salon, at=DAY + timedelta(hours=1), client_name="Борис", staff_name="Вера", staff_id=6)
    await put(salon, at=DAY + timedelta(days=1), client_name="Завтра")

    day = await admin.get("/admin/bookings.csv", params={"day": "2031-03-03"})
    week = await admin.get("/admin/bookings.csv", params={"day": "2031-03-03", "view": "week"})
    one = await admin.get("/admin/bookings.csv", params={"day": "2031-03-03", "staff": "6"})
    found = await admin.get("/admin/bookings.csv", params={"q": "завтра"})
    xlsx = await admin.get("/admin/bookings.xlsx", params={"day": "2031-03-03"})

    assert day.headers["content-disposition"].endswith('.csv"')
    assert day.headers["cache-control"] == "no-store"
    assert [row["Клиент"] for row in rows_of_csv(day.text)] == ["Анна", "Борис"]
    assert [row["Клиент"] for row in rows_of_csv(week.text)] == ["Анна", "Борис", "Завтра"]
    assert [row["Клиент"] for row in rows_of_csv(one.text)] == ["Борис"]
    assert [row["Клиент"] for row in rows_of_csv(found.text)] == ["Завтра"]
    row = rows_of_csv(day.text)[0]
    assert (row["Оплата"], row["Как записались"]) == ("оплачена полностью", "клиентом, онлайн")
    assert {row["Оплата"] for row in rows_of_csv(one.text)} == {""}, "YCLIENTS does not say"
    assert (row["День"], row["Время"], row["Цена, ₽"], row["Телефон"]) == (
        "03.03.2031",
        "12:00",
        "2500,00",
        "'+79990001122",
    )
    rows, xml = rows_of_xlsx(xlsx.content)
    assert [row[8] for row in rows] == ["Клиент", "Анна", "Борис"]
    assert rows[1][9] == "+79990001122"
    assert "<f>" not in xml
    told = await salon.fetch("select action, details from audit_entries where action = 'journal.export'")
    assert len(told) == 5


HOSTILE = ("=1+1", "+7(999)", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', "＝1+1")


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_cell_is_a_formula(salon: Application, admin: httpx2.AsyncClient, text: str) -> None:
    """Whoever books online writes a name and a comment, and the salon opens the file."""
    await salon.execute("delete from bookings")
    await put(salon, client_name=text, comment=text, service_name=text, staff_name=text)

    answer = await admin.get("/admin/bookings.csv", params={"day": "2031-03-03"})
    rows, xml = rows_of_xlsx((await admin.get("/admin/bookings.xlsx", params={"day": "2031-03-03"})).content)

    (row,) = rows_of_csv(answer.text)
    assert {row[name] for name in ("Клиент", "Комментарий", "Услуги", "Специалист")} == {f"'{text}"}
    assert "<f>" not in xml
    assert len(re.findall(r't="inlineStr"', xml)) >= len(rows[0])


def peak_bytes() -> int:
    """The most memory that this process has held since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> int:
    """Begin to measure; what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


@pytest.mark.parametrize(
    ("count_max", "expected"),
    [(1, [1, None]), (2, [1, 2, None]), (3, [1, 2, 3, None]), (4, [1, 2, 3, 4]), (5, [1, 2, 3, 4])],
)
async def test_a_file_that_does_not_hold_all_says_so_at_its_end(
    count_max: int, expected: list[int | None]
) -> None:
    async def batches() -> AsyncIterator[Sequence[int]]:
        for batch in ([1, 2], [3, 4]):
            yield batch

    assert [one async for batch in up_to(count_max, batches()) for one in batch] == expected


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "xlsx"])
async def test_a_hundred_thousand_rows_take_little_memory(
    salon: Application, admin: httpx2.AsyncClient, ending: str
) -> None:
    await salon.execute("delete from bookings")
    await salon.execute(
        "insert into bookings (company_id, yclients_record_id, client_name, service_name, service_price, phone, staff_name,"
        " appointment_datetime, appointment_local, comment)"
        " select %s, n, 'Клиент ' || n, 'Стрижка, укладка', 250000, '+7999' || n, 'Алиса',"
        " at, at at time zone 'UTC', 'Позвонить за час, номер ' || n"
        " from (select n, timestamptz '2020-01-01 09:00Z' + n * interval '7 minutes' as at from generate_series(1, %s) n) x",
        COMPANY_ID,
        MANY,
    )
    before = forget_peak()
    lines = taken = 0
    async with admin.stream("GET", f"/admin/bookings.{ending}", params={"from": "2019-01-01"}) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_bytes():
            lines, taken = lines + piece.count(b"\n"), taken + len(piece)
    grown = peak_bytes() - before
    print(f"{ending}: {taken} bytes, {grown / 2**20:.1f} MiB over start")

    assert grown < GROWTH_BYTES_MAX
    assert ending == "xlsx" or lines == MANY + 1
