"""Codes for everybody who has none."""

import random
from datetime import UTC, datetime

import anyio

from tests.support.rows import add_user
from zerkalo.codes.rules import new_code
from zerkalo.codes.service import give_missing_codes
from zerkalo.codes.store import count_without_code
from zerkalo.db.pool import Pool

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)


async def fill(pool: Pool, count: int) -> None:
    async with pool.connection() as conn:
        await conn.execute("insert into users (name) select 'n' || n from generate_series(1, %s) n", [count])


async def test_everybody_without_a_code_gets_one_and_who_has_one_keeps_it(pool: Pool) -> None:
    await fill(pool, 1200)
    async with pool.connection() as conn:
        await add_user(conn, unique_code="KEPT0001")
        await add_user(conn, erased_at=NOW)
        assert await count_without_code(conn) == 1200
    told: list[int] = []

    assert await give_missing_codes(pool, now=NOW, on_progress=told.append) == 1200

    assert told == [500, 1000, 1200]
    async with pool.connection() as conn:
        counts = await (
            await conn.execute("select count(unique_code), count(distinct unique_code), count(*) from users")
        ).fetchone()
        kept = await (await conn.execute("select 1 from users where unique_code = 'KEPT0001'")).fetchone()
    assert counts == (1201, 1201, 1202)
    assert kept is not None
    assert await give_missing_codes(pool, now=NOW) == 0


async def test_a_code_that_was_ever_somebodys_is_not_given(pool: Pool) -> None:
    await fill(pool, 3)
    async with pool.connection() as conn:
        await add_user(conn, unique_code="TAKEN001")
        await conn.execute("insert into retired_codes (code) values ('RETIRED1')")
    drawn = iter(["TAKEN001", "RETIRED1", "FRESH001", "FRESH001", "FRESH002", "FRESH003"] + ["FRESH004"] * 9)

    await give_missing_codes(pool, now=NOW, make_code=lambda: next(drawn))

    async with pool.connection() as conn:
        rows = await (await conn.execute("select unique_code from users order by 1")).fetchall()
    assert {code for (code,) in rows} - {"TAKEN001"} <= {"FRESH001", "FRESH002", "FRESH003", "FRESH004"}
    assert len(set(rows)) == 4


async def test_two_that_give_at_once_give_everybody_one(pool: Pool) -> None:
    await fill(pool, 900)
    given: list[int] = []

    async def give(seed: int) -> None:
        rng = random.Random(seed)
        given.append(await give_missing_codes(pool, now=NOW, make_code=lambda: new_code(rng)))

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(give, 5)  # the same draws: each meets the other's codes

    assert sum(given) == 900
    async with pool.connection() as conn:
        assert await count_without_code(conn) == 0
