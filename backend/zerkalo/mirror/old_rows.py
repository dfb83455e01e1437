"""Rows of an older system that came into the table after the mirror had made a row for their record.

One that comes before is adopted (`bookings.store.known_and_adoptable`). One that comes later must end alike: one row a
record. The mirror's row stands, with its number and its points; it takes over whose booking the old one says it is, and
that its client had herself erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import MatchedBy, Row
from zerkalo.db.pool import Connection
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings_by_id
from zerkalo.matching import store as matching
from zerkalo.matching.model import STRENGTH, Step
from zerkalo.mirror.batch import Key, rematch_batch
from zerkalo.mirror.model import Place
from zerkalo.users.erasing.service import strip_bookings

log = structlog.get_logger(__name__)

BATCH = 500
"""Old rows in one transaction."""
LOGGED_MAX = 50
"""Record ids in one log line."""


@dataclass(frozen=True, slots=True)
class OldRow:
    """A row that names a record in its note only, while the record has a row of its own, numbered `heir_id`."""

    id: int
    key: Key
    heir_id: int
    user_id: int | None
    matched_by: MatchedBy | None
    is_erased: bool
    email: str | None
    phone10: str | None


async def doubles(conn: Connection, company_id: int, *, after: Place) -> tuple[list[OldRow], Place | None]:
    """Of the next `BATCH` old rows, by their place, those that stand beside a row of the company's.

    With them the place to go on `after`, None at the end.
    """
    # The first condition is what the index serves; rows of one number are few.
    page = f"""
        select {_NUMBER}, o.id from bookings o
        where o.yclients_record_id is null and {_NUMBER} >= %(number)s and ({_NUMBER}, o.id) > (%(number)s, %(id)s)
        order by {_NUMBER}, o.id limit {BATCH}
    """
    number, id_ = after
    rows = await (await conn.execute(page.encode(), {"number": number, "id": id_})).fetchall()
    found = await _read(conn, company_id, [id_ for _, id_ in rows], "order by o.id")
    return found, rows[-1] if len(rows) == BATCH else None


async def absorb(
    conn: Connection, company_id: int, found: Sequence[OldRow], *, policy: LoyaltyPolicy, now: datetime
) -> int:
    """Let the company's rows take over these old rows, in the caller's transaction. Returns how many went."""
    keys = sorted({one.key for one in found})
    await matching.enter(conn)
    await bookings.claim(conn, keys)
    old_rows = await _read(conn, company_id, [one.id for one in found], "order by o.id for update of o")
    erased_ids = {one.heir_id for one in old_rows if one.is_erased}
    if erased_ids:
        await strip_bookings(conn, erased_ids, now)
        await settle_bookings_by_id(conn, sorted(erased_ids), policy, now)
    first_of_each = {one.key: one for one in reversed(old_rows)}

    def with_old_link(key: Key, row: Row) -> Row:
        old = first_of_each.get(key)
        if old is None or not _takes_over(row, old):
            return row
        return replace(
            row,
            user_id=old.user_id,
            matched_by=old.matched_by,
            matched_version=None,
            match_email=row.match_email or (old.email if old.matched_by is MatchedBy.EMAIL else None),
            match_phone10=row.match_phone10 or (old.phone10 if old.matched_by is MatchedBy.PHONE else None),
        )

    await rematch_batch(conn, keys, policy=policy, now=now, first=with_old_link)
    await conn.execute("delete from bookings where id = any(%s)", [[one.id for one in old_rows]])
    log.info(
        "rows of an older system taken over",
        yclients_record_ids=sorted({record_id for _, record_id in first_of_each})[:LOGGED_MAX],
        count=len(old_rows),
    )
    return len(old_rows)


# The number is compared both ways, so that either index can be used. A number that two branches' records have speaks for
# neither; what only an unsigned call told of takes nothing over; and a row that points were given for is never dropped.
_NUMBER = "substring(o.notes from '^YClients\\. ID: (\\d{1,18})')"
_DOUBLES = f"""
    select o.id, b.company_id, b.yclients_record_id, b.id as heir_id, o.user_id, o.matched_by,
        o.erased_at is not null as is_erased, o.match_email, {bookings.phone10_of("o")}
    from bookings o
    join bookings b on b.yclients_record_id = {_NUMBER}::bigint and {_NUMBER} = b.yclients_record_id::text
        and b.verified and (o.company_id is null or b.company_id = o.company_id)
    where o.yclients_record_id is null and o.id = any(%(ids)s) and b.company_id = %(company_id)s
        and not exists (select from bonus_entries e where e.booking_id = o.id)
        and (o.company_id is not null or not exists (
            select from companies c join bookings other
                on other.company_id = c.id and other.yclients_record_id = b.yclients_record_id
            where c.id <> b.company_id))
"""


async def _read(conn: Connection, company_id: int, ids: Sequence[int], how: str) -> list[OldRow]:
    cursor = await conn.execute(f"{_DOUBLES} {how}".encode(), {"ids": list(ids), "company_id": company_id})
    return [
        OldRow(
            id_,
            (of_company, record_id),
            heir_id,
            user_id,
            MatchedBy(by) if by else None,
            is_erased,
            email,
            phone10,
        )
        for id_, of_company, record_id, heir_id, user_id, by, is_erased, email, phone10 in await cursor.fetchall()
    ]


def _takes_over(row: Row, old: OldRow) -> bool:
    """Whether the old row's link beats the row's own, as it would if the old one had been adopted before it was made.

    A link by a contact rests on that contact, and ends where the record carries another one (decision 0005).
    """
    if row.erased_at is not None or (old.user_id is None and old.matched_by is not MatchedBy.MANUAL):
        return False
    has_contact = bool(row.phone or row.match_phone10 or row.match_email)
    if old.matched_by is MatchedBy.EMAIL and (
        not old.email or (has_contact and old.email != row.match_email)
    ):
        return False
    if old.matched_by is MatchedBy.PHONE and (
        not old.phone10 or (has_contact and old.phone10 != row.match_phone10)
    ):
        return False
    own, its = (STRENGTH[Step(by) if by else None] for by in (row.matched_by, old.matched_by))
    return its > own or (row.user_id is None and row.matched_by is None)
