"""Users as the salon's desk searches for them, and what it shows beside their accounts. Never locks, never writes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.clients.model import Card
from zerkalo.clients.store import CARD_COLUMNS
from zerkalo.db.pool import Connection
from zerkalo.kit.look_alikes import as_latin
from zerkalo.kit.phone import DIGITS_MAX, TAIL_DIGITS
from zerkalo.kit.text import in_any_case
from zerkalo.users.model import User
from zerkalo.users.store import USER_COLUMNS, many_users, one_user

SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Weight:
    """How much an account has."""

    visits: int
    points: int


_OF_PHONE: LiteralString = f"""
    select {USER_COLUMNS} from users u
    where u.id = any (array(
            select id from users where phone10 = %(phone10)s union select id from users where unique_code = %(code)s
        )) and u.erased_at is null and (%(before)s::bigint is null or u.id < %(before)s)
    order by u.id desc limit %(limit)s
"""


async def search_users(conn: Connection, *, text: str, before_id: int | None, limit: int) -> list[User]:
    """Users whose e-mail, phone, code or name holds `text` (any case; "" for all), newest first, below `before_id`.

    A whole code that has a letter finds its user alone, however it is typed: see `kit.look_alikes`. Ten digits or more find
    phones that end in the last ten, and a code of these digits. Four to nine digits without a letter are searched for
    inside phones too; like names and e-mails that reads all users in the worst case. Erased accounts are left out.
    """
    code = _whole_code(text)
    owner = await user_by_code(conn, code) if code else None
    if owner is not None:
        return [owner] if before_id is None else []
    has_letters = any(c.isalpha() for c in text)
    digits = "" if has_letters else "".join(c for c in text if c.isascii() and c.isdigit())
    if TAIL_DIGITS <= len(digits) <= DIGITS_MAX:
        whole = {"phone10": digits[-TAIL_DIGITS:], "code": digits, "before": before_id, "limit": limit}
        return await many_users(conn, _OF_PHONE, whole)
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null and (%(before)s::bigint is null or u.id < %(before)s)
            and (%(text)s = '' or position(%(text)s in lower(coalesce(u.email, ''))) > 0
                or u.name ~ %(name)s
                or position(upper(%(text)s) in coalesce(u.unique_code, '')) > 0
                or u.id = any (array(select r.user_id from retired_codes r where r.code = upper(%(text)s)))
                or (length(%(digits)s) >= 4 and position(%(digits)s in coalesce(u.phone, '')) > 0))
        order by u.id desc limit %(limit)s
    """
    values = {
        "text": text.lower(),
        "digits": digits,
        "name": in_any_case(text),
    }
    return await many_users(conn, sql, values | {"before": before_id, "limit": limit})


async def user_by_code(conn: Connection, code: str) -> User | None:
    """The user whom a canonical code names, also as the code of an account merged into theirs; None where nobody."""
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null
            and u.id = coalesce((select id from users where unique_code = %(code)s),
                                (select user_id from retired_codes where code = %(code)s))
    """
    return await one_user(conn, sql, {"code": code})


async def users_by_id(conn: Connection, user_ids: Collection[int]) -> dict[int, User]:
    """The users with these numbers, but for those who were erased."""
    sql = f"select {USER_COLUMNS} from users u where u.id = any(%(ids)s) and u.erased_at is null"
    return {user.id: user for user in await many_users(conn, sql, {"ids": list(user_ids)})}


def _whole_code(text: str) -> str:
    """The text read as a code, with or without our label before it; "" where it is none, or digits alone."""
    code = "".join(c for c in as_latin(text.rpartition(":")[2]) if c.isalnum())
    return code if code.isascii() and not code.isdigit() else ""


async def doubles_of(conn: Connection, user: User) -> list[User]:
    """Other accounts with the same e-mail or phone, proved or claimed: perhaps of the same person."""
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null and u.id <> %(id)s
            and (lower(u.email) = lower(%(email)s) or u.phone10 = %(phone10)s and length(u.phone10) = 10)
        order by u.id limit %(limit)s
    """
    values = {"id": user.id, "email": user.email, "phone10": user.phone10, "limit": SHOWN_MAX}
    return await many_users(conn, sql, values)


async def cards_of(conn: Connection, user_id: int) -> list[Card]:
    """Cards of YCLIENTS that the staff linked to the user, and cards that the user's visits were booked on."""
    sql = f"""
        select {CARD_COLUMNS} from clients c where c.user_id = %(id)s
        union
        select {CARD_COLUMNS} from clients c join bookings b on b.company_id = c.company_id and b.client_id = c.client_id
        where b.user_id = %(id)s
        order by 1, 2 limit %(limit)s
    """
    async with conn.cursor(row_factory=class_row(Card)) as cursor:
        await cursor.execute(sql, {"id": user_id, "limit": SHOWN_MAX})
        return await cursor.fetchall()


async def weigh(conn: Connection, user_ids: Collection[int]) -> dict[int, Weight]:
    """How many visits and points each of these accounts has."""
    sql = """
        select u.id, (select count(*) from bookings b where b.user_id = u.id),
            (select coalesce(sum(e.amount), 0)::bigint from bonus_entries e where e.user_id = u.id)
        from unnest(%s::bigint[]) as u (id)
    """
    cursor = await conn.execute(sql, [list(user_ids)])
    return {user_id: Weight(visits, points) for user_id, visits, points in await cursor.fetchall()}
