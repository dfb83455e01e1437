"""Setting a new password by a proved contact."""

from datetime import datetime

import anyio

from zerkalo.auth import store as auth_store
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.model import ProofOutcome, User
from zerkalo.users.proving import rules
from zerkalo.users.proving.codes import service as codes
from zerkalo.users.proving.model import Aim, Contact
from zerkalo.users.rules import Notice
from zerkalo.users.service import People, put_notices, set_password

RESET_ANSWER_SECONDS = 0.3
"""A reset request is answered after this long whether there is an account or not; what the known one costs more, two
small writes, is hidden in it."""


async def request_reset(
    people: People, contact: Contact, *, language: Language, address: str, now: datetime
) -> None:
    """Send a code to who has *proved* this contact; does the same to the eye, after the same time, for any other.

    An unproved contact resets nothing: its true owner would else get at what a stranger keeps under it, or the reverse.
    They register anew instead. Raises 409 `channel_unavailable` and 429 before anybody is looked for.
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
            # No SMS leaves: it must not use up the installation's, which stand last.
            await auth_store.release_attempts(conn, counted[-len(people.sms.limits) :])

    await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    await anyio.sleep(max(0.0, started_at + RESET_ANSWER_SECONDS - anyio.current_time()))


async def confirm_reset(
    people: People, contact: Contact, code: str, password: str, *, address: str, now: datetime
) -> None:
    """Set a new password for who has proved this contact and got this code; ends all their sessions.

    Asked again with the same code and password it succeeds again. Raises 400 `wrong_code` for a wrong code and for a
    contact that is no user's alike, 429 after five tries of a contact from one address.
    """
    await codes.count_tries(people, codes.RESET, contact, address=address, now=now)
    # Hashed before anybody is looked for: the right and the wrong code take the same time.
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
    """Whether this very code has set this very password."""
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
    """Who may set a password by this contact: its only holder, where the contact may do that at all."""
    holders = await codes.holders(conn, contact)
    if len(holders) != 1 or holders[0].contact(contact.channel) != contact.text:
        return None
    return holders[0] if rules.may_reset_by(holders[0], contact.channel) else None
