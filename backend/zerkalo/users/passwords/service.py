"""Setting a new password, by the old one or by a code; checking the current one."""

from datetime import datetime

import anyio

from zerkalo.auth import store as auth_store
from zerkalo.auth.model import AccessClaims, Credentials, Limit, Session, Tokens
from zerkalo.auth.rules import by_address
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.notices import store as notices_store
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.model import ProofOutcome, User
from zerkalo.users.proving import rules
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.codes import service as codes
from zerkalo.users.proving.model import Aim, Contact
from zerkalo.users.rules import Notice
from zerkalo.users.service import People, put_notices

RESET_ANSWER_SECONDS = 0.3
"""A reset request is answered after this long whether there is an account or not: it hides the two small writes that an
existing account costs more."""


async def request_reset(
    people: People, contact: Contact, *, language: Language, address: str, now: datetime
) -> None:
    """Send a code to the user who has *proved* this contact; for any other contact look the same and take as long.

    An unproved contact resets nothing: its owner would get into an account that a stranger claims it in, or the reverse.
    Who has only claimed it registers again. Raises 409 `channel_unavailable` and 429 before searching for anybody.
    """
    codes.require_channel(people, contact.channel)
    codes.require_country(people, contact)
    started_at = anyio.current_time()

    async def write(conn: Connection) -> None:
        counted = await people.auth.count_within(
            conn, codes.request_limits(people, contact, address), now=now
        )
        user = await _holder(conn, contact)
        if user is not None:
            aim = Aim(codes.RESET, contact, user.id)
            await codes.put_code(people, conn, aim, language=language, now=now)
        elif contact.channel is Channel.PHONE:
            # No SMS is sent: give back the tries of the installation's limits, which come last.
            await auth_store.release_attempts(conn, counted[-len(people.sms.limits) :])

    await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    await anyio.sleep(max(0.0, started_at + RESET_ANSWER_SECONDS - anyio.current_time()))


async def confirm_reset(
    people: People, contact: Contact, code: str, password: str, *, address: str, now: datetime
) -> None:
    """Set a new password by a code sent to a proved contact; end all the user's sessions.

    A repetition with the same code and password succeeds. Raises 400 `wrong_code` alike for a wrong code and for a
    contact that no user has, 429 after five tries of a contact from one address.
    """
    await codes.count_tries(people, codes.RESET, contact, address=address, now=now)
    # Hashed before searching for anybody: a right and a wrong code take the same time.
    password_hash = await people.auth.passwords.hash(password, address=address)

    async def write(conn: Connection) -> bool:
        user = await _holder(conn, contact)
        if user is None:
            return False
        aim = Aim(codes.RESET, contact, user.id)
        if await codes.take_code(people, conn, aim, code, address=None, now=now) is not None:
            return False
        locked = await store.read_user(conn, user.id, lock=True)
        if locked is None or locked.contact(contact.channel) != contact.text or locked.erased_at is not None:
            return False
        if not rules.may_reset_by(locked, contact.channel):
            return False  # a password, an e-mail or a role came meanwhile
        await set_password(people, conn, user.id, password_hash, now=now)
        await put_notices(people, conn, locked, Notice.PASSWORD_RESET, now=now)
        return True

    if not await in_transaction(people.pool, write) and not await _was_reset(
        people, contact, code, password, address=address, now=now
    ):
        raise codes.refusal(ProofOutcome.WRONG_CODE)
    await people.ports.on_outbox()


async def _was_reset(
    people: People, contact: Contact, code: str, password: str, *, address: str, now: datetime
) -> bool:
    """Whether this code has already set this password."""
    async with people.pool.connection() as conn:
        holders = await codes.holders(conn, contact)
        user = holders[0] if len(holders) == 1 else None
        if user is None:
            return False
        aim = Aim(codes.RESET, contact, user.id)
        if await codes.used_code(people, conn, aim, code, now=now) is None:
            return False
        held = await auth_store.credentials_of_user(conn, user.id)
    return await people.auth.passwords.verify(password, held.password_hash if held else None, address=address)


async def _holder(conn: Connection, contact: Contact) -> User | None:
    """The user who may set a password by this contact: its only holder, where the contact allows it."""
    holders = await codes.holders(conn, contact)
    if len(holders) != 1 or holders[0].contact(contact.channel) != contact.text:
        return None
    return holders[0] if rules.may_reset_by(holders[0], contact.channel) else None


async def change_password(
    people: People, session: Session, *, old: str, new: str, address: str, now: datetime
) -> Tokens:
    """Set a new password by the old one; end every session and return a new one.

    Raises a 403 `ProblemError` where the old one is wrong, 429 after ten tries in 15 minutes.
    """
    user_id = session.user.id
    tries, held = await _checked_password(people, user_id, old, address=address, now=now)
    password_hash = await people.auth.passwords.hash(new, address=address)

    async def write(conn: Connection) -> Tokens | None:
        current = await auth_store.credentials_of_user(conn, user_id, lock=True)
        if current is None or current.password_hash != held.password_hash:
            return None
        await auth_store.release_attempts(conn, tries)
        epoch = await set_password(people, conn, user_id, password_hash, now=now)
        return await people.auth.new_session(conn, user_id, epoch, address=address, now=now)

    pair = await in_transaction(people.pool, write)
    if pair is None:
        raise _wrong_password()
    return pair


async def change_password_again(
    people: People, claims: AccessClaims, *, new: str, address: str, now: datetime
) -> Tokens | None:
    """Open a session for a repeated password change whose first answer was lost; None where it is no repetition.

    `claims`: of a token that the change ended. The caller knows the new password, so could sign in as well.
    """
    async with people.pool.connection() as conn:
        held = await auth_store.credentials_of_user(conn, claims.user_id)
    if held is None or held.token_epoch <= claims.epoch:
        return None
    tries = await people.auth.count(_password_tries(people, claims.user_id, address), now=now)
    if not await people.auth.passwords.verify(new, held.password_hash, address=address):
        return None

    async def write(conn: Connection) -> Tokens | None:
        await auth_store.release_attempts(conn, tries)
        current = await auth_store.credentials_of_user(conn, claims.user_id, lock=True)
        if current != held:
            return None
        return await people.auth.new_session(conn, held.user_id, held.token_epoch, address=address, now=now)

    return await in_transaction(people.pool, write)


async def confirm_password(
    people: People, user_id: int, password: str, *, address: str, now: datetime
) -> None:
    """Check the password, so that an open browser alone is not enough.

    Raises a 403 `ProblemError` where the password is wrong, 429 after ten tries in 15 minutes, counted together with
    those of changing the password.
    """
    tries, _ = await _checked_password(people, user_id, password, address=address, now=now)
    await people.auth.release(tries)


async def _checked_password(
    people: People, user_id: int, password: str, *, address: str, now: datetime
) -> tuple[list[int], Credentials]:
    """(the tries to release, the credentials that the password opens); raises 403 `wrong_password`, 429."""
    tries = await people.auth.count(_password_tries(people, user_id, address), now=now)
    async with people.pool.connection() as conn:
        held = await auth_store.credentials_of_user(conn, user_id)
    held_hash = held.password_hash if held else None
    if not await people.auth.passwords.verify(password, held_hash, address=address) or held is None:
        raise _wrong_password()
    return tries, held


def _password_tries(people: People, user_id: int, address: str) -> list[tuple[Limit, str]]:
    return by_address(people.auth.limits.password_of_user, address, str(user_id))


def _wrong_password() -> ProblemError:
    return ProblemError(403, "wrong_password", "The password is wrong.")


async def set_password(
    people: People, conn: Connection, user_id: int, password_hash: str, *, now: datetime
) -> int:
    """Set a password; end every session, the calendar's address, the chat and every open reset code. Return the new epoch.

    The calendar and the chat show visits without a log-in; an intruder may have connected them.
    """
    epoch = await store.write_password(conn, user_id, password_hash, now=now)
    await auth_store.end_sessions(conn, user_id, now=now)
    await people.ports.end_calendar(conn, user_id)
    await notices_store.end_chat(conn, user_id)
    await proof_store.end_codes(conn, user_id, now=now, purpose="reset")
    return epoch
