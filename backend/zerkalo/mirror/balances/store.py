"""The rows of `card_balances`: which cards are due, and what was written to each."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.rows import args_row, dict_row

from zerkalo.db.pool import Connection
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.mirror.balances.model import CardBalance

COMPARE_SPAN = timedelta(hours=1)
PAUSE_MAX = timedelta(hours=1)
"""The longest pause after a failure."""

# A card whose visits belong to two users gets no balance. The card of a user who never had points is left alone, unless it
# has another user's balance.
_MARK = """
    with changed as (
        select m.company_id, m.client_id from bookings m
        join (select distinct user_id from bonus_entries where id > %(entry_after)s and id <= %(entry_until)s) as moved
            on moved.user_id = m.user_id
        union
        select e.company_id, card.client_id from booking_events h join bookings e on e.id = h.booking_id
        cross join lateral (values (e.client_id), ((h.before ->> 'client_id')::bigint)) as card (client_id)
        where h.id > %(event_after)s and h.id <= %(event_until)s and h.kind in ('created', 'link', 'client')
        union
        select company_id, client_id from card_balances where %(all)s
    ),
    cards as (
        select c.company_id, c.client_id, visits.user_id from changed c
        cross join lateral (
            select min(b.user_id) as user_id from bookings b
            where b.company_id = c.company_id and b.client_id = c.client_id
                and b.user_id is not null and b.erased_at is null
            having min(b.user_id) = max(b.user_id)
        ) as visits
        where c.client_id is not null and c.company_id = any(%(companies)s)
    )
    insert into card_balances (company_id, client_id, user_id, balance, due_at)
    select c.company_id, c.client_id, c.user_id, coalesce(ledger.balance, 0), %(now)s
    from cards c cross join lateral (
        select sum(amount)::bigint as balance from bonus_entries where user_id = c.user_id
    ) as ledger left join card_balances k using (company_id, client_id)
    where ledger.balance is not null or k.client_id is not null order by 1, 2
    on conflict (company_id, client_id) do update set user_id = excluded.user_id, balance = excluded.balance,
        due_at = excluded.due_at, generation = card_balances.generation + 1, attempts = 0, error = null
    where (card_balances.user_id, card_balances.balance) <> (excluded.user_id, excluded.balance)
"""
_UNTIL = """
    select (select coalesce(max(id), 0) from bonus_entries) as entry_until,
        (select coalesce(max(id), 0) from booking_events) as event_until
"""
# Entries and events get their numbers when they are written and become visible at the commit, so that a slow transaction
# brings numbers below ones already seen. So a number counts as done only when every transaction that was open when it was
# first seen has ended. After a restored backup the stored transaction id may lie ahead of this server's: it counts for nothing.
_GO_ON = """
    update balance_looks set
        entry_id = case when next_xid <= pg_snapshot_xmin(pg_current_snapshot()) then next_id else entry_id end,
        next_id = case when waits then next_id else %(entry_until)s end,
        event_id = case when next_xid <= pg_snapshot_xmin(pg_current_snapshot()) then next_event_id else event_id end,
        next_event_id = case when waits then next_event_id else %(event_until)s end,
        next_xid = case when waits then next_xid else pg_snapshot_xmax(pg_current_snapshot()) end,
        compared_at = case when %(all)s then %(now)s else compared_at end
    from (
        select coalesce(next_xid > pg_snapshot_xmin(pg_current_snapshot())
            and next_xid <= pg_snapshot_xmax(pg_current_snapshot()), false) as waits from balance_looks
    ) as look
"""
_CLAIM = """
    update card_balances c set claimed_until = %(until)s, attempts = c.attempts + 1
    from (select company_id, client_id from card_balances
          where (due_at <= %(now)s or due_at > %(no_pause)s) and company_id <> all(%(but_of)s)
            and (claimed_until is null or claimed_until <= %(now)s or claimed_until > %(no_claim)s)
          order by due_at, company_id, client_id limit %(limit)s for update skip locked) as due
    where c.company_id = due.company_id and c.client_id = due.client_id
    returning c.company_id, c.client_id,
        (select coalesce(sum(amount), 0)::bigint from bonus_entries e where e.user_id = c.user_id), c.generation, c.attempts,
        c.claimed_until
"""
_ALL = """
    select c.company_id, c.client_id,
        (select coalesce(sum(amount), 0)::bigint from bonus_entries e where e.user_id = c.user_id), c.generation, c.attempts
    from card_balances c join users u on u.id = c.user_id and u.erased_at is null
    where c.company_id = %s and (c.error is not null or c.due_at is null) and c.error is distinct from 'NotFound'
    order by c.client_id
"""


async def mark_moved(conn: Connection, *, companies: Sequence[int], now: datetime) -> None:
    """Mark the cards whose balance may have changed since the last call: points moved, or a visit got another user.

    Once in `COMPARE_SPAN` every card that was ever written is compared with the ledger: a visit that was erased, say, leaves
    no trace of the card it was on.

    A card is marked once, however often its points moved. Entries that are committed late are found by a later call, and
    those that several calls find are marked by the first.
    """
    await conn.execute("insert into balance_looks (only_one) values (true) on conflict do nothing")
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "select entry_id as entry_after, event_id as event_after,"
            " compared_at is null or compared_at not between %s and %s as all from balance_looks for update",
            [now - COMPARE_SPAN, now],
        )
        after = await cursor.fetchone()
        await cursor.execute(_UNTIL)
        until = await cursor.fetchone()
    assert after is not None, "inserted above"
    assert until is not None, "counts give a row"
    look = {**after, **until, "now": now}
    if look["all"] or look["entry_until"] > look["entry_after"] or look["event_until"] > look["event_after"]:
        await conn.execute(_MARK, {**look, "companies": list(companies)})
    await conn.execute(_GO_ON, look)


async def claim_due(
    conn: Connection, *, now: datetime, until: datetime, limit: int, but_of: Sequence[int] = ()
) -> list[CardBalance]:
    """Claim cards that are due, for this process alone until `until`, with their present balances; none of companies `but_of`.

    A pause or a claim that ends later than any can was written by a wrong clock and is ignored.
    """
    values = {
        "now": now,
        "until": until,
        "no_pause": now + PAUSE_MAX + CLOCKS_APART_MAX,
        "no_claim": until + CLOCKS_APART_MAX,
        "limit": limit,
        "but_of": list(but_of),
    }
    async with conn.cursor(row_factory=args_row(CardBalance)) as cursor:
        await cursor.execute(_CLAIM, values)
        return await cursor.fetchall()


async def written(conn: Connection, card: CardBalance, *, error: str | None, now: datetime) -> None:
    """Note that a card was written, or given up with a reason; where points have moved meanwhile, it stays due.

    Where the writing took so long that another process has claimed the card since, it is due again, for either of the two
    may have been the last to write.
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


async def release(conn: Connection, card: CardBalance) -> None:
    """Give back a card that was claimed and not asked about."""
    await conn.execute(
        "update card_balances set claimed_until = null, attempts = attempts - 1 where company_id = %s and client_id = %s"
        " and claimed_until = %s",
        [card.company_id, card.client_id, card.claimed_until],
    )


async def put_off(conn: Connection, card: CardBalance, *, until: datetime, error: str | None) -> None:
    """Leave a card for a later attempt; `error`: why YCLIENTS refuses this card, None where it was not asked."""
    await conn.execute(
        "update card_balances set due_at = %s, claimed_until = null, error = coalesce(%s, error)"
        " where company_id = %s and client_id = %s",
        [until, error, card.company_id, card.client_id],
    )


async def all_written(conn: Connection, company_id: int) -> list[CardBalance]:
    """The cards of a company with the balances they should show: those not due, and those that YCLIENTS refuses.

    Not those that it has deleted.
    """
    async with conn.cursor(row_factory=args_row(CardBalance)) as cursor:
        await cursor.execute(_ALL, [company_id])
        return await cursor.fetchall()
