"""The rows of `card_balances`: which cards are due, and what was written to each."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import args_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.mirror.balances.model import CardBalance

# A card whose visits are of two users shows nobody's points.
_MARK = """
    with moved as (select distinct user_id from bonus_entries where id > %(after)s and id <= %(until)s),
    cards as (
        select b.company_id, b.client_id, min(b.user_id) as user_id from bookings b
        where (b.company_id, b.client_id) in (
                select m.company_id, m.client_id from bookings m join moved on moved.user_id = m.user_id
                where m.client_id is not null and m.company_id = any(%(companies)s))
            and b.user_id is not null and b.erased_at is null
        group by 1, 2 having min(b.user_id) = max(b.user_id)
    ),
    sums as (
        select user_id, sum(amount)::bigint as balance from bonus_entries
        where user_id in (select user_id from cards) group by 1
    )
    insert into card_balances (company_id, client_id, user_id, balance, due_at)
    select c.company_id, c.client_id, c.user_id, coalesce(s.balance, 0), %(now)s
    from cards c left join sums s on s.user_id = c.user_id order by 1, 2
    on conflict (company_id, client_id) do update set user_id = excluded.user_id, balance = excluded.balance,
        due_at = excluded.due_at, generation = card_balances.generation + 1, attempts = 0, error = null
    where (card_balances.user_id, card_balances.balance) <> (excluded.user_id, excluded.balance)
"""
# Entries are numbered when they are written and seen when they are committed: a transaction that takes its time brings a
# number that a look has gone past. So a look goes past what it saw only when every transaction that was under way then
# has ended. A restored backup brings a number of transactions that this server has not come to: it counts for nothing.
_GO_ON = """
    update balance_looks set
        entry_id = case when next_xid <= pg_snapshot_xmin(pg_current_snapshot()) then next_id else entry_id end,
        next_id = case when waits then next_id else %(until)s end,
        next_xid = case when waits then next_xid else pg_snapshot_xmax(pg_current_snapshot()) end
    from (
        select coalesce(next_xid > pg_snapshot_xmin(pg_current_snapshot())
            and next_xid <= pg_snapshot_xmax(pg_current_snapshot()), false) as waits from balance_looks
    ) as look
"""
_CLAIM = """
    update card_balances c set claimed_until = %(until)s, attempts = c.attempts + 1
    from (select company_id, client_id from card_balances
          where due_at <= %(now)s and (claimed_until is null or claimed_until <= %(now)s)
          order by due_at, company_id, client_id limit %(limit)s for update skip locked) as due
    where c.company_id = due.company_id and c.client_id = due.client_id
    returning c.company_id, c.client_id,
        (select coalesce(sum(amount), 0)::bigint from bonus_entries e where e.user_id = c.user_id), c.generation, c.attempts,
        c.claimed_until
"""
_ALL = """
    select c.company_id, c.client_id,
        (select coalesce(sum(amount), 0)::bigint from bonus_entries e where e.user_id = c.user_id), c.generation, c.attempts
    from card_balances c join users u on u.id = c.user_id and u.erased_at is null where c.company_id = %s and c.due_at is null and c.error is null order by c.client_id
"""


async def mark_moved(conn: Connection, *, companies: Sequence[int], now: datetime) -> None:
    """Have the cards of everybody whose points moved since the last look written; however often they moved, once.

    An entry that is committed late is seen by a later look: what several looks see is marked by the first.
    """
    await conn.execute("insert into balance_looks (only_one) values (true) on conflict do nothing")
    after = await scalar(conn, "select entry_id from balance_looks for update")
    until = await scalar(conn, "select coalesce(max(id), 0) from bonus_entries")
    if until > after:
        values = {"after": after, "until": until, "companies": list(companies), "now": now}
        await conn.execute(_MARK, values)
    await conn.execute(_GO_ON, {"until": until})


async def claim_due(conn: Connection, *, now: datetime, until: datetime, limit: int) -> list[CardBalance]:
    """Take cards that are due for this process alone until `until`, with the balances of this moment."""
    async with conn.cursor(row_factory=args_row(CardBalance)) as cursor:
        await cursor.execute(_CLAIM, {"now": now, "until": until, "limit": limit})
        return await cursor.fetchall()


async def written(conn: Connection, card: CardBalance, *, error: str | None, now: datetime) -> None:
    """Note that a card was written, or given up with a reason; not where points have moved meanwhile.

    Where the writing took so long that another process has claimed the card since, it is due again: nobody knows which of
    the two was the last to write.
    """
    await conn.execute(
        """
        update card_balances set claimed_until = null, attempts = 0, error = %(error)s, due_at = case
            when claimed_until is distinct from %(claimed_until)s then %(now)s
            when generation = %(generation)s then null else due_at end
        where company_id = %(company_id)s and client_id = %(client_id)s
        """,
        {
            "generation": card.generation,
            "error": error,
            "company_id": card.company_id,
            "client_id": card.client_id,
            "claimed_until": card.claimed_until,
            "now": now,
        },
    )


async def put_off(conn: Connection, card: CardBalance, *, until: datetime) -> None:
    """Leave a card for a later try."""
    await conn.execute(
        "update card_balances set due_at = %s, claimed_until = null where company_id = %s and client_id = %s",
        [until, card.company_id, card.client_id],
    )


async def all_written(conn: Connection, company_id: int) -> list[CardBalance]:
    """The cards of a company that were written and are not due, with the balances they should show."""
    async with conn.cursor(row_factory=args_row(CardBalance)) as cursor:
        await cursor.execute(_ALL, [company_id])
        return await cursor.fetchall()
