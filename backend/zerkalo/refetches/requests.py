"""Requests to ask YCLIENTS for one record again: a row each in `refetches`, however often it is asked for."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from zerkalo.db.pool import Connection

HINTS_MAX = 1000
"""Requests a company that only unsigned calls made; counted no further."""


class Request(msgspec.Struct, frozen=True):
    """A record to ask for. `hint`: only an unsigned call wants it, so it may use a third of the rate limit."""

    company_id: int
    record_id: int
    reason: str
    hint: bool


async def ask(conn: Connection, wanted: Sequence[Request], *, now: datetime) -> None:
    """Note the records to ask for; one that waits already is not doubled, and loses no request made meanwhile.

    A hint hastens no signed call's question that waits after a failure: it would be asked as often as anybody likes.
    """
    if not wanted:
        return
    rows = msgspec.json.encode(sorted(wanted, key=lambda one: (one.company_id, one.record_id))).decode()
    await conn.execute(
        """
        insert into refetches as r (company_id, record_id, hint, reason, requested_at, next_attempt_at)
        select x.company_id, x.record_id, x.hint, x.reason, %(now)s, %(now)s
        from jsonb_to_recordset(%(rows)s::jsonb) as x (company_id bigint, record_id bigint, hint boolean, reason text)
        on conflict (company_id, record_id) do update set
            hint = r.hint and excluded.hint,
            reason = excluded.reason,
            requested_at = excluded.requested_at,
            generation = r.generation + 1,
            next_attempt_at = case when excluded.hint and not r.hint then r.next_attempt_at
                else least(r.next_attempt_at, excluded.next_attempt_at) end
        """,
        {"rows": rows, "now": now},
    )


async def hint_count(conn: Connection, company_id: int) -> int:
    """How many requests of unsigned calls wait for the company, counted up to `HINTS_MAX`."""
    counted = "select 1 from refetches where company_id = %s and hint limit %s"
    cursor = await conn.execute(f"select count(*) from ({counted}) as counted", [company_id, HINTS_MAX])
    row = await cursor.fetchone()
    return row[0] if row else 0
