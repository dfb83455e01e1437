"""Rows of an older system that came into the table after the mirror had made a row for their record.

One that comes before is adopted (`bookings.store.known_and_adoptable`). One that comes later must end alike: one row a
record. The mirror's row stands, with its number and its points; it takes over whose booking the old one says it is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import MatchedBy, Row
from zerkalo.db.pool import Connection
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.matching import store as matching
from zerkalo.matching.model import STRENGTH, Step
from zerkalo.sync.batch import Key, rematch_batch

log = structlog.get_logger(__name__)

BATCH = 500
"""Old rows in one transaction."""


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row that names a record in its note only, while the record has a row of its own."""

    id: int
    key: Key
    user_id: int | None
    matched_by: MatchedBy | None


async def doubled_keys(conn: Connection, company_id: int) -> list[Key]:
    """The company's records that have an old row beside their own; at most `BATCH`."""
    sql = f"select distinct b.company_id, b.yclients_record_id {_DOUBLES} and b.company_id = %s limit %s"
    cursor = await conn.execute(sql.encode(), [company_id, BATCH])
    return [(company, record_id) for company, record_id in await cursor.fetchall()]


async def absorb(conn: Connection, keys: Collection[Key], *, policy: LoyaltyPolicy, now: datetime) -> int:
    """Let the rows of these records take over their old rows, in the caller's transaction. Returns how many went."""
    await matching.enter(conn)
    await bookings.claim(conn, keys)
    old_rows = await _locked(conn, keys)
    heirs = {one.key: one for one in reversed(old_rows)}

    def with_old_link(key: Key, row: Row) -> Row:
        old = heirs.get(key)
        if old is None or not _takes_over(row, old):
            return row
        return replace(row, user_id=old.user_id, matched_by=old.matched_by, matched_version=None)

    await rematch_batch(conn, keys, policy=policy, now=now, first=with_old_link)
    await conn.execute("delete from bookings where id = any(%s)", [[one.id for one in old_rows]])
    log.info(
        "rows of an older system taken over",
        yclients_record_ids=sorted({record_id for _, record_id in heirs}),
        count=len(old_rows),
    )
    return len(old_rows)


# The number is compared both ways, so that either index can be used. A number that two branches' records have speaks for
# neither; what only an unsigned call told of takes nothing over; and a row that points were given for is never dropped.
_NUMBER = "substring(o.notes from '^YClients\\. ID: (\\d{1,18})')"
_DOUBLES = f"""
    from bookings o
    join bookings b on b.yclients_record_id = {_NUMBER}::bigint and {_NUMBER} = b.yclients_record_id::text
        and b.verified and (o.company_id is null or b.company_id = o.company_id)
    where o.yclients_record_id is null
        and not exists (select from bonus_entries e where e.booking_id = o.id)
        and (o.company_id is not null or not exists (
            select from companies c join bookings other
                on other.company_id = c.id and other.yclients_record_id = b.yclients_record_id
            where c.id <> b.company_id))
"""


async def _locked(conn: Connection, keys: Collection[Key]) -> list[OldRow]:
    sql = f"""
        select o.id, b.company_id, b.yclients_record_id, o.user_id, o.matched_by {_DOUBLES}
            and (b.company_id, b.yclients_record_id) in (
                select c, r from jsonb_to_recordset(%s::jsonb) as k (c bigint, r bigint))
        order by o.id
        for update of o
    """
    wanted = [{"c": company_id, "r": record_id} for company_id, record_id in keys]
    cursor = await conn.execute(sql.encode(), [msgspec.json.encode(wanted).decode()])
    return [
        OldRow(id_, (company_id, record_id), user_id, MatchedBy(step) if step else None)
        for id_, company_id, record_id, user_id, step in await cursor.fetchall()
    ]


def _takes_over(row: Row, old: OldRow) -> bool:
    """Whether the old row's link beats the row's own, as it would if the old one had been adopted before it was made."""
    if row.erased_at is not None or old.user_id is None:
        return False
    own, its = (STRENGTH[Step(by) if by else None] for by in (row.matched_by, old.matched_by))
    return its > own or (row.user_id is None and row.matched_by is None)
