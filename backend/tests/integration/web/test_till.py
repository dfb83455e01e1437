"""The till: a code, a QR's text or a phone finds the client; points are spent for the visit of today, once, and undone."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.web.pages.cookies import SESSION

pytestmark = [pytest.mark.integration]
STATIC = Path(__file__).resolve().parents[3] / "zerkalo/web/static"
PAGE_BYTES_MAX = 100_000


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(dsn, folder, PUBLIC_URL="http://localhost:8000") as application:
            yield application


@dataclass
class Till:
    """A browser at the till without JavaScript, and a client with a visit of today and 500 points."""

    salon: Application
    client: httpx2.AsyncClient
    anna: int
    visit: int

    async def get(self, path: str) -> str:
        answer = await self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer.text[:300]
        return answer.text

    async def fields(self, path: str) -> dict[str, str]:
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', await self.get(path)))

    async def spend(self, points: str, fields: dict[str, str] | None = None) -> httpx2.Response:
        fields = fields or await self.fields(f"/admin/till?user={self.anna}")
        return await self.client.post("/admin/till/redeem", data={**fields, "points": points})

    async def balance(self) -> int:
        (row,) = await self.salon.fetch(
            "select sum(amount)::int as sum from bonus_entries where user_id = %s", self.anna
        )
        return row["sum"]


async def browser(salon: Application, role: str) -> httpx2.AsyncClient:
    session = await salon.session_of(await salon.new_user(email=f"{role}{id(object())}@desk.test", role=role))
    client = salon.client()
    client.headers["Accept"] = "text/html"
    client.cookies.set(SESSION, session.refresh_token)
    return client


@pytest.fixture
async def till(salon: Application) -> AsyncIterator[Till]:
    await salon.execute("update users set unique_code = null, phone = null")
    anna = await salon.new_user(
        name="Анна <b>", unique_code="ANNA2345", phone="+79991230001", phone_verified_at=salon.runtime.clock()
    )
    await salon.execute(
        "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
        " values (%s, 500, 'adjustment', %s, now(), now())",
        anna,
        f"till {anna}",
    )
    now = salon.runtime.clock()
    async with salon.runtime.pool.connection() as conn:
        visit = await add_booking(
            conn, company_id=COMPANY_ID, user_id=anna, matched_by="code", appointment_datetime=now
        )
    async with await browser(salon, "receptionist") as client:
        yield Till(salon, client, anna, visit)


@pytest.mark.parametrize(
    "typed", ["ANNA2345", "anna2345", "АNNА2345", "Код клиента: ANNA2345", "+7 999 123-00-01", "89991230001"]
)
async def test_a_code_a_qr_or_a_phone_finds_the_client(till: Till, typed: str) -> None:
    page = await till.get(f"/admin/till?who={httpx2.QueryParams({'q': typed})['q']}".replace("+", "%2B"))
    assert "Анна &lt;b&gt;" in page
    assert "500" in page
    assert "Стрижка" in page


async def test_several_are_chosen_from_and_nobody_is_said(till: Till) -> None:
    await till.salon.new_user(name="Анна другая", unique_code="ANNB2345")
    page = await till.get("/admin/till?who=Анна")
    assert f"/admin/till?user={till.anna}" in page
    assert "Анна другая" in page
    assert "Никого не нашлось" in await till.get("/admin/till?who=ZZZZ9999")


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "javascript:alert(1)", "https://evil.test/" * 9]
)
async def test_a_qr_with_a_script_is_text_that_nobody_has(till: Till, text: str) -> None:
    answer = await till.client.get("/admin/till", params={"who": text})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "camera=(self)" in answer.headers["Permissions-Policy"]


async def test_no_other_page_may_ask_for_the_camera(till: Till) -> None:
    assert "camera=()" in (await till.client.get("/admin/users")).headers["Permissions-Policy"]


async def test_points_are_spent_for_the_visit_and_undone(till: Till) -> None:
    answer = await till.spend("200")
    assert answer.status_code == 303
    page = await till.get(answer.headers["Location"])
    assert re.search(r'class="balance">300', page)
    (entry,) = await till.salon.fetch(
        "select id, amount, visit_id, booking_id, created_by is not null as by from bonus_entries"
        " where user_id = %s and kind = 'redemption'",
        till.anna,
    )
    assert (entry["amount"], entry["visit_id"], entry["booking_id"], entry["by"]) == (
        -200,
        till.visit,
        None,
        True,
    )
    assert "За этот визит уже списано: 200" in await till.get(f"/admin/till?user={till.anna}")

    fields = await till.fields(answer.headers["Location"])
    for _ in range(2):  # a double tap
        undone = await till.client.post("/admin/till/undo", data=fields)
        assert undone.status_code == 303
    assert await till.balance() == 500
    noted = await till.salon.fetch(
        "select action, details from audit_entries where subject = %s order by id", f"user {till.anna}"
    )
    assert [(one["action"], one["details"]["points"], one["details"]["after"]) for one in noted] == [
        ("loyalty.redemption", -200, 300),
        ("loyalty.reversal", 200, 500),
    ]
    assert "уже списано" not in await till.get(f"/admin/till?user={till.anna}")


async def test_a_double_tap_spends_once(till: Till) -> None:
    fields = await till.fields(f"/admin/till?user={till.anna}")
    answers = await asyncio.gather(*(till.spend("100", fields) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert await till.balance() == 400


@pytest.mark.parametrize(
    ("points", "status"), [("501", 409), ("0", 422), ("-5", 422), ("", 422), ("1e3", 422)]
)
async def test_what_is_refused_keeps_what_was_typed_and_works_the_second_time(
    till: Till, points: str, status: int
) -> None:
    refused = await till.spend(points)
    assert refused.status_code == status
    assert f'value="{points}"' in refused.text
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', refused.text))
    assert (await till.spend("10", fields)).status_code == 303
    assert await till.balance() == 490


async def test_after_ten_minutes_nothing_is_undone(till: Till) -> None:
    late = till.salon.runtime.clock() - timedelta(minutes=10, seconds=1)
    await till.salon.execute(
        "insert into bonus_entries (user_id, amount, kind, entry_key, balance_after, effective_at, created_at)"
        " values (%s, -50, 'redemption', %s, 450, %s, %s)",
        till.anna,
        f"late {till.anna}",
        late,
        late,
    )
    (entry,) = await till.salon.fetch("select max(id) as id from bonus_entries")
    assert "Отменить списание" not in await till.get(f"/admin/till?spent={entry['id']}")
    fields = await till.fields(f"/admin/till?user={till.anna}")
    refused = await till.client.post(
        "/admin/till/undo", data={"csrf": fields["csrf"], "entry": str(entry["id"])}
    )
    assert refused.status_code == 409
    assert await till.balance() == 450


async def test_without_a_visit_of_today_only_an_owner_spends(till: Till) -> None:
    """A receptionist can't spend the points of somebody who is not there, for a friend."""
    fields = await till.fields(f"/admin/till?user={till.anna}")
    await till.salon.execute("update bookings set status = 'CANCELLED' where id = %s", till.visit)
    refused = await till.spend("10", fields)
    assert (refused.status_code, await till.balance()) == (409, 500)
    assert "только владелец" in refused.text

    async with await browser(till.salon, "owner") as owner:
        till.client = owner
        assert (await till.spend("10")).status_code == 303


async def test_a_visit_of_another_client_or_day_does_not_count(till: Till) -> None:
    await till.salon.execute(
        "update bookings set appointment_datetime = appointment_datetime + interval '2 days' where id = %s",
        till.visit,
    )
    assert "Сегодня визита нет" in await till.get(f"/admin/till?user={till.anna}")


async def test_a_form_of_another_site_spends_nothing(till: Till) -> None:
    fields = await till.fields(f"/admin/till?user={till.anna}")
    forged = await till.spend("10", {**fields, "csrf": "0" * 64})
    assert (forged.status_code, await till.balance()) == (403, 500)


async def test_the_till_is_light_enough_for_3g(till: Till) -> None:
    """The page with all that it loads at once, as it travels; the reader of QR codes comes only with the camera."""
    page = await till.client.get(f"/admin/till?user={till.anna}")
    weight = len(page.content)
    for address in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)):
        weight += int(
            (await till.client.get(address, headers={"Accept-Encoding": "gzip"})).headers["Content-Length"]
        )
    print(f"the till weighs {weight} bytes")
    assert weight < PAGE_BYTES_MAX
