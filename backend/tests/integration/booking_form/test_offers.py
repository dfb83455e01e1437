"""What the form offers: asked of YCLIENTS once for all who ask in the same seconds, and fresh after a booking."""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.emulator import NOON
from tests.support.form import MASTER, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID
from yclients_emulator import EmulatorSettings
from zerkalo.booking_form.offers import CATALOGUE_SECONDS, TIMES_SECONDS
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration

BERLIN = 100202


async def test_the_steps_of_the_form(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()

        branches = (await anna.get("/booking/companies")).json()["items"]
        services = (await anna.get("/booking/services")).json()["items"]
        staff = (await anna.get("/booking/staff", params={"service_ids": [SERVICE]})).json()["items"]
        params = {"service_ids": [SERVICE], "staff_id": MASTER}
        dates = (await anna.get("/booking/dates", params=params)).json()["items"]
        times = (await anna.get("/booking/times", params=params | {"date": dates[1]})).json()["items"]
        with_master = (await anna.get("/booking/services", params={"staff_id": MASTER})).json()["items"]

        assert branches == [
            {"company_id": COMPANY_ID, "title": "Салон «Отражение»", "timezone_name": "Europe/Moscow"}
        ]
        cut = next(one for one in services if one["service_id"] == SERVICE)
        assert (cut["title"], cut["price_min"], cut["price_max"]) == ("Женская стрижка", 250_000, 350_000)
        assert (cut["category"], cut["duration"]) == ("Волосы", 60), "of the catalogue"
        assert next(one for one in with_master if one["service_id"] == SERVICE)["duration"] == 60
        assert {one["staff_id"] for one in staff} == {501, 502, 503}
        assert times[0] == {
            "datetime": f"{dates[1]}T{times[0]['time']}:00+03:00",
            "time": times[0]["time"],
            "duration": 60,
        }


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_services_are_offered_without_a_catalogue_too(pool: Pool, status: int) -> None:
    """A user token may not be let to see it: then nobody knows how long they take, and nobody waits or asks again."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        salon.fail("status", r"^/company/\d+/services", times=50, status=status)

        for _ in range(3):
            services = (await anna.get("/booking/services")).json()["items"]
            assert {one["duration"] for one in services} == {None}
            salon.salon.clock.pass_seconds(CATALOGUE_SECONDS)
        asked = salon.salon.requests_to(f"/company/{COMPANY_ID}/services")
        with_master = (await anna.get("/booking/services", params={"staff_id": MASTER})).json()["items"]

        assert next(one for one in with_master if one["service_id"] == SERVICE)["duration"] == 60
        assert salon.salon.requests_to(f"/company/{COMPANY_ID}/services") == asked


async def test_only_who_is_signed_in_may_ask_the_api(pool: Pool) -> None:
    async with open_form(pool) as salon:
        for what in ("companies", "services", "staff", "dates", "times?date=2026-12-03"):
            assert (await salon.guest.get(f"/booking/{what}")).status_code == 401


async def test_an_answer_is_kept_for_seconds_and_many_at_once_ask_once(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        params = {"service_ids": [SERVICE], "date": "2026-12-03"}

        answers = await asyncio.gather(*[anna.get("/booking/times", params=params) for _ in range(20)])
        assert len({one.text for one in answers}) == 1
        assert salon.salon.requests_to("/book_times") == 1
        salon.salon.clock.pass_seconds(TIMES_SECONDS)
        await anna.get("/booking/times", params=params)
        assert salon.salon.requests_to("/book_times") == 2

        await anna.get("/booking/services")
        salon.salon.clock.pass_seconds(CATALOGUE_SECONDS - 1)
        await anna.get("/booking/services")
        assert salon.salon.requests_to("/book_services") == 1


async def test_after_a_booking_the_time_is_not_offered_any_more(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        params = {"service_ids": [SERVICE], "staff_id": MASTER, "date": wish["datetime"][:10]}

        async def offered() -> set[str]:
            return {
                one["datetime"] for one in (await anna.get("/booking/times", params=params)).json()["items"]
            }

        assert wish["datetime"] in await offered()
        made = (await anna.post("/booking", json=wish)).json()
        assert wish["datetime"] not in await offered()
        await anna.delete(f"/booking/{made['id']}")
        assert wish["datetime"] in await offered()


@pytest.mark.parametrize("fault", ["status", "html", "cut", "success_false", "unauthorized", "timeout"])
async def test_a_yclients_that_fails_is_told_honestly_and_not_kept(pool: Pool, fault: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        salon.fail(fault, "^/book_services/", times=2)

        failed = await anna.get("/booking/services")
        salon.salon.emulator.faults.clear()
        well = await anna.get("/booking/services")

        code = "yclients_refuses" if fault == "unauthorized" else "yclients_unavailable"
        assert (failed.status_code, failed.json()["code"]) == (503, code)
        assert int(failed.headers["Retry-After"]) >= 1
        assert well.status_code == 200


async def test_a_service_that_is_gone_is_told(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()

        answer = await anna.get("/booking/dates", params={"service_ids": [999]})

        assert (answer.status_code, answer.json()["code"]) == (409, "service_gone")


async def test_a_day_far_away_is_not_asked_about(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()

        answers = [
            await anna.get("/booking/times", params={"date": day}) for day in ("2020-01-01", "9999-12-31")
        ]

        assert [one.json() for one in answers] == [{"items": []}] * 2
        for day in ("0", "1733130000", "2026-12-3", "2026-02-30", "завтра"):
            assert (await anna.get("/booking/times", params={"date": day})).status_code == 422
        assert salon.salon.requests_to("/book_times") == 0


@pytest.mark.parametrize("form", ["iso", "epoch"])
async def test_times_are_the_salons_whatever_offset_yclients_writes(pool: Pool, form: Any) -> None:
    """Berlin's `datetime` carries the winter offset all year; the wall clock beside it is right."""
    settings = EmulatorSettings(rate_limit=False, times_format=form)
    async with open_form(pool, settings=settings, company_ids=(BERLIN,)) as salon:
        july = datetime(2027, 7, 5, 6, 0, tzinfo=NOON.tzinfo)
        salon.salon.clock.now = july
        service, master = 3201, 701

        (day, *_) = await salon.form.offers.dates(service_ids=(service,), staff_id=master)
        times = await salon.form.offers.times(day=day, service_ids=(service,), staff_id=master)

        for offered in times:
            assert offered.wall_time == f"{offered.starts_at:%H:%M}"
            assert offered.starts_at.utcoffset() == ZoneInfo("Europe/Berlin").utcoffset(
                offered.starts_at.replace(tzinfo=None)
            )
        await _book(salon, service, master, times[0].starts_at)
        (record,) = [one for one in salon.salon.truths(BERLIN).values() if one["api_id"]]
        assert record["date"] == f"{times[0].starts_at:%Y-%m-%d %H:%M:%S}"


async def test_people_who_look_leave_the_sync_its_share_of_the_limit(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        limit = salon.api.runtime.settings.yclients_requests_per_minute // 2

        for number in range(limit):
            await salon.form.offers.staff(service_ids=(SERVICE,) * (1 + number % 20))
            salon.salon.clock.pass_seconds(0.01)
            salon.form.offers._cache._kept.clear()
        busy = await anna.get("/booking/services")
        salon.salon.clock.pass_seconds(60)

        assert (busy.status_code, busy.json()["code"]) == (503, "busy")
        assert "Retry-After" in busy.headers
        assert (await anna.get("/booking/services")).status_code == 200


async def _book(salon: FormSalon, service: int, master: int, starts_at: datetime) -> None:
    wish = await salon.guest_wish(service_ids=[service], staff_id=master, datetime=starts_at.isoformat())
    made = await salon.guest.post("/booking", json=wish)
    assert made.status_code == 201, made.text
    assert made.json()["appointment_datetime"] == starts_at.isoformat()
