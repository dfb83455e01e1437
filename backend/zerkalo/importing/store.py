"""Bookings of the mirror that an import reads."""

from collections.abc import Collection
from typing import Any

from zerkalo.db.pool import Connection
from zerkalo.importing.model import MirrorVisit

FETCHED_AT_ONCE = 2_000


async def mirror_visits(
    conn: Connection,
    company_ids: Collection[int],
    *,
    record_ids: Collection[int],
    emails: Collection[str],
    phones: Collection[str],
) -> list[MirrorVisit]:
    """Return the bookings of these companies that may match a visit: by record id, or by a contact of their card.

    Erased bookings are left out. A booking without a card is found by its own contacts.
    """
    query = """
        with wanted as (
            select b.id from bookings b where b.company_id = any(%(companies)s)
                and b.yclients_record_id = any(%(records)s)
            union
            select b.id from clients c join bookings b on b.company_id = c.company_id and b.client_id = c.client_id
            where c.company_id = any(%(companies)s) and (c.email = any(%(emails)s) or c.phone = any(%(phones)s))
            union
            select b.id from bookings b where b.company_id = any(%(companies)s) and b.client_id is null
                and (b.match_email = any(%(emails)s) or b.match_phone10 = any(%(tails)s))
        )
        select b.id, b.company_id, b.yclients_record_id, b.appointment_datetime, b.appointment_local, b.service_name,
            b.service_price, b.status, coalesce(c.email, b.match_email), coalesce(c.phone, b.phone), b.user_id,
            b.matched_by, exists (select from bonus_entries e where e.booking_id = b.id), b.handed_over
        from wanted w join bookings b using (id)
            left join clients c on c.company_id = b.company_id and c.client_id = b.client_id
        where b.erased_at is null
        order by b.id
    """
    async with conn.cursor(name="zerkalo_mirror_visits") as cursor:
        cursor.itersize = FETCHED_AT_ONCE
        values = {
            "companies": list(company_ids),
            "records": list(record_ids),
            "emails": list(emails),
            "phones": list(phones),
            "tails": [phone[-10:] for phone in phones],
        }
        await cursor.execute(query, values)
        held: dict[object, Any] = {}
        # The same service, e-mail and phone repeat in many rows: keep one copy of each text.
        return [
            MirrorVisit(*(held.setdefault(x, x) if type(x) is str else x for x in row))
            async for row in cursor
        ]
