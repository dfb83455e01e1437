"""Rows of an older system, which carry a record's id in their note only: one row a record, whichever comes first."""

import pytest

from tests.support.rows import add_booking, add_user
from tests.support.salon import BONUSES, NOW, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, answer, event, page, page_item
from zerkalo.bookings.model import Source
from zerkalo.bookings.store import revisions
from zerkalo.db.pool import Pool
from zerkalo.sync.model import Observation, Outcome, OutcomeStatus

pytestmark = pytest.mark.integration


async def old(
    server: Salon,
    note: str = f"YClients. ID: {RECORD_ID}\nстарая",
    company_id: int | None = None,
    user_id: int | None = None,
    matched_by: str | None = None,
) -> int:
    async with server.pool.connection() as conn:
        return await add_booking(
            conn, company_id=company_id, notes=note, user_id=user_id, matched_by=matched_by
        )


async def user(server: Salon, **columns: object) -> int:
    async with server.pool.connection() as conn:
        return await add_user(conn, **columns)


@pytest.mark.parametrize("company_id", [None, COMPANY_ID])
@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.PAGE, Source.REFETCH])
async def test_old_row_is_adopted(pool: Pool, company_id: int | None, source: Source) -> None:
    async with salon(pool) as server:
        old_id = await old(server, company_id=company_id)
        if source is Source.WEBHOOK:
            await server.status(event(State(5)))
        else:
            shown = (
                page(State(5))
                if source is Source.PAGE
                else answer(State(5), revision=1, deleted_is_404=False)
            )
            await server.applier.apply([shown])
        row = await server.booking()
        assert (row["id"], row["company_id"], row["yclients_record_id"]) == (
            old_id,
            COMPANY_ID,
            RECORD_ID,
        )
        assert (row["notes"], row["service_name"]) == (f"YClients. ID: {RECORD_ID}", "Стрижка")


async def test_old_row_is_adopted_also_where_no_version_is_told(pool: Pool) -> None:
    async with salon(pool) as server:
        old_id = await old(server)
        outcomes: list[Outcome] = []
        for _ in range(2):
            shown = page_item(State(5), last_change_date=None)
            assert shown is not None
            await server.applier.apply([shown])
            for _ in range(2):
                async with pool.connection() as conn:
                    revision = (await revisions(conn, [(COMPANY_ID, RECORD_ID)])).get((COMPANY_ID, RECORD_ID))
                told = Observation(
                    Source.REFETCH,
                    COMPANY_ID,
                    RECORD_ID,
                    record=shown.record,
                    remembered_revision=revision,
                )
                outcomes = await server.applier.apply([told])
        assert [outcome.status for outcome in outcomes] == [OutcomeStatus.UNCHANGED]
        row = await server.booking()
        assert (row["id"], row["yclients_record_id"], row["service_name"]) == (
            old_id,
            RECORD_ID,
            "Стрижка",
        )


async def test_old_row_of_another_company_or_record_is_left_alone(pool: Pool) -> None:
    async with salon(pool) as server:
        await old(server, company_id=8)
        await old(server, note=f"YClients. ID: {RECORD_ID}0")
        await old(server, note=f"Заметка. YClients. ID: {RECORD_ID}")
        await server.status(event(State(5)))
        assert len(await server.bookings()) == 4


async def test_first_of_two_with_one_note_is_adopted(pool: Pool) -> None:
    async with salon(pool) as server:
        first, second = await old(server), await old(server)
        await server.status(event(State(5)))
        await server.status(event(State(6)))
        keyed = {row["id"]: row["yclients_record_id"] for row in await server.bookings()}
        assert keyed == {first: RECORD_ID, second: None}


async def test_old_row_is_neither_touched_nor_doubled_by_a_hint(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        await old(server)
        before = await server.booking()
        assert await server.status(event(State(5))) == "queued"
        assert await server.booking() == before


@pytest.mark.parametrize(("company_id", "status"), [(None, "PENDING"), (COMPANY_ID, "CANCELLED")])
async def test_404_of_one_company_says_nothing_of_a_row_that_names_none(
    pool: Pool, company_id: int | None, status: str
) -> None:
    async with salon(pool) as server:
        await old(server, company_id=company_id)
        gone = answer(State(5, purged=True), revision=1, deleted_is_404=True)
        (outcome,) = await server.applier.apply([gone])
        assert outcome.status is not OutcomeStatus.QUEUED, "it would be asked without end"
        assert (await server.booking())["status"] == status
        assert await server.rows("select * from refetches") == []


class TestComesLater:
    """The record has a row already: that one takes over, as if the old one had been there first."""

    async def test_is_taken_over_with_its_user_and_its_points(self, pool: Pool) -> None:
        async with salon(pool, policy=BONUSES) as server:
            vera = await user(server)
            await server.status(event(State(5, attendance=1)))
            row = await server.booking()
            await old(server, user_id=vera)

            assert await server.applier.absorb_old_rows(COMPANY_ID) == 1

            after = await server.booking()
            assert (after["id"], after["user_id"], after["matched_by"]) == (row["id"], vera, None)
            assert (after["revision"], after["service_name"]) == (row["revision"] + 1, "Стрижка")
            (entry,) = await server.rows("select user_id, booking_id, amount from bonus_entries")
            assert entry == {"user_id": vera, "booking_id": row["id"], "amount": 90}
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 0

    async def test_all_of_several_with_one_note_go_and_the_first_counts(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            first, second = await user(server), await user(server)
            await old(server, user_id=first)
            await old(server, user_id=second)
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 2
            assert (await server.booking())["user_id"] == first

    @pytest.mark.parametrize(
        ("its", "stays"), [(None, True), ("phone", True), ("code", False), ("manual", False)]
    )
    async def test_its_link_counts_for_what_it_rests_on(
        self, pool: Pool, its: str | None, stays: bool
    ) -> None:
        async with salon(pool) as server:
            by_email = await user(server, email="maria@salon.test", email_verified_at=NOW)
            await server.status(event(State(5, email="maria@salon.test")))
            other = await user(server)
            await old(server, user_id=other, matched_by=its)
            await server.applier.absorb_old_rows(COMPANY_ID)
            row = await server.booking()
            assert (row["user_id"], row["matched_by"]) == ((by_email, "email") if stays else (other, its))

    async def test_what_an_admin_took_from_everybody_stays_so(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await server.rows("update bookings set matched_by = 'manual'")
            await old(server, user_id=await user(server))
            await server.applier.absorb_old_rows(COMPANY_ID)
            row = await server.booking()
            assert (row["user_id"], row["matched_by"]) == (None, "manual")

    async def test_is_left_alone_where_it_may_be_another_record(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await old(server, company_id=8)
            await old(server, note=f"YClients. ID: 0{RECORD_ID}")
            await old(server, note=f"YClients. ID: {RECORD_ID}0")
            await old(server, note="YClients. ID: нет")
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 0
            assert len(await server.bookings()) == 5

    async def test_number_of_two_branches_is_left_alone(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await server.rows("insert into companies (id) values (8)")
            await server.rows(
                "insert into bookings (company_id, yclients_record_id, appointment_datetime) values (8, %s, now())",
                RECORD_ID,
            )
            await old(server)
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 0

    async def test_unsigned_row_takes_nothing_over(self, pool: Pool) -> None:
        async with salon(pool, secret=None) as server:
            await server.status(event(State(5)))
            await old(server)
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 0

    async def test_a_row_with_points_is_not_dropped(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            old_id, vera = await old(server), await user(server)
            await server.rows(
                "insert into bonus_entries (user_id, booking_id, kind, amount, entry_key, effective_at, created_at)"
                " values (%s, %s, 'accrual', 5, 'by hand', now(), now())",
                vera,
                old_id,
            )
            assert await server.applier.absorb_old_rows(COMPANY_ID) == 0

    async def test_of_an_erased_booking_goes_and_names_nobody(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await server.rows("update bookings set erased_at = now()")
            await old(server, user_id=await user(server))
            await server.applier.absorb_old_rows(COMPANY_ID)
            assert (await server.booking())["user_id"] is None
