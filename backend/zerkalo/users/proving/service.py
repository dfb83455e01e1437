"""Proving a contact by a code."""

from datetime import datetime

from zerkalo.bookings import store as bookings
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.matching.store import rivals_of
from zerkalo.users.merging import service as merge_service
from zerkalo.users.model import ProofOutcome, User
from zerkalo.users.proving import rules
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.codes import service as codes
from zerkalo.users.proving.model import Contact
from zerkalo.users.rules import Notice
from zerkalo.users.service import People, confirm_password, not_confirmed, put_notices


async def request_verification(
    people: People, user_id: int, channel: Channel, *, language: Language, address: str, now: datetime
) -> None:
    """Send a code to the contact that the user claims; one a minute, for the user and for the contact.

    Who has no password gets one for a proved contact too: it confirms what others confirm by their password. Raises
    `ProblemError`: 409 `no_contact`, 409 `already_verified`, 409 `channel_unavailable` where nothing can be sent there,
    429. Whether somebody else holds the contact shows only to who reads its messages.
    """
    codes.require_channel(people, channel)

    async def write(conn: Connection) -> None:
        user = await store.read_user(conn, user_id, lock=True)
        contact = _claimed_contact(user, channel)
        codes.require_country(people, contact)
        assert user is not None, "who claims a contact is there"
        if user.verified_at(channel) is not None and user.has_password:
            raise ProblemError(409, "already_verified", "This contact is proved already.")
        limits = [
            *codes.request_limits(people, contact, address),
            (rules.REQUEST_OF_USER, f"{user_id}|{channel}"),
            (rules.REQUEST_OF_USER_A_DAY, f"{user_id}|{channel}"),
        ]
        await people.auth.count_within(conn, limits, now=now)
        await codes.put_code(people, conn, user_id, codes.VERIFY, contact, language=language, now=now)

    # Counted and written together: whoever is told that nothing came of it can ask again at once.
    await in_transaction(people.pool, write)
    await people.ports.on_outbox()


async def confirm_verification(
    people: People,
    user_id: int,
    channel: Channel,
    code: str,
    *,
    address: str,
    language: Language,
    now: datetime,
) -> User:
    """Prove the contact to which this code was sent; takes over the account that an import made for it.

    Whoever else has proved the contact has not any more, and is told by their other contacts; what is linked stays.
    The code that proved this very contact may be used again. Raises `ProblemError`: 400 `wrong_code` (wrong, ended,
    out of time, or the contact was changed since), 429 after five tries from one address or thirty in all.
    """

    async def write(conn: Connection) -> ProofOutcome:
        return await _prove(people, conn, user_id, channel, code, address=address, language=language, now=now)

    outcome = await in_transaction(people.pool, write)
    if outcome is not ProofOutcome.PROVED:
        raise codes.refusal(outcome)
    await people.ports.on_outbox()
    await people.look_for_bookings(user_id)
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, user_id)
    assert user is not None, "users are never deleted"
    return user


async def confirm_owner(
    people: People, user_id: int, *, password: str | None, code: str | None, address: str, now: datetime
) -> bool:
    """Whether the account's owner has just given its password, or, where it has none, a fresh code.

    False where neither was given. The code is not used up: what it confirms may have to be asked again. Raises 403
    `wrong_password`, 400 `wrong_code`, 429.
    """
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, user_id)
    if user is None or (password is None and code is None):
        return False
    if user.has_password:
        if password is None:
            raise not_confirmed(user)
        await confirm_password(people, user_id, password, address=address, now=now)
        return True
    if code is None:
        raise not_confirmed(user)

    async def check(conn: Connection) -> list[ProofOutcome | None]:
        return [
            await codes.check_code(
                people,
                conn,
                user_id,
                codes.VERIFY,
                _claimed_contact(user, channel),
                code,
                address=address,
                now=now,
            )
            for channel in Channel
            if user.verified_at(channel) is not None
        ]

    outcomes = await in_transaction(people.pool, check)
    if None not in outcomes:
        raise codes.refusal(outcomes[0] or ProofOutcome.WRONG_CODE) if outcomes else not_confirmed(user)
    return True


async def _prove(
    people: People,
    conn: Connection,
    user_id: int,
    channel: Channel,
    code: str,
    *,
    address: str,
    language: Language,
    now: datetime,
) -> ProofOutcome:
    user = await store.read_user(conn, user_id)
    claimed = _claimed_contact(user, channel)
    assert user is not None, "who claims a contact is there"
    await proof_store.lock_contact(conn, channel, claimed.key)
    if await _has_proved(people, conn, user, claimed, code, now=now):
        return ProofOutcome.PROVED
    refused = await codes.take_code(
        people, conn, user_id, codes.VERIFY, claimed, code, address=address, now=now
    )
    if refused is not None:
        return refused
    others = [other for other in await codes.holders(conn, claimed) if other.id != user_id]
    taken_over = rules.account_taken_over(user, channel, others)
    concerned = [user_id, *(other.id for other in others)]
    if taken_over is not None:
        await bookings.hold_of(conn, concerned)
    # All as they are now, held: a merge can't be taken back.
    locked = await store.lock_users(conn, concerned, links_too=taken_over is not None)
    if user_id not in locked or locked[user_id].contact(channel) != claimed.text:
        return ProofOutcome.WRONG_CODE  # the user changed the contact at this very moment
    held = [locked[id_] for id_ in concerned[1:] if id_ in locked]
    if taken_over is not None and rules.account_taken_over(locked[user_id], channel, held) is not None:
        await merge_service.merge_accounts(
            conn, people.ports, from_id=taken_over.id, into_id=user_id, keep_code_of_from=True, now=now
        )
        held = []
    if channel is Channel.EMAIL:
        await store.take_email_from_claimants(conn, claimed.text, but=user_id, now=now)
    for other in held:
        await _end_proof(people, conn, other, claimed, now=now)
    await store.write_proof(conn, user_id, email=channel is Channel.EMAIL, language=language, now=now)
    await put_notices(
        people, conn, locked[user_id], Notice.CONTACT_PROVED, but=channel, language=language, now=now
    )
    return ProofOutcome.PROVED


async def _has_proved(
    people: People, conn: Connection, user: User, contact: Contact, code: str, *, now: datetime
) -> bool:
    """Whether this very code has proved this very contact: the answer to that was lost."""
    if user.verified_at(contact.channel) is None:
        return False
    used = await proof_store.used_code(
        conn, user_id=user.id, purpose=codes.VERIFY, channel=contact.channel, now=now
    )
    return (
        used is not None
        and used.used_at == user.verified_at(contact.channel)
        and used.contact == contact.text
        and codes.is_code(people, user.id, codes.VERIFY, contact, code, used)
    )


async def _end_proof(
    people: People, conn: Connection, other: User, contact: Contact, *, now: datetime
) -> None:
    """The contact has been proved by somebody else: `other` only claims it now, and hears of it. Links stay."""
    if other.contact(contact.channel) != contact.text or other.verified_at(contact.channel) is None:
        return
    await store.end_proof(conn, other.id, email=contact.channel is Channel.EMAIL, now=now)
    await proof_store.end_codes(conn, other.id, now=now, channel=contact.channel)
    await store.want_rematch(conn, await rivals_of(conn, other.id), now=now)
    await put_notices(people, conn, other, Notice.CONTACT_LOST, but=contact.channel, now=now)


def _claimed_contact(user: User | None, channel: Channel) -> Contact:
    text = user.contact(channel) if user is not None and user.erased_at is None else None
    if text is None:
        raise _no_contact()
    return Contact(channel, text)


def _no_contact() -> ProblemError:
    return ProblemError(409, "no_contact", "There is no such contact in your account. Add it first.")
