"""Proving a contact by a code."""

from dataclasses import replace
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
from zerkalo.users.passwords.service import confirm_password
from zerkalo.users.proving import rules
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.codes import service as codes
from zerkalo.users.proving.model import Aim, Contact, Resolve
from zerkalo.users.rules import Notice
from zerkalo.users.service import People, not_confirmed, put_notices
from zerkalo.users.staff import store as staff_store


async def request_verification(
    people: People, user_id: int, channel: Channel, *, language: Language, address: str, now: datetime
) -> None:
    """Send a code to the contact that the user claims; one a minute for the user and for the contact.

    A user without a password gets one for a proved contact too: it replaces the password as a confirmation. Raises
    `ProblemError`: 409 `no_contact`, 409 `already_verified`, 409 `channel_unavailable` where nothing can be sent there,
    429. Whether somebody else has proved the contact is shown only to the reader of its messages.
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
        await codes.put_code(people, conn, Aim(codes.VERIFY, contact, user_id), language=language, now=now)

    # Counted and written in one transaction: after a failure the user can ask again at once.
    await in_transaction(people.pool, write)
    await people.ports.on_outbox()


async def confirm_verification(
    people: People,
    user_id: int,
    channel: Channel,
    code: str,
    *,
    resolve: Resolve | None = None,
    other_password: str | None = None,
    address: str,
    language: Language,
    now: datetime,
) -> User:
    """Prove the contact that this code was sent to; take over the imported account that has it.

    Where another account has proved the contact, `resolve` must say what to do. Taken, the other account only claims it
    and is notified by its other contacts; its bookings stay. Joined, by `other_password`, the other account is merged into
    this one, which keeps its log-in. A repetition with the code that proved the contact succeeds. Raises
    `ProblemError`: 400 `wrong_code` (wrong, ended, out of time, or the contact was changed since), 409 `account_exists`
    (the code stays valid), 409 `cannot_join`, 403 `wrong_password`, 429 after five tries from one address or thirty in all.
    """
    joined_id = None
    if resolve is Resolve.JOIN:
        joined_id = await _joined_account(
            people, user_id, channel, code, other_password or "", address=address, now=now
        )

    async def write(conn: Connection) -> ProofOutcome:
        return await _prove(
            people,
            conn,
            user_id,
            channel,
            code,
            take=resolve is Resolve.TAKE,
            joined_id=joined_id,
            address=None if joined_id is not None else address,  # counted already
            language=language,
            now=now,
        )

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
    """Whether the caller has given the account's password or, where it has none, a fresh code.

    False where neither was given. The code is not used up: the confirmed request may have to be repeated. Raises 403
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
                Aim(codes.VERIFY, _claimed_contact(user, channel), user_id),
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
    take: bool,
    joined_id: int | None,
    address: str | None,
    language: Language,
    now: datetime,
) -> ProofOutcome:
    claimed = _claimed_contact(await store.read_user(conn, user_id), channel)
    await proof_store.lock_contact(conn, channel, claimed.key)
    user = await store.read_user(
        conn, user_id
    )  # again: another press of the same button may have proved it meanwhile
    if user is None or user.contact(channel) != claimed.text:
        return ProofOutcome.WRONG_CODE
    aim = Aim(codes.VERIFY, claimed, user_id)
    used = await codes.used_code(people, conn, aim, code, now=now)
    if used is not None and used.used_at == user.verified_at(channel):
        return ProofOutcome.PROVED  # a repetition: the first answer was lost
    refused = await codes.check_code(people, conn, aim, code, address=address, now=now)
    if refused is not None:
        return refused
    others = await _others(conn, user, claimed)
    if joined_id is not None and [other.id for other in others] == [joined_id]:
        await merge_service.merge_accounts(
            conn,
            people.ports,
            from_id=joined_id,
            into_id=user_id,
            admin_id=None,
            keep_code_of_from=True,
            now=now,
        )
        # As a message of the account that stays: a merge deletes those of the account that ends.
        told = replace(others[0], id=user_id)
        await put_notices(people, conn, told, Notice.JOINED, language=language, now=now)
    elif others and not take and rules.account_taken_over(user, channel, others) is None:
        return ProofOutcome.ACCOUNT_EXISTS
    await codes.end_code(people, conn, aim, now=now)
    is_proved = await write_proved(people, conn, user_id, claimed, language=language, now=now)
    return ProofOutcome.PROVED if is_proved else ProofOutcome.WRONG_CODE


async def _joined_account(
    people: People, user_id: int, channel: Channel, code: str, password: str, *, address: str, now: datetime
) -> int | None:
    """The id of the account that this code and its password may merge; None where there is none (any more)."""

    async def look(conn: Connection) -> list[User] | ProofOutcome:
        user = await store.read_user(conn, user_id)
        claimed = _claimed_contact(user, channel)
        assert user is not None, "who claims a contact is there"
        aim = Aim(codes.VERIFY, claimed, user_id)
        if await codes.used_code(people, conn, aim, code, now=now) is not None:
            return []  # the answer was lost: there is nothing left to join
        refused = await codes.check_code(people, conn, aim, code, address=address, now=now)
        return refused if refused is not None else await _others(conn, user, claimed)

    others = await in_transaction(people.pool, look)
    if isinstance(others, ProofOutcome):
        raise codes.refusal(others)
    if not others:
        return None
    other = rules.account_to_join(others)
    if other is None:
        raise ProblemError(
            409, "cannot_join", "The account with this contact can't be joined here: sign in to it."
        )
    try:
        await confirm_password(people, other.id, password, address=address, now=now)
    except ProblemError:
        async with people.pool.connection() as conn:
            now_is = await store.read_user(conn, other.id)
        if now_is is None or now_is.merged_into != user_id:
            raise
        return None  # another press of the same button has joined it meanwhile
    return other.id


async def _others(conn: Connection, user: User, contact: Contact) -> list[User]:
    return [other for other in await codes.holders(conn, contact) if other.id != user.id]


async def write_proved(
    people: People, conn: Connection, user_id: int, claimed: Contact, *, language: Language, now: datetime
) -> bool:
    """Mark a claimed contact as proved by this user alone; take over the imported account that has it.

    The caller has checked the code and holds the contact (`lock_contact`). False where the user changed the contact at
    the same moment.
    """
    channel = claimed.channel
    user = await store.read_user(conn, user_id)
    if user is None:
        return False
    others = await _others(conn, user, claimed)
    taken_over = rules.account_taken_over(user, channel, others)
    concerned = [user_id, *(other.id for other in others)]
    if taken_over is not None:
        await bookings.hold_of(conn, concerned)
    # Locked and read again: what was decided above may have changed meanwhile.
    locked = await store.lock_users(conn, concerned, links_too=taken_over is not None)
    if user_id not in locked or locked[user_id].contact(channel) != claimed.text:
        return False
    held = [locked[id_] for id_ in concerned[1:] if id_ in locked]
    if taken_over is not None and rules.account_taken_over(locked[user_id], channel, held) is not None:
        await merge_service.merge_accounts(
            conn,
            people.ports,
            from_id=taken_over.id,
            into_id=user_id,
            admin_id=None,
            keep_code_of_from=True,
            now=now,
        )
        held = []
    if channel is Channel.EMAIL:
        await _take_email(people, conn, claimed.text, but=user_id, now=now)
    for other in held:
        await _end_proof(people, conn, other, claimed, now=now)
    await store.write_proof(conn, user_id, email=channel is Channel.EMAIL, language=language, now=now)
    await put_notices(
        people, conn, locked[user_id], Notice.CONTACT_PROVED, but=channel, language=language, now=now
    )
    return True


async def _take_email(people: People, conn: Connection, email: str, *, but: int, now: datetime) -> None:
    """Take a proved e-mail from all who only claim it, and notify those who signed in by it and have proved a phone.

    Without an e-mail their password opens nothing, and would still keep an SMS from opening the account. So it ends where
    an SMS opens the account without it; the staff, whom no SMS lets in, keep theirs for the next e-mail.
    """
    for user in await store.take_email_from_claimants(conn, email, but=but, now=now):
        if not user.has_password or user.phone is None or user.phone_verified_at is None:
            continue
        notice = Notice.EMAIL_LOST
        if await _is_opened_by_sms(people, conn, replace(user, has_password=False)):
            await store.end_password(conn, user.id, now=now)
            notice = Notice.SIGN_IN_BY_SMS
        await put_notices(people, conn, user, notice, now=now)


async def _is_opened_by_sms(people: People, conn: Connection, user: User) -> bool:
    """Whether the user gets codes by SMS, and they open the account and no other."""
    contact = _claimed_contact(user, Channel.PHONE)
    if not rules.is_opened_by(user, Channel.PHONE) or not codes.is_reachable(people, contact):
        return False
    return [holder.id for holder in await codes.holders(conn, contact)] == [user.id]


async def _end_proof(
    people: People, conn: Connection, other: User, contact: Contact, *, now: datetime
) -> None:
    """End the proof that `other` had of a contact which somebody else has proved, and notify `other`. Links stay."""
    if other.contact(contact.channel) != contact.text or other.verified_at(contact.channel) is None:
        return
    await store.end_proof(conn, other.id, email=contact.channel is Channel.EMAIL, now=now)
    await proof_store.end_codes(conn, other.id, now=now, channel=contact.channel)
    await staff_store.revoke_invitations_of(conn, other.id, now=now)  # it may have been sent to this contact
    await store.want_rematch(conn, await rivals_of(conn, other.id), now=now)
    await put_notices(people, conn, other, Notice.CONTACT_LOST, but=contact.channel, now=now)


def _claimed_contact(user: User | None, channel: Channel) -> Contact:
    text = user.contact(channel) if user is not None and user.erased_at is None else None
    if text is None:
        raise _no_contact()
    return Contact(channel, text)


def _no_contact() -> ProblemError:
    return ProblemError(409, "no_contact", "There is no such contact in your account. Add it first.")
