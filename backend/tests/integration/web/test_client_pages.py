"""A client at the desk: one page for the account and its cards, correcting, two accounts compared, joined and parted."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from tests.integration.web.test_admin_pages import Desk
from tests.support.application import COMPANY_ID, Application, free_port, running_application
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.clients import store as clients
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

PROVED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, is_demo=True, PUBLIC_URL=f"http://localhost:{free_port()}"
        ) as application:
            yield application


async def desk_of(salon: Application, **columns: object) -> Desk:
    user_id = await salon.new_user(**columns)
    session = await salon.session_of(user_id)
    client = salon.client()
    client.headers["Accept"] = "text/html"
    client.cookies.set(SESSION, session.refresh_token)
    return Desk(client)


@pytest.fixture(scope="module")
async def owner(salon: Application) -> Desk:
    return await desk_of(salon, email="owner.clients@example.com", is_admin=True, unique_code="CWNER234")


class Filled(HTMLParser):
    """What a browser without JavaScript sends of the forms in a page that nobody has touched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._area: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name")
        if tag == "textarea":
            self._area = name
        if name and tag in ("input", "textarea"):
            self.fields[name] = _sent(found.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area] = _sent(data.removeprefix("\n"))


def _sent(text: str) -> str:
    return "\r\n".join(text.splitlines())


async def opened(desk: Desk, user_id: int) -> dict[str, str]:
    return Filled(await desk.get(f"/admin/users/{user_id}/edit")).fields


async def the_user(salon: Application, user_id: int) -> dict[str, object]:
    (row,) = await salon.fetch("select * from users where id = %s", user_id)
    return row


async def test_two_accounts_are_compared_joined_and_parted_again(salon: Application, owner: Desk) -> None:
    first = await salon.new_user(
        email="m1@example.com", name="Мария Первая", phone="+79990001010", unique_code="MARA2345"
    )
    second = await salon.new_user(
        name="Мария Вторая", phone="+79990001010", phone_verified_at=PROVED, unique_code="MARB2345"
    )

    page = await owner.get(f"/admin/users/{first}")
    assert "два аккаунта" in page
    assert f'/admin/users/{first}/merge?with={second}"' in page
    assert "Мария Вторая" in await owner.get(f"/admin/users/{first}/merge?search=MARB2345")
    compared = await owner.get(f"/admin/users/{first}/merge?with={second}")
    for text in ("m1@example.com", "MARA2345", "MARB2345", "Получится", f"останется № {first}"):
        assert text in compared

    answer = await owner.post(f"/admin/users/{second}/merge", into=first)
    assert answer.headers["location"] == f"/admin/users/{first}"
    merged = await owner.get(f"/admin/users/{first}")
    assert "Отменить объединение" in merged
    (merge,) = await salon.fetch("select id from merges where into_id = %s", first)
    answer = await owner.post(f"/admin/users/{first}/unmerge", merge_id=merge["id"])

    assert answer.headers["location"] == f"/admin/users/{second}"
    assert "Отменить объединение" not in await owner.get(f"/admin/users/{first}")
    assert (await the_user(salon, second))["phone_verified_at"] == PROVED
    again = await owner.post(f"/admin/users/{first}/unmerge", merge_id=merge["id"])
    assert again.headers["location"] == f"/admin/users/{second}", "the first answer may have been lost"


async def test_a_contact_that_the_desk_enters_is_proved_only_while_nobody_can_sign_in(
    salon: Application, owner: Desk
) -> None:
    """Else whoever sits at the desk could send themselves the code that signs in or resets the password."""
    made = await salon.new_user(
        name="Без входа", phone="+79990002020", password_hash=None, unique_code="NCPW2345"
    )
    own = await salon.new_user(email="own@example.com", email_verified_at=PROVED, unique_code="CWNP2345")
    by_code = await salon.new_user(
        phone="+79990002121",
        phone_verified_at=PROVED,
        password_hash=None,
        signed_in_by_code_at=PROVED,
        unique_code="BYCD2345",
    )

    for user_id, number in ((made, 1), (own, 2), (by_code, 3)):
        answer = await owner.post(
            f"/admin/users/{user_id}/edit",
            name="Новое имя",
            email=f"edited{number}@example.com",
            note="Любит тишину",
        )
        assert answer.status_code == 303, answer.text

    assert (await the_user(salon, made))["email_verified_at"] is not None
    assert (await the_user(salon, made))["phone"] is None
    assert (await the_user(salon, by_code))["email_verified_at"] is None
    edited = await the_user(salon, own)
    assert (edited["email"], edited["email_verified_at"]) == ("edited2@example.com", None)
    assert (edited["name"], edited["note"]) == ("Новое имя", "Любит тишину")
    assert "Любит тишину" in await owner.get(f"/admin/users/{own}")
    told = await salon.fetch("select recipient from outbox where user_id = %s", own)
    assert [row["recipient"] for row in told] == ["own@example.com"], "whoever had proved it hears of it"


async def test_what_cannot_be_edited_is_said_with_what_was_typed(salon: Application, owner: Desk) -> None:
    await salon.new_user(
        email="taken@example.com", email_verified_at=PROVED, phone="+79990003030", phone_verified_at=PROVED
    )
    user_id = await salon.new_user(email="plain@example.com", name="Вера", unique_code="PLAN2345")
    staff = await salon.new_user(email="staff@example.com", role="receptionist", unique_code="STAF2345")
    for edited, fields, status, text in (
        (user_id, {"email": "taken@example.com"}, 409, "подтвердил"),
        (user_id, {"email": "plain@example.com", "phone": "+7 999 000-30-30"}, 409, "подтвердил"),
        (user_id, {"email": "plain@example", "note": "помню"}, 422, "помню"),
        (user_id, {}, 422, "Нужен e-mail или телефон"),
        (staff, {"email": "mine@example.com"}, 409, "Сотрудник меняет своё имя и контакты сам"),
        (staff, {"email": "staff@example.com"}, 409, "Сотрудник меняет своё имя и контакты сам"),
    ):
        answer = await owner.post(f"/admin/users/{edited}/edit", name="Новое", **fields)
        assert answer.status_code == status, fields
        assert text in answer.text
        assert 'value="Новое"' in answer.text
    assert (await the_user(salon, user_id))["name"] == "Вера"


NOTE = "Любит тишину.\nПьёт «чай» & кофе"


async def test_an_edit_leaves_what_it_did_not_touch(salon: Application, owner: Desk) -> None:
    """The client proves a new phone in their account while the desk has the form open, and writes a note."""
    user_id = await salon.new_user(
        email="Moves@example.com", name="Мила", phone="+79990005050", phone_verified_at=PROVED, note=NOTE
    )
    form = await opened(owner, user_id)
    await salon.execute("update users set phone = '+79990005151', name = 'Милана' where id = %s", user_id)

    answer = await owner.post(f"/admin/users/{user_id}/edit", **{**form, "note": "Придёт с собакой"})

    assert answer.status_code == 303, answer.text
    edited = await the_user(salon, user_id)
    assert (edited["phone"], edited["phone_verified_at"]) == ("+79990005151", PROVED)
    assert (edited["name"], edited["note"]) == ("Милана", "Придёт с собакой")
    assert edited["email"] == "Moves@example.com"
    assert await salon.fetch("select 1 from outbox where user_id = %s", user_id) == [], "no contact changed"


async def test_an_untouched_form_changes_nothing(salon: Application, owner: Desk) -> None:
    user_id = await salon.new_user(email="calm@example.com", name="Зоя  Петровна", note=NOTE)

    answer = await owner.post(f"/admin/users/{user_id}/edit", **await opened(owner, user_id))

    assert answer.status_code == 303, answer.text
    edited = await the_user(salon, user_id)
    assert (edited["name"], edited["note"]) == ("Зоя  Петровна", NOTE)


async def test_an_edit_of_what_has_changed_meanwhile_is_asked_again(salon: Application, owner: Desk) -> None:
    user_id = await salon.new_user(email="both@example.com", name="Рита", phone="+79990006060", note="старая")
    form = await opened(owner, user_id)
    await salon.execute(
        "update users set phone = '+79990006161', phone_verified_at = %s, note = 'чужая' where id = %s",
        PROVED,
        user_id,
    )

    path = f"/admin/users/{user_id}/edit"
    bad = await owner.post(path, **{**form, "phone": "123", "name": "Рита Р."})
    assert bad.status_code == 422
    asked = await owner.post(path, **{**Filled(bad.text).fields, "phone": "+7 999 000-62-62"})

    assert asked.status_code == 409
    assert "Пока форма была открыта, данные клиента изменились" in asked.text
    assert "Теперь в аккаунте: +79990006161" in asked.text
    assert (await the_user(salon, user_id))["phone"] == "+79990006161"
    again = Filled(asked.text).fields
    assert (again["phone"], again["name"], again["note"]) == ("+7 999 000-62-62", "Рита Р.", "чужая")

    answer = await owner.post(path, **again)

    assert answer.status_code == 303, "whoever saves again has seen it"
    edited = await the_user(salon, user_id)
    assert (edited["phone"], edited["name"], edited["note"]) == ("+79990006262", "Рита Р.", "чужая")
    assert edited["phone_verified_at"] is None


async def test_both_who_enter_the_same_agree(salon: Application, owner: Desk) -> None:
    user_id = await salon.new_user(email="same@example.com", phone="+79990007070")
    form = await opened(owner, user_id)
    await salon.execute(
        "update users set phone = '+79990007171', phone_verified_at = %s where id = %s", PROVED, user_id
    )

    answer = await owner.post(f"/admin/users/{user_id}/edit", **{**form, "phone": "8 999 000-71-71"})

    assert answer.status_code == 303, answer.text
    assert (await the_user(salon, user_id))["phone_verified_at"] == PROVED


async def test_the_last_contact_does_not_go_by_two_edits(salon: Application, owner: Desk) -> None:
    user_id = await salon.new_user(email="last@example.com", phone="+79990008080", password_hash=None)
    form = await opened(owner, user_id)
    await salon.execute("update users set phone = null where id = %s", user_id)

    path = f"/admin/users/{user_id}/edit"
    asked = await owner.post(path, **{**form, "email": ""})
    assert asked.status_code == 409
    again = await owner.post(path, **Filled(asked.text).fields)

    assert again.status_code == 422
    assert "Нужен e-mail или телефон" in again.text
    assert (await the_user(salon, user_id))["email"] == "last@example.com"


async def test_a_card_stands_beside_the_account_and_has_a_page(salon: Application, owner: Desk) -> None:
    anna = await salon.new_user(email="card@example.com", name="Анна", unique_code="CARD2345")
    await salon.execute(
        "insert into clients (company_id, client_id, name, phone) values (%s, 77, 'Анна К.', '+79990004040')",
        COMPANY_ID,
    )
    async with salon.runtime.pool.connection() as conn:
        booking = await add_booking(
            conn, company_id=COMPANY_ID, client_id=77, user_id=anna, matched_by="code", service_name="Укладка"
        )
        await add_booking(conn, company_id=COMPANY_ID, client_id=77)

    account = await owner.get(f"/admin/users/{anna}")
    page = await owner.get(f"/admin/clients/{COMPANY_ID}/77")

    assert f'href="/admin/clients/{COMPANY_ID}/77"' in account
    for text in ("+79990004040", "Анна", "Укладка", f"/admin/users/{anna}", "без клиента: 1"):
        assert text in page, text
    assert f"/admin/clients/{COMPANY_ID}/77" in await owner.get(f"/admin/bookings/{booking}")
    await owner.get(f"/admin/clients/{COMPANY_ID}/78", status=404)


async def test_who_has_not_been_seen_for_long_is_listed_once(salon: Application, owner: Desk) -> None:
    now = salon.runtime.clock()
    gone = await salon.new_user(name="Давно Ушла", unique_code="GCNE2345")
    back = await salon.new_user(name="Придёт Снова", unique_code="BACK2345")
    async with salon.runtime.pool.connection() as conn:
        for days, columns in (
            (70, {"user_id": gone, "matched_by": "code", "client_id": 81}),
            (90, {"user_id": gone, "matched_by": "code", "client_id": 81}),
            (70, {"user_id": back, "matched_by": "code"}),
            (-3, {"user_id": back, "matched_by": "code", "status": "CONFIRMED"}),
            (80, {"client_id": 82, "client_name": "Только Карточка"}),
            (20, {"client_id": 83, "client_name": "Недавно"}),
        ):
            at = now - timedelta(days=days)
            given = {"company_id": COMPANY_ID, "status": "COMPLETED", "appointment_datetime": at, **columns}
            await add_booking(conn, **given)

    page = await owner.get("/admin/clients/unseen")

    assert page.count("Давно Ушла") == page.count("Только Карточка") == 1
    assert page.index("Давно Ушла") < page.index("Только Карточка"), "the latest first"
    assert f'href="/admin/clients/{COMPANY_ID}/82"' in page
    assert "Придёт Снова" not in page
    assert "Недавно" not in page
    assert "Недавно" in await owner.get("/admin/clients/unseen?days=10")


async def test_a_receptionist_corrects_and_does_not_merge(salon: Application) -> None:
    desk = await desk_of(
        salon, email="reception.clients@example.com", role="receptionist", unique_code="RECP2345"
    )
    first = await salon.new_user(email="r1@example.com", phone="+79990005050", unique_code="RACA2345")
    second = await salon.new_user(email="r2@example.com", phone="+79990005050", unique_code="RACB2345")

    page = await desk.get(f"/admin/users/{first}")

    assert "два аккаунта" in page
    assert f"/admin/users/{first}/edit" in page
    assert "/merge" not in page
    await desk.get(f"/admin/users/{first}/merge?with={second}", status=403)


async def test_the_staff_note_on_a_card_what_yclients_never_sees(salon: Application, owner: Desk) -> None:
    async with salon.runtime.pool.connection() as conn:
        await conn.execute(
            "insert into clients (company_id, client_id, name) values (%s, 177, 'Ольга')", [COMPANY_ID]
        )
    here = f"/admin/clients/{COMPANY_ID}/177"
    reader = await desk_of(salon, email="reads@example.com", role="read_only", unique_code="READS234")

    assert (await owner.post(f"{here}/note", note="Любит чай с <мятой>")).status_code == 303
    shown, read = await owner.get(here), await reader.get(here)
    assert "Любит чай с &lt;мятой&gt;</textarea>" in shown
    assert "Любит чай с &lt;мятой&gt;" in read
    assert "<textarea" not in read
    log = await owner.get("/admin/log")
    assert f'href="{here}"' in log
    assert "чай" not in log, "what was written about a person stays with the person"

    async with salon.runtime.pool.connection() as conn:
        visit = await add_booking(conn, company_id=COMPANY_ID, client_id=177)
    assert "Любит чай" in await reader.get(f"/admin/bookings/{visit}"), "where the client is met"

    async with salon.runtime.pool.connection() as conn:
        await clients.erase(conn, [(COMPANY_ID, 177)], now=PROVED)
    assert (await owner.post(f"{here}/note", note="Снова")).status_code == 409
    assert "чай" not in await owner.get(here)
