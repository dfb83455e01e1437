"""Batches that meet: real commits over several connections."""

import asyncio
import random
import sys
from pathlib import Path

import pytest
from psycopg.errors import LockNotAvailable

from tests.support.rows import add_user
from tests.support.salon import NOW, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, event, page_item, webhook
from zerkalo.db import locks
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.mirror import batch, store
from zerkalo.mirror.model import Item, OutcomeStatus
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.model import Limits

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROUNDS = 40
BACKEND = Path(__file__).parents[3]


async def deadlocks(pool: Pool) -> int:
    async with pool.connection() as conn:
        await conn.execute("select pg_stat_force_next_flush()")
        row = await (
            await conn.execute("select deadlocks from pg_stat_database where datname = current_database()")
        ).fetchone()
    return row[0] if row else 0


async def test_overlapping_batches_in_opposite_order_never_deadlock(pool: Pool) -> None:
    ids = [RECORD_ID + n for n in range(40)]
    rng = random.Random(1)
    async with salon(pool) as server:
        for second in range(ROUNDS):
            batches = [
                [webhook(State(second, comment=str(n)), id=id_) for id_ in rng.sample(ids, 30)]
                for n in range(4)
            ]
            batches[1].reverse()
            await asyncio.gather(*(server.applier.apply(one) for one in batches))
        assert len(await server.bookings()) == len(ids)
    assert await deadlocks(pool) == 0


async def test_batches_beside_each_other_about_the_same_records_keep_the_newest(pool: Pool) -> None:
    versions = range(60)
    items = [
        Item(webhook(State(second, comment=str(second)), id=RECORD_ID + n))
        for second in versions
        for n in range(5)
    ]
    random.Random(1).shuffle(items)
    async with salon(pool) as server:
        async with Committer(server.applier.apply_items, limits=Limits(batch_items=20)) as committer:
            outcomes = await asyncio.gather(*(committer.submit(item) for item in items))
        assert {one.status for one in outcomes} <= {OutcomeStatus.APPLIED, OutcomeStatus.STALE}
        assert [row["comment"] for row in await server.bookings()] == [str(versions[-1])] * 5
    assert await deadlocks(pool) == 0


async def test_a_rematch_meeting_batches_never_deadlocks(pool: Pool) -> None:
    async with pool.connection() as conn:
        user_id = await add_user(conn, phone="+79990000001", phone_verified_at="2026-01-01")
    async with salon(pool) as server:
        for second in range(ROUNDS // 2):
            observations = [webhook(State(second), id=RECORD_ID + n) for n in range(50)]
            await asyncio.gather(
                server.applier.apply(observations),
                server.applier.rematcher.rematch(user_id),
                server.applier.apply(observations[::-1]),
            )
    assert await deadlocks(pool) == 0


async def test_the_same_new_record_at_once_is_one_row(pool: Pool) -> None:
    async with salon(pool) as one, salon(pool) as other:
        for n in range(ROUNDS):
            answers = await asyncio.gather(
                *(server.post(event(State(5), id=n + 1)) for server in (one, other) * 2)
            )
            assert sorted(answer.json()["status"] for answer in answers) == [
                "applied",
                "unchanged",
                "unchanged",
                "unchanged",
            ]
        assert len(await one.bookings()) == ROUNDS


async def test_a_claim_that_is_held_too_long_is_told_as_what_it_is(pool: Pool) -> None:
    """The statements of a batch's reading travel together; the error must be the one of the statement that failed."""
    items = [Item(webhook(State(5)))]
    async with salon(pool) as server, transaction(pool) as holder:
        await store.hold(holder, [(COMPANY_ID, RECORD_ID)])
        with pytest.raises(LockNotAvailable):
            async with transaction(pool, lock_timeout_seconds=0.1) as conn:
                await batch.apply_batch(conn, items, policy=server.applier._policy, now=NOW, order_now=NOW)


async def test_a_deadlock_with_somebody_else_is_tried_again(pool: Pool) -> None:
    keys = sorted(((COMPANY_ID, n) for n in (1, 2)), key=locks._number)
    async with salon(pool) as server:
        async with transaction(pool) as other:
            await other.execute(
                "set local deadlock_timeout = '20s'"
            )  # so that the batch is the one that gives way
            await store.hold(other, keys[1:])
            applied = asyncio.create_task(server.applier.apply([webhook(State(5), id=n) for n in (1, 2)]))
            await asyncio.sleep(0.2)
            await store.hold(other, keys[:1])
            assert not applied.done()
        assert [one.status for one in await applied] == [OutcomeStatus.APPLIED] * 2
    assert await deadlocks(pool) == 1


POSTING_PROGRAM = """
import asyncio, sys
from tests.support.salon import NOW, salon
from tests.support.vendor import State, event
from zerkalo.db.pool import open_pool

async def main():
    async with open_pool(sys.argv[1], name="test") as pool, salon(pool) as server:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        answers = await asyncio.gather(*(server.post(event(State(5), id=n + 1)) for n in range(200)))
        applied = sum(answer.status_code == 200 and answer.json()["status"] == "applied" for answer in answers)
        print(f"told {len({answer.status_code for answer in answers})} {answers[0].status_code} {applied}", flush=True)

asyncio.run(main())
"""


async def test_two_server_processes_that_get_the_same_new_records_at_once_make_one_row_each(
    dsn: str, pool: Pool
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            POSTING_PROGRAM,
            dsn,
            cwd=BACKEND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    told = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    lines = [line.split() for out, _ in told for line in out.decode().splitlines()]
    last = [words[1:] for words in lines if words[0] == "told"]

    assert [words[:2] for words in last] == [["1", "200"]] * 2, "all are answered 200"
    assert sum(int(words[2]) for words in last) == 200, "each record was new to one of the two"
    async with pool.connection() as conn:
        row = await (await conn.execute("select count(*) from bookings")).fetchone()
    assert row == (200,)


@pytest.mark.parametrize("proof_comes", ["before the users are read", "after the users are read"])
async def test_a_proof_beside_a_batch_never_misses_the_link(pool: Pool, proof_comes: str) -> None:
    """The batch reads the users, then the user proves, then the batch commits: the rematch must wait for that row."""
    async with pool.connection() as conn:
        user_id = await add_user(conn, phone="+79990000001")
    async with salon(pool) as server:
        async with transaction(pool) as conn:
            items = [Item(webhook(State(5)))]
            if proof_comes == "after the users are read":
                await batch.apply_batch(conn, items, policy=server.applier._policy, now=NOW, order_now=NOW)
            else:
                await store.hold(conn, [(COMPANY_ID, RECORD_ID)])
            await server.rows("update users set phone_verified_at = now() where id = %s", user_id)
            rematch = asyncio.create_task(server.applier.rematcher.rematch(user_id))
            await asyncio.sleep(0.2)
            assert not rematch.done(), "it waits for the batch"
            if proof_comes == "before the users are read":
                await batch.apply_batch(conn, items, policy=server.applier._policy, now=NOW, order_now=NOW)

        assert await rematch is True
        assert (await server.booking())["user_id"] == user_id


async def test_proofs_and_batches_in_any_interleaving_never_miss_a_link(pool: Pool) -> None:
    async with salon(pool) as server:
        for n in range(ROUNDS):
            phone = f"+7999{n:07}"
            async with pool.connection() as conn:
                user_id = await add_user(conn, phone=phone)

            async def prove(user_id: int = user_id, pause: float = n % 8 / 1000) -> None:
                await asyncio.sleep(pause)
                await server.rows("update users set phone_verified_at = now() where id = %s", user_id)
                await server.applier.rematcher.rematch(user_id)

            await asyncio.gather(prove(), server.applier.apply([webhook(State(5, phone=phone), id=n + 1)]))
        unlinked = await server.rows("select yclients_record_id from bookings where user_id is null")
        assert unlinked == []


async def test_pages_and_webhooks_at_once_end_in_the_newest(pool: Pool) -> None:
    async with salon(pool) as server:
        for second in range(1, ROUNDS):
            older = page_item(State(second - 1, comment="раньше"))
            assert older is not None
            outcomes = await asyncio.gather(
                server.applier.apply([older]),
                server.post(event(State(second, comment=f"в {second}"))),
                server.applier.apply([older]),
            )
            assert outcomes[0][0].status in (
                OutcomeStatus.APPLIED,
                OutcomeStatus.STALE,
                OutcomeStatus.UNCHANGED,
                OutcomeStatus.QUEUED,
            )
            assert (await server.booking())["comment"] == f"в {second}"
        assert [row["company_id"] for row in await server.bookings()] == [COMPANY_ID]
