"""By card: visits that no user has, grouped with the evidence; a card given to a user and taken back (contract 3 and 5)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import TestServer
from yclients_emulator import desk

CLIENT = "/api/v1/admin/clients/{}/{}"
PHONE = "+79161234567"


@pytest.fixture
async def application(database_server: TestServer, tmp_path: Path) -> AsyncIterator[Application]:
    with database_server.database() as address:
        async with running_application(address, tmp_path) as running:
            yield running


async def mirrored(application: Application, *, phone: str = PHONE) -> dict[str, int]:
    """A visit made at the salon's desk, in the mirror."""
    record = desk.create(
        application.emulator, company_id=COMPANY_ID, service_ids=(3001,), phone=phone, name="Мария"
    )
    await application.mirror(record.id)
    (row,) = await application.fetch("select * from bookings where yclients_record_id = %s", record.id)
    return row


@pytest.mark.integration
async def test_a_card_is_given_with_all_its_visits_and_taken_back(application: Application) -> None:
    first, second = await mirrored(application), await mirrored(application)
    anna = await application.new_user(email="anna@mail.test", unique_code="ABC12345", name="Анна")
    admin = await application.new_user(email="admin@mail.test", is_admin=True)
    address = CLIENT.format(COMPANY_ID, first["client_id"])
    assert second["client_id"] == first["client_id"]

    async with await application.as_user(admin) as desk_of_salon:
        listed = (await desk_of_salon.get("/api/v1/admin/clients/unmatched")).json()["items"]
        given = await desk_of_salon.post(f"{address}/link", json={"user_id": anna})
        third = await mirrored(application)
        none_left = (await desk_of_salon.get("/api/v1/admin/clients/unmatched")).json()["items"]
        again = await desk_of_salon.post(f"{address}/link", json={"user_id": admin})
        back = await desk_of_salon.post(f"{address}/unlink")

    assert [(one["client_id"], one["unmatched"], one["phone"]) for one in listed] == [
        (first["client_id"], 2, PHONE)
    ]
    assert (given.status_code, given.json()["user_id"], given.json()["linked"]) == (200, anna, 2)
    assert (third["user_id"], third["matched_by"]) == (anna, "card")
    assert none_left == []
    assert (again.status_code, again.json()["code"]) == (409, "card_given")
    assert (back.status_code, back.json()["user_id"], back.json()["linked"]) == (200, None, 0)
    audited = await application.fetch("select action from audit_entries order by id")
    assert [one["action"] for one in audited] == ["client.link", "client.unlink"]


@pytest.mark.integration
async def test_the_list_names_the_evidence_and_a_doubtful_link_can_be_asked_about(
    application: Application,
) -> None:
    booking = await mirrored(application)
    guest = await application.new_user(email="guest@mail.test", email_verified_at="2026-01-01T00:00:00Z")
    await application.execute("update clients set email = 'guest@mail.test', email_known_since = now()")
    await application.runtime.applier.rematcher.rematch(guest)
    admin = await application.new_user(email="admin@mail.test", is_admin=True)
    address = CLIENT.format(COMPANY_ID, booking["client_id"])

    async with await application.as_user(admin) as desk_of_salon:
        (listed,) = (await desk_of_salon.get("/api/v1/admin/clients/unmatched")).json()["items"]
        asked = await desk_of_salon.post(f"{address}/link", json={"user_id": guest, "sure": False})
        nobody = await desk_of_salon.post(f"{address}/link", json={"user_id": 10**9})
        no_card = await desk_of_salon.post(f"{CLIENT.format(COMPANY_ID, 10**9)}/unlink")

    assert listed["email_came_late"] is True
    assert [(one["user_id"], one["step"], one["reason"], one["visits"]) for one in listed["candidates"]] == [
        (guest, "email", "late_email", 1)
    ]
    assert listed["candidates"][0]["doubts"]["email_came_late"] is True
    assert (asked.status_code, asked.json()["code"]) == (409, "doubtful")
    assert (nobody.status_code, nobody.json()["code"]) == (404, "user_not_found")
    assert (no_card.status_code, no_card.json()["code"]) == (404, "not_found")
