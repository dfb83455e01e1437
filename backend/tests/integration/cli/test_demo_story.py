"""What the demo does on our side before somebody looks, in whatever order its parts come."""

from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random

import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import open_folder
from yclients_emulator import desk
from zerkalo.cli.demo.banner import FOR_THE_DESK, FOR_THE_OWNER
from zerkalo.cli.demo.model import ADMIN, RECEPTIONIST, USER, guests
from zerkalo.cli.demo.story import POINTS_GIVEN, POINTS_SPENT, add_accounts, move_points
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

PEOPLE = tuple(guests(Random(1)))


@pytest.fixture
async def salon(dsn: str) -> AsyncIterator[Application]:
    """A salon with its owner; no worker, so that nothing is looked at again unless it is done."""
    with open_folder() as folder:
        async with running_application(dsn, folder, PUBLIC_URL="http://localhost:8000") as application:
            now = application.runtime.clock()
            await application.new_user(
                email=ADMIN.email, unique_code=ADMIN.code, is_admin=True, email_verified_at=now
            )
            yield application


async def test_points_are_spent_although_the_visit_was_read_before_its_user_had_an_account(
    salon: Application,
) -> None:
    emulator = salon.emulator
    yesterday = emulator.now().replace(tzinfo=None, microsecond=0) - timedelta(days=1)
    visit = desk.create(
        emulator, company_id=COMPANY_ID, staff_id=2001, service_ids=(3001,), date=yesterday, phone=USER.phone[1:]
    )  # fmt: skip
    desk.set_price(emulator, visit.id, 1_000_000)
    desk.set_attendance(emulator, visit.id, 1)
    await salon.mirror(visit.id)
    await add_accounts(salon.runtime, PEOPLE)

    await move_points(salon.runtime)
    await move_points(salon.runtime)

    entries = await salon.fetch("select kind, amount from bonus_entries order by id")
    assert [entry["kind"] for entry in entries] == ["accrual", "adjustment", "redemption"]
    assert [entry["amount"] for entry in entries[1:]] == [POINTS_GIVEN, -POINTS_SPENT]


async def test_an_account_that_left_the_demo_stays_gone_at_its_next_start(salon: Application) -> None:
    await add_accounts(salon.runtime, PEOPLE)
    roles = await salon.fetch("select email, role from users where role is not null order by role")
    (anna,) = await salon.fetch("select id from users where email = %s", USER.email)
    (before,) = await salon.fetch("select count(*) from users")
    async with await salon.as_user(anna["id"]) as caller:
        deleted = await caller.request("DELETE", "/api/v1/auth/me", json={"password": USER.password})
        assert deleted.status_code < 300, deleted.text

    await add_accounts(salon.runtime, PEOPLE)

    assert [(one["email"], one["role"]) for one in roles] == [
        (ADMIN.email, "owner"),
        (RECEPTIONIST.email, "receptionist"),
    ]
    assert await salon.fetch("select id from users where email = %s", USER.email) == []
    assert await salon.fetch("select count(*) from users") == [before]


async def test_each_page_that_the_banner_names_opens_for_whom_it_says(salon: Application) -> None:
    await add_accounts(salon.runtime, PEOPLE)

    answers: dict[str, list[int]] = {}
    for email in (RECEPTIONIST.email, ADMIN.email):
        (one,) = await salon.fetch("select id from users where email = %s", email)
        session = await salon.session_of(one["id"])
        async with salon.client(cookies={SESSION: session.refresh_token}) as caller:
            answers[email] = [
                (await caller.get(path)).status_code for path, _ in FOR_THE_DESK + FOR_THE_OWNER
            ]

    assert answers[ADMIN.email] == [200] * len(FOR_THE_DESK + FOR_THE_OWNER)
    assert answers[RECEPTIONIST.email] == [200] * len(FOR_THE_DESK) + [403] * len(FOR_THE_OWNER)
