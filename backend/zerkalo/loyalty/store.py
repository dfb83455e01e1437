"""The ledger's SQL. Every function works inside the caller's transaction and never commits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import LiteralString

import msgspec

from zerkalo.db.pool import Connection
from zerkalo.loyalty.model import (
    EarningState,
    EntryDraft,
    HandEntry,
    Kind,
    LedgerEntry,
    LedgerLine,
    Movement,
    Reason,
)
from zerkalo.loyalty.rules import SPENT_DAYS, visit_on
from zerkalo.metrics.counts import POINTS


def _json(rows: object) -> str:
    return msgspec.json.encode(rows).decode()


LEDGER_LINES = """
    select booking_id, user_id, amount, kind, percent, start_date
    from bonus_entries
    where booking_id in (select value::bigint from jsonb_array_elements_text(%(ids)s::jsonb))
    order by id
"""


async def read_ledger_lines(conn: Connection, booking_ids: Iterable[int]) -> list[LedgerLine]:
    """Every entry of these bookings, in the order of entry ids."""
    cursor = await conn.execute(LEDGER_LINES, {"ids": _json(list(booking_ids))})
    return [
        LedgerLine(booking_id, user_id, amount, Kind(kind), percent, start_date)
        async for booking_id, user_id, amount, kind, percent, start_date in cursor
    ]


# The bounds on the instant are a day wider than any zone can shift a date; they are there for the index.
SPENT = """
    select s.booking_id, sum(b.service_price)::bigint
    from jsonb_to_recordset(%(states)s::jsonb) as s (booking_id bigint, user_id bigint, visit_on date)
    join bookings b on b.user_id = s.user_id
        and b.appointment_datetime >= (s.visit_on - %(days)s - 1)::timestamp at time zone 'UTC'
        and b.appointment_datetime < (s.visit_on + 1)::timestamp at time zone 'UTC'
    where b.status = 'COMPLETED' and b.id <> s.booking_id
        and coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date
            between s.visit_on - %(days)s and s.visit_on - 1
    group by s.booking_id
"""


async def read_spent(conn: Connection, states: Iterable[EarningState]) -> dict[int, int]:
    """Return what the user of each booking spent before it, in kopecks, by booking id; nothing spent is absent.

    Counts their completed visits on the `SPENT_DAYS` days before the day of the visit: not those of the
    same day, so that the result does not depend on which of them arrived first.
    """
    rows = [{"booking_id": s.booking_id, "user_id": s.user_id, "visit_on": s.visit_on} for s in states]
    cursor = await conn.execute(SPENT, {"states": _json(rows), "days": SPENT_DAYS})
    return {booking_id: spent async for booking_id, spent in cursor}


async def read_earns_from(conn: Connection, user_ids: Iterable[int | None]) -> dict[int | None, date]:
    """Return the day from which these users' visits earn, where it differs from the programme's start."""
    cursor = await conn.execute(
        "select id, earns_from from users where id = any(%s) and earns_from is not null", [list(user_ids)]
    )
    return {user_id: day async for user_id, day in cursor}


APPEND = """
    insert into bonus_entries (user_id, booking_id, amount, kind, reason, percent, start_date, entry_key,
                               created_by, balance_after, visit_id, undoes, effective_at, created_at)
    select d.user_id, d.booking_id, d.amount, d.kind, d.reason, d.percent, d.start_date, d.entry_key,
           d.created_by, d.balance_after, d.visit_id, d.undoes, coalesce(d.effective_at, %(now)s), %(now)s
    from jsonb_to_recordset(%(drafts)s::jsonb) as d (
        user_id bigint, booking_id bigint, amount bigint, kind text, reason text, percent numeric, start_date date,
        entry_key text, created_by bigint, balance_after bigint, visit_id bigint, undoes bigint,
        effective_at timestamptz)
    on conflict (entry_key) do nothing
    returning kind, amount
"""


async def append(conn: Connection, drafts: Sequence[EntryDraft], now: datetime) -> int:
    """Append entries and return how many; one whose key the ledger has already is left out."""
    if not drafts:
        return 0
    cursor = await conn.execute(APPEND, {"drafts": _json(drafts), "now": now})
    appended = await cursor.fetchall()
    for kind, amount in appended:
        POINTS.add(kind, "given" if amount > 0 else "taken", by=abs(amount))
    return len(appended)


async def lock_users(conn: Connection, user_ids: Iterable[int]) -> frozenset[int]:
    """Lock accounts against other movements by hand and expiries, in the order of ids; return those there are.

    Not against accruals: `for no key update` lets the foreign keys of new bookings and entries pass. Erased and
    merged accounts are not there.
    """
    cursor = await conn.execute(
        "select id from users where id in (select value::bigint from jsonb_array_elements_text(%s::jsonb))"
        " and erased_at is null and merged_into is null order by id for no key update",
        [_json(list(user_ids))],
    )
    return frozenset([user_id async for (user_id,) in cursor])


async def read_users_with_expiries(conn: Connection, user_ids: Iterable[int]) -> list[int]:
    """Those of these users who ever had points expire."""
    cursor = await conn.execute(
        "select u.id from (select value::bigint as id from jsonb_array_elements_text(%s::jsonb)) u"
        " where exists (select from bonus_entries e where e.user_id = u.id and e.kind = 'expiry')",
        [_json(list(user_ids))],
    )
    return [user_id async for (user_id,) in cursor]


MOVEMENTS = """
    select e.user_id, e.amount, e.kind, e.booking_id, e.effective_at, e.id
    from bonus_entries e
    where e.user_id in (select value::bigint from jsonb_array_elements_text(%(ids)s::jsonb))
        and e.undoes is null and not exists (select from bonus_entries u where u.undoes = e.id)
    order by e.user_id, e.effective_at, e.id
"""


async def read_movements(conn: Connection, user_ids: Iterable[int]) -> dict[int, list[Movement]]:
    """Return the movements of these users, each list in order; entries that a merge moved away are left out."""
    cursor = await conn.execute(MOVEMENTS, {"ids": _json(list(user_ids))})
    movements: dict[int, list[Movement]] = {}
    async for user_id, amount, kind, booking_id, effective_at, id_ in cursor:
        movements.setdefault(user_id, []).append(Movement(amount, Kind(kind), booking_id, effective_at, id_))
    return movements


async def read_last_ids(conn: Connection, user_ids: Iterable[int]) -> dict[int, int]:
    """Return the id of each user's latest entry, of one that was undone too; who has no entries is absent."""
    cursor = await conn.execute(
        "select user_id, max(id) from bonus_entries"
        " where user_id in (select value::bigint from jsonb_array_elements_text(%s::jsonb)) group by user_id",
        [_json(list(user_ids))],
    )
    return {user_id: entry_id async for user_id, entry_id in cursor}


async def read_expiring_users(
    conn: Connection, since: datetime | None, before: datetime, after_user_id: int, limit: int
) -> list[int]:
    """Users with points that came in the span [since, before), by id after `after_user_id`; `since` None: ever."""
    cursor = await conn.execute(
        "select distinct user_id from bonus_entries where amount > 0 and effective_at < %(before)s"
        " and effective_at >= coalesce(%(since)s::timestamptz, '-infinity') and user_id > %(after)s"
        " order by user_id limit %(limit)s",
        {"since": since, "before": before, "after": after_user_id, "limit": limit},
    )
    return [user_id async for (user_id,) in cursor]


async def read_balance(conn: Connection, user_id: int) -> int:
    """The sum of a user's entries: the balance in points; 0 where there are none."""
    cursor = await conn.execute(
        "select coalesce(sum(amount), 0)::bigint from bonus_entries where user_id = %s", [user_id]
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0]


async def read_balances(conn: Connection, user_ids: Collection[int]) -> dict[int, int]:
    """The balances of these users, in points; who has no entries is absent."""
    cursor = await conn.execute(
        "select user_id, sum(amount)::bigint from bonus_entries where user_id = any(%s) group by user_id",
        [list(user_ids)],
    )
    return {user_id: points async for user_id, points in cursor}


async def read_entries(
    conn: Connection, user_id: int, before_id: int | None, limit: int
) -> list[LedgerEntry]:
    """A user's entries, newest first, at most `limit`, those with an id below `before_id` (None: from the newest)."""
    cursor = await conn.execute(
        "select id, booking_id, amount, kind, reason, created_at from bonus_entries"
        " where user_id = %(user_id)s and id < coalesce(%(before_id)s::bigint, 9223372036854775807)"
        " order by id desc limit %(limit)s",
        {"user_id": user_id, "before_id": before_id, "limit": limit},
    )
    return [
        LedgerEntry(entry_id, booking_id, amount, Kind(kind), reason, created_at)
        async for entry_id, booking_id, amount, kind, reason, created_at in cursor
    ]


async def read_hand_entry(conn: Connection, entry_key: str) -> HandEntry | None:
    """The movement by hand that carries this key, None where there is none."""
    cursor = await conn.execute(
        "select id, user_id, amount, kind, reason, balance_after, created_at from bonus_entries"
        " where entry_key = %s",
        [entry_key],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    entry_id, user_id, amount, kind, reason, balance_after, created_at = row
    return HandEntry(entry_id, user_id, amount, Kind(kind), reason, balance_after, created_at)


MOVE_AWAY = """
    insert into bonus_entries (user_id, booking_id, amount, kind, reason, undoes, entry_key, effective_at, created_at)
    select e.user_id, e.booking_id, -e.amount, 'reversal', %(reason)s, e.id, 'merge:' || e.id || ':away', %(now)s, %(now)s
    from bonus_entries e
    where e.user_id = %(from_user)s and (%(only)s::bigint[] is null or e.id = any(%(only)s))
        and e.undoes is null and not exists (select from bonus_entries u where u.undoes = e.id)
    order by e.id
    returning undoes
"""
MOVE_HERE = """
    insert into bonus_entries (user_id, booking_id, amount, kind, reason, percent, start_date, entry_key, created_by,
                               balance_after, visit_id, effective_at, created_at)
    select %(into_user)s, e.booking_id, e.amount, e.kind, e.reason, e.percent, e.start_date, 'merge:' || e.id || ':here',
           e.created_by, e.balance_after, e.visit_id, e.effective_at, %(now)s
    from bonus_entries e
    where e.id in (select value::bigint from jsonb_array_elements_text(%(ids)s::jsonb))
    order by e.id
"""


async def reverse_entries(
    conn: Connection, user_id: int, now: datetime, reason: str, only: Sequence[int] | None = None
) -> list[int]:
    """Reverse every entry of a user, or `only` some; return the ids of those that were not reversed before."""
    values = {"from_user": user_id, "now": now, "reason": reason, "only": only}
    return [entry_id async for (entry_id,) in await conn.execute(MOVE_AWAY, values)]


async def move_entries(
    conn: Connection,
    from_user: int,
    into_user: int,
    now: datetime,
    reason: str,
    only: Sequence[int] | None = None,
) -> int:
    """Reverse every entry of one user, or `only` some, and repeat it for another; return how many were moved.

    The repeated ones keep kind, booking, percent and the time that expiry counts from.
    """
    moved = await reverse_entries(conn, from_user, now, reason, only)
    await conn.execute(MOVE_HERE, {"into_user": into_user, "ids": _json(moved), "now": now})
    return len(moved)


async def repeated_entries(conn: Connection, from_user: int, into_user: int) -> list[int]:
    """Entries of `into_user` that repeat those of `from_user`, whose account is merged into it, by id; undone ones are left out.

    What an earlier parting of the two gave back to `into_user` is its own: it repeats entries that were moved as unmerged.
    """
    sql = """
        select here.id from bonus_entries e
        join bonus_entries away on away.undoes = e.id and away.reason <> %s
        join bonus_entries here on here.entry_key = 'merge:' || e.id || ':here'
        where e.user_id = %s and here.user_id = %s
            and not exists (select from bonus_entries u where u.undoes = here.id)
        order by here.id
    """
    cursor = await conn.execute(sql, [Reason.UNMERGED, from_user, into_user])
    return [entry_id for (entry_id,) in await cursor.fetchall()]


SINCE = """
    select e.amount, e.kind, e.booking_id, e.effective_at, e.id, b.user_id
    from bonus_entries e left join bookings b on b.id = e.booking_id
    where e.user_id = %s and e.id > %s and e.entry_key not like 'merge:%%'
        and e.undoes is null and not exists (select from bonus_entries u where u.undoes = e.id)
    order by e.effective_at, e.id
"""


async def read_since(conn: Connection, user_id: int, after_id: int) -> list[tuple[Movement, int | None]]:
    """A user's movements behind an entry, in order, each with the user of its booking (None: it has none).

    Undone ones, and what merges moved, are left out.
    """
    cursor = await conn.execute(SINCE, [user_id, after_id])
    return [
        (Movement(amount, Kind(kind), booking_id, effective_at, id_), whose)
        async for amount, kind, booking_id, effective_at, id_, whose in cursor
    ]


async def strip_reasons(conn: Connection, user_id: int) -> None:
    """Remove the admins' reasons from the entries of an erased user and of the accounts merged into it, one into another too.

    The movements stay. The table's trigger allows only this change, and only for an erased or merged account.
    """
    await conn.execute(
        "with recursive theirs (id) as (select %(id)s::bigint union select u.id from users u"
        "  join theirs t on u.merged_into = t.id where u.erased_at is not null)"
        " update bonus_entries set reason = '' where reason <> '' and created_by is not null"
        " and user_id in (select id from theirs)",
        {"id": user_id},
    )


_STATE = "b.id, b.revision, b.user_id, b.status, b.service_price, b.appointment_datetime, b.appointment_local"

UNSETTLED = f"""
    select {_STATE}
    from bookings b
    where b.id > %(after_id)s and b.id <= %(until_id)s and (
        (%(enabled)s and b.status = 'COMPLETED' and b.user_id is not null
            and (%(start_date)s::date is null
                or coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date >= %(start_date)s)
            and coalesce((select sum(e.amount) from bonus_entries e
                          where e.booking_id = b.id and e.user_id = b.user_id), 0) = 0)
        or exists (select from bonus_entries e where e.booking_id = b.id
                    and (e.user_id is distinct from b.user_id or b.status <> 'COMPLETED')
                    group by e.user_id having sum(e.amount) <> 0))
    order by b.id
    for no key update of b
"""


async def lock_unsettled(
    conn: Connection, after_id: int, until_id: int, *, enabled: bool, start_date: date | None
) -> list[EarningState]:
    """Return bookings of an id range (after, until] whose ledger may be unsettled; locked, in the order of ids.

    Those that could earn and have no points, where the programme is `enabled`; and those with points of a user they
    are no longer linked to. Waits for locked ones: whoever holds them, say for a comment that changed, need not settle them.
    """
    values = {"after_id": after_id, "until_id": until_id, "enabled": enabled, "start_date": start_date}
    return await _states(conn, UNSETTLED, values)


async def read_states(conn: Connection, booking_ids: Iterable[int]) -> list[EarningState]:
    """Return the earning states of these bookings from the stored rows, in the order of ids."""
    sql = (
        f"select {_STATE} from bookings b"
        " where b.id in (select value::bigint from jsonb_array_elements_text(%(ids)s::jsonb)) order by b.id"
    )
    return await _states(conn, sql, {"ids": _json(list(booking_ids))})


async def _states(conn: Connection, sql: LiteralString, values: Mapping[str, object]) -> list[EarningState]:
    cursor = await conn.execute(sql, values)
    return [
        EarningState(booking_id, revision, user_id, status, price, visit_on(starts_at, starts_local))
        async for booking_id, revision, user_id, status, price, starts_at, starts_local in cursor
    ]


async def has_entries(conn: Connection) -> bool:
    """Whether the ledger has anything at all."""
    row = await (await conn.execute("select exists (select from bonus_entries)")).fetchone()
    return bool(row and row[0])


async def read_last_booking_id(conn: Connection) -> int:
    """The highest booking id there is, 0 where there is none."""
    cursor = await conn.execute("select coalesce(max(id), 0) from bookings")
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0]


async def read_given_before(conn: Connection, day: date) -> tuple[int, int]:
    """Return (points, visits) that our programme gave for visits before a day (in the salon's zone), without imports."""
    cursor = await conn.execute(
        """
        with given as (
            select distinct e.booking_id from bonus_entries e join bookings b on b.id = e.booking_id
            where e.kind = 'accrual' and e.start_date is not null
                and coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date < %s
        ), held as (
            select sum(e.amount) as points from given g join bonus_entries e using (booking_id) group by g.booking_id
        )
        select coalesce(sum(points), 0)::bigint, count(*) from held where points <> 0
        """,
        [day],
    )
    row = await cursor.fetchone()
    assert row is not None, "an aggregate has a row"
    return row[0], row[1]
