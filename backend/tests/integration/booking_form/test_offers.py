"""What the form offers: asked of YCLIENTS once for all who ask in the same seconds, and fresh after a booking."""

import asyncio
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.emulator import NOON
from tests.support.form import ASKER, MASTER, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID
from yclients_emulator import EmulatorSettings
from zerkalo.booking_form.model import Asker, FormLimits, limits_of
from zerkalo.booking_form.offering.service import CATALOGUE_SECONDS, STALE_SECONDS_MAX, TIMES_SECONDS
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.book.days import TimeChoice, choice_of_times

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
            {
                "company_id": COMPANY_ID,
                "title": "Салон «Отражение»",
                "timezone_name": "Europe/Moscow",
                "address": "",
                "phone": "",
                "may_move": None,
                "may_cancel": None,
                "move_seconds_before": 0,
                "cancel_seconds_before": 0,
            }
        ], "what the branch's own answer has not said yet is empty"
        cut = next(one for one in services if one["service_id"] == SERVICE)
        assert (cut["title"], cut["price_min"], cut["price_max"]) == ("Женская стрижка", 250_000, 350_000)
        assert (cut["category"], cut["duration"]) == ("Волосы", 60), "of the catalogue"
        assert next(one for one in with_master if one["service_id"] == SERVICE)["duration"] == 60
        assert {one["staff_id"] for one in staff} == {501, 502, 503}
        assert {one["staff_id"]: (one["rating"], one["votes"]) for one in staff} == {
            501: (4.9, 118),
            502: (4.7, 64),
            503: (None, 0),
        }
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

        (day, *_) = await salon.form.offers.dates(ASKER, service_ids=(service,), staff_id=master)
        times = await salon.form.offers.times(ASKER, day=day, service_ids=(service,), staff_id=master)

        for offered in times:
            assert offered.wall_time == f"{offered.starts_at:%H:%M}"
            assert offered.starts_at.utcoffset() == ZoneInfo("Europe/Berlin").utcoffset(
                offered.starts_at.replace(tzinfo=None)
            )
        await _book(salon, service, master, times[0].starts_at)
        (record,) = [one for one in salon.salon.truths(BERLIN).values() if one["api_id"]]
        assert record["date"] == f"{times[0].starts_at:%Y-%m-%d %H:%M:%S}"


def slow(salon: FormSalon) -> None:
    """YCLIENTS answers, two seconds later."""
    salon.fail("timeout", "", after=True, times=1000, seconds=2.0)


async def asked(salon: FormSalon, part: str, times: int) -> None:
    """Wait until YCLIENTS was asked so often."""
    async with asyncio.timeout(10):
        while salon.salon.requests_to(part) < times:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert salon.salon.requests_to(part) == times


@pytest.mark.parametrize("is_slow", [True, False], ids=("slow", "quick"))
async def test_who_comes_after_a_minute_waits_for_a_quick_yclients_only(pool: Pool, is_slow: bool) -> None:
    """What a slow one said of masters is shown once more, while it is asked anew."""
    async with open_form(pool) as salon:
        if is_slow:
            slow(salon)
        masters = await salon.form.offers.staff(ASKER, service_ids=(SERVICE,))
        salon.salon.clock.pass_seconds(CATALOGUE_SECONDS)
        before = salon.salon.clock()

        assert await salon.form.offers.staff(ASKER, service_ids=(SERVICE,)) == masters

        waited = (salon.salon.clock() - before).total_seconds()
        assert (waited, salon.salon.requests_to("/book_staff")) == ((0, 1) if is_slow else (0, 2))
        await asked(salon, "/book_staff", 2)
        salon.salon.clock.pass_seconds(STALE_SECONDS_MAX + 1)
        before = salon.salon.clock()
        await salon.form.offers.staff(ASKER, service_ids=(SERVICE,))
        assert (salon.salon.clock() - before).total_seconds() == (2 if is_slow else 0)
        await asked(salon, "/book_staff", 3)


async def test_what_a_page_needs_is_asked_at_once(pool: Pool) -> None:
    async with open_form(pool) as salon:
        offers, day = salon.form.offers, (await salon.form.offers.dates(ASKER, service_ids=(SERVICE,)))[1]
        await offers.ask_together(ASKER, COMPANY_ID, service_ids=(SERVICE,), staff_id=MASTER, day=day)
        for part in ("/book_services", "/book_staff", "/book_times"):
            await asked(salon, part, 1)
        await asked(salon, "/book_dates", 2)

        await offers.services(ASKER)
        await offers.staff(ASKER, service_ids=(SERVICE,))
        await offers.dates(ASKER, service_ids=(SERVICE,), staff_id=MASTER)
        await offers.times(ASKER, day=day, service_ids=(SERVICE,), staff_id=MASTER)

        for part in ("/book_services", "/book_staff", "/book_times"):
            await asked(salon, part, 1)
        await asked(salon, "/book_dates", 2)


@pytest.mark.parametrize("is_slow", [True, False], ids=("slow", "quick"))
async def test_the_next_days_times_are_asked_ahead_of_a_slow_yclients_only(pool: Pool, is_slow: bool) -> None:
    async with open_form(pool) as salon:
        if is_slow:
            slow(salon)

        async def choose(day: date | None) -> TimeChoice:
            return await choice_of_times(
                salon.form.offers, ASKER, COMPANY_ID, service_ids=(SERVICE,), staff_id=MASTER, day=day
            )

        shown = await choose(None)
        await asked(salon, "/book_times", 2 if is_slow else 1)
        before = salon.salon.clock()
        following = await choose(sorted(shown.free)[1])

        assert following.parts
        assert salon.salon.clock() == before
        await asked(salon, "/book_times", 3 if is_slow else 2)


async def test_a_master_being_chosen_has_a_slow_yclients_asked_for_anybodys_first_times(pool: Pool) -> None:
    async with open_form(pool) as salon:
        slow(salon)
        offers = salon.form.offers
        await offers.staff(ASKER, service_ids=(SERVICE,))

        offers.ask_ahead(ASKER, COMPANY_ID, service_ids=(SERVICE,))

        await asked(salon, "/book_dates", 1)
        await asked(salon, "/book_times", 1)


async def test_what_is_asked_ahead_in_vain_is_nobodys_error(pool: Pool) -> None:
    async with open_form(pool, limits=limits(questions_of_address=1)) as salon:
        slow(salon)
        offers = salon.form.offers
        await offers.staff(ASKER, service_ids=(SERVICE,))

        offers.ask_ahead(ASKER, COMPANY_ID, service_ids=(SERVICE,))

        await asyncio.sleep(0.1)
        assert salon.salon.requests_to("/book_dates") == 0


async def look(salon: FormSalon, asker: Asker, number: int) -> str:
    """Ask something that nobody has asked before; "" where it was answered, else the problem's code."""
    try:
        await salon.form.offers.staff(asker, service_ids=(SERVICE,) * (1 + number))
    except ProblemError as error:
        return error.code
    return ""


def limits(**counts: int) -> FormLimits:
    usual = FormLimits()
    return replace(
        usual, **{name: replace(getattr(usual, name), count_max=count) for name, count in counts.items()}
    )


async def test_one_address_does_not_use_up_everybodys_questions(pool: Pool) -> None:
    """Before: 41 loads of `/book?service=…` by nobody used up what all were allowed for a minute."""
    async with open_form(pool, limits=limits(questions_of_address=5)) as salon:
        codes = [await look(salon, ASKER, number) for number in range(8)]
        asked = salon.salon.requests_to("/book_staff")
        neighbour = await look(salon, Asker("192.0.2.2"), 9)
        kept = await look(salon, ASKER, 0)
        salon.salon.clock.pass_seconds(60)

        assert codes == [""] * 5 + ["too_many_requests"] * 3
        assert (asked, neighbour) == (5, "")
        assert kept in {"", "too_many_requests"}
        assert await look(salon, ASKER, 7) == ""


async def test_what_is_kept_costs_no_question(pool: Pool) -> None:
    async with open_form(pool, limits=limits(questions_of_address=1)) as salon:
        assert [await look(salon, ASKER, 1) for _ in range(4)] == [""] * 4


async def test_guests_leave_a_share_to_those_who_have_signed_in(pool: Pool) -> None:
    async with open_form(pool, limits=limits(questions_of_guests=3, questions_of_company=5)) as salon:
        guests = [await look(salon, Asker(f"192.0.2.{number}"), number) for number in range(5)]
        users = [await look(salon, Asker("198.51.100.1", user_id=1), 10 + number) for number in range(3)]

        assert guests == ["", "", "", "busy", "busy"]
        assert users == ["", "", "busy"]


async def test_two_processes_have_one_allowance(pool: Pool) -> None:
    """Before: it was counted a process, so two servers had twice of it."""
    few = limits(questions_of_user=3)
    async with open_form(pool, limits=few) as salon, open_form(pool, limits=few) as other:
        asker = Asker("192.0.2.1", user_id=1)

        codes = [await look(one, asker, number) for number in range(2) for one in (salon, other)]

        assert codes == ["", "", "", "too_many_requests"]


async def test_the_usual_limits_leave_half_of_the_rate_limit_alone() -> None:
    usual = limits_of(200)
    assert (usual.questions_of_company.count_max, usual.questions_of_guests.count_max) == (100, 60)
    assert limits_of(1).questions_of_guests.count_max == 1


async def test_anybody_may_see_what_is_offered(pool: Pool) -> None:
    async with open_form(pool) as salon:
        for what in ("companies", "services", "staff", "dates"):
            assert (await salon.guest.get(f"/booking/{what}")).status_code == 200, what


async def _book(salon: FormSalon, service: int, master: int, starts_at: datetime) -> None:
    wish = await salon.guest_wish(service_ids=[service], staff_id=master, datetime=starts_at.isoformat())
    made = await salon.guest.post("/booking", json=wish)
    assert made.status_code == 201, made.text
    assert made.json()["appointment_datetime"] == starts_at.isoformat()
