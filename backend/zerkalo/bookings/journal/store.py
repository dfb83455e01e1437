"""Reads the journal. Never locks, never writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString, TypeVar

from psycopg.rows import class_row

from zerkalo.bookings.journal.model import (
    BookingEvent,
    Card,
    Evidence,
    Filters,
    JournalBooking,
    Line,
    Search,
    Staff,
    Unseen,
)
from zerkalo.bookings.reading.store import read_candidates
from zerkalo.db.pool import Connection
from zerkalo.db.sql import Values, scalar
from zerkalo.kit.cursor import Moment
from zerkalo.kit.text import in_any_case

STAFF_MAX = 200
PEOPLE_MAX = 500
"""Limit of cards, and of accounts, whose bookings a search for a name or part of a phone returns."""

T = TypeVar("T")

_COLUMNS: LiteralString = """
    b.id, b.user_id, u.name as user_name, b.user_code, b.matched_by, b.company_id, b.yclients_record_id, b.client_id,
    b.client_name, b.service_name, b.service_price, b.service_duration, b.appointment_datetime, b.appointment_local,
    b.status, b.cancel_reason, b.cancelled_at, b.phone, b.staff_id, b.staff_name, b.notes, b.comment, b.handed_over,
    b.created_at, b.updated_at, b.paid, b.prepaid, nullif(b.created_by, 0) as created_by,
    case
        when exists (
            select from form_bookings f -- a claimed one has no digest: it was booked elsewhere
            where f.company_id = b.company_id and f.record_id = b.yclients_record_id and f.comment_digest is not null
        ) then 'form'
        when b.online then 'online'
        when not b.online then 'journal'
    end as booked
"""
_PASSES: LiteralString = """
    (%(first_day)s::date is null
        or coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date >= %(first_day)s)
    and (%(last_day)s::date is null
        or coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date <= %(last_day)s)
    and (%(status)s::text is null or b.status = %(status)s)
    and (%(staff_id)s::bigint is null or b.staff_id = %(staff_id)s)
    and (%(client_id)s::bigint is null or b.client_id = %(client_id)s)
    and (%(matched)s::boolean is null or (b.user_id is not null) = %(matched)s)
"""
_AFTER: LiteralString = """
    and b.appointment_datetime >= %(after_at)s and (b.appointment_datetime, b.id) > (%(after_at)s::timestamptz, %(after_id)s)
"""
_BEFORE: LiteralString = """
    and b.appointment_datetime <= %(after_at)s and (b.appointment_datetime, b.id) < (%(after_at)s::timestamptz, %(after_id)s)
"""
_SOONEST: LiteralString = " order by b.appointment_datetime, b.id limit %(limit)s "
_LATEST: LiteralString = " order by b.appointment_datetime desc, b.id desc limit %(limit)s "
# A day begins at most 15 hours from UTC's in any zone. By company, since the window's index begins with it and so returns
# each company's bookings in order.
_PAGE: LiteralString = f"""
    from companies c cross join lateral (
        select b.* from bookings b
        where b.company_id = c.id
            and b.appointment_datetime
                >= coalesce(%(first_day)s::date::timestamp at time zone 'UTC' - interval '15 hours', '-infinity')
            and b.appointment_datetime
                <= coalesce(%(last_day)s::date::timestamp at time zone 'UTC' + interval '39 hours', 'infinity')
            and {_PASSES}
"""
_OF_PAGE: LiteralString = """
    ) b left join users u on u.id = b.user_id
    where %(company_id)s::bigint is null or c.id = %(company_id)s
"""
FORWARD: LiteralString = f"select {_COLUMNS} {_PAGE} {_AFTER} {_SOONEST} {_OF_PAGE} {_SOONEST}"
BACKWARD: LiteralString = f"select {_COLUMNS} {_PAGE} {_BEFORE} {_LATEST} {_OF_PAGE} {_LATEST}"

_OWNED: LiteralString = "select id from bookings where user_id = %(owner_id)s"
_OF_RECORD: LiteralString = """
    select id from bookings where company_id = any (array(select id from companies)) and yclients_record_id = %(record_id)s
"""
_OF_PEOPLE: LiteralString = """
    select b.id from (select id from users p where {} order by id desc limit %(people)s) p,
        lateral (select id from bookings where user_id = p.id offset 0) b
    union select b.id from (select company_id, client_id from clients p where {} order by client_id desc limit %(people)s) p,
        lateral (select id from bookings where company_id = p.company_id and client_id = p.client_id offset 0) b
"""
"""Bookings of accounts and cards, each by an index: for a join PostgreSQL would read all bookings."""
_CARDLESS: LiteralString = """
    union select p.id from (
        select id, client_name as name, phone from bookings
        where client_id is null and (client_name is not null or phone is not null)
    ) p where {}
"""
_OF_PHONE: LiteralString = (
    "select id from bookings where match_phone10 = %(phone10)s union "
    + _OF_PEOPLE.replace("{}", "phone10 = %(phone10)s")
    + _CARDLESS.replace("{}", "right(p.phone, 10) = %(phone10)s")
)
_OF_PIECE: LiteralString = (_OF_PEOPLE + _CARDLESS).replace("{}", "position(%(digits)s in p.phone) > 0")
_OF_NAME: LiteralString = (_OF_PEOPLE + _CARDLESS).replace("{}", "p.name ~ %(name)s")
_FOUND: LiteralString = f"""
    from bookings b left join users u on u.id = b.user_id
    where {_PASSES} and (%(company_id)s::bigint is null or b.company_id = %(company_id)s)
        and b.id = any (array(
"""
ONE: LiteralString = (
    "select " + _COLUMNS + " from bookings b left join users u on u.id = b.user_id where b.id = %(id)s"
)
_OWNER = """
    select id from users where erased_at is null and id = coalesce(
        (select id from users where unique_code = %(code)s), (select user_id from retired_codes where code = %(code)s))
"""
_LINES = """
    select service_id, title, amount, cost, cost_per_unit, discount::float8 as discount
    from booking_lines where booking_id = %s order by position
"""
_CARD = """
    select c.client_id, c.name, c.phone, c.email, c.email_came_late, c.user_id, c.note
    from bookings b join clients c on c.company_id = b.company_id and c.client_id = b.client_id
    where b.id = %s
"""
HISTORY = """
    select h.id, h.at, h.kind, h.cause, h.delivery_id, h.run_id, h.by_user_id, u.name as by_name, h.before, h.after
    from (
        select 3 * e.id as id, e.at, e.kind, e.cause, e.delivery_id, e.run_id, e.by_user_id, e.before, e.after
        from booking_events e where e.booking_id = %(booking_id)s
        union all
        select 3 * p.id + 1, p.created_at, 'points', case when p.created_by is null then 'programme' else 'person' end,
            null, null, p.created_by, null, jsonb_build_object('points', p.amount)
        from bonus_entries p where p.booking_id = %(booking_id)s or p.visit_id = %(booking_id)s
        union all
        select 3 * o.id + 2, coalesce(o.finished_at, o.created_at), 'message', 'notices', null, null, null, null,
            jsonb_build_object('message', o.kind, 'to', nullif(t.name, ''), 'to_user_id', o.user_id, 'channel', o.channel,
                'outcome', case when o.finished_at is null then 'waiting' when o.error is null then 'sent' else o.error end)
        from outbox o left join users t on t.id = o.user_id where o.booking_id = %(booking_id)s
    ) h left join users u on u.id = h.by_user_id
    where %(at)s::timestamptz is null or (h.at, h.id) < (%(at)s, %(id)s)
    order by h.at desc, h.id desc limit %(limit)s
"""
_POINTS = "select coalesce(sum(amount), 0)::bigint from bonus_entries where booking_id = %s"
_STAFF = """
    select staff_id, max(staff_name) as name from bookings
    where staff_id is not null and appointment_datetime >= %(since)s
    group by staff_id order by 2, 1 limit %(limit)s
"""


UNSEEN = """
    with people as (
        select min(b.id) as booking_id, b.user_id, case when b.user_id is null then b.company_id end as company_id,
            case when b.user_id is null then b.client_id end as client_id,
            max(b.client_name) as client_name, max(b.phone) as phone, count(*) filter (where b.status = 'COMPLETED') as visits,
            max(b.appointment_datetime) filter (where b.status = 'COMPLETED') as last_at
        from bookings b
        where b.erased_at is null and (b.user_id is not null or b.client_id is not null)
        group by 2, 3, 4
        having not bool_or(b.appointment_datetime >= %(now)s and b.status <> 'CANCELLED')
    )
    select p.booking_id, p.user_id, p.company_id, p.client_id, coalesce(nullif(u.name, ''), p.client_name) as name,
        coalesce(u.phone, p.phone) as phone, p.last_at, p.visits
    from people p left join users u on u.id = p.user_id
    where p.last_at < %(before)s
        and (%(at)s::timestamptz is null or (p.last_at, p.booking_id) < (%(at)s, %(id)s))
    order by p.last_at desc, p.booking_id desc limit %(limit)s
"""


async def read_unseen(
    conn: Connection, *, before: datetime, now: datetime, after: Moment | None, limit: int
) -> list[Unseen]:
    """Return people with no upcoming visit whose last completed one was before `before`, latest first. Reads all bookings."""
    at, booking_id = after or (None, None)
    values = {"before": before, "now": now, "at": at, "id": booking_id, "limit": limit}
    return await _many(conn, Unseen, UNSEEN, values)


async def read_journal(
    conn: Connection, filters: Filters, *, after: Moment | None, limit: int
) -> list[JournalBooking]:
    """Return bookings that pass the filters, in the order of `Filters.is_forward`, from `after` on.

    A name or part of a phone is searched for in cards, accounts and bookings without a card; of the cards and of the
    accounts that have it, the `PEOPLE_MAX` newest count.
    """
    edge = ("-infinity", 0) if filters.is_forward else ("infinity", 0)
    after_at, after_id = after or edge
    values: dict[str, object] = {
        "first_day": filters.first_day,
        "last_day": filters.last_day,
        "status": filters.status,
        "staff_id": filters.staff_id,
        "company_id": filters.company_id,
        "client_id": filters.client_id,
        "matched": filters.matched,
        "after_at": after_at,
        "after_id": after_id,
        "limit": limit,
    }
    if filters.search is not None:
        return await _find(conn, filters, filters.search, values)
    return await _many(conn, JournalBooking, FORWARD if filters.is_forward else BACKWARD, values)


async def read_booking(conn: Connection, booking_id: int) -> JournalBooking | None:
    """One booking; None where there is none."""
    found = await _many(conn, JournalBooking, ONE, {"id": booking_id})
    return found[0] if found else None


async def read_lines(conn: Connection, booking_id: int) -> list[Line]:
    """The service lines of a booking, in the record's order."""
    return await _many(conn, Line, _LINES, [booking_id])


async def read_evidence(conn: Connection, booking: JournalBooking) -> Evidence:
    """Return the booking's user, the candidates, and the evidence for them."""
    cards = await _many(conn, Card, _CARD, [booking.id])
    codes = await scalar(conn, "select match_codes from bookings where id = %s", [booking.id])
    candidates = await read_candidates(conn, [booking.id])
    return Evidence(
        booking.matched_by,
        codes or [],
        booking.handed_over,
        cards[0] if cards else None,
        candidates.get(booking.id, []),
    )


async def read_history(
    conn: Connection, booking_id: int, *, after: Moment | None, limit: int
) -> list[BookingEvent]:
    """Return a booking's changes and points, newest first, from `after` (the position of one) on."""
    at, event_id = after or (None, None)
    values = {"booking_id": booking_id, "at": at, "id": event_id, "limit": limit}
    return await _many(conn, BookingEvent, HISTORY, values)


async def read_points(conn: Connection, booking_id: int) -> int:
    """Return the points that the booking has earned, with corrections and reversals."""
    return await scalar(conn, _POINTS, [booking_id])


async def read_staff(conn: Connection, *, since: datetime) -> list[Staff]:
    """The specialists with bookings from `since` on, by name."""
    return await _many(conn, Staff, _STAFF, {"since": since, "limit": STAFF_MAX})


async def _find(
    conn: Connection, filters: Filters, search: Search, values: dict[str, object]
) -> list[JournalBooking]:
    """Find by text. If a user has it as a code, its other meanings are ignored."""
    owner_id = await scalar(conn, _OWNER, {"code": search.code}) if search.code else None
    statement = found_by(search, is_owned=owner_id is not None, is_forward=filters.is_forward)
    if statement is None:
        return []
    values |= {
        "owner_id": owner_id,
        "record_id": search.record_id,
        "phone10": search.phone10,
        "digits": search.digits,
        "name": in_any_case(search.name) if search.name else None,
        "people": PEOPLE_MAX,
    }
    return await _many(conn, JournalBooking, statement, values)


def found_by(search: Search, *, is_owned: bool, is_forward: bool) -> LiteralString | None:
    """Return a statement with only the text's possible meanings, so that each part uses its index; None: no meaning."""
    asked: Sequence[tuple[LiteralString, object]] = (
        (_OF_RECORD, search.record_id),
        (_OF_PHONE, search.phone10),
        (_OF_PIECE, search.digits),
        (_OF_NAME, search.name),
    )
    parts: list[LiteralString] = (
        [_OWNED] if is_owned else [part for part, value in asked if value is not None]
    )
    if not parts:
        return None
    order = _AFTER + _SOONEST if is_forward else _BEFORE + _LATEST
    return "select " + _COLUMNS + _FOUND + " union ".join(parts) + "))" + order


async def _many(conn: Connection, kind: type[T], statement: LiteralString, values: Values) -> list[T]:
    async with conn.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()
