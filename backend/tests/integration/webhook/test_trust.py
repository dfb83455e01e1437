"""Who is believed: contract, section 8, and the answers of section 3."""

import asyncio
import json

import pytest

from tests.support.salon import BONUSES, SECRET, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, event, page
from zerkalo.db.pool import Pool
from zerkalo.refetches.store import UNSIGNED_MAX
from zerkalo.webhook.model import LIMITS

pytestmark = pytest.mark.integration

WHOLE = State(5)


@pytest.mark.parametrize("in_path", [False, True])
async def test_token_counts_in_query_and_path_alike(pool: Pool, in_path: bool) -> None:
    async with salon(pool) as server:
        good = await server.post(event(WHOLE), in_path=in_path)
        bad = await server.post(event(WHOLE), token="another", in_path=in_path)
        none = await server.post(event(WHOLE), token=None)

        assert (good.status_code, good.json()["status"]) == (200, "applied")
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
        fits = await server.post(whole.ljust(LIMITS.body_bytes))
        over = await server.post(whole.ljust(LIMITS.body_bytes + 1))

        async def dripped():
            for _ in range(LIMITS.body_bytes // 65536 + 1):
                yield b" " * 65536

        unannounced = await server.client.post(
            "/api/v1/yclients/webhook", params={"token": SECRET}, content=dripped()
        )
        (kept,) = await server.deliveries()

    assert (fits.status_code, over.status_code, unannounced.status_code) == (200, 413, 413)
    assert bytes(kept["body"]) == whole.ljust(LIMITS.body_bytes), "byte for byte"


async def test_an_unsigned_call_leaves_the_wish_to_ask_for_its_record_and_nothing_else(pool: Pool) -> None:
    async with salon(pool, secret=None, policy=BONUSES) as server:
        told = event(State(5, attendance=1, comment="никому"))
        for body in (told, told, event(State(9, deleted=True), bare=True), event(WHOLE, deleted="?")):
            assert await server.status(body) == "queued"

        (wish,) = await server.rows("select * from refetches")
        assert (wish["company_id"], wish["record_id"], wish["unsigned"]) == (COMPANY_ID, RECORD_ID, True)
        assert wish["generation"] == 4
        assert "никому" not in str(wish)
        for table in ("bookings", "deliveries", "bonus_entries"):
            assert await server.rows(f"select * from {table}") == []
        assert set(server.rung) == {COMPANY_ID}


async def test_an_unsigned_call_touches_no_row(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        await server.applier.apply([page(WHOLE)])
        before = await server.booking()

        for forged in (State(99, attendance=1), State(99, deleted=True), State(1)):
            assert await server.status(event(forged)) == "queued"

        assert await server.booking() == before


async def test_an_unsigned_call_about_anything_else_leaves_nothing(pool: Pool) -> None:
    async with salon(pool, secret=None) as server:
        assert await server.status(event(WHOLE) | {"resource": "client"}) == "ignored"
        assert await server.status(event(WHOLE) | {"resource_id": "x"}) == "ignored"
        assert await server.rows("select * from refetches") == []
        assert await server.deliveries() == []


async def test_a_flood_of_unsigned_calls_leaves_a_handful_of_rows(pool: Pool) -> None:
    async with salon(pool, secret=None) as one, salon(pool, secret=None) as other:
        for server, first in ((one, 10_000), (other, 20_000)):
            await asyncio.gather(*(server.post(event(WHOLE, id=first + n)) for n in range(60)))
            await server.post(event(WHOLE))
        (counted,) = await one.rows("select count(*) from refetches")
        assert counted["count"] <= UNSIGNED_MAX + 1


async def test_a_signed_call_makes_an_unsigned_calls_question_its_own(pool: Pool) -> None:
    async with salon(pool, secret=None) as stranger, salon(pool) as server:
        await stranger.status(event(WHOLE))
        await server.status(event(WHOLE, bare=True))
        (question,) = await server.rows("select * from refetches")
        assert question["unsigned"] is False
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
