"""Roles and invitations. Every change of a role is notified to all owners, and the last owner can't be removed."""

from datetime import datetime

from zerkalo.auth import store as auth_store
from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.auth.model import Role, Tokens
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message
from zerkalo.users import store
from zerkalo.users.model import User
from zerkalo.users.passwords.service import confirm_password, set_password
from zerkalo.users.rules import Notice
from zerkalo.users.service import People, may_send, put_notices
from zerkalo.users.staff import rules
from zerkalo.users.staff import store as staff_store
from zerkalo.users.staff.model import Invitation


async def give_role(people: People, user_id: int, role: Role | None, *, by: int, now: datetime) -> User:
    """Give a user a role, or (None) remove it. Raises `ProblemError`: 404 `user_not_found`, 409 `last_owner`."""

    async def write(conn: Connection) -> User:
        owners = await staff_store.lock_owners(conn)
        user = await _existing(conn, user_id)
        if by not in owners:
            raise _not_owner()
        if user.role == role:
            note_nothing()
            return user
        if owners == [user_id]:
            raise last_owner()
        await _change_role(people, conn, user, role, owners=owners, by=by, now=now)
        return await _existing(conn, user_id)

    user = await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    return user


async def check_may_leave(pool: Pool, user_id: int) -> None:
    """Raise 409 `last_owner` where this is the account of the last owner."""
    async with pool.connection() as conn:
        check_is_not_last(await staff_store.lock_owners(conn), user_id)


def check_is_not_last(owners: list[int], user_id: int) -> None:
    """Raise 409 `last_owner` where this is the only one of the owners."""
    if owners == [user_id]:
        raise last_owner()


async def invite_staff(
    people: People, role: Role, *, email: str | None, by: int, language: Language, now: datetime
) -> str:
    """Create an invitation to the staff, mail it where an e-mail is given, and return its link, which is not stored.

    Raises 409 `channel_unavailable` where an e-mail is given and none can be sent.
    """
    if email is not None and Channel.EMAIL not in people.ports.open_channels:
        raise ProblemError(409, "channel_unavailable", "No mail can be sent: SMTP_URL is not set.")
    token = rules.new_token()
    link = link_of(people, token)

    async def write(conn: Connection) -> None:
        if by not in await staff_store.lock_owners(conn):
            raise _not_owner()
        id_ = await _insert(conn, token, role=role, user_id=None, by=by, now=now)
        if email is not None:
            subject, text = rules.staff_invitation(language, role, link)
            message = Message(Channel.EMAIL, email, subject, text, now + rules.INVITATION_SPAN)
            await outbox_store.put(conn, message, now=now)
        details = {"role": role, "by_mail": email is not None}
        await audit(conn, by, "staff.invite", f"invitation {id_}", details, now)

    await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    return link


async def invite_client(
    people: People, user_id: int, *, by: int, language: Language, now: datetime
) -> str | None:
    """Invite a client to the account that the desk made, to which nobody has signed in yet.

    The link is sent to a proved contact of theirs that can be reached; then None, so that nobody at the desk sees it and
    can take the account. Where there is no such contact the link is returned, to be handed over. Raises
    `ProblemError`: 404 `user_not_found`, 409 `account_in_use`.
    """
    token = rules.new_token()
    link = link_of(people, token)

    async def write(conn: Connection) -> bool:
        user = await _existing(conn, user_id)
        _check_is_free(user)
        await staff_store.revoke_invitations_of(conn, user_id, now=now)
        id_ = await _insert(conn, token, role=None, user_id=user_id, by=by, now=now)
        channel = await _reachable(people, conn, user, now=now)
        if channel is not None:
            subject, text = rules.client_invitation(language, link)
            contact = user.contact(channel) or ""
            message = Message(channel, contact, subject, text, now + rules.INVITATION_SPAN, user_id)
            await outbox_store.put(conn, message, now=now)
        details = {"invitation": id_, "by": channel or "link"}
        await audit(conn, by, "user.invite", f"user {user_id}", details, now)
        return channel is not None

    is_sent = await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    return None if is_sent else link


async def revoke_invitation(people: People, invitation_id: int, *, by: int, now: datetime) -> None:
    """End an invitation that nobody has used yet."""

    async def write(conn: Connection) -> None:
        if await staff_store.revoke_invitation(conn, invitation_id, now=now):
            await audit(conn, by, "staff.revoke", f"invitation {invitation_id}", {}, now)
        else:
            note_nothing()

    await in_transaction(people.pool, write)


async def look_at_invitation(pool: Pool, token: str, *, now: datetime) -> Invitation:
    """The invitation of a link. Raises 404 `invitation_over` for one that is unknown, ended or expired."""
    async with pool.connection() as conn:
        found = await staff_store.invitation_of(conn, rules.token_hash(token), now=now)
    if found is None:
        raise _over()
    return found


async def join_staff(people: People, token: str, *, user_id: int, now: datetime) -> Role:
    """Give a signed-in user the role of an invitation, unless they have a higher one. A repetition changes nothing.

    The inviter must still be an owner. Raises `ProblemError`: 404 `invitation_over`.
    """

    async def write(conn: Connection) -> Role:
        owners = await staff_store.lock_owners(conn)
        invitation = await _held(conn, token, now=now)
        if invitation.role is None or invitation.created_by not in owners:
            raise _over()
        if invitation.used_at is not None:
            if invitation.used_by != user_id:
                raise _over()
            return invitation.role  # a repetition: the first answer was lost
        user = await _existing(conn, user_id)
        await staff_store.use_invitation(conn, invitation.id, by=user_id, now=now)
        if user.role is None or not Role(user.role).covers(invitation.role):
            await _change_role(
                people, conn, user, invitation.role, owners=owners, by=invitation.created_by, now=now
            )
        return invitation.role

    role = await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    return role


async def join_account(
    people: People, token: str, *, email: str | None, password: str, address: str, now: datetime
) -> Tokens:
    """Give a client the account that the desk made: set a password, and an e-mail where it has none.

    Its proved contacts are notified. A repetition with the same password signs in: the first answer may have been lost.
    Raises `ProblemError`: 404 `invitation_over`, 409 `account_in_use`, 422 `no_email`.
    """
    # Checked before hashing: a hash costs as much as a log-in, and no limit counts tries without a valid link.
    invitation = await look_at_invitation(people.pool, token, now=now)
    if invitation.user_id is None:
        raise _over()
    if invitation.used_at is not None:
        return await _joined_again(people, invitation.user_id, password, address=address, now=now)
    password_hash = await people.auth.passwords.hash(password, address=address)

    async def write(conn: Connection) -> Tokens | None:
        invitation = await _held(conn, token, now=now)
        if invitation.user_id is None:
            raise _over()
        if invitation.used_at is not None:
            return None  # used meanwhile, perhaps by another press of the same button
        user = await _existing(conn, invitation.user_id)
        _check_is_free(user)
        if user.email is None:
            if email is None:
                raise ProblemError(422, "no_email", "An e-mail is needed to sign in with.")
            await store.write_profile(conn, user, email=email, phone=user.phone, name=user.name, now=now)
        await staff_store.use_invitation(conn, invitation.id, by=user.id, now=now)
        epoch = await set_password(people, conn, user.id, password_hash, now=now)
        await put_notices(people, conn, user, Notice.PASSWORD_SET, but=Channel.PHONE, now=now)
        return await people.auth.new_session(conn, user.id, epoch, address=address, now=now)

    pair = await in_transaction(people.pool, write)
    if pair is None:
        return await _joined_again(people, invitation.user_id, password, address=address, now=now)
    await people.ports.on_outbox()
    return pair


async def _joined_again(
    people: People, user_id: int, password: str, *, address: str, now: datetime
) -> Tokens:
    """Open a session where this is the password that was set; otherwise the invitation is over."""
    try:
        await confirm_password(people, user_id, password, address=address, now=now)
    except ProblemError as problem:
        raise _over() if problem.code == "wrong_password" else problem from None

    async def write(conn: Connection) -> Tokens:
        held = await auth_store.credentials_of_user(conn, user_id, lock=True)
        if held is None:
            raise _over()
        return await people.auth.new_session(conn, user_id, held.token_epoch, address=address, now=now)

    return await in_transaction(people.pool, write)


def link_of(people: People, token: str) -> str:
    """The address that opens an invitation."""
    return f"{people.public_url}/join?code={token}"


def last_owner() -> ProblemError:
    """The refusal to remove the last owner."""
    return ProblemError(409, "last_owner", "This is the last owner: make somebody else an owner first.")


async def _change_role(
    people: People,
    conn: Connection,
    user: User,
    role: Role | None,
    *,
    owners: list[int],
    by: int,
    now: datetime,
) -> None:
    await store.write_role(conn, user.id, role, now=now)
    details = {"before": user.role, "after": role}
    await audit(conn, by, "staff.role", f"user {user.id}", details, now)
    for owner_id in dict.fromkeys([*owners, user.id]):
        told = await store.read_user(conn, owner_id)
        assert told is not None, "held"
        await put_notices(people, conn, told, Notice.ROLE_CHANGED, but=Channel.PHONE, now=now)


async def _insert(
    conn: Connection, token: str, *, role: Role | None, user_id: int | None, by: int, now: datetime
) -> int:
    return await staff_store.insert_invitation(
        conn,
        digest=rules.token_hash(token),
        role=role,
        user_id=user_id,
        created_by=by,
        now=now,
        expires_at=now + rules.INVITATION_SPAN,
    )


async def _held(conn: Connection, token: str, *, now: datetime) -> Invitation:
    found = await staff_store.invitation_of(conn, rules.token_hash(token), now=now, lock=True)
    if found is None:
        raise _over()
    return found


async def _existing(conn: Connection, user_id: int) -> User:
    user = await store.read_user(conn, user_id, lock=True)
    if user is None or user.erased_at is not None:
        raise ProblemError(404, "user_not_found", "There is no such user.")
    return user


def _check_is_free(user: User) -> None:
    if user.is_in_use or user.role is not None:
        raise ProblemError(409, "account_in_use", "Somebody signs in to this account already.")


async def _reachable(people: People, conn: Connection, user: User, *, now: datetime) -> Channel | None:
    """The channel by which a proved contact of the user can be reached, e-mail first; counts an SMS."""
    for channel in Channel:
        contact = user.contact(channel)
        is_proved = contact is not None and user.verified_at(channel) is not None
        if contact and is_proved and await may_send(people, conn, channel, contact, now):
            return channel
    return None


def _over() -> ProblemError:
    return ProblemError(404, "invitation_over", "This invitation is over, or was used.")


def _not_owner() -> ProblemError:
    return ProblemError(403, "role_too_low", "Your role does not allow this; an owner's does.")
