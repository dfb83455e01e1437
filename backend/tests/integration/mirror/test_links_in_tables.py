"""Whose booking, in the tables: proofs, codes, forms, candidates, later registration (contract, section 5)."""

from typing import Any

import pytest
import structlog

from tests.support.rows import add_user
from tests.support.salon import BONUSES, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, answer, event, page, webhook
from zerkalo.db.pool import Pool
from zerkalo.users.matching.store import users_for_matching

pytestmark = pytest.mark.integration

PROVED = "2026-01-01T00:00:00Z"


async def user(server: Salon, **columns: object) -> int:
    async with server.pool.connection() as conn:
        return await add_user(conn, **columns)


async def link(server: Salon) -> tuple[int | None, str | None]:
    row = await server.booking()
    return row["user_id"], row["matched_by"]


@pytest.mark.parametrize(
    ("columns", "state", "step"),
    [
        (
            {"email": "Maria@Salon.test", "email_verified_at": PROVED},
            State(5, email=" maria@salon.TEST "),
            "email",
        ),
        (
            {"phone": "+79990000001", "phone_verified_at": PROVED},
            State(5, phone="8 (999) 000-00-01"),
            "phone",
        ),
        ({"unique_code": "ABC12345"}, State(5, comment="код клиента авс12345"), "code"),
    ],
)
async def test_what_is_proved_links(pool: Pool, columns: dict[str, object], state: State, step: str) -> None:
    async with salon(pool) as server:
        user_id = await user(server, **columns)
        await server.status(event(state))
        assert await link(server) == (user_id, step)


@pytest.mark.parametrize("columns", [{"email": "maria@salon.test"}, {"phone": "+79990000001"}])
async def test_an_unproved_contact_never_links(pool: Pool, columns: dict[str, object]) -> None:
    async with salon(pool) as server:
        user_id = await user(server, **columns)
        await server.status(event(State(5, email="maria@salon.test")))
        await server.applier.rematcher.rematch(user_id)
        assert await link(server) == (None, None)
        assert await server.rows("select * from match_candidates") == []


async def test_one_phone_of_two_links_nobody_and_keeps_both(pool: Pool) -> None:
    async with salon(pool) as server:
        both = [await user(server, phone="+79990000001", phone_verified_at=PROVED) for _ in range(2)]
        await server.status(event(State(5)))
        assert await link(server) == (None, None)
        assert [
            row["user_id"] for row in await server.rows("select * from match_candidates order by user_id")
        ] == both

        third = await user(server, unique_code="ABC12345")
        await server.status(event(State(6, comment="Код клиента: ABC12345")))
        assert await link(server) == (third, "code")
        assert await server.rows("select * from match_candidates") == [], "nothing to choose any more"


async def test_nobodys_code_is_passed_over(pool: Pool) -> None:
    async with salon(pool) as server:
        user_id = await user(server, phone="+79990000001", phone_verified_at=PROVED, unique_code="ABC12345")
        await server.status(event(State(5, comment="Код клиента: ZZZ99999")))
        assert await link(server) == (user_id, "phone")
        assert (await server.booking())[
            "notes"
        ] == f"YClients. ID: {RECORD_ID}\nКод клиента: ABC12345\nКод клиента: ZZZ99999"


async def test_code_in_a_stale_showing_gives_a_stronger_link(pool: Pool) -> None:
    async with salon(pool) as server:
        by_phone = await user(server, phone="+79990000001", phone_verified_at=PROVED)
        by_code = await user(server, unique_code="ABC12345")
        await server.status(event(State(6, comment="новое")))
        assert await link(server) == (by_phone, "phone")

        assert await server.status(event(State(5, comment="Код клиента: ABC12345"))) == "stale"

        assert await link(server) == (by_code, "code")
        row = await server.booking()
        assert row["comment"] == "новое"
        assert row["notes"] == f"YClients. ID: {RECORD_ID}\nКод клиента: ABC12345\nновое"


async def test_code_in_a_showing_that_is_only_asked_about_links_all_the_same(pool: Pool) -> None:
    """Two states of one second, the later one first: the code of the other would never be shown again."""
    async with salon(pool) as server:
        by_code = await user(server, unique_code="ABC12345")
        await server.status(event(State(5, comment="новое")))

        assert await server.status(event(State(5, comment="Код клиента: ABC12345"))) == "queued"

        assert await link(server) == (by_code, "code")
        assert (await server.booking())["comment"] == "новое"


async def test_a_block_in_the_journal_teaches_nothing(pool: Pool) -> None:
    async with salon(pool) as server:
        await user(server, unique_code="ABC12345")
        names_a_user = "Код клиента: ABC12345"
        block = State(5, title=None, phone=None, comment=names_a_user)
        assert await server.status(event(block)) == "ignored"
        await server.applier.apply([page(block)])

        await server.status(event(State(6)))

        assert await link(server) == (None, None)


async def test_comment_that_names_nobody_undoes_no_link(pool: Pool) -> None:
    async with salon(pool) as server:
        user_id = await user(server, unique_code="ABC12345")
        await server.status(event(State(5, comment="Код клиента: ABC12345")))
        await server.status(event(State(6, comment="перенесла")))
        assert await link(server) == (user_id, "code")


@pytest.mark.parametrize(
    "proves", [{"phone_verified_at": PROVED}, {"email_verified_at": PROVED}, {"unique_code": "ABC12345"}]
)
async def test_whoever_proves_later_gets_her_earlier_bookings(pool: Pool, proves: dict[str, str]) -> None:
    async with salon(pool) as server:
        user_id = await user(server, phone="+79990000001", email="maria@salon.test")
        state = State(5, email="maria@salon.test", comment="Код клиента: ABC12345")
        await server.applier.apply([webhook(state, id=n + 1) for n in range(7)])
        ((column, value),) = proves.items()
        await server.rows(f"update users set {column} = %s where id = %s", value, user_id)

        assert await server.applier.rematcher.rematch(user_id, limit=3) is False
        assert [row["user_id"] for row in await server.bookings()].count(user_id) == 3
        assert await server.applier.rematcher.rematch(user_id) is True
        assert {row["user_id"] for row in await server.bookings()} == {user_id}
        before = await server.bookings()
        await server.applier.rematcher.rematch(user_id)
        assert [row["revision"] for row in await server.bookings()] == [row["revision"] for row in before]


async def test_form_booking_links_by_record_and_by_the_id_that_travels_along(pool: Pool) -> None:
    async with salon(pool) as server:
        by_form = await user(server)
        await user(server, unique_code="ABC12345")
        add = "insert into form_bookings (api_id, user_id, company_id, record_id, created_at) values (%s, %s, %s, %s, now())"
        await server.rows(add, "known", by_form, COMPANY_ID, 1)
        await server.rows(add, "lost", by_form, COMPANY_ID, None)
        await server.applier.apply(
            [
                webhook(State(5, comment="Код клиента: ABC12345"), id=1),
                webhook(State(5), id=2, api_id="lost"),
                webhook(State(5), id=3),
            ]
        )
        assert [(row["user_id"], row["matched_by"]) for row in await server.bookings()] == [
            (by_form, "form"), (by_form, "form"), (None, None)
        ]  # fmt: skip
        (lost,) = await server.rows("select record_id, status from form_bookings where api_id = 'lost'")
        assert lost == {"record_id": 2, "status": "booked"}

        await server.applier.apply([webhook(State(5), id=4, api_id="lost")])
        assert (await server.bookings())[3]["user_id"] is None, "a copied record carries its original's id"


async def test_a_missing_user_is_logged_by_record_only(pool: Pool) -> None:
    async with salon(pool) as server:
        with structlog.testing.capture_logs() as lines:
            await server.status(event(State(5, email="maria@salon.test", comment="секрет")))
    told = str(lines)
    assert "Пользователь не найден" in told
    assert str(RECORD_ID) in told
    for hidden in ("9990000001", "maria@salon", "секрет", "Мария"):
        assert hidden not in told


async def test_an_unknown_attendance_is_logged_and_counts_as_waiting(pool: Pool) -> None:
    async with salon(pool) as server:
        with structlog.testing.capture_logs() as lines:
            await server.status(event(State(5, attendance=7)))
        assert (await server.booking())["status"] == "PENDING"
    assert "unknown attendance" in [line["event"] for line in lines]


async def test_people_for_matching_are_found_by_what_they_proved(pool: Pool) -> None:
    async with salon(pool) as server:
        claims = await user(server, email="maria@salon.test", phone="+79990000001")
        async with pool.connection() as conn:
            found = await users_for_matching(conn, emails=["maria@salon.test"], phone10s=["9990000001"])
            by_id = await users_for_matching(conn, ids=[claims])
    assert found == []
    assert (by_id[0].email_proved, by_id[0].phone_proved) == (None, None)


@pytest.mark.parametrize("by_sync", [False, True])
async def test_booking_that_is_another_persons_now_leaves_the_first_ones_sight(
    pool: Pool, by_sync: bool
) -> None:
    """The second one has no e-mail, as most have: that of the first must not hold the booking."""
    async with salon(pool, policy=BONUSES) as server:
        await user(server, email="anna@salon.test", email_verified_at=PROVED)
        vera = await user(server, phone="+79990000002", phone_verified_at=PROVED)
        await server.status(event(State(5, attendance=1, email="anna@salon.test")))
        moved = State(6, attendance=1, phone="+79990000002")
        if by_sync:
            await server.applier.apply([page(moved)])
        else:
            await server.status(event(moved))

        assert await link(server) == (vera, "phone")
        sums = await server.rows(
            "select user_id, sum(amount)::int as points from bonus_entries group by 1 order by 1"
        )
        assert [one["points"] for one in sums] == [0, 90]


async def test_booking_that_goes_over_to_somebody_with_an_e_mail_only_leaves_the_first_ones_sight(
    pool: Pool,
) -> None:
    async with salon(pool) as server:
        await user(server, phone="+79990000001", phone_verified_at=PROVED)
        await server.status(event(State(5)))
        await server.status(event(State(6, phone=None, email="vera@salon.test")))
        assert await link(server) == (None, None)


async def test_thin_call_with_a_new_contact_does_not_end_the_link_for_good(pool: Pool) -> None:
    """Her e-mail was added, and the call that told of it left her phone out."""
    async with salon(pool, policy=BONUSES) as server:
        maria = await user(server, phone="+79990000001", phone_verified_at=PROVED)
        await server.status(event(State(5, attendance=1)))
        truth = State(6, attendance=1, email="maria@salon.test")
        await server.status(event(truth, without=frozenset({"client.phone"})))

        await server.applier.apply([answer(truth, deleted_is_404=True)])

        assert await link(server) == (maria, "phone")
        assert (await server.booking())["match_phone10"] == "9990000001"
        assert await server.rows("select sum(amount)::int as points from bonus_entries") == [{"points": 90}]


NAMES_A_USER = "Код клиента: ABC12345"
CONTRADICTION = event(State(5, comment=NAMES_A_USER)) | {"status": "delete"}
BARE_DELETION = event(State(5, deleted=True, comment=NAMES_A_USER), without=frozenset({"last_change_date"}))


@pytest.mark.parametrize("deletion", [CONTRADICTION, BARE_DELETION])
async def test_code_of_a_deletion_of_a_booking_links_it(pool: Pool, deletion: dict[str, Any]) -> None:
    async with salon(pool) as server:
        by_code = await user(server, unique_code="ABC12345")
        for told in (event(State(6)), deletion):
            await server.status(told)
        assert await link(server) == (by_code, "code")
