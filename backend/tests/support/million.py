"""A database with a million bookings, or as many as wanted, for whoever asks how it is read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
BOOKINGS = 1_000_000
USERS = 100_000
DELIVERIES = 100_000

SPAN = timedelta(seconds=131 * BOOKINGS)
AHEAD = 0.04
"""The share of the span, and of the bookings, that lies in the future."""

# Some salons, bookings from four years ago to two months ahead; one in ten is nobody's; every salon client known by code, e-mail or phone. In braces what `fill` puts in; a brace of SQL is doubled.
FILL = """
    insert into companies (id, title, timezone_name) select n, 'Salon ' || n, 'Europe/Moscow' from unnest({companies}) n;

    insert into users (email, phone, unique_code, email_verified_at, phone_verified_at)
    select 'user' || n || '@example.com', '+7' || (9000000000 + n), 'A' || lpad(n::text, 7, '0'), '{now}', '{now}'
    from generate_series(1, {users}) n;

    insert into clients (company_id, client_id, name, phone, email)
    select {companies}[(n - 1) % {companies_count} + 1], n, 'Мария ' || n, '+7' || (9000000000 + n), 'user' || n || '@example.com'
    from generate_series(1, {users}) n;

    insert into bookings (company_id, yclients_record_id, client_id, client_name, phone, user_id, matched_by, service_name, service_price,
        service_duration, appointment_datetime, appointment_local, status, vendor_changed_at,
        match_email, match_phone10, match_codes)
    select {companies}[n % {companies_count} + 1], n, n % {users} + 1, 'Мария ' || (n % {users} + 1), '+7' || (9000000000 + n % {users} + 1),
        case when n % 10 > 0 then n % {users} + 1 end, case when n % 10 > 0 then 'phone' end,
        'Стрижка', 250000, 60, at, at at time zone 'Europe/Moscow',
        (array['PENDING', 'CONFIRMED', 'COMPLETED', 'COMPLETED', 'COMPLETED', 'CANCELLED', 'COMPLETED'])[n % 7 + 1],
        at,
        case when n % 3 = 0 then 'user' || (n % {users} + 1) || '@example.com' end,
        (9000000000 + n % {users} + 1)::text,
        case when n % 4 = 0 then array['A' || lpad((n % {users} + 1)::text, 7, '0')] else '{{}}' end
    from (select n, '{now}'::timestamptz + (n - {past}) * interval '{step_seconds} seconds' as at
          from generate_series(1, {bookings}) n) numbered;

    insert into bonus_entries (user_id, booking_id, amount, kind, percent, entry_key, effective_at, created_at)
    select user_id, id, 125, 'accrual', 5, 'booking:' || id || ':0', appointment_datetime, appointment_datetime
    from bookings where status = 'COMPLETED' and user_id is not null and id % 4 = 0;

    insert into form_bookings (api_id, user_id, company_id, record_id, status, created_at)
    select 'million:' || b.id, b.user_id, b.company_id, b.yclients_record_id, 'booked', '{now}' from bookings b where b.id % 50 = 0;

    insert into match_candidates (booking_id, user_id, step, reason, created_at)
    select b.id, (b.id + k) % {users} + 1, 'phone', 'rivals', '{now}' from bookings b, generate_series(0, 1) k where b.id % 1000 = 0;

    insert into deliveries (received_at, company_id, resource, resource_id, event, body, outcome, finished_at)
    select '{now}'::timestamptz - n * interval '26 seconds', {companies}[n % {companies_count} + 1], 'record', n, 'update', '{{}}',
        case when n % 5000 = 0 then 'quarantined' else 'applied' end, '{now}'
    from generate_series(1, {deliveries}) n;
"""


def fill_million(dsn: str) -> None:
    """Fills a migrated database with `BOOKINGS` of five salons."""
    fill(dsn, bookings=BOOKINGS, companies=range(1, 6))


def fill(dsn: str, *, bookings: int, companies: Sequence[int], deliveries: int | None = None) -> None:
    """Fills a migrated database with so many bookings over the same span of time, a tenth as many users and deliveries.

    `deliveries`: another number of those.

    Its indexes are made after the rows, as loading in bulk does.
    """
    rows = FILL.format(
        now=NOW,
        companies=f"(array[{','.join(map(str, companies))}])",
        companies_count=len(companies),
        users=bookings // (BOOKINGS // USERS),
        bookings=bookings,
        deliveries=bookings // (BOOKINGS // DELIVERIES) if deliveries is None else deliveries,
        past=round(bookings * (1 - AHEAD)),
        step_seconds=SPAN.total_seconds() / bookings,
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("set maintenance_work_mem = '256MB'")
        indexes = conn.execute(
            "select indexname, indexdef from pg_indexes where schemaname = 'zerkalo'"
            " and tablename in ('bookings', 'bonus_entries')"
            " and indexname not in (select conname from pg_constraint)"
        ).fetchall()
        for name, _ in indexes:
            conn.execute(f"drop index {name}".encode())
        conn.execute("set session_replication_role = replica")  # the foreign keys hold by construction
        conn.execute(rows.encode())
        conn.execute("set session_replication_role = origin")
        for _, definition in indexes:
            conn.execute(definition.encode())
        conn.execute("vacuum analyze")
