"""The staff in `users`, the rows of `invitations`, and reading the log."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.rows import args_row, class_row, scalar_row

from zerkalo.auth.model import Role
from zerkalo.db.pool import Connection
from zerkalo.users.model import User
from zerkalo.users.staff.model import Action, Invitation, LogFilters
from zerkalo.users.store import USER_COLUMNS, many_users

KEPT = timedelta(days=30)
"""How long an invitation stays after its end, so that the owner sees whether it was used."""
_INVITATION = "id, role, user_id, created_by, created_at, expires_at, used_at, used_by"


async def lock_owners(conn: Connection) -> list[int]:
    """Lock every owner until the transaction ends, so that two can't remove each other's role; return their ids."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("select id from users where role = 'owner' order by id for no key update")
        return await cursor.fetchall()


async def insert_invitation(
    conn: Connection,
    *,
    digest: bytes,
    role: Role | None,
    user_id: int | None,
    created_by: int,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Store an invitation by the digest of its token; return its id."""
    sql = """
        insert into invitations (token_hash, role, user_id, created_by, created_at, expires_at)
        values (%s, %s, %s, %s, %s, %s) returning id
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [digest, role, user_id, created_by, now, expires_at])
        return int(await cursor.fetchone() or 0)


async def invitation_of(
    conn: Connection, digest: bytes, *, now: datetime, lock: bool = False
) -> Invitation | None:
    """The invitation with this token that is valid or was used.

    None for one that is unknown, revoked, expired, or whose inviter has lost the right to make it.
    """
    sql = f"""
        select {_INVITATION} from invitations i
        where token_hash = %s and revoked_at is null and (used_at is not null or expires_at > %s and exists (
            select from users u where u.id = i.created_by
                and (u.role = 'owner' or i.role is null and u.role = 'receptionist')))
    """
    async with conn.cursor(row_factory=args_row(_invitation)) as cursor:
        await cursor.execute(sql + (" for update" if lock else ""), [digest, now])
        return await cursor.fetchone()


async def use_invitation(conn: Connection, invitation_id: int, *, by: int, now: datetime) -> None:
    """Mark an invitation, locked by `invitation_of`, as used."""
    await conn.execute(
        "update invitations set used_at = %s, used_by = %s where id = %s", [now, by, invitation_id]
    )


async def revoke_invitation(conn: Connection, invitation_id: int, *, now: datetime) -> bool:
    """End an invitation that nobody has used; False where there is none."""
    cursor = await conn.execute(
        "update invitations set revoked_at = %s where id = %s and used_at is null and revoked_at is null",
        [now, invitation_id],
    )
    return cursor.rowcount > 0


async def revoke_invitations_of(conn: Connection, user_id: int, *, now: datetime) -> None:
    """End the invitations to this client's account: a new one replaces them, or they may have come to a stranger."""
    await conn.execute(
        "update invitations set revoked_at = %s where user_id = %s and used_at is null and revoked_at is null",
        [now, user_id],
    )


async def open_invitations(conn: Connection, *, now: datetime) -> list[Invitation]:
    """Invitations to the staff that can still be used, newest first."""
    sql = f"""
        select {_INVITATION} from invitations
        where role is not null and used_at is null and revoked_at is null and expires_at > %s order by id desc
    """
    async with conn.cursor(row_factory=args_row(_invitation)) as cursor:
        await cursor.execute(sql, [now])
        return await cursor.fetchall()


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete invitations that ended long ago."""
    await conn.execute("delete from invitations where expires_at < %s", [now - KEPT])


async def read_actions(
    conn: Connection, filters: LogFilters, *, before_id: int | None, limit: int
) -> list[Action]:
    """The log, newest first, below `before_id`."""
    sql = """
        select a.id, a.at, a.admin_id, coalesce(nullif(u.name, ''), u.email, u.phone) as admin_name, a.action,
            a.subject, a.details
        from audit_entries a left join users u on u.id = a.admin_id
        where (%(before)s::bigint is null or a.id < %(before)s)
            and (%(admin_id)s::bigint is null or a.admin_id = %(admin_id)s)
            and (%(action)s::text is null or a.action = %(action)s)
            and (%(first)s::date is null or a.at >= %(first)s::timestamp at time zone %(zone)s)
            and (%(last)s::date is null or a.at < (%(last)s::date + 1)::timestamp at time zone %(zone)s)
        order by a.id desc limit %(limit)s
    """
    values = {
        "before": before_id,
        "admin_id": filters.admin_id,
        "action": filters.action,
        "first": filters.first_day,
        "last": filters.last_day,
        "zone": filters.zone,
        "limit": limit,
    }
    async with conn.cursor(row_factory=class_row(Action)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def action_names(conn: Connection) -> Sequence[str]:
    """Every action of the log once, by name; jumps from one to the next in the index instead of reading all entries."""
    sql = """
        with recursive names (action) as (
            select min(action) from audit_entries
            union all
            select (select min(a.action) from audit_entries a where a.action > n.action)
            from names n where n.action is not null
        )
        select action from names where action is not null
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql)
        return await cursor.fetchall()


def _invitation(
    id_: int,
    role: str | None,
    user_id: int | None,
    created_by: int,
    created_at: datetime,
    expires_at: datetime,
    used_at: datetime | None,
    used_by: int | None,
) -> Invitation:
    return Invitation(
        id_, Role(role) if role else None, user_id, created_by, created_at, expires_at, used_at, used_by
    )


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the invitations to a user who is erased or merged."""
    await conn.execute("delete from invitations where user_id = %s", [user_id])


async def read_staff(conn: Connection) -> list[User]:
    """Everybody with a role, by id."""
    return await many_users(
        conn, f"select {USER_COLUMNS} from users u where u.role is not null order by u.id", []
    )
