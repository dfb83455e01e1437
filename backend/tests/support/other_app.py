"""An app of a salon's own whose bookings know YCLIENTS by a sentence in their notes, beside a mirror of the same visits."""

import psycopg

PEOPLE_A_VISIT = 20
"""So many visits has everybody, all of them completed and of 2,500 roubles."""

# A visit an hour. One in eight notes says nothing, so that person, time and service must find the booking.
FILL = """
    insert into companies (id, title, timezone_name) values ({company}, 'Салон', 'Europe/Moscow') on conflict do nothing;

    insert into clients (company_id, client_id, name, phone, email, updated_at, observation)
    select {company}, n, 'Клиент ' || n, '+7' || (9000000000 + n), 'user' || n || '@app.test', '{now}', 1
    from generate_series(0, {people} - 1) n;

    insert into bookings (company_id, yclients_record_id, client_id, service_name, service_price, service_duration,
        appointment_datetime, appointment_local, status, phone, match_phone10, match_email, vendor_changed_at)
    select {company}, n, n % {people}, 'Стрижка', 250000, 60, at, at at time zone 'Europe/Moscow', 'COMPLETED',
        '+7' || (9000000000 + n % {people}), (9000000000 + n % {people})::text, 'user' || n % {people} || '@app.test', at
    from (select n, '{now}'::timestamptz - n * interval '1 hour' as at from generate_series(1, {visits}) n) numbered;

    create schema app;
    create table app.users (id int primary key, mail text, tel text, title text, promo text, points int, secret text);
    insert into app.users
    select n, 'User' || n || '@app.test', '8 ' || (9000000000 + n), 'Клиент ' || n, 'P' || lpad(n::text, 6, '0'), 0,
        '$2b$12$' || rpad('', 53, 'x')
    from generate_series(0, {people} - 1) n;

    create table app.visits (id int primary key, user_id int, memo text, at timestamp, what text, given int);
    insert into app.visits
    select n, n % {people}, case n % 8
            when 0 then ''
            when 1 then 'YClients. ID: ' || n
            when 2 then 'YClients. ID: ' || n || E'\\nКод клиента: P' || lpad((n % {people})::text, 6, '0')
            when 3 then 'Просила кофе | YClients. ID: ' || n
            when 4 then 'Запись через YClients. ID: ' || n || '. Код клиента: ABC12345'
            when 5 then 'yclients id ' || n
            when 6 then 'YCLIENTS.  ID :' || n || ' (из приложения)'
            else E'утром\\n\\nYClients. ID: ' || n
        end, at at time zone 'Europe/Moscow', 'стрижка', 125
    from (select n, '{now}'::timestamptz - n * interval '1 hour' as at from generate_series(1, {visits}) n) numbered;

    update app.users set points = 125 * counted.visits - 25
    from (select user_id, count(*) as visits from app.visits group by 1) counted where counted.user_id = users.id;
    analyze
"""
MAPPING = """
[source]
url = "{url}"
[people]
sql = '''select id as ref, mail as email, tel as phone, title as name, promo as code, secret as password_hash,
    true as email_proved, points as balance from app.users'''
[visits]
sql = '''select id as ref, user_id as person, memo as note, at as wall_time, what as service, given as points
    from app.visits'''
"""


def fill(dsn: str, *, visits: int, company_id: int, now: str = "2025-06-02 12:00+00") -> None:
    """Fill a migrated database with so many visits, in the mirror's tables and in those of the app, schema `app`."""
    people = max(visits // PEOPLE_A_VISIT, 1)
    statements = FILL.format(company=company_id, people=people, visits=visits, now=now)
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in statements.split(";\n"):
            conn.execute(statement.encode())
