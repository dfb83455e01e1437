"""Signing up, proving a contact, staying and not staying signed in, the calendar, one's data: as people do it."""

import json
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx2
import icalendar
import pytest
from playwright.async_api import Browser
from starlette.routing import Route

from tests.support.application import COMPANY_ID, PASSWORD
from tests.support.browser import PASSWORD_BUTTON, Site, Visitor, visitor
from tests.support.rows import add_booking
from zerkalo.web.pages.cookies import FORM, SESSION

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_numbers = count(1)


def new_email() -> str:
    """An address nobody in these tests has yet."""
    return f"person{next(_numbers)}@example.com"


async def new_user(site: Site, **columns: object) -> tuple[int, str]:
    """A user of her own for one test."""
    email = new_email()
    return await site.application.new_user(email=email, name="Анна Примерова", **columns), email


async def sign_up(somebody: Visitor, email: str, **fields: str) -> None:
    """Fills in the form and sends it."""
    await somebody.open("/me/sign-up")
    for name, value in {"email": email, "password": PASSWORD, **fields}.items():
        await somebody.page.fill(f"[name={name}]", value)
    await somebody.page.check("[name=consent]")
    await somebody.click("main form button")


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_signing_up_proving_and_finding_an_earlier_visit(
    browser: Browser, site: Site, width: int, javascript: bool
) -> None:
    email = new_email()
    at = site.application.runtime.clock() + timedelta(days=3)
    async with site.application.runtime.pool.connection() as conn:
        await add_booking(
            conn,
            company_id=COMPANY_ID,
            yclients_record_id=50_000 + next(_numbers),
            service_name="Укладка",
            appointment_datetime=at,
            status="CONFIRMED",
            match_email=email,
        )
    async with visitor(browser, site, width=width, javascript=javascript) as anna:
        await sign_up(anna, email, name="Анна", phone="8 999 123-45-67")
        assert await anna.heading() == "Мои визиты"
        assert "Укладка" not in await anna.text()
        if javascript:
            await anna.must_be_fit()

        await anna.click("text=Прислать код >> nth=0")
        assert await anna.heading() == "Введите код"
        await anna.page.fill("[name=code]", "000000")
        await anna.click("text=Подтвердить")
        assert "Код не подошёл" in await anna.page.locator("#e-code").inner_text()
        assert await anna.page.input_value("[name=code]") == "000000"
        if javascript:
            await anna.must_be_fit()
        await anna.page.fill("[name=code]", await site.code_for(email))
        await anna.click("text=Подтвердить")

        assert await anna.heading() == "Мои визиты"
        assert "Контакт подтверждён" in await anna.text()
        assert "Укладка" in await anna.text()


async def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    browser: Browser, site: Site, width: int
) -> None:
    async with visitor(browser, site, width=width) as anna:
        await anna.open("/me/sign-up")
        await anna.page.fill("[name=email]", "anna@")
        await anna.page.fill("[name=name]", 'Анна "Аня"')
        await anna.page.fill("[name=password]", "short")
        await anna.click("main form button")

        assert await anna.page.locator(".error").count() == 3
        assert await anna.page.input_value("[name=name]") == 'Анна "Аня"'
        assert await anna.page.locator("[name=email]").get_attribute("aria-invalid") == "true"
        assert await anna.page.evaluate("document.activeElement.name") == "email"
        await anna.must_be_fit()


async def test_signing_in_leads_back_to_where_she_wanted(browser: Browser, site: Site) -> None:
    _, email = await new_user(site)
    async with visitor(browser, site) as anna:
        await anna.open("/me/points")
        assert await anna.heading() == "Вход"
        await anna.page.fill("[name=email]", email.upper())
        await anna.page.fill("[name=password]", "a wrong password")
        await anna.click(PASSWORD_BUTTON)
        assert "не подходит" in await anna.text()
        await anna.page.fill("[name=password]", PASSWORD)
        await anna.click(PASSWORD_BUTTON)
        assert await anna.heading() == "Баллы"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"]
)
async def test_signing_in_never_leads_to_another_site(browser: Browser, site: Site, elsewhere: str) -> None:
    _, email = await new_user(site)
    async with visitor(browser, site) as anna:
        await anna.open(f"/me/sign-in?next={elsewhere}")
        await anna.page.fill("[name=email]", email)
        await anna.page.fill("[name=password]", PASSWORD)
        await anna.click(PASSWORD_BUTTON)
        assert anna.page.url == f"{site.url}/me"


async def test_signing_out_ends_the_session_itself(browser: Browser, site: Site) -> None:
    user_id, _ = await new_user(site)
    async with visitor(browser, site, user_id=user_id) as anna:
        await anna.open("/me")
        (token,) = [
            one.get("value", "") for one in await anna.page.context.cookies() if one.get("name") == SESSION
        ]
        await anna.click("text=Выйти")
        assert "Вы вышли" in await anna.text()
        await anna.page.context.add_cookies([{"name": SESSION, "value": token, "url": site.url}])
        await anna.open("/me")
        assert await anna.heading() == "Вход"


async def test_a_new_password_ends_the_sessions_of_other_browsers(browser: Browser, site: Site) -> None:
    user_id, email = await new_user(site)
    async with (
        visitor(browser, site, user_id=user_id) as here,
        visitor(browser, site, user_id=user_id) as elsewhere,
    ):
        await here.open("/me/profile")
        await here.page.fill("[name=old_password]", "a wrong password")
        await here.page.fill("[name=new_password]", "a new password 1")
        await here.click("text=Сменить пароль")
        assert "Пароль не подходит" in await here.page.locator("#e-old_password").inner_text()
        await here.page.fill("[name=old_password]", PASSWORD)
        await here.page.fill("[name=new_password]", "a new password 1")
        await here.click("text=Сменить пароль")
        assert "Пароль изменён" in await here.text()
        await elsewhere.open("/me")
        assert await elsewhere.heading() == "Вход"
        await elsewhere.sign_in(email, "a new password 1")
        assert await elsewhere.heading() == "Мои визиты"


async def test_a_session_whose_token_was_used_elsewhere_is_over(browser: Browser, site: Site) -> None:
    user_id, _ = await new_user(site)
    async with visitor(browser, site, user_id=user_id) as anna, site.application.client() as thief:
        await anna.open("/me")
        assert await anna.heading() == "Мои визиты"
        (token,) = [
            one.get("value", "") for one in await anna.page.context.cookies() if one.get("name") == SESSION
        ]
        stolen = await thief.post("/api/v1/auth/refresh", json={"refresh_token": token})
        assert stolen.status_code == 200
        await anna.open("/me")
        assert await anna.heading() == "Вход"


async def test_a_forgotten_password_is_set_anew_by_a_proved_phone(
    browser: Browser, site: Site, width: int
) -> None:
    phone = f"+7999555{next(_numbers):04}"
    # An SMS opens only an account that has neither a password nor a proved e-mail: an imported one.
    _, email = await new_user(
        site, phone=phone, phone_verified_at=site.application.runtime.clock(), password_hash=None
    )
    async with visitor(browser, site, width=width, javascript=False) as anna:
        await anna.open("/me/sign-in")
        await anna.click("text=Забыли пароль?")
        await anna.page.fill("[name=contact]", "neither")
        await anna.click("text=Отправить код")
        assert "Введите e-mail или номер" in await anna.page.locator("#e-contact").inner_text()
        assert await anna.page.input_value("[name=contact]") == "neither"
        await anna.page.fill("[name=contact]", phone)
        await anna.click("text=Отправить код")
        assert phone not in anna.page.url
        await anna.page.fill("[name=code]", "000000")
        await anna.page.fill("[name=password]", "short")
        await anna.click("text=Сохранить пароль")
        assert "не меньше 8" in await anna.page.locator("#e-password").inner_text()
        assert await anna.page.input_value("[name=code]") == "000000"
        await anna.page.fill("[name=password]", "a new password 2")
        await anna.click("text=Сохранить пароль")
        assert "Код не подошёл" in await anna.page.locator("#e-code").inner_text()
        await anna.page.fill("[name=code]", await site.code_for(phone))
        await anna.page.fill("[name=password]", "a new password 2")
        await anna.click("text=Сохранить пароль")
        assert "Пароль изменён" in await anna.text()
        await anna.sign_in(email, "a new password 2")
        assert await anna.heading() == "Мои визиты"


async def test_the_calendar_opens_by_its_address_until_it_is_switched_off(
    browser: Browser, site: Site, width: int
) -> None:
    user_id, _ = await new_user(site)
    async with site.application.runtime.pool.connection() as conn:
        at = site.application.runtime.clock() + timedelta(days=2)
        await add_booking(conn, user_id=user_id, service_name="Педикюр", appointment_datetime=at)
    async with visitor(browser, site, width=width, user_id=user_id) as anna, httpx2.AsyncClient() as phone:
        await anna.open("/me/profile")
        await anna.click("text=Создать ссылку")
        await anna.must_be_fit()
        url = await anna.page.locator(".copied-text").inner_text()
        webcal = await anna.page.locator("main a.button").get_attribute("href")
        assert webcal == url.replace("http://", "webcal://")
        (event,) = icalendar.Calendar.from_ical((await phone.get(url)).content).walk("VEVENT")
        assert event["summary"] == "Педикюр"

        await anna.open("/me/profile")
        await anna.click("text=Отключить")
        assert (await phone.get(url)).status_code == 404


async def test_her_data_can_be_taken_along_and_erased(browser: Browser, site: Site, tmp_path: Path) -> None:
    user_id, email = await new_user(site, unique_code="ERASE234")
    async with visitor(browser, site, user_id=user_id) as anna:
        await anna.open("/me/profile")
        async with anna.page.expect_download() as started:
            await anna.click("text=Скачать мои данные")
        await (await started.value).save_as(tmp_path / "data.json")
        exported = json.loads((tmp_path / "data.json").read_text())
        assert (exported["account"]["email"], exported["account"]["unique_code"]) == (email, "ERASE234")

        await anna.click("text=Удалить мои данные")
        await anna.page.fill("[name=password]", "a wrong password")
        await anna.click("text=Удалить навсегда")
        assert "если вы уверены" in await anna.page.locator("#e-sure").inner_text()
        await anna.page.fill("[name=password]", "a wrong password")
        await anna.page.check("[name=sure]")
        await anna.click("text=Удалить навсегда")
        assert "Пароль не подходит" in await anna.page.locator("#e-password").inner_text()
        assert await anna.page.is_checked("[name=sure]")
        await anna.page.fill("[name=password]", PASSWORD)
        await anna.click("text=Удалить навсегда")
        assert "Ваши данные удалены" in await anna.text()
        await anna.open("/me")
        assert await anna.heading() == "Вход"
    (row,) = await site.application.fetch("select email, erased_at from users where id = %s", user_id)
    assert row["email"] is None
    assert row["erased_at"] is not None


async def test_contacts_that_are_changed_are_to_be_proved_again(browser: Browser, site: Site) -> None:
    user_id, _ = await new_user(site, email_verified_at=site.application.runtime.clock())
    async with visitor(browser, site, user_id=user_id) as anna:
        await anna.open("/me/profile")
        assert "не подтверждён" not in await anna.text()
        await anna.page.fill("[name=email]", changed := new_email())
        await anna.click("text=Сохранить")
        assert await anna.page.locator("#e-password").count() == 1
        assert changed not in await anna.text()
        await anna.page.fill("[name=password]", PASSWORD)
        await anna.click("text=Сохранить")
        assert changed in await anna.text()
        assert "не подтверждён" in await anna.text()


FORMS = (
    "/me/sign-in",
    "/me/code",
    "/me/code/confirm",
    "/me/sign-up",
    "/me/sign-out",
    "/me/reset",
    "/me/reset/confirm",
    "/me/profile",
    "/me/profile/code",
    "/me/profile/password",
    "/me/verify/email/send",
    "/me/verify/email",
    "/me/calendar",
    "/me/calendar/revoke",
    "/me/notices",
    "/me/notices/telegram",
    "/me/notices/telegram/end",
    "/join/staff",
    "/join/account",
    "/me/erase",
    "/me/visits/1/cancel",
    "/me/visits/1/move",
    "/book",
    "/book/choose",
    "/book/code",
    "/book/visit/x/cancel",
    "/book/visit/x/move",
    "/book/widget/claim",
)


@pytest.mark.parametrize("path", FORMS)
async def test_no_form_is_taken_from_another_site(site: Site, path: str) -> None:
    """Neither without our token nor with one of another browser, though the browser sends its cookies along."""
    user_id, _ = await new_user(site)
    session = await site.application.session_of(user_id)
    cookies = {SESSION: session.refresh_token, FORM: "a-seed-of-hers"}
    html = {"Accept": "text/html"}
    async with httpx2.AsyncClient(base_url=site.url, cookies=cookies, headers=html) as hers:
        assert (await hers.get("/me")).status_code == 200
        for token in ("", "0" * 64):
            answer = await hers.post(path, data={"csrf": token, "password": PASSWORD, "sure": "1"})
            assert answer.status_code == 403, path
            assert "Форма устарела" in answer.text
        assert (await hers.get("/me")).status_code == 200


async def test_every_form_of_the_site_was_tried(site: Site) -> None:
    routes = [one for one in site.application.app.router.routes if isinstance(one, Route)]
    posts = {
        one.path.replace("{booking_id}", "1").replace("{channel}", "email").replace("{token}", "x")
        for one in routes
        if "POST" in (one.methods or ()) and not one.path.startswith(("/api/", "/admin"))
    }
    assert posts == set(FORMS)


async def test_a_page_can_be_framed_by_nobody_and_its_cookies_read_by_no_script(
    browser: Browser, site: Site
) -> None:
    user_id, email = await new_user(site)
    async with visitor(browser, site) as anna:
        await anna.sign_in(email)
        assert await anna.page.evaluate("document.cookie") == ""
        for cookie in await anna.page.context.cookies():
            assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax"), cookie
        answer = await anna.page.goto(f"{site.url}/me")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
    assert user_id


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
async def test_a_phone_that_nobody_has_signs_in_by_its_code_and_becomes_an_account(
    browser: Browser, site: Site, width: int, javascript: bool
) -> None:
    phone = f"+7999555{next(_numbers):04}"
    async with site.application.runtime.pool.connection() as conn:
        await add_booking(
            conn,
            company_id=COMPANY_ID,
            yclients_record_id=60_000 + next(_numbers),
            service_name="Маникюр",
            appointment_datetime=site.application.runtime.clock() + timedelta(days=3),
            status="CONFIRMED",
            match_phone10=phone[-10:],
            phone=phone,
        )
    async with visitor(browser, site, width=width, javascript=javascript) as anna:
        await anna.open("/me/points")
        if javascript:
            await anna.must_be_fit()
        await anna.page.fill("[name=contact]", "8 999")
        await anna.click("text=Получить код")
        assert "Введите e-mail или номер" in await anna.page.locator("#e-contact").inner_text()
        await anna.page.fill("[name=contact]", phone.replace("+7", "8 "))
        await anna.click("text=Получить код")
        assert await anna.heading() == "Введите код"
        assert phone not in anna.page.url
        await anna.page.fill("[name=code]", "000000")
        await anna.click("main .card button")
        assert "Код не подошёл" in await anna.page.locator("#e-code").inner_text()
        if javascript:
            await anna.must_be_fit()
        code = await site.code_for(phone)
        await anna.page.fill("[name=code]", f"{code[:3]} {code[3:]}")
        await anna.click("main .card button")
        assert await anna.heading() == "Вы здесь впервые"
        await anna.page.fill("[name=name]", "Анна")
        await anna.click("main form button")
        assert "согласия" in await anna.page.locator("#e-consent").inner_text()
        if javascript:
            await anna.must_be_fit()
        await anna.page.check("[name=consent]")
        await anna.click("main form button")

        assert await anna.heading() == "Баллы", "where she wanted to go"
        await anna.open("/me")
        assert "Маникюр" in await anna.text()
        assert "Подтвердите" not in await anna.text()


async def test_an_sms_does_not_open_an_account_with_a_password_but_leads_on(
    browser: Browser, site: Site, width: int
) -> None:
    phone = f"+7999556{next(_numbers):04}"
    _, email = await new_user(
        site,
        phone=phone,
        phone_verified_at=site.application.runtime.clock(),
        email_verified_at=site.application.runtime.clock(),
    )
    async with visitor(browser, site, width=width) as anna:
        await anna.open("/me/sign-in")
        await anna.page.fill("[name=contact]", phone)
        await anna.click("text=Получить код")
        await anna.page.fill("[name=code]", await site.code_for(phone))
        await anna.click("main .card button")
        assert await anna.heading() == "Аккаунт уже есть"
        assert email not in await anna.text()
        await anna.must_be_fit()
        await anna.click("text=Войти иначе")
        await anna.page.fill("[name=contact]", email)
        await anna.click("text=Получить код")
        await anna.page.fill("[name=code]", await site.code_for(email))
        await anna.click("main .card button")
        assert await anna.heading() == "Мои визиты"


async def test_who_has_no_password_changes_a_contact_and_goes_by_a_code(
    browser: Browser, site: Site, width: int
) -> None:
    phone = f"+7999557{next(_numbers):04}"
    user_id = await site.application.new_user(
        email=None, phone=phone, phone_verified_at=site.application.runtime.clock(), password_hash=None
    )
    async with visitor(browser, site, width=width, user_id=user_id) as anna:
        await anna.open("/me/profile")
        await anna.must_be_fit()
        await anna.page.fill("[name=name]", "Анна")
        await anna.click("text=Сохранить")
        assert await anna.page.input_value("[name=name]") == "Анна"
        email = new_email()
        await anna.page.fill("[name=email]", email)
        await anna.click("text=Сохранить")
        assert "свежий код" in await anna.page.locator("#e-code").inner_text()
        await anna.must_be_fit()
        await anna.click("form[action='/me/profile/code'] button")
        assert "Код отправлен" in await anna.text()
        code = await site.code_for(phone)
        await anna.page.fill("[name=email]", email)
        await anna.page.fill("[name=code]", code)
        await anna.click("text=Сохранить")
        assert await anna.page.input_value("[name=email]") == email

        await anna.open("/me/erase")
        await anna.must_be_fit()
        await anna.page.check("[name=sure]")
        await anna.page.fill("[name=code]", code)
        await anna.click("text=Удалить навсегда")
        assert anna.page.url == f"{site.url}/"


@pytest.mark.parametrize("way", ["sign in", "join", "take"])
async def test_who_registers_with_a_phone_that_another_account_proved_is_asked(
    browser: Browser, site: Site, width: int, way: str
) -> None:
    phone, now = f"+7999558{next(_numbers):04}", site.application.runtime.clock()
    old, old_email = await new_user(site, phone=phone, phone_verified_at=now, email_verified_at=now)
    async with site.application.runtime.pool.connection() as conn:
        await add_booking(
            conn,
            company_id=COMPANY_ID,
            yclients_record_id=70_000 + next(_numbers),
            service_name="Окрашивание",
            appointment_datetime=now + timedelta(days=3),
            status="CONFIRMED",
            user_id=old,
            matched_by="form",
        )
    email = new_email()
    async with visitor(browser, site, width=width, javascript=width == 390) as anna:
        await sign_up(anna, email, phone=phone)
        await anna.click("form[action='/me/verify/phone/send'] button")
        await anna.page.fill("[name=code]", await site.code_for(phone))
        await anna.click("text=Подтвердить")
        assert await anna.heading() == "Аккаунт уже есть"
        assert old_email not in await anna.text()
        if width == 390:
            await anna.must_be_fit()
        if way == "sign in":
            await anna.click("text=Войти в тот аккаунт")
            assert await anna.heading() == "Вход"
            await anna.sign_in(old_email)
            assert "Окрашивание" in await anna.text()
        elif way == "join":
            await anna.page.fill("[name=other_password]", "not this one")
            await anna.click("text=Объединить >> nth=-1")
            assert "Пароль не подходит" in await anna.page.locator("#e-other_password").inner_text()
            if width == 390:
                await anna.must_be_fit()
            await anna.page.fill("[name=other_password]", PASSWORD)
            await anna.click("text=Объединить >> nth=-1")
            assert "Аккаунты объединены" in await anna.text()
            assert "Окрашивание" in await anna.text()
        else:
            await anna.click("text=Теперь контакт мой")
            assert "Контакт подтверждён" in await anna.text()
            assert "Окрашивание" not in await anna.text()
