"""Who is believed: contract, section 8, and the answers of section 3."""

import asyncio
import json
from datetime import timedelta

import pytest

from tests.support.rows import add_user
from tests.support.salon import BONUSES, NOW, SECRET, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, answer, event, page_item
from zerkalo.bookings.store import UNVERIFIED_MAX
from zerkalo.db.pool import Pool
from zerkalo.inbox import store as inbox
from zerkalo.inbox.store import HINT_BODIES_PER_HOUR_MAX, HINT_BODY_BYTES_MAX
from zerkalo.webhook.routes import BODY_BYTES_MAX

pytestmark = pytest.mark.integration

WHOLE = State(5)


@pytest.mark.parametrize("in_path", [False, True])
async def test_token_counts_in_query_and_path_alike(pool: Pool, in_path: bool) -> None:
    async with salon(pool) as server:
        good = await server.post(event(WHOLE), in_path=in_path)
        bad = await server.post(event(WHOLE), token="another", in_path=in_path)
        none = await server.post(event(WHOLE), token=None)

        assert (good.status_code, good.json()["status"]) == (200, "applied")
        assert (await server.booking())["verified"] is True
    assert (bad.status_code, none.status_code) == (401, 401)
    assert bad.json()["code"] == "wrong_token"


@pytest.mark.parametrize(
    "token", ["%00", "%FF%FE", "%ED%A0%80", "т", "a" * 5000, "a-long-random-wor", "a-long-random-word%20"]
)
async def test_odd_tokens_are_only_wrong(pool: Pool, token: str) -> None:
    async with salon(pool) as server:
        answers = [
            await server.client.post(f"/api/v1/yclients/webhook?token={token}", json=event(WHOLE)),
            await server.client.post(f"/api/v1/yclients/webhook/{token}", json=event(WHOLE)),
        ]
        assert [one.status_code for one in answers] == [401, 401]
        assert await server.deliveries() == []


async def test_refusals_of_a_believed_caller_are_kept_in_quarantine(pool: Pool) -> None:
    async with salon(pool) as server:
        answers = [
            await server.post(b"not json"),
            await server.post([1, 2]),
            await server.post({"company_id": COMPANY_ID, "resource": "record"}),
            await server.post(event(WHOLE) | {"company_id": 8}),
            await server.post(event(WHOLE, id="x")),
            await server.post(event(WHOLE) | {"resource": "client"}),
        ]
        deliveries = await server.deliveries()

    assert [one.status_code for one in answers] == [400, 422, 422, 403, 200, 200]
    assert [one.json()["status"] for one in answers[4:]] == ["quarantined", "ignored"]
    assert [(one["outcome"], bytes(one["body"])[:8]) for one in deliveries[:3]] == [
        ("quarantined", b"not json"), ("quarantined", b"[1, 2]"), ("quarantined", b'{"compan')
    ]  # fmt: skip
    assert [one["outcome"] for one in deliveries[3:]] == ["quarantined", "ignored"]
    assert all(one["reason"] for one in deliveries)


async def test_a_stranger_leaves_nothing_that_cannot_be_read(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        answers = [
            await server.post(b"not json"),
            await server.post([1]),
            await server.post(event(WHOLE) | {"company_id": 8}),
        ]
        assert [one.status_code for one in answers] == [400, 422, 403]
        assert await server.deliveries() == []


async def test_body_of_exactly_one_mebibyte_is_taken_and_one_byte_more_is_not(pool: Pool) -> None:
    whole = json.dumps(event(WHOLE)).encode()
    async with salon(pool) as server:
        fits = await server.post(whole.ljust(BODY_BYTES_MAX))
        over = await server.post(whole.ljust(BODY_BYTES_MAX + 1))

        async def dripped():
            for _ in range(BODY_BYTES_MAX // 65536 + 1):
                yield b" " * 65536

        unannounced = await server.client.post(
            "/api/v1/yclients/webhook", params={"token": SECRET}, content=dripped()
        )
        (kept,) = await server.deliveries()

    assert (fits.status_code, over.status_code, unannounced.status_code) == (200, 413, 413)
    assert bytes(kept["body"]) == whole.ljust(BODY_BYTES_MAX), "byte for byte"


async def test_hint_is_written_unverified_earns_nothing_and_is_asked_about(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_user(conn, email="maria@salon.test", phone="+79990000001", phone_verified_at="2026-01-01")
    async with salon(pool, secret=None, policy=BONUSES) as server:
        assert await server.status(event(State(5, attendance=1))) == "applied"
        row = await server.booking()
        assert (row["verified"], row["user_id"] is not None, row["status"]) == (False, True, "COMPLETED")
        assert await server.rows("select * from bonus_entries") == []
        (question,) = await server.rows("select * from refetches")
        assert (question["record_id"], question["hint"]) == (RECORD_ID, True)
        assert server.rung == [COMPANY_ID]

        await server.applier.apply(
            [answer(State(5, attendance=1), revision=row["revision"], deleted_is_404=False)]
        )

        assert (await server.booking())["verified"] is True
        (entry,) = await server.rows("select * from bonus_entries")
        assert entry["amount"] == 90


async def test_hint_that_the_api_does_not_know_disappears_again(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        await server.status(event(WHOLE))
        row = await server.booking()

        await server.applier.apply(
            [answer(State(5, purged=True), revision=row["revision"], deleted_is_404=True)]
        )

        assert await server.bookings() == []


async def test_hint_touches_no_verified_row(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        page = page_item(WHOLE)
        assert page is not None
        await server.applier.apply([page])
        before = await server.booking()

        for forged in (State(99, attendance=1), State(99, deleted=True), State(1)):
            assert await server.status(event(forged)) == "queued"
        assert await server.status(event(State(99, deleted=True), bare=True)) == "queued"

        assert await server.booking() == before
        (question,) = await server.rows("select * from refetches")
        assert question["hint"] is True, "coalesced"


async def test_hints_leave_no_more_than_their_share(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        room = UNVERIFIED_MAX - 5
        await server.rows(
            "insert into bookings (company_id, yclients_record_id, appointment_datetime, verified)"
            " select %s, n, now(), false from generate_series(1, %s) as n", COMPANY_ID, room,
        )  # fmt: skip
        answers = await asyncio.gather(*(server.post(event(WHOLE, id=10_000 + n)) for n in range(40)))

        statuses = [one.json()["status"] for one in answers]
        assert (statuses.count("applied"), statuses.count("queued")) == (5, 35)
        (counted,) = await server.rows("select count(*) from bookings where not verified")
        assert counted["count"] == UNVERIFIED_MAX
        assert len(await server.deliveries()) == 5, "beyond that neither row nor body"


async def test_two_servers_together_keep_the_share_of_hints(pool: Pool) -> None:
    async with salon(pool, secret=None) as one, salon(pool, secret=None) as other:
        await one.rows(
            "insert into bookings (company_id, yclients_record_id, appointment_datetime, verified)"
            " select %s, n, now(), false from generate_series(1, %s) as n", COMPANY_ID, UNVERIFIED_MAX - 5,
        )  # fmt: skip
        await asyncio.gather(
            *(one.post(event(WHOLE, id=10_000 + n)) for n in range(30)),
            *(other.post(event(WHOLE, id=20_000 + n)) for n in range(30)),
        )
        (counted,) = await one.rows("select count(*) from bookings where not verified")
        assert counted["count"] == UNVERIFIED_MAX


async def test_a_flood_of_hints_leaves_no_bodies_beyond_its_share(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        await server.rows(
            "insert into deliveries (received_at, trusted, company_id, body, outcome, finished_at)"
            " select '2026-12-01 11:59Z', false, %s, '', 'queued', now() from generate_series(1, %s)",
            COMPANY_ID, HINT_BODIES_PER_HOUR_MAX,
        )  # fmt: skip
        assert await server.status(event(WHOLE)) == "applied"
        (counted,) = await server.rows("select count(*) from deliveries")
        assert counted["count"] == HINT_BODIES_PER_HOUR_MAX


async def test_unsigned_call_that_is_neither_understood_nor_kept_is_not_said_to_be_in_quarantine(
    pool: Pool,
) -> None:
    unreadable = event(WHOLE, deleted="?")
    async with salon(pool, secret=None) as server:
        assert await server.status(event(WHOLE, deleted="?" + HINT_BODY_BYTES_MAX * "a")) == "queued"
        assert await server.deliveries() == [], "a large one would fill the disk"
        assert await server.status(unreadable) == "quarantined"
        assert len(await server.deliveries()) == 1
        await server.rows(
            "insert into deliveries (received_at, trusted, company_id, body, outcome, finished_at)"
            " select '2026-12-01 11:59Z', false, %s, '', 'queued', now() from generate_series(1, %s)",
            COMPANY_ID, HINT_BODIES_PER_HOUR_MAX,
        )  # fmt: skip
        assert await server.status(unreadable) == "queued"
        assert len(await server.deliveries()) == HINT_BODIES_PER_HOUR_MAX + 1


async def test_only_what_is_signed_stays_in_quarantine_for_ever(pool: Pool) -> None:
    for secret in (SECRET, None):
        async with salon(pool, secret=secret) as server:
            assert await server.status(event(WHOLE, deleted="?")) == "quarantined"
    async with pool.connection() as conn:
        assert await inbox.prune(conn, before=NOW + timedelta(days=1)) == 1
        (left,) = await server.deliveries()
    assert left["trusted"] is True


async def test_a_signed_call_makes_a_hints_question_its_own(pool: Pool) -> None:
    async with salon(pool, secret=None) as stranger, salon(pool) as server:
        await stranger.status(event(WHOLE))
        await server.status(event(WHOLE, bare=True))
        (question,) = await server.rows("select * from refetches")
        assert question["hint"] is False
        assert question["generation"] == 2


async def test_the_token_is_in_no_log(
    pool: Pool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with salon(pool) as server:
        for body in (event(WHOLE), b"not json", event(WHOLE, id="x"), event(WHOLE) | {"company_id": 8}):
            await server.post(body)
            await server.post(body, in_path=True)
        await server.post(event(WHOLE), token=SECRET + "x", in_path=True)
    told = "".join(capsys.readouterr()) + caplog.text

    assert "webhook" in told
    for hidden in (SECRET, "+79990000001", "9990000001", "Мария"):
        assert hidden not in told
