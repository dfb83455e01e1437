"""The rows of `users`: read in sets for matching, one at a time for the account itself."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg.rows import args_row, class_row, scalar_row

from zerkalo.auth.model import Role
from zerkalo.db.pool import Connection
from zerkalo.kit.look_alikes import as_latin
from zerkalo.kit.phone import TAIL_DIGITS
from zerkalo.kit.text import CYRILLIC_CAPITALS
from zerkalo.users.model import MatchUser, NewUser, User

_Values = Mapping[str, Any] | Sequence[Any]

USER_COLUMNS = """
    u.id, u.email, u.phone, u.phone10, u.name, u.unique_code, u.password_hash is not null as has_password, u.role,
    u.email_verified_at, u.phone_verified_at, u.token_epoch, u.created_at, u.updated_at, u.erased_at, u.merged_into,
    u.rematch_wanted_at, u.note
"""

# To stand behind a `with named (codes, emails, phone10s, ids)`. Arrays, not joins with the asked values: PostgreSQL guesses
# that a function returns a hundred rows and would rather read all users than look up what it takes for five hundred of
# them; of an array it expects ten.
FOUND_BY_NAME: LiteralString = """
    found (id) as (
        select id from users where unique_code = any ((select codes from named)::text[])
        union
        select user_id from retired_codes where code = any ((select codes from named)::text[])
        union
        select id from users
            where lower(email) = any ((select emails from named)::text[]) and email_verified_at is not null
        union
        select id from users
            where phone10 = any ((select phone10s from named)::text[]) and phone_verified_at is not null
        union
        select unnest(ids) from named
    ),
    matched as (
        select u.id, u.unique_code,
            case when u.email_verified_at is not null then lower(u.email) end as email_proved,
            case when u.phone_verified_at is not null then u.phone end as phone_proved,
            array(select r.code from retired_codes r where r.user_id = u.id order by r.code) as also_codes
        from users u
        where u.id = any (array(select id from found)) and u.erased_at is null
        order by u.id
    )
"""
_MATCHING: LiteralString = f"""
    with asked (q) as (values (%s::jsonb)),
    named (codes, emails, phone10s, ids) as materialized (
        select array(select jsonb_array_elements_text(q -> 'codes')),
            array(select jsonb_array_elements_text(q -> 'emails')),
            array(select jsonb_array_elements_text(q -> 'phone10s')),
            array(select jsonb_array_elements_text(q -> 'ids')::bigint)
        from asked
    ),
    {FOUND_BY_NAME}
    select id, unique_code, email_proved, phone_proved, also_codes from matched
"""


async def users_for_matching(
    conn: Connection,
    *,
    codes: Collection[str] = (),
    emails: Collection[str] = (),
    phone10s: Collection[str] = (),
    ids: Collection[int] = (),
) -> list[MatchUser]:
    """Everybody whom one of these names: by code, proved e-mail, proved phone or id; each once, by id, none erased.

    `codes` canonical, `emails` in lower case, `phone10s` the last ten digits: whether whole numbers are equal is for the
    caller to compare (`kit.phone.same_phone`). One query on four indexes. Two users may
    share a proved phone (an import says so); nobody shares a code or a proved e-mail. A code of an account that was
    merged into another names the other: it stands in `also_codes`.
    """
    asked = {"codes": list(codes), "emails": list(emails), "phone10s": list(phone10s), "ids": list(ids)}
    async with conn.cursor(row_factory=args_row(_match_user)) as cursor:
        await cursor.execute(_MATCHING, [msgspec.json.encode(asked).decode()])
        return await cursor.fetchall()


def _match_user(
    id_: int, code: str | None, email: str | None, phone: str | None, also_codes: list[str]
) -> MatchUser:
    return MatchUser(id_, code, email, phone, tuple(also_codes))


async def users_to_rematch(conn: Connection, *, limit: int) -> list[tuple[int, datetime]]:
    """(id, rematch_wanted_at) of users whose earlier bookings are still to be looked for, longest waiting first."""
    cursor = await conn.execute(
        "select id, rematch_wanted_at from users where rematch_wanted_at is not null"
        " order by rematch_wanted_at, id limit %s",
        [limit],
    )
    return [(id_, wanted_at) for id_, wanted_at in await cursor.fetchall()]


async def want_rematch(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Remembers that the user's earlier bookings are to be looked for."""
    await conn.execute("update users set rematch_wanted_at = %s where id = %s", [now, user_id])


async def want_rematch_of_rivals(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Remembers that somebody else may get the bookings that this user was a candidate for, and could not get alone.

    Who stands beside her, and whom the bookings name by a code or a proved contact: when the last of those who stood in
    the way is gone, a weaker step decides. To be called while her candidacies still stand, where she ceases to fit: no
    later change need ever come to the booking.
    """
    sql = """
        with theirs as (
            select b.id, b.match_codes, coalesce(c.email, b.match_email) as email,
                coalesce(c.phone10, b.match_phone10) as phone10, c.user_id as card_user_id
            from match_candidates m join bookings b on b.id = m.booking_id
            left join clients c on c.company_id = b.company_id and c.client_id = b.client_id
            where m.user_id = %(id)s
        ), others as (
            select rival.user_id as id from theirs join match_candidates rival on rival.booking_id = theirs.id
            union select u.id from theirs join users u on u.unique_code = any (theirs.match_codes)
            union select r.user_id from theirs join retired_codes r on r.code = any (theirs.match_codes)
            union select u.id from theirs join users u
                on lower(u.email) = theirs.email and u.email_verified_at is not null
            union select u.id from theirs join users u
                on u.phone10 = theirs.phone10 and u.phone_verified_at is not null
            union select card_user_id from theirs
        )
        update users u set rematch_wanted_at = %(now)s
        from others where u.id = others.id and u.id <> %(id)s and u.erased_at is null
    """
    await conn.execute(sql, {"id": user_id, "now": now})


async def finish_rematch(conn: Connection, user_id: int, *, wanted_at: datetime) -> None:
    """Forgets a want that was fulfilled; a newer one, made while the bookings were looked for, stays."""
    await conn.execute(
        "update users set rematch_wanted_at = null where id = %s and rematch_wanted_at = %s",
        [user_id, wanted_at],
    )


async def read_user(conn: Connection, user_id: int, *, lock: bool = False) -> User | None:
    """The user with this id, a shell too; None where there is none. `lock`: held until the transaction ends."""
    return await _one(conn, f"select {USER_COLUMNS} from users u where u.id = %s", [user_id], lock=lock)


async def user_by_code(conn: Connection, code: str) -> User | None:
    """The user whom a canonical code names, one merged into her too; None where it is nobody's."""
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null
            and u.id = coalesce((select id from users where unique_code = %(code)s),
                                (select user_id from retired_codes where code = %(code)s))
    """
    return await _one(conn, sql, {"code": code})


async def holder_of_email(conn: Connection, email: str, *, lock: bool = False) -> User | None:
    """Who has proved this e-mail (lower case); None where nobody has."""
    sql = f"select {USER_COLUMNS} from users u where lower(u.email) = %s and u.email_verified_at is not null"
    return await _one(conn, sql, [email], lock=lock)


async def holders_of_phone(conn: Connection, phone: str) -> list[User]:
    """Who has proved this phone (E.164), by id; an import may have entered it for several.

    The whole number counts: phones of two countries that end alike are two.
    """
    sql = (
        f"select {USER_COLUMNS} from users u"
        " where u.phone10 = %s and u.phone = %s and u.phone_verified_at is not null order by u.id limit 10"
    )
    return await _many(conn, sql, [phone[-TAIL_DIGITS:].removeprefix("+"), phone])


async def claimants_of_email(conn: Connection, email: str) -> list[User]:
    """Who says that this e-mail (lower case) is hers without having proved it, by id, at most ten."""
    sql = (
        f"select {USER_COLUMNS} from users u"
        " where lower(u.email) = %s and u.email_verified_at is null and u.email is not null order by u.id limit 10"
    )
    return await _many(conn, sql, [email])


async def insert_user(conn: Connection, new: NewUser, *, now: datetime) -> int | None:
    """Writes a user and returns her id; None where the code was ever somebody's or the e-mail is proved by somebody."""
    sql = """
        insert into users (email, phone, name, unique_code, password_hash, role, email_verified_at,
            phone_verified_at, created_at, updated_at, rematch_wanted_at)
        select %(email)s, %(phone)s, %(name)s, %(code)s, %(password_hash)s, %(role)s,
            case when %(email_proved)s then %(now)s::timestamptz end,
            case when %(phone_proved)s then %(now)s::timestamptz end, %(now)s, %(now)s, %(now)s
        where not exists (select from retired_codes where code = %(code)s)
        on conflict do nothing
        returning id
    """
    values = {
        "email": new.email,
        "phone": new.phone,
        "name": new.name,
        "code": new.unique_code,
        "password_hash": new.password_hash,
        "role": new.role,
        "email_proved": new.email_proved and new.email is not None,
        "phone_proved": new.phone_proved and new.phone is not None,
        "now": now,
    }
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchone()


async def balance_of(conn: Connection, user_id: int) -> int:
    """The sum of her ledger, in points."""
    return (await balances_of(conn, [user_id])).get(user_id, 0)


async def balances_of(conn: Connection, user_ids: Collection[int]) -> dict[int, int]:
    """The sums of these users' ledgers, in points; who has no entries is absent."""
    cursor = await conn.execute(
        "select user_id, sum(amount)::bigint from bonus_entries where user_id = any(%s) group by user_id",
        [list(user_ids)],
    )
    return {user_id: points async for user_id, points in cursor}


async def write_profile(
    conn: Connection,
    user: User,
    *,
    email: str | None,
    phone: str | None,
    name: str,
    now: datetime,
) -> None:
    """Writes what she says of herself; a contact that changed is not proved any more."""
    sql = """
        update users set name = %(name)s, email = %(email)s, phone = %(phone)s, updated_at = %(now)s,
            email_verified_at = case when %(same_email)s then email_verified_at end,
            phone_verified_at = case when %(same_phone)s then phone_verified_at end
        where id = %(id)s
    """
    values = {
        "id": user.id,
        "name": name,
        "email": email,
        "phone": phone,
        "same_email": email == user.email,
        "same_phone": phone == user.phone,
        "now": now,
    }
    await conn.execute(sql, values)


async def write_proof(conn: Connection, user_id: int, *, email: bool, now: datetime) -> None:
    """Marks the user's e-mail (else her phone) as proved, and her bookings as to be looked for."""
    column = "email_verified_at" if email else "phone_verified_at"
    await conn.execute(
        f"update users set {column} = %(now)s, updated_at = %(now)s, rematch_wanted_at = %(now)s where id = %(id)s",
        {"id": user_id, "now": now},
    )


async def end_proof(conn: Connection, user_id: int, *, email: bool, now: datetime) -> None:
    """Leave the user's e-mail (else their phone) as a claim: somebody else has proved it."""
    column = "email_verified_at" if email else "phone_verified_at"
    await conn.execute(
        f"update users set {column} = null, updated_at = %(now)s where id = %(id)s",
        {"id": user_id, "now": now},
    )


async def take_email_from_claimants(conn: Connection, email: str, *, but: int, now: datetime) -> None:
    """Takes a proved e-mail (lower case) away from everybody who only claimed it."""
    sql = """
        update users set email = null, updated_at = %(now)s
        where lower(email) = %(email)s and email_verified_at is null and email is not null and id <> %(but)s
    """
    await conn.execute(sql, {"email": email, "but": but, "now": now})


async def empty(conn: Connection, user_id: int, *, merged_into: int | None, now: datetime) -> None:
    """Make an account an empty shell: a row for the ledger and the audit to name. Its codes are the caller's matter."""
    sql = """
        update users set email = null, phone = null, name = '', note = '', unique_code = null, password_hash = null,
            role = null, email_verified_at = null, phone_verified_at = null, token_epoch = token_epoch + 1,
            rematch_wanted_at = null, merged_into = %(into)s, erased_at = %(now)s, updated_at = %(now)s
        where id = %(id)s
    """
    await conn.execute(sql, {"id": user_id, "into": merged_into, "now": now})


OWNED_TABLES = (
    "match_candidates",
    "refresh_tokens",
    "verification_codes",
    "outbox",
    "calendar_tokens",
    "invitations",
)
"""Tables whose rows are one user's alone: they go with the account, whether it is erased or merged."""


async def delete_owned(conn: Connection, user_id: int) -> None:
    """Delete what is only this user's."""
    for table in OWNED_TABLES:
        await conn.execute(f"delete from {table} where user_id = %s", [user_id])


async def write_role(conn: Connection, user_id: int, role: Role | None, *, now: datetime) -> None:
    """Give the user a role, or (None) take theirs away."""
    await conn.execute("update users set role = %s, updated_at = %s where id = %s", [role, now, user_id])


async def read_staff(conn: Connection) -> list[User]:
    """Everybody with a role, by id."""
    return await _many(conn, f"select {USER_COLUMNS} from users u where u.role is not null order by u.id", [])


async def search_users(conn: Connection, *, text: str, before_id: int | None, limit: int) -> list[User]:
    """Users whose e-mail, phone, code or name holds `text` (any case; "" for all), newest first, below `before_id`.

    A whole code that has a letter finds whose it is and nobody else, however it is typed: see `kit.look_alikes`.

    Shells are left out. Four or more digits without a letter are also looked for in the phone. Reads the whole table in the worst
    case: a salon has thousands of users, and only admins ask.
    """
    code = _whole_code(text)
    owner = await user_by_code(conn, code) if code else None
    if owner is not None:
        return [owner] if before_id is None else []
    sql = f"""
        select {USER_COLUMNS} from users u
        where u.erased_at is null and (%(before)s::bigint is null or u.id < %(before)s)
            and (%(text)s = '' or position(%(text)s in lower(coalesce(u.email, ''))) > 0
                or position(%(text)s in translate(lower(u.name), %(capitals)s, %(smalls)s)) > 0
                or position(upper(%(text)s) in coalesce(u.unique_code, '')) > 0
                or u.id = any (array(select r.user_id from retired_codes r where r.code = upper(%(text)s)))
                or (length(%(digits)s) >= 4 and position(%(digits)s in coalesce(u.phone, '')) > 0))
        order by u.id desc limit %(limit)s
    """
    has_letters = any(c.isalpha() for c in text)
    digits = "" if has_letters else "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) == 11 and digits[0] == "8":  # how a Russian phone is often typed
        digits = digits[1:]
    values = {
        "text": text.lower(),
        "digits": digits,
        "capitals": CYRILLIC_CAPITALS,
        "smalls": CYRILLIC_CAPITALS.lower(),
    }
    return await _many(conn, sql, values | {"before": before_id, "limit": limit})


def _whole_code(text: str) -> str:
    """The text read as a code, with or without our label before it; "" where it is none, or digits alone."""
    code = "".join(c for c in as_latin(text.rpartition(":")[2]) if c.isalnum())
    return code if code.isascii() and not code.isdigit() else ""


async def _one(conn: Connection, sql: LiteralString, values: _Values, *, lock: bool = False) -> User | None:
    async with conn.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(sql + (" for no key update of u" if lock else ""), values)
        return await cursor.fetchone()


async def _many(conn: Connection, sql: LiteralString, values: _Values) -> list[User]:
    async with conn.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
