"""The rows of `users`, written here alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.auth.model import Role
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.kit.language import Language
from zerkalo.users.model import NewUser, User

_Values = Mapping[str, Any] | Sequence[Any]

USER_COLUMNS = """
    u.id, u.email, u.phone, u.phone10, u.name, u.unique_code, u.password_hash is not null as has_password, u.role,
    u.email_verified_at, u.phone_verified_at, u.token_epoch, u.created_at, u.updated_at, u.erased_at, u.merged_into,
    u.rematch_wanted_at, u.note, u.signed_in_by_code_at
"""


async def users_to_rematch(conn: Connection, *, limit: int) -> list[tuple[int, datetime]]:
    """(id, rematch_wanted_at) of users whose earlier bookings are still to be matched, longest waiting first."""
    cursor = await conn.execute(
        "select id, rematch_wanted_at from users where rematch_wanted_at is not null"
        " order by rematch_wanted_at, id limit %s",
        [limit],
    )
    return [(id_, wanted_at) for id_, wanted_at in await cursor.fetchall()]


async def finish_rematches(conn: Connection, done: Sequence[tuple[int, datetime]]) -> None:
    """Clear fulfilled requests for a rematch, given as (user, wanted at); a newer request stays."""
    rows = [{"u": user_id, "at": wanted_at} for user_id, wanted_at in done]
    await conn.execute(
        """
        update users u set rematch_wanted_at = null
        from jsonb_to_recordset(%s::jsonb) as x (u bigint, at timestamptz)
        where u.id = x.u and u.rematch_wanted_at = x.at
        """,
        [as_json(rows)],
    )


async def want_rematch(conn: Connection, user_ids: Collection[int], *, now: datetime) -> None:
    """Request a rematch of these users' earlier bookings; erased users are left out."""
    await conn.execute(
        "update users set rematch_wanted_at = %s where id = any(%s) and erased_at is null",
        [now, list(user_ids)],
    )


async def read_user(conn: Connection, user_id: int, *, lock: bool = False) -> User | None:
    """The user with this id, even an erased one; None where there is none. `lock`: until the transaction ends."""
    return await one_user(conn, f"select {USER_COLUMNS} from users u where u.id = %s", [user_id], lock=lock)


async def lock_users(
    conn: Connection, user_ids: Collection[int], *, links_too: bool = True
) -> dict[int, User]:
    """Lock these users, by id; `links_too`: also against new references to them. Return those that are not erased."""
    sql = f"select {USER_COLUMNS} from users u where u.id = any(%s) order by u.id"
    sql += " for update of u" if links_too else " for no key update of u"
    found = await many_users(conn, sql, [list(user_ids)])
    return {user.id: user for user in found if user.erased_at is None}


async def insert_user(conn: Connection, new: NewUser, *, now: datetime) -> int | None:
    """Insert a user and return the id; None where the code was ever used or the e-mail is proved by somebody."""
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
    return await scalar(conn, sql, values)


async def insert_people(
    conn: Connection, people: Mapping[int, NewUser], *, earns_from: date | None = None, now: datetime
) -> None:
    """Insert users under reserved ids. Raises `UniqueViolation` where a contact or a code was taken meanwhile.

    `earns_from`: visits before this day earn nothing, because they earned in the program that the users come from.
    """
    sql = """
        insert into users (id, email, phone, name, unique_code, password_hash, email_verified_at, phone_verified_at,
            earns_from, created_at, updated_at, rematch_wanted_at)
        select p.id, p.email, p.phone, p.name, p.unique_code, case when p.email is not null then p.password_hash end,
            case when p.email_proved and p.email is not null then %(now)s::timestamptz end,
            case when p.phone_proved and p.phone is not null then %(now)s::timestamptz end,
            %(earns_from)s, coalesce(p.created_at, %(now)s), %(now)s, %(now)s
        from jsonb_to_recordset(%(people)s::jsonb) as p (id bigint, email text, phone text, name text, unique_code text,
            password_hash text, email_proved boolean, phone_proved boolean, created_at timestamptz)
        order by p.id
    """
    await conn.execute(sql, {"people": _numbered(people), "earns_from": earns_from, "now": now})


async def complete_people(
    conn: Connection, people: Mapping[int, NewUser], *, earns_from: date | None = None, now: datetime
) -> int:
    """Add a missing name, code or password to existing users; never a contact, never in place of an existing value.

    A password only beside an e-mail: without one nobody can sign in by it, and no SMS opens an account that has one.
    Returns how many users changed; with `earns_from`, how many were written.
    """
    sql = """
        update users u set name = case when u.name = '' then p.name else u.name end,
            unique_code = coalesce(u.unique_code, p.unique_code),
            password_hash = coalesce(u.password_hash, case when u.email is not null then p.password_hash end),
            earns_from = coalesce(%(earns_from)s::date, u.earns_from), updated_at = %(now)s, rematch_wanted_at = %(now)s
        from jsonb_to_recordset(%(people)s::jsonb) as p (id bigint, name text, unique_code text, password_hash text)
        where u.id = p.id and u.erased_at is null
            and (%(earns_from)s::date is not null or (u.name = '' and p.name <> '')
                or (u.unique_code is null and p.unique_code is not null)
                or (u.email is not null and u.password_hash is null and p.password_hash is not null))
    """
    values = {"people": _numbered(people), "earns_from": earns_from, "now": now}
    return (await conn.execute(sql, values)).rowcount


def _numbered(people: Mapping[int, NewUser]) -> str:
    return as_json([{"id": user_id, **asdict(person)} for user_id, person in people.items()])


async def write_profile(
    conn: Connection,
    user: User,
    *,
    email: str | None,
    phone: str | None,
    name: str,
    now: datetime,
) -> None:
    """Write name and contacts; a changed contact is no longer proved."""
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


async def write_note(conn: Connection, user_id: int, note: str, *, now: datetime) -> None:
    """Write the staff's note about the person."""
    await conn.execute("update users set note = %s, updated_at = %s where id = %s", [note, now, user_id])


async def write_proof(
    conn: Connection, user_id: int, *, email: bool, language: Language | None = None, now: datetime
) -> None:
    """Mark the user's e-mail (else the phone) as proved, and request a rematch.

    `language` becomes the language of messages to the user, unless they have one.
    """
    column = "email_verified_at" if email else "phone_verified_at"
    await conn.execute(
        f"update users set {column} = %(now)s, updated_at = %(now)s, rematch_wanted_at = %(now)s,"
        " language = coalesce(language, %(language)s) where id = %(id)s",
        {"id": user_id, "language": language, "now": now},
    )


async def write_language(conn: Connection, user_id: int, language: Language, *, now: datetime) -> None:
    """Write the language of messages to the user."""
    await conn.execute(
        "update users set language = %(language)s, updated_at = %(now)s where id = %(id)s and erased_at is null"
        " and language is distinct from %(language)s",
        {"id": user_id, "language": language, "now": now},
    )


async def end_proof(conn: Connection, user_id: int, *, email: bool, now: datetime) -> None:
    """Turn the user's proved e-mail (else phone) into a claim: somebody else has proved it."""
    column = "email_verified_at" if email else "phone_verified_at"
    await conn.execute(
        f"update users set {column} = null, updated_at = %(now)s where id = %(id)s",
        {"id": user_id, "now": now},
    )


async def write_merged(
    conn: Connection, user: User, *, from_id: int, password_of: str | None, now: datetime
) -> None:
    """Write `user` as the result of a merge with `from_id`. `password_of`: the hash to set; None keeps the password.

    Visits that earned in an earlier programme, of either account, earn nothing more.
    """
    sql = """
        update users set email = %(email)s, phone = %(phone)s, name = %(name)s, unique_code = %(code)s, note = %(note)s,
            email_verified_at = %(email_at)s, phone_verified_at = %(phone_at)s,
            password_hash = coalesce(%(password)s, password_hash), signed_in_by_code_at = %(signed_in_at)s,
            earns_from = greatest(earns_from, (select earns_from from users where id = %(from_id)s)),
            updated_at = %(now)s, rematch_wanted_at = %(now)s
        where id = %(id)s
    """
    values = {
        "id": user.id,
        "from_id": from_id,
        "email": user.email,
        "phone": user.phone,
        "name": user.name,
        "note": user.note,
        "code": user.unique_code,
        "email_at": user.email_verified_at,
        "phone_at": user.phone_verified_at,
        "password": password_of,
        "signed_in_at": user.signed_in_by_code_at,
        "now": now,
    }
    await conn.execute(sql, values)


async def restore(
    conn: Connection,
    before: Mapping[str, Any],
    *,
    after: Mapping[str, Any],
    from_id: int,
    into_id: int,
    now: datetime,
) -> None:
    """Restore one of two merged accounts from its row `before` the merge; `after`: the row of `into_id` after it.

    A contact that somebody else has proved since becomes a claim; a name or a note written since stays, and so does a
    proof of the account that stayed, and its password, if it had one of its own. The codes of both must be free. The role
    is left alone: the staff may have changed it since.
    """
    values = {
        "from": from_id,
        "into": into_id,
        "before": as_json(before),
        "after": as_json(after),
        "now": now,
    }
    await conn.execute(_RESTORE, values)


_RESTORE = """
    update users u set email = p.email, phone = p.phone, unique_code = p.unique_code,
        language = coalesce(u.language, p.language),
        name = case when u.id = %(into)s and u.name <> a.name then u.name else p.name end,
        note = case when u.id = %(into)s and u.note <> a.note then u.note else p.note end,
        password_hash = case when u.id = %(into)s and p.password_hash is not null
            and u.password_hash is distinct from a.password_hash then u.password_hash else p.password_hash end,
        email_verified_at = case
            when u.id = %(into)s and u.email = p.email and u.email_verified_at is distinct from a.email_verified_at
                then u.email_verified_at
            when not exists (select from users o where o.id <> u.id
                and lower(o.email) = lower(p.email) and o.email_verified_at is not null) then p.email_verified_at end,
        phone_verified_at = case
            when u.id = %(into)s and u.phone = p.phone and u.phone_verified_at is distinct from a.phone_verified_at
                then u.phone_verified_at
            when not exists (select from users o where o.id not in (%(from)s, %(into)s)
                and o.phone = p.phone and o.phone_verified_at > a.updated_at) then p.phone_verified_at end,
        signed_in_by_code_at = coalesce(p.signed_in_by_code_at, case when exists (
            select from refresh_tokens r where r.user_id = u.id and r.issued_at >= a.updated_at)
            then u.signed_in_by_code_at end),
        earns_from = p.earns_from,
        erased_at = null, merged_into = null, rematch_wanted_at = %(now)s, updated_at = %(now)s
    from jsonb_populate_record(null::users, %(before)s::jsonb) p,
        jsonb_populate_record(null::users, %(after)s::jsonb) a
    where u.id = p.id
"""


async def drop_codes(conn: Connection, user_ids: Collection[int]) -> None:
    """Remove these users' codes, so that they can be assigned again."""
    await conn.execute("update users set unique_code = null where id = any(%s)", [list(user_ids)])


async def take_email_from_claimants(conn: Connection, email: str, *, but: int, now: datetime) -> list[User]:
    """Remove a proved e-mail (lower case) from all accounts that only claim it; return these as they are without it."""
    sql = f"""
        update users u set email = null, updated_at = %(now)s
        where lower(email) = %(email)s and email_verified_at is null and email is not null and id <> %(but)s
        returning {USER_COLUMNS}
    """
    return await many_users(conn, sql, {"email": email, "but": but, "now": now})


async def end_password(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Remove a password that opens nothing any more; the user signs in by codes from now on, so the account stays in use.

    Sessions stay: the password was nobody else's.
    """
    sql = """
        update users set password_hash = null, signed_in_by_code_at = coalesce(signed_in_by_code_at, %(now)s),
            updated_at = %(now)s
        where id = %(id)s
    """
    await conn.execute(sql, {"id": user_id, "now": now})


async def empty(conn: Connection, user_id: int, *, merged_into: int | None, now: datetime) -> None:
    """Empty an account to a row that ledger and audit can refer to. The caller retires its codes."""
    sql = """
        update users set email = null, phone = null, name = '', note = '', language = null, unique_code = null, password_hash = null,
            signed_in_by_code_at = null, role = null, email_verified_at = null, phone_verified_at = null,
            token_epoch = token_epoch + 1,
            rematch_wanted_at = null, merged_into = %(into)s, erased_at = %(now)s, updated_at = %(now)s
        where id = %(id)s
    """
    await conn.execute(sql, {"id": user_id, "into": merged_into, "now": now})


async def give_codes(conn: Connection, codes: Mapping[int, str], *, now: datetime) -> int:
    """Give each of these users their code, unless they have one by now, and request a rematch; return how many got one.

    Raises `UniqueViolation` where a code was taken meanwhile; then nothing is written.
    """
    sql = """
        update users u set unique_code = g.code, updated_at = %(now)s, rematch_wanted_at = %(now)s
        from jsonb_to_recordset(%(given)s::jsonb) as g (id bigint, code text)
        where u.id = g.id and u.unique_code is null and u.erased_at is null
    """
    given = [{"id": user_id, "code": code} for user_id, code in codes.items()]
    return (await conn.execute(sql, {"given": as_json(given), "now": now})).rowcount


async def write_password(conn: Connection, user_id: int, password_hash: str, *, now: datetime) -> int:
    """Set a password and return the new epoch: every access token given before is ended."""
    sql = """
        update users set password_hash = %s, token_epoch = token_epoch + 1, updated_at = %s where id = %s
        returning token_epoch
    """
    return await scalar(conn, sql, [password_hash, now, user_id])


async def write_sign_in_by_code(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Write the time of a sign-in by a code, unless there was an earlier one."""
    await conn.execute(
        "update users set signed_in_by_code_at = %s where id = %s and signed_in_by_code_at is null",
        [now, user_id],
    )


async def renew_password_hash(conn: Connection, user_id: int, password_hash: str) -> None:
    """Replace a hash by a better one of the same password: no session ends by it."""
    await conn.execute("update users set password_hash = %s where id = %s", [password_hash, user_id])


async def write_role(conn: Connection, user_id: int, role: Role | None, *, now: datetime) -> None:
    """Give the user a role, or (None) remove it."""
    await conn.execute("update users set role = %s, updated_at = %s where id = %s", [role, now, user_id])


async def one_user(
    conn: Connection, sql: LiteralString, values: _Values, *, lock: bool = False
) -> User | None:
    """The user whom a query of `USER_COLUMNS` finds. `lock`: held until the transaction ends."""
    found = await many_users(conn, sql + (" for no key update of u" if lock else ""), values)
    return found[0] if found else None


async def many_users(conn: Connection, sql: LiteralString, values: _Values) -> list[User]:
    """The users whom a query of `USER_COLUMNS` finds."""
    async with conn.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
