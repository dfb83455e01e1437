"""What a batch must know before it decides: one lock and one question, sent together and waited for once."""

from collections.abc import Collection
from datetime import datetime

import msgspec
from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from zerkalo.clients.model import Card
from zerkalo.clients.model import Key as CardKey
from zerkalo.clients.store import CARD_COLUMNS
from zerkalo.db.locks import lock_beside
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.mirror.model import Key
from zerkalo.users.matching.store import FOUND_BY_NAME
from zerkalo.users.model import MatchUser, Names


class Known(msgspec.Struct, frozen=True):
    """What the database knows of some bookings beside their rows, which are read and locked by `bookings.store`."""

    number: int = 0
    """The number of this batch's calls in the sequence of observations."""
    now: datetime | None = None
    zones: tuple[tuple[int, str | None], ...] = ()
    """(company, name of its zone)."""
    new_ids: tuple[tuple[int, int, int], ...] = ()
    """(company, record, id): ids reserved for the bookings without a row, so that nothing waits for the insert but the commit."""
    delivery_ids: tuple[int, ...] = ()
    """Ids reserved for the deliveries, in their order, so that a log line can name the call that it is about."""
    form_users: tuple[tuple[int, int, int], ...] = ()
    """(company, record, user) of the bookings that were made by our form."""
    is_answer_lost: bool = False
    """Whether one of `api_ids` belongs to a form booking whose record id is still unknown."""
    cards: tuple[Card, ...] = ()
    users: tuple[MatchUser, ...] = ()
    """Every user that one of `names` finds."""
    names: Names = Names()
    """What users were looked up by: what the records, the stored bookings and their cards name, and whom cards were given to."""


async def hold(conn: Connection, keys: Collection[Key]) -> None:
    """Lock these bookings until the transaction ends, and have `matching.store.barrier` wait for that.

    By advisory locks: two processes that get the same new record at once must not both insert it, and a row that does
    not exist yet can't be locked.
    """
    await lock_beside(conn, "matching", "booking", keys)


async def ask(
    conn: Connection,
    keys: Collection[Key],
    *,
    cards: Collection[CardKey] = (),
    names: Names | None = None,
    api_ids: Collection[str] = (),
    deliveries_count: int = 0,
) -> AsyncCursor[TupleRow]:
    """Ask what is known of these bookings, cards and names; `answer` reads it. `hold` the bookings first.

    `deliveries_count`: for how many deliveries ids are to be reserved.
    """
    asked = {
        "keys": [{"c": company_id, "r": record_id} for company_id, record_id in keys],
        "cards": [{"c": company_id, "i": client_id} for company_id, client_id in cards],
        "names": Names() if names is None else names,
        "api_ids": list(api_ids),
        "deliveries": deliveries_count,
    }
    return await conn.execute(_KNOW, [as_json(asked)])


async def answer(asked: AsyncCursor[TupleRow]) -> Known:
    """Wait for the answer to `ask`."""
    ((text,),) = await asked.fetchall()
    return msgspec.json.decode(text, type=Known)


# `lateral (… offset 0)`: each key is looked up by itself, however many the planner expects. The whitespace is squeezed,
# since psycopg caches how it parsed a statement only up to 4,096 characters.
_KNOW = " ".join(
    f"""
    with asked (q) as (values (%s::jsonb)),
    k as materialized (
        select k.c, k.r, b.* from asked, jsonb_to_recordset(q -> 'keys') as k (c bigint, r bigint)
        left join lateral (
            select b.id, b.client_id, b.user_id, b.match_codes, b.match_email, b.match_phone10 from bookings b
            where b.company_id = k.c and b.yclients_record_id = k.r offset 0
        ) as b on true
    ),
    cards as materialized (
        select {CARD_COLUMNS}, c.phone10 from (
            select x.c, x.i from asked, jsonb_to_recordset(q -> 'cards') as x (c bigint, i bigint)
            union select c, client_id from k where client_id is not null
        ) as n, lateral (select * from clients c where c.company_id = n.c and c.client_id = n.i offset 0) as c
    ),
    form as materialized (
        select k.c, k.r, f.user_id from k, lateral (
            select f.user_id from form_bookings f
            where f.company_id = k.c and f.record_id = k.r and f.user_id is not null offset 0
        ) as f
    ),
    named (codes, emails, phone10s, ids) as materialized (
        select
            array(select jsonb_array_elements_text(q -> 'names' -> 'codes') union select unnest(match_codes) from k),
            array(select jsonb_array_elements_text(q -> 'names' -> 'emails')
                union select match_email from k where match_email is not null
                union select email from cards where email is not null),
            array(select jsonb_array_elements_text(q -> 'names' -> 'phone10s')
                union select match_phone10 from k where match_phone10 is not null
                union select phone10 from cards where phone10 is not null),
            array(select jsonb_array_elements_text(q -> 'names' -> 'ids')::bigint
                union select user_id from k where user_id is not null
                union select user_id from cards where user_id is not null
                union select user_id from form)
        from asked
    ),
    {FOUND_BY_NAME}
    select json_build_object(
        'number', nextval('observations'), 'now', clock_timestamp(),
        'zones', array(select json_build_array(id, timezone_name) from companies where id = any (array(select c from k))),
        'new_ids', array(select json_build_array(c, r, nextval('bookings_id_seq')) from k where id is null),
        'delivery_ids', array(
            select nextval('deliveries_id_seq') from asked, generate_series(1, (q -> 'deliveries')::int)),
        'form_users', array(select json_build_array(c, r, user_id) from form),
        'is_answer_lost', exists (select from form_bookings where record_id is null and api_id = any (
            array(select jsonb_array_elements_text(q -> 'api_ids') from asked))),
        'cards', array(select row_to_json(cards) from cards), 'users', array(select row_to_json(matched) from matched),
        'names', (select row_to_json(named) from named)
    )::text
""".split()
).encode()
