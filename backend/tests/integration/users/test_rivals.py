"""Of two people who fit a booking, one ceases to: the other one gets it, although nothing happens to the booking."""

from datetime import timedelta

import pytest

from tests.support.people import people_api
from tests.support.rows import add_user
from tests.support.salon import NOW, salon
from tests.support.vendor import RECORD_ID, State, event, webhook
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.mirror import service
from zerkalo.users import store
from zerkalo.users.erasing.service import erase_user
from zerkalo.users.merging.service import merge_accounts

pytestmark = pytest.mark.integration


async def settle(*_: object) -> None:
    """Nobody has points here."""


async def test_who_is_left_of_two_named_in_a_comment_gets_the_booking(pool: Pool) -> None:
    async with salon(pool) as server, pool.connection() as conn:
        left = await add_user(conn, unique_code="CODE0001")
        gone = await add_user(conn, unique_code="CODE0002")
        await server.post(event(State(5, comment="Код клиента: CODE0001, код клиента: CODE0002")))
        assert (await server.booking())["user_id"] is None
        now = (await server.booking())["created_at"]

        await erase_user(pool, gone, settle_bookings=settle, now=now)
        wanted = await store.users_to_rematch(conn, limit=5)
        assert [user_id for user_id, _ in wanted] == [left]
        await server.applier.rematch(left)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (left, "code")


async def test_when_both_who_were_named_are_gone_the_proved_phone_decides(pool: Pool) -> None:
    """The second one goes before anybody has looked at the booking again."""
    async with salon(pool) as server, pool.connection() as conn:
        first = await add_user(conn, unique_code="CODE0001")
        second = await add_user(conn, unique_code="CODE0002")
        comment = "Код клиента: CODE0001, код клиента: CODE0002"
        await server.post(event(State(5, comment=comment, phone="+79990000001")))
        booking = await server.booking()
        now = booking["created_at"]
        hers = await add_user(conn, phone="+79990000001", phone_verified_at=now)

        await erase_user(pool, first, settle_bookings=settle, now=now)
        await erase_user(pool, second, settle_bookings=settle, now=now)
        wanted = await store.users_to_rematch(conn, limit=5)
        assert [user_id for user_id, _ in wanted] == [hers]
        await server.applier.rematch(hers)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (hers, "phone")


async def test_notes_of_a_booking_taken_from_everybody_forget_a_code_that_is_nobodys_now(pool: Pool) -> None:
    async with salon(pool) as server, pool.connection() as conn:
        first = await add_user(conn, unique_code="CODE0001")
        second = await add_user(conn, unique_code="CODE0002")
        await server.post(event(State(5, comment="Код клиента: CODE0001, код клиента: CODE0002")))
        await server.rows("delete from match_candidates")
        await server.rows("update bookings set matched_by = 'manual'")

        lines: list[str] = []
        for gone in (first, second):
            await erase_user(pool, gone, settle_bookings=settle, now=NOW)
            await server.applier.forget_retired_codes()
            lines.append((await server.booking())["notes"].split("\n")[1])

        revision = (await server.booking())["revision"]
        await server.applier.forget_retired_codes()
        booking = await server.booking()
    assert lines == ["Код клиента: CODE0002", "Код клиента: CODE0001, код клиента: CODE0002"]
    assert (booking["revision"], booking["matched_by"]) == (revision, "manual")


async def test_comments_that_begin_like_our_line_hide_no_others_from_the_forgetting(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REMATCH_BATCH", 2)
    async with salon(pool) as server:
        async with pool.connection() as conn:
            gone = await add_user(conn, unique_code="CODE0001")
        shown = [webhook(State(5, comment="Код клиента: CODE0001"), id=RECORD_ID + n) for n in range(5)]
        await server.applier.apply(shown)
        await server.rows("update bookings set matched_by = 'manual', user_id = null")
        await server.rows("delete from match_candidates")

        await erase_user(pool, gone, settle_bookings=settle, now=NOW)
        await server.applier.forget_retired_codes()

        assert [one["notes"].count("CODE0001") for one in await server.bookings()] == [1] * 5
        revisions = [one["revision"] for one in await server.bookings()]
        await server.applier.forget_retired_codes()
        assert [one["revision"] for one in await server.bookings()] == revisions


async def test_notes_forget_a_code_of_hers_that_a_merge_retired_long_ago(pool: Pool) -> None:
    async with salon(pool) as server, pool.connection() as conn:
        hers = await add_user(conn)
        await server.rows(
            "insert into retired_codes (code, user_id, retired_at) values ('CODE0001', %s, %s)",
            hers,
            NOW - timedelta(days=90),
        )
        await server.post(event(State(5, comment="Код клиента: CODE0001")))
        await server.rows("update bookings set matched_by = 'manual', user_id = null")

        await erase_user(pool, hers, settle_bookings=settle, now=NOW)
        await server.applier.forget_retired_codes()

        lines = (await server.booking())["notes"].split("\n")
    assert lines[1:] == ["Код клиента: CODE0001"], "the comment's own words, and no line of ours"


async def test_who_is_left_of_two_with_one_phone_when_a_merge_drops_it_gets_the_booking(pool: Pool) -> None:
    """The account that stays has a proved phone of its own."""
    people = people_api(pool)
    async with salon(pool) as server, pool.connection() as conn:
        await server.post(event(State(5, phone="+79990000001")))
        now = (await server.booking())["created_at"]
        merged, left = [await add_user(conn, phone="+79990000001", phone_verified_at=now) for _ in range(2)]
        kept = await add_user(conn, phone="+79990000002", phone_verified_at=now)
        await server.applier.rematch(left)
        assert (await server.booking())["user_id"] is None

        async with transaction(pool) as merging:
            await merge_accounts(
                merging, people.people.ports, from_id=merged, into_id=kept, keep_code_of_from=False, now=now
            )
        assert left in [user_id for user_id, _ in await store.users_to_rematch(conn, limit=5)]
        await server.applier.rematch(left)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (left, "phone")
