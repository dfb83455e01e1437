"""Reading bookings for people: one's own, one's calendar, unmatched ones. Never locks, never writes a booking."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import LiteralString

import msgspec
from psycopg.rows import class_row

from zerkalo.bookings.model import Candidate, ShownBooking, Status
from zerkalo.db.pool import Connection
from zerkalo.kit.cursor import Moment

CALENDAR_PAST_DAYS = 90
CALENDAR_EVENTS_MAX = 2000

_COLUMNS = """
    b.id, b.user_id, b.matched_by, b.company_id, b.yclients_record_id, b.client_id, b.service_name, b.service_price,
    b.service_duration, b.appointment_datetime, b.appointment_local, b.status, b.cancel_reason, b.cancelled_at, b.phone,
    b.staff_name, b.notes, b.revision, b.created_at, b.updated_at
"""


def phone_is_anothers(user_id: LiteralString, phone: LiteralString) -> LiteralString:
    """Return SQL for whether somebody else than this user has proved a phone.

    Then the user's e-mail beside it proves nothing: a stranger who books with a phone may write an e-mail on its card.
    """
    return (
        f"exists (select from users o where o.id <> {user_id} and o.phone_verified_at is not null"
        f" and o.phone10 = right({phone}, 10) and o.phone = {phone})"
    )


PHONE_IS_ANOTHERS = phone_is_anothers("u.id", "coalesce(c.phone, b.phone)")
"""The same of the phone of the card, or of the visit without one."""

_IS_THEIRS = f"""
    (b.matched_by in ('manual', 'card', 'import') or exists (
        select from users u left join clients c on c.company_id = b.company_id and c.client_id = b.client_id
        where u.id = b.user_id and (
            (u.phone_verified_at is not null and u.phone = coalesce(c.phone, b.phone))
            or (%(email_alone)s and u.email_verified_at is not null and lower(u.email) = coalesce(c.email, b.match_email)
                and not coalesce(c.email_came_late, false) and not {PHONE_IS_ANOTHERS}))))
"""
"""Whether the visit's contacts are verified as its user's, or the salon linked it itself. `email_alone`: the setting
`MATCH_EMAIL_ALONE`, as `email_counts_alone` below."""

COMMENT_IS_TYPED = """
    (b.matched_by = 'form' and (
        select true from form_bookings f
        where f.company_id = b.company_id and f.record_id = b.yclients_record_id and f.user_id = b.user_id
            and f.comment_digest = sha256(convert_to(b.comment, 'UTF8')) limit 1) is not null)
"""
"""Whether the visit's comment is still exactly what its user typed in our form.

The limit keeps it an index lookup; PostgreSQL turns `exists` into a hash of the whole table.
"""

# What the booking's own user sees. A user who books with a stranger's phone, by our form or with their own code, gets the
# visit, but not what the salon writes about the phone's owner; and a booking linked by a contact may have another phone
# by now. So the comment is shown only if the user's contacts are verified or they typed it; the phone also if their account has it.
_OWN_COLUMNS = _COLUMNS.replace(
    "b.phone",
    f"""case when {_IS_THEIRS} and b.matched_by not in ('email', 'phone')
        or exists (select from users u where u.id = b.user_id and u.phone = b.phone) then b.phone end as phone""",
).replace(
    "b.notes",
    f"""case when {_IS_THEIRS} or {COMMENT_IS_TYPED} then b.notes
        else 'YClients. ID: ' || b.yclients_record_id || coalesce(E'\\nКод клиента: ' || b.user_code, '') end as notes""",
)


UPCOMING = f"""
    select {_OWN_COLUMNS} from bookings b
    where b.user_id = %(user_id)s and b.status <> 'CANCELLED' and b.appointment_datetime >= %(now)s
        and (%(status)s::text is null or b.status = %(status)s)
        and (b.appointment_datetime, b.id) > (%(after_at)s::timestamptz, %(after_id)s)
    order by b.appointment_datetime, b.id
    limit %(limit)s
"""
NEWEST_FIRST = f"""
    select {_OWN_COLUMNS} from bookings b
    where b.user_id = %(user_id)s
        and (%(status)s::text is null or b.status = %(status)s)
        and (b.appointment_datetime, b.id) < (%(after_at)s::timestamptz, %(after_id)s)
    order by b.appointment_datetime desc, b.id desc
    limit %(limit)s
"""
_FIRST = ("-infinity", 0)
_LAST = ("infinity", 0)


async def read_upcoming(
    conn: Connection,
    user_id: int,
    *,
    now: datetime,
    status: Status | None,
    after: Moment | None,
    limit: int,
    email_counts_alone: bool = False,
) -> list[ShownBooking]:
    """A user's bookings that start at `now` or later and are not cancelled, soonest first."""
    after_at, after_id = after or _FIRST
    values = {"after_at": after_at, "after_id": after_id, "now": now, "email_alone": email_counts_alone}
    return await _shown(conn, UPCOMING, {"user_id": user_id, "status": status, "limit": limit, **values})


async def read_newest_first(
    conn: Connection,
    user_id: int,
    *,
    status: Status | None,
    after: Moment | None,
    limit: int,
    email_counts_alone: bool = False,
) -> list[ShownBooking]:
    """A user's bookings, the latest appointment first."""
    after_at, after_id = after or _LAST
    values = {"after_at": after_at, "after_id": after_id, "email_alone": email_counts_alone}
    return await _shown(conn, NEWEST_FIRST, {"user_id": user_id, "status": status, "limit": limit, **values})


async def read_own(
    conn: Connection, user_id: int, booking_id: int, *, email_counts_alone: bool = False
) -> ShownBooking | None:
    """A booking of this user; None where there is none, or it is another's."""
    sql = f"select {_OWN_COLUMNS} from bookings b where b.id = %(id)s and b.user_id = %(user_id)s"
    values: dict[str, object] = {
        "id": booking_id,
        "user_id": user_id,
        "email_alone": email_counts_alone,
    }
    found = await _shown(conn, sql, values)
    return found[0] if found else None


async def read_one(conn: Connection, booking_id: int) -> ShownBooking | None:
    """Return any user's booking: for admins. None where there is none."""
    found = await _shown(conn, f"select {_COLUMNS} from bookings b where b.id = %(id)s", {"id": booking_id})
    return found[0] if found else None


async def read_of_record(conn: Connection, company_id: int, record_id: int) -> ShownBooking | None:
    """Return the booking of a YCLIENTS record, any user's: the caller decides which fields may be shown."""
    sql = f"""
        select {_COLUMNS} from bookings b
        where b.company_id = %(company_id)s and b.yclients_record_id = %(record_id)s
    """
    found = await _shown(conn, sql, {"company_id": company_id, "record_id": record_id})
    return found[0] if found else None


async def read_of_receipt(conn: Connection, company_id: int, record_id: int) -> ShownBooking | None:
    """Return the booking for the guest who made it; None once the salon has given the record to another client."""
    sql = f"""
        select {_COLUMNS} from bookings b
        where b.company_id = %(company_id)s and b.yclients_record_id = %(record_id)s and not b.handed_over
    """
    found = await _shown(conn, sql, {"company_id": company_id, "record_id": record_id})
    return found[0] if found else None


async def read_of_guest(conn: Connection, form_id: str) -> ShownBooking | None:
    """Return the booking that a guest made in our form, by the form booking's `api_id`.

    None until the mirror has it, and once the salon has given the record to another client or the person was erased.
    """
    sql = f"""
        select {_COLUMNS} from form_bookings f
        join bookings b on b.company_id = f.company_id and b.yclients_record_id = f.record_id
        where f.api_id = %(form_id)s and f.user_id is null and not b.handed_over and b.erased_at is null
    """
    found = await _shown(conn, sql, {"form_id": form_id})
    return found[0] if found else None


async def is_lost_to_guest(conn: Connection, form_id: str) -> bool:
    """Return whether the mirror has a guest's booking that is no longer theirs (see `read_of_guest`)."""
    sql = """
        select true from form_bookings f
        join bookings b on b.company_id = f.company_id and b.yclients_record_id = f.record_id
        where f.api_id = %s and (b.handed_over or b.erased_at is not null)
    """
    cursor = await conn.execute(sql, [form_id])
    return await cursor.fetchone() is not None


async def read_several(conn: Connection, booking_ids: Iterable[int]) -> dict[int, ShownBooking]:
    """Return bookings of any user by id; unknown ids are absent."""
    found = await _shown(
        conn, f"select {_COLUMNS} from bookings b where b.id = any(%(ids)s)", {"ids": list(booking_ids)}
    )
    return {one.id: one for one in found}


async def read_raw_record(conn: Connection, booking_id: int) -> str | None:
    """Return the vendor's last record of a booking, JSON as received; None where none is stored."""
    cursor = await conn.execute("select raw_record from bookings where id = %s", [booking_id])
    row = await cursor.fetchone()
    return row[0] if row else None


UNMATCHED = f"""
    select {_COLUMNS} from bookings b
    where b.user_id is null and b.status <> 'CANCELLED'
        and b.matched_by is null and b.erased_at is null
        and (b.appointment_datetime, b.id) < (%(after_at)s::timestamptz, %(after_id)s)
    order by b.appointment_datetime desc, b.id desc
    limit %(limit)s
"""


async def read_unmatched(conn: Connection, *, after: Moment | None, limit: int) -> list[ShownBooking]:
    """Unmatched bookings, the latest appointment first.

    Excludes cancelled ones, those that an admin marked as no user's, and those of erased people.
    """
    after_at, after_id = after or _LAST
    return await _shown(conn, UNMATCHED, {"after_at": after_at, "after_id": after_id, "limit": limit})


AMBIGUOUS = f"""
    select {_COLUMNS} from bookings b
    where b.id in (select c.booking_id from match_candidates c)
        and (b.appointment_datetime, b.id) < (%(after_at)s::timestamptz, %(after_id)s)
    order by b.appointment_datetime desc, b.id desc
    limit %(limit)s
"""


async def read_ambiguous(conn: Connection, *, after: Moment | None, limit: int) -> list[ShownBooking]:
    """Return bookings with several candidates for an admin to choose from, the latest appointment first; linked ones too.

    The cost grows with the number of such bookings only.
    """
    after_at, after_id = after or _LAST
    return await _shown(conn, AMBIGUOUS, {"after_at": after_at, "after_id": after_id, "limit": limit})


async def read_candidates(conn: Connection, booking_ids: Iterable[int]) -> dict[int, list[Candidate]]:
    """Return the candidates for an admin to choose from, by booking id; a booking with none is absent."""
    cursor = await conn.execute(
        "select c.booking_id, u.id, u.name, u.email, u.phone, c.step from match_candidates c"
        " join users u on u.id = c.user_id and u.erased_at is null and u.merged_into is null"
        " where c.booking_id in (select value::bigint from jsonb_array_elements_text(%s::jsonb))"
        " order by c.booking_id, u.id",
        [msgspec.json.encode(list(booking_ids)).decode()],
    )
    candidates: dict[int, list[Candidate]] = {}
    async for booking_id, *columns in cursor:
        candidates.setdefault(booking_id, []).append(Candidate(*columns))
    return candidates


async def read_calendar(conn: Connection, user_id: int, *, now: datetime) -> list[ShownBooking]:
    """Return the bookings of a user's calendar: the last `CALENDAR_PAST_DAYS` and all to come, cancelled ones too.

    Without contacts and comments, which the feed does not tell. The latest `CALENDAR_EVENTS_MAX`, in the order of appointments.
    """
    sql = (
        f"select {_OWN_COLUMNS} from bookings b where b.user_id = %(user_id)s and b.appointment_datetime >= %(since)s"
        " order by b.appointment_datetime desc, b.id desc limit %(limit)s"
    )
    since = now - timedelta(days=CALENDAR_PAST_DAYS)
    values: dict[str, object] = {
        "user_id": user_id,
        "since": since,
        "limit": CALENDAR_EVENTS_MAX,
        "email_alone": False,
    }
    shown = await _shown(conn, sql, values)
    return shown[::-1]


async def read_places(conn: Connection, company_ids: Collection[int]) -> dict[int, str]:
    """Return titles and addresses of these companies, by id; one without either is absent."""
    cursor = await conn.execute(
        "select id, concat_ws(', ', nullif(title, ''), nullif(address, '')) from companies"
        " where id = any(%s) and (title <> '' or address <> '')",
        [list(company_ids)],
    )
    return dict(await cursor.fetchall())


async def read_form_choice(conn: Connection, booking_id: int) -> tuple[tuple[int, ...], int | None]:
    """Return a booking's (services, specialist) by YCLIENTS's ids, to book the same again."""
    sql = """
        select array(select (line ->> 'service_id')::bigint from jsonb_array_elements(b.lines) line
            where line ->> 'service_id' is not null), b.staff_id
        from bookings b where b.id = %s
    """
    row = await (await conn.execute(sql, [booking_id])).fetchone()
    return (tuple(row[0]), row[1]) if row else ((), None)


async def _shown(conn: Connection, sql: LiteralString, values: dict[str, object]) -> list[ShownBooking]:
    async with conn.cursor(row_factory=class_row(ShownBooking)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
