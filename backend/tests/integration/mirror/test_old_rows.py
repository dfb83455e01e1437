"""Rows of an older system, which carry a record's id in their note only: one row a record, whichever comes first."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.rows import add_booking, add_user
from tests.support.salon import BONUSES, NOW, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, answer, event, page, page_item
from zerkalo.bookings.model import Source
from zerkalo.bookings.store import revisions
from zerkalo.db.pool import Pool
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty.model import Tier
from zerkalo.mirror import old_rows
from zerkalo.mirror.model import BEGIN, Observation, Outcome, OutcomeStatus, Place

pytestmark = pytest.mark.integration


async def old(
    server: Salon,
    note: str = f"YClients. ID: {RECORD_ID}\nстарая",
    company_id: int | None = None,
    **columns: object,
) -> int:
    async with server.pool.connection() as conn:
        return await add_booking(conn, company_id=company_id, yclients_record_id=None, notes=note, **columns)


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


async def absorbed(server: Salon) -> int:
    """Lets the company's rows take over their old rows; how many of those went."""
    before = len(await server.bookings())
    after: Place | None = BEGIN
    while after is not None:
        after = await server.applier.absorb_old_rows(COMPANY_ID, after=after)
    return before - len(await server.bookings())


async def test_code_told_before_an_old_row_is_adopted_counts(pool: Pool) -> None:
    async with salon(pool) as server:
        by_code = await user(server, unique_code="ABC12345")
        thin = event(State(5, comment="Код клиента: ABC12345"), without=frozenset({"date"}))
        assert await server.status(thin) == "queued"
        await old(server)
        await server.applier.apply([page(State(6))])
        row = await server.booking()
        assert (row["user_id"], row["matched_by"]) == (by_code, "code")


async def test_old_row_earns_when_it_is_adopted_and_no_sooner(pool: Pool) -> None:
    async with salon(pool, policy=BONUSES) as server:
        vera = await user(server)
        await old(server, user_id=vera, status="COMPLETED", service_price=180_000)
        assert await loyalty.sweep(pool, BONUSES, NOW) == 0
        await server.applier.apply([page(State(5, attendance=1))])
        (entry,) = await server.rows("select user_id, amount from bonus_entries")
        assert entry == {"user_id": vera, "amount": 90}


class TestComesLater:
    """The record has a row already: that one takes over, as if the old one had been there first."""

    async def test_is_taken_over_with_its_user_and_its_points(self, pool: Pool) -> None:
        async with salon(pool, policy=BONUSES) as server:
            vera = await user(server)
            await server.status(event(State(5, attendance=1)))
            row = await server.booking()
            await old(server, user_id=vera)

            assert await absorbed(server) == 1

            after = await server.booking()
            assert (after["id"], after["user_id"], after["matched_by"]) == (row["id"], vera, None)
            assert (after["revision"], after["service_name"]) == (row["revision"] + 1, "Стрижка")
            (entry,) = await server.rows("select user_id, booking_id, amount from bonus_entries")
            assert entry == {"user_id": vera, "booking_id": row["id"], "amount": 90}
            assert await absorbed(server) == 0

    async def test_all_of_several_with_one_note_go_and_the_first_counts(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            first, second = await user(server), await user(server)
            await old(server, user_id=first)
            await old(server, user_id=second)
            assert await absorbed(server) == 2
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
            await absorbed(server)
            row = await server.booking()
            assert (row["user_id"], row["matched_by"]) == ((by_email, "email") if stays else (other, its))

    async def test_whom_an_admin_took_it_from_in_the_older_system_does_not_get_it_back(
        self, pool: Pool
    ) -> None:
        async with salon(pool) as server:
            await user(server, phone="+79990000001", phone_verified_at=NOW)
            await server.status(event(State(5)))
            await old(server, matched_by="manual")
            assert await absorbed(server) == 1
            row = await server.booking()
            assert (row["user_id"], row["matched_by"]) == (None, "manual")

    async def test_earns_nothing_beside_the_record_s_own_row(self, pool: Pool) -> None:
        async with salon(pool, policy=BONUSES) as server:
            vera = await user(server, phone="+79990000001", phone_verified_at=NOW)
            await server.status(event(State(5, attendance=1)))
            await old(server, user_id=vera, status="COMPLETED", service_price=180_000)
            assert await loyalty.sweep(pool, BONUSES, NOW) == 0
            assert await absorbed(server) == 1
            assert [one["amount"] for one in await server.rows("select amount from bonus_entries")] == [90]

    async def test_counts_for_no_tier_beside_the_record_s_own_row(self, pool: Pool) -> None:
        tiered = replace(BONUSES, tiers=(Tier(3000, Decimal(10)),))
        async with salon(pool, policy=tiered) as server:
            vera = await user(server, phone="+79990000001", phone_verified_at=NOW)
            await server.status(event(State(5, attendance=1)))
            starts_at = (await server.booking())["appointment_datetime"]
            await old(
                server,
                user_id=vera,
                status="COMPLETED",
                service_price=180_000,
                appointment_datetime=starts_at,
            )
            await server.status(
                event(
                    State(6, attendance=1),
                    id=RECORD_ID + 1,
                    date="2026-12-12 15:00:00",
                    datetime="2026-12-12T15:00:00+03:00",
                )
            )

            entries = await server.rows("select amount, percent from bonus_entries order by id")
            assert entries == [{"amount": 90, "percent": 5}] * 2

    async def test_erased_one_takes_her_out_of_the_record_s_own_row(self, pool: Pool) -> None:
        async with salon(pool, policy=BONUSES) as server:
            await user(server, phone="+79990000001", phone_verified_at=NOW)
            await server.status(event(State(5, attendance=1, comment="секрет")))
            await old(server, erased_at=NOW)
            assert await absorbed(server) == 1

            row = await server.booking()
            assert (row["user_id"], row["phone"], row["comment"], row["erased_at"]) == (None, None, "", NOW)
            assert row["notes"] == f"YClients. ID: {RECORD_ID}"
            (kept,) = await server.deliveries()
            assert "секрет" not in bytes(kept["body"]).decode()
            assert sum(one["amount"] for one in await server.rows("select amount from bonus_entries")) == 0
            await server.status(event(State(6, comment="секрет")))
            assert (await server.booking())["comment"] == ""

    async def test_all_are_found_page_by_page(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(old_rows, "BATCH", 2)
        async with salon(pool) as server:
            shown = [page_item(State(5), id=RECORD_ID + n) for n in range(7)]
            await server.applier.apply([one for one in shown if one is not None])
            for n in range(7):
                await old(server, note=f"YClients. ID: {RECORD_ID + n}")
            assert await absorbed(server) == 7

    async def test_those_of_one_number_are_found_behind_a_page_of_others(
        self, pool: Pool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(old_rows, "BATCH", 2)
        async with salon(pool) as server:
            await server.status(event(State(5)))
            for company_id in (8, 8, COMPANY_ID):
                await old(server, company_id=company_id)
            assert await absorbed(server) == 1

    @pytest.mark.parametrize("of_old", [{"match_phone10": "9990000001"}, {}])
    @pytest.mark.parametrize("comes_first", [True, False])
    async def test_link_by_a_contact_that_the_record_has_no_more_shows_nobodys_visit(
        self, pool: Pool, of_old: dict[str, str], comes_first: bool
    ) -> None:
        async with salon(pool) as server:
            vera = await user(server, phone="+79990000001", phone_verified_at=NOW)
            hers = {"user_id": vera, "matched_by": "phone", "phone": "+79990000001", **of_old}
            if comes_first:
                await old(server, **hers)
            await server.status(event(State(5, phone="+79990000002", comment="секрет")))
            if not comes_first:
                await old(server, **hers)
                assert await absorbed(server) == 1
            row = await server.booking()
            assert (row["user_id"], row["matched_by"], row["phone"]) == (None, None, "+79990000002")

    @pytest.mark.parametrize("comes_first", [True, False])
    async def test_link_by_a_contact_stays_where_yclients_hides_contacts(
        self, pool: Pool, comes_first: bool
    ) -> None:
        async with salon(pool) as server:
            vera = await user(server, phone="+79990000001", phone_verified_at=NOW)
            hers = {"user_id": vera, "matched_by": "phone", "phone": "+79990000001"}
            if comes_first:
                await old(server, **hers)
            await server.status(event(State(5, phone=None)))
            if not comes_first:
                await old(server, **hers)
                assert await absorbed(server) == 1
            row = await server.booking()
            assert (row["user_id"], row["match_phone10"]) == (vera, "9990000001")
            await server.status(event(State(6, phone="+79990000002")))
            assert (await server.booking())["user_id"] is None

    async def test_what_an_admin_took_from_everybody_stays_so(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await server.rows("update bookings set matched_by = 'manual'")
            await old(server, user_id=await user(server))
            await absorbed(server)
            row = await server.booking()
            assert (row["user_id"], row["matched_by"]) == (None, "manual")

    async def test_is_left_alone_where_it_may_be_another_record(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await old(server, company_id=8)
            await old(server, note=f"YClients. ID: 0{RECORD_ID}")
            await old(server, note=f"YClients. ID: {RECORD_ID}0")
            await old(server, note="YClients. ID: нет")
            assert await absorbed(server) == 0
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
            assert await absorbed(server) == 0

    async def test_unsigned_row_takes_nothing_over(self, pool: Pool) -> None:
        async with salon(pool, secret=None) as server:
            await server.status(event(State(5)))
            await old(server)
            assert await absorbed(server) == 0

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
            assert await absorbed(server) == 0

    async def test_of_an_erased_booking_goes_and_names_nobody(self, pool: Pool) -> None:
        async with salon(pool) as server:
            await server.status(event(State(5)))
            await server.rows("update bookings set erased_at = now()")
            await old(server, user_id=await user(server))
            await absorbed(server)
            assert (await server.booking())["user_id"] is None
