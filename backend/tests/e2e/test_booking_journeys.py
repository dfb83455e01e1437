"""Booking as people do it: guests and users, with and without JavaScript, with everything that goes wrong on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from playwright.async_api import Browser, Route, expect

from tests.support.application import COMPANY_ID
from tests.support.browser import Site, Visitor, visitor
from yclients_emulator import desk
from yclients_emulator.faults import Fault

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MASTER, MASTER_NAME = 501, "Алиса Рощина"
SERVICE, SERVICE_NAME = 3001, "Женская стрижка"
BOOK_RECORD = "^/book_record/"
NBSP = "\N{NO-BREAK SPACE}"
_numbers = count(1)


def new_phone() -> str:
    """A phone nobody in these tests has yet."""
    return f"+7999777{next(_numbers):04}"


@pytest.fixture(autouse=True)
async def no_faults(site: Site) -> AsyncIterator[None]:
    """Every test starts and ends with a salon that works, and has the hour's bookings of one address for itself."""
    emulator = site.application.emulator
    await site.application.execute("delete from attempts")
    yield
    emulator.faults.clear()
    company = emulator.vendor.companies[COMPANY_ID]
    emulator.vendor.companies[COMPANY_ID] = structs.replace(company, phone_confirmation=False)


async def choose_until_contacts(somebody: Visitor) -> None:
    """Goes through the steps up to the contacts."""
    await somebody.open("/book")
    about = await somebody.page.locator(f"label:has-text('{SERVICE_NAME}') >> nth=0").inner_text()
    assert f"2{NBSP}500–3{NBSP}500{NBSP}₽" in about, "the range of prices"
    assert f"1{NBSP}ч" in about, "how long it takes"
    await somebody.page.check(f"label:has-text('{SERVICE_NAME}') >> nth=0")
    await somebody.click("text=Дальше")
    await on(somebody, "К кому?")
    assert f"₽, 1{NBSP}ч" in await somebody.text()
    await somebody.click(f"button:has-text('{MASTER_NAME}')")
    await on(somebody, "Когда?")
    days = somebody.page.locator(".strip button.day")
    day = await days.last.get_attribute("value")
    await days.last.click()
    await somebody.page.wait_for_selector(f".strip button.day.chosen[value='{day}']")
    await somebody.click(somebody.page.locator("button[name=time]").first)
    await on(somebody, "Контакты")


async def on(somebody: Visitor, heading: str) -> None:
    """Waits for a page with this title."""
    await somebody.page.wait_for_selector(f"h1:has-text('{heading}')")


async def fill_in(somebody: Visitor, phone: str, *, name: str = "Мария Гостева", comment: str = "") -> None:
    """Types contacts and consents."""
    await somebody.page.fill("[name=name]", name)
    await somebody.page.fill("[name=phone]", phone)
    await somebody.page.fill("[name=comment]", comment)
    await somebody.page.check("[name=consent]")


async def send(somebody: Visitor) -> None:
    """Presses the button at the form's end."""
    await somebody.click("#contacts p.actions button.primary")


def records_of(site: Site, phone: str) -> list[dict[str, object]]:
    """What stands in the salon's journal for a phone, cancelled ones too."""
    found = desk.truths(site.application.emulator, COMPANY_ID)
    return [one for one in found if one["phone"] and phone.lstrip("+") in str(one["phone"])]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_guest_books(browser: Browser, site: Site, width: int, javascript: bool) -> None:
    phone = new_phone()
    async with visitor(browser, site, width=width, javascript=javascript) as guest:
        await choose_until_contacts(guest)
        assert (await guest.page.title()).startswith("Контакты · Запись · ")
        if javascript:
            await guest.must_be_fit()
        await fill_in(guest, phone, comment="У окна")
        await send(guest)
        await on(guest, "Вы записаны")

        assert "Женская стрижка" in await guest.text()
        assert MASTER_NAME in await guest.text()
        assert phone not in guest.page.url
        if javascript:
            await guest.must_be_fit()
            await guest.page.reload()
            assert await guest.heading() == "Вы записаны"
    (record,) = records_of(site, phone)
    assert record["comment"] == "У окна"


async def test_a_guest_takes_the_booking_along_and_knows_where_to_come(
    browser: Browser, site: Site, width: int
) -> None:
    async with visitor(browser, site, width=width) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, new_phone(), comment="аллергия на лак")
        await send(guest)
        await on(guest, "Вы записаны")
        await guest.must_be_fit()

        said = await guest.text()
        assert "Тверская, 1" in said
        assert "+7 495 000-00-00" in said
        assert f"Перенести и отменить визит можно не позже чем за 3{NBSP}ч до начала." in said
        async with guest.page.expect_download() as loading:
            await guest.page.click("text=Добавить в календарь")
        event = (await (await loading.value).path()).read_bytes().decode()

    assert "SUMMARY:Женская стрижка" in event
    assert "LOCATION:" in event
    assert "аллергия" not in event
    assert "Гостева" not in event


async def test_a_past_visit_is_booked_again_with_the_same_choice(
    browser: Browser, site: Site, width: int
) -> None:
    user_id = await site.application.new_user(email=f"again{width}@example.com")
    record = desk.create(
        site.application.emulator,
        company_id=COMPANY_ID,
        staff_id=MASTER,
        service_ids=(SERVICE,),
        date=datetime(2025, 6, 2, 12) + timedelta(minutes=width),  # noqa: DTZ001  the salon's wall clock
        phone=new_phone(),
        attendance=1,
    )
    await site.application.mirror(record.id)
    ((booking),) = await site.application.fetch(
        "update bookings set user_id = %s, matched_by = 'manual' where yclients_record_id = %s returning id",
        user_id,
        record.id,
    )
    async with visitor(browser, site, width=width, user_id=user_id) as anna:
        await anna.open(f"/me/visits/{booking['id']}")
        await anna.must_be_fit()
        await anna.click("text=Записаться снова")
        await on(anna, "Когда?")

        said = await anna.text()
        assert SERVICE_NAME in said
        assert MASTER_NAME in said


async def test_a_user_finds_her_booking_moves_and_cancels_it(
    browser: Browser, site: Site, width: int
) -> None:
    phone, code = new_phone(), f"BKNG{next(_numbers) + 2000}"
    user_id = await site.application.new_user(
        email=f"booker{next(_numbers)}@example.com",
        name="Анна Примерова",
        phone=phone,
        phone_verified_at=datetime(2026, 1, 1, tzinfo=UTC),
        unique_code=code,
    )
    async with visitor(browser, site, width=width, user_id=user_id) as anna:
        await choose_until_contacts(anna)
        assert await anna.page.input_value("[name=name]") == "Анна Примерова"
        assert code in await anna.text()
        await anna.page.fill("[name=comment]", "Как в прошлый раз")
        await anna.page.check("[name=consent]")
        await send(anna)
        await on(anna, "Вы записаны")
        (record,) = records_of(site, phone)
        assert record["comment"] == f"Код клиента: {code}\nКак в прошлый раз"

        await anna.open("/me")
        assert "Женская стрижка" in await anna.text()
        await anna.click(".visit-link")
        assert "Как в прошлый раз" in await anna.text()
        await anna.must_be_fit()
        await anna.click("main a.button:text-is('Перенести')")
        await on(anna, "Перенести запись")
        await anna.must_be_fit()
        await anna.click(anna.page.locator("button[name=time]").last)
        await on(anna, "Перенести запись?")
        await anna.must_be_fit()
        await anna.click("text=Да, перенести")
        assert "Запись перенесена" in await anna.text()
        (moved,) = records_of(site, phone)
        assert moved["date"] != record["date"]

        await anna.click("main a.button:text-is('Отменить')")
        await anna.click("text=Да, отменить")
        assert "Запись отменена" in await anna.text()
        assert "Отменена" in await anna.text()
    (gone,) = records_of(site, phone)
    assert gone["deleted"] is True
    (row,) = await site.application.fetch("select status from bookings where user_id = %s", user_id)
    assert row["status"] == "CANCELLED"


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_guest_moves_and_cancels_by_the_link_without_an_account(
    browser: Browser, site: Site, width: int, javascript: bool
) -> None:
    phone = new_phone()
    async with visitor(browser, site, width=width, javascript=javascript) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone)
        await send(guest)
        await on(guest, "Вы записаны")
        link = await guest.page.locator("a:has-text('Перенести или отменить')").get_attribute("href")
    async with visitor(browser, site, width=width, javascript=javascript) as later:
        assert link is not None
        await later.open(link)
        assert await later.heading() == "Ваша запись"
        assert "Гостева" not in await later.text()
        if javascript:
            await later.must_be_fit()
        await later.click("main a.button:text-is('Перенести')")
        if javascript:
            await later.must_be_fit()
        before = records_of(site, phone)[0]["date"]
        await later.click(later.page.locator("button[name=time]").last)
        assert await later.heading() == "Перенести запись?"
        await later.click("text=Да, перенести")
        assert "перенесена" in (await later.text()).lower()
        assert records_of(site, phone)[0]["date"] != before
        await later.click("main a.button:text-is('Отменить')")
        if javascript:
            await later.must_be_fit()
        await later.click("text=Да, отменить")
        assert "отменена" in (await later.text()).lower()
        assert records_of(site, phone)[0]["deleted"]
        await later.click("text=Записаться снова")
        assert await later.heading() == "Что сделать?"


async def test_a_guest_keeps_the_booking_by_a_code_alone(browser: Browser, site: Site, width: int) -> None:
    phone = new_phone()
    async with visitor(browser, site, width=width) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone)
        await send(guest)
        await on(guest, "Вы записаны")
        await guest.must_be_fit()
        await guest.click("text=Получить код")
        assert phone in await guest.page.input_value("[name=contact]")
        await guest.click("text=Получить код")
        await guest.page.fill("[name=code]", await site.code_for(phone))
        await guest.click("main .card button")
        assert await guest.heading() == "Вы здесь впервые"
        assert await guest.page.input_value("[name=name]") == "Мария Гостева"
        await guest.page.check("[name=consent]")
        await guest.click("main form button")
        assert await guest.heading() == "Мои визиты"
        assert SERVICE_NAME in await guest.text()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_going_on_with_nothing_ticked_says_what_is_missing(
    browser: Browser, site: Site, javascript: bool
) -> None:
    async with visitor(browser, site, javascript=javascript) as guest:
        await guest.open("/book")
        assert await guest.page.locator(".notice").locator("visible=true").count() == 0
        await guest.click("text=Дальше")
        await guest.page.wait_for_selector("text=Отметьте хотя бы одну услугу.")
        await guest.page.check("label:has-text('Укладка')")
        await guest.click("text=Дальше")
        await on(guest, "К кому?")
        assert "Отметьте" not in await guest.text()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_taken_time_costs_nothing_that_was_typed(
    browser: Browser, site: Site, width: int, javascript: bool
) -> None:
    phone = new_phone()
    async with visitor(browser, site, width=width, javascript=javascript) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone, name="Ольга Лугова", comment="Без запахов")
        _take(site, await _chosen_time(guest))
        await send(guest)
        await on(guest, "Когда?")
        assert "только что заняли" in await guest.text()
        if javascript:
            await guest.must_be_fit()

        await guest.click(guest.page.locator("button[name=time]").last)
        await on(guest, "Контакты")
        assert await guest.page.input_value("[name=name]") == "Ольга Лугова"
        assert await guest.page.input_value("[name=phone]") == phone
        assert await guest.page.input_value("[name=comment]") == "Без запахов"
        assert await guest.page.is_checked("[name=consent]")
        await send(guest)
        await on(guest, "Вы записаны")
    assert len(records_of(site, phone)) == 1


async def test_a_change_of_mind_costs_nothing_that_was_typed(browser: Browser, site: Site) -> None:
    phone = new_phone()
    async with visitor(browser, site) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone, name="Ольга Лугова", comment="Без запахов")
        await guest.click("button[value=services]")
        await on(guest, "Что сделать?")
        await guest.page.check("label:has-text('Укладка')")
        await guest.click("text=Дальше")
        await guest.click("button:has-text('Любой мастер')")
        await on(guest, "Когда?")
        await guest.click(guest.page.locator("button[name=time]").first)
        await on(guest, "Контакты")
        assert await guest.page.input_value("[name=comment]") == "Без запахов"
        assert "Женская стрижка, Укладка" in await guest.text()
        await send(guest)
        await on(guest, "Вы записаны")
    (record,) = records_of(site, phone)
    assert record["comment"] == "Без запахов"


async def test_the_back_button_keeps_what_was_typed(browser: Browser, site: Site) -> None:
    async with visitor(browser, site) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, new_phone(), name="Ольга Лугова")
        await guest.page.go_back()
        await on(guest, "Когда?")
        await guest.click(guest.page.locator("button[name=time]").last)
        await on(guest, "Контакты")
        await expect(guest.page.locator("[name=name]")).to_have_value("Ольга Лугова")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_two_clicks_book_once(browser: Browser, site: Site, javascript: bool) -> None:
    phone = new_phone()
    async with visitor(browser, site, javascript=javascript) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone)
        await guest.page.dblclick("#contacts p.actions button.primary")
        await on(guest, "Вы записаны")
        if not javascript:  # with it the way back leads to the choice of a time
            await guest.page.go_back()
            await send(guest)
            await on(guest, "Вы записаны")
    await asyncio.sleep(0.5)
    assert len(records_of(site, phone)) == 1


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_salon_that_confirms_phones_gets_its_code(
    browser: Browser, site: Site, width: int, javascript: bool
) -> None:
    vendor = site.application.emulator.vendor
    vendor.companies[COMPANY_ID] = structs.replace(vendor.companies[COMPANY_ID], phone_confirmation=True)
    phone = new_phone()
    async with visitor(browser, site, width=width, javascript=javascript) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone, comment="Тише, пожалуйста")
        await send(guest)
        await guest.page.wait_for_selector("[name=code]")
        if javascript:
            await guest.must_be_fit()
        await guest.page.fill("[name=code]", "9" * 6)
        await send(guest)
        await guest.page.wait_for_selector("text=Код из SMS не подошёл")
        await guest.page.fill("[name=code]", vendor.codes[COMPANY_ID, phone.lstrip("+")])
        await send(guest)
        await on(guest, "Вы записаны")
    (record,) = records_of(site, phone)
    assert record["comment"] == "Тише, пожалуйста"


async def test_a_salon_that_does_not_answer_is_told_of_and_asked_again(
    browser: Browser, site: Site, width: int
) -> None:
    emulator = site.application.emulator
    async with visitor(browser, site, width=width) as guest:
        site.application.runtime.booking_form.offers.forget_times(COMPANY_ID)
        emulator.faults.add(Fault(kind="status", path="^/book_dates/", next=20, status=503))
        assert await guest.open(f"/book?company={COMPANY_ID}&service={SERVICE}&staff={MASTER}") == 503
        assert await guest.heading() == "Не получилось спросить салон"
        await guest.must_be_fit()
        emulator.faults.clear()
        await guest.click("text=Попробовать снова")
        await on(guest, "Когда?")
        assert MASTER_NAME in await guest.text()


async def test_a_lost_answer_is_looked_for_and_never_books_twice(
    browser: Browser, site: Site, width: int
) -> None:
    phone = new_phone()
    async with visitor(browser, site, width=width) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone)
        emulator = site.application.emulator
        # It is booked, the answer is lost, and the journal can't be read for a while.
        emulator.faults.add(Fault(kind="disconnect", path=BOOK_RECORD, method="POST", next=1, after=True))
        emulator.faults.add(Fault(kind="status", path="^/records/", next=50, status=503))
        await send(guest)
        await on(guest, "Ещё не ясно")
        await guest.must_be_fit()
        emulator.faults.clear()
        await guest.click("text=Проверить >> nth=-1")
        await on(guest, "Вы записаны")
    assert len(records_of(site, phone)) == 1


async def test_a_phone_the_salon_refuses_is_said_at_its_field(browser: Browser, site: Site) -> None:
    async with visitor(browser, site) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, "12")
        await send(guest)
        await guest.page.wait_for_selector("#e-phone")
        assert await guest.page.input_value("[name=phone]") == "12"
        await guest.page.wait_for_selector("[name=phone]:focus")


async def test_a_lost_connection_is_told_and_costs_nothing(browser: Browser, site: Site, width: int) -> None:
    """A phone in a lift, a proxy whose server is being started anew: the page that stands there stays."""
    phone = new_phone()

    async def answer_for_the_server(route: Route) -> None:
        await route.fulfill(status=502, content_type="text/html", body="<h1>502 Bad Gateway</h1>")

    async with visitor(browser, site, width=width) as guest:
        await choose_until_contacts(guest)
        await fill_in(guest, phone, comment="У окна")
        await guest.page.context.set_offline(True)
        await send(guest)
        await guest.page.wait_for_selector("#lost:visible")
        assert all("htmx:" in one for one in guest.problems), guest.problems
        guest.problems.clear()  # htmx tells the console too
        await guest.page.context.set_offline(False)
        await guest.page.route(f"{site.url}/book", answer_for_the_server)
        await send(guest)
        await guest.page.wait_for_selector("#lost:visible")
        assert await guest.page.input_value("[name=comment]") == "У окна"

        await guest.page.unroute(f"{site.url}/book")
        await send(guest)
        await on(guest, "Вы записаны")
    assert len(records_of(site, phone)) == 1


async def test_the_form_is_off_where_the_salon_turned_it_off(browser: Browser, site: Site) -> None:
    offers = site.application.runtime.booking_form.offers
    offers._enabled = False
    try:
        async with visitor(browser, site) as guest:
            assert await guest.open("/book") == 503
            assert await guest.heading() == "Онлайн-запись закрыта"
            assert "отключена" in await guest.text()
            assert await guest.page.locator("main button").count() == 0, "another try opens nothing"
            await guest.must_be_fit()
    finally:
        offers._enabled = True


async def _chosen_time(somebody: Visitor) -> datetime:
    return datetime.fromisoformat(await somebody.page.input_value("#contacts > [name=time]"))


def _take(site: Site, at: datetime) -> None:
    """Somebody else gets the time, in the salon's journal itself."""
    wall = at.astimezone(ZoneInfo("Europe/Moscow")).replace(tzinfo=None)
    desk.create(
        site.application.emulator,
        company_id=COMPANY_ID,
        staff_id=MASTER,
        service_ids=(SERVICE,),
        date=wall,
        phone="+79990000999",
        name="Другая",
    )
    site.application.runtime.booking_form.offers.forget_times(COMPANY_ID)
    assert at > site.application.runtime.clock() + timedelta(minutes=1)


async def test_ticked_services_are_summed_and_outlive_a_way_back(browser: Browser, site: Site) -> None:
    async with visitor(browser, site) as guest:
        await guest.open("/book")
        for name in (SERVICE_NAME, "Укладка"):
            await guest.page.check(f"label:has-text('{name}') >> nth=0")
        total = await guest.page.locator("[data-total]").inner_text()
        assert total == f"2{NBSP}услуги · 4{NBSP}300–5{NBSP}300{NBSP}₽ · 2{NBSP}ч"
        await guest.click("text=Дальше")
        await on(guest, "К кому?")

        await guest.page.go_back()

        await on(guest, "Что сделать?")
        await expect(guest.page.locator("[name=service]:checked")).to_have_count(2)
        await expect(guest.page.locator("[data-total]")).to_have_text(total)


async def test_services_that_nobody_does_together_lead_to_no_empty_month(
    browser: Browser, site: Site
) -> None:
    async with visitor(browser, site) as guest:
        await guest.open("/book")
        for name in (SERVICE_NAME, "Педикюр"):
            await guest.page.check(f"label:has-text('{name}') >> nth=0")
        await guest.click("text=Дальше")
        await on(guest, "К кому?")
        assert "Никто из мастеров не делает эти услуги вместе." in await guest.text()
        assert "Любой мастер" not in await guest.text()
        await guest.must_be_fit()
        await guest.click("text=Выбрать другие услуги")
        await on(guest, "Что сделать?")
        await expect(guest.page.locator("[name=service]:checked")).to_have_count(2)


async def test_times_stand_on_the_first_screen_of_a_phone_and_a_day_does_not_scroll(
    browser: Browser, site: Site
) -> None:
    async with visitor(browser, site) as guest:
        await guest.open(f"/book?company={COMPANY_ID}&service={SERVICE}&staff=0")
        first = await guest.page.locator("button[name=time]").first.bounding_box()
        assert first is not None
        assert first["y"] + first["height"] <= 800, "the window of these tests is 800 px high"

        await guest.page.evaluate("window.scrollTo(0, 150)")
        day = await guest.page.locator(".strip button.day").last.get_attribute("value")
        await guest.page.locator(".strip button.day").last.click()
        await guest.page.wait_for_selector(f".strip button.day.chosen[value='{day}']")
        assert await guest.page.evaluate("window.scrollY") > 0
        await guest.must_be_fit()
