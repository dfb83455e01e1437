"""Proving a contact by a code, and setting a new password by a proved one."""

from dataclasses import dataclass
from datetime import datetime

import anyio
from psycopg.errors import UniqueViolation

from zerkalo.auth.service import too_many_tries
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message
from zerkalo.users import store
from zerkalo.users.merging import service as merge_service
from zerkalo.users.merging import store as merge_store
from zerkalo.users.model import ProofOutcome, User
from zerkalo.users.proving import rules
from zerkalo.users.proving import store as proof_store
from zerkalo.users.service import People, set_password

VERIFY = "verify"
RESET = "reset"

RESET_ANSWER_SECONDS = 0.3
"""A reset request is answered after this long whether there is an account or not; what the known one costs more, two
small writes, is hidden in it."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact that somebody names: an e-mail in lower case, or a phone as E.164."""

    channel: Channel
    text: str

    @property
    def key(self) -> str:
        """The form in which it is compared: the e-mail itself, a phone's whole number."""
        return self.text


async def request_verification(
    people: People, user_id: int, channel: Channel, *, language: Language, address: str, now: datetime
) -> None:
    """Sends a code to the contact that the user claims; one a minute, for her and for the contact.

    Raises `ProblemError`: 409 `no_contact`, 409 `already_verified`, 409 `channel_unavailable` where nothing can be
    sent on this channel, 429. Whether somebody else holds the contact shows only to who reads its messages.
    """
    _require_channel(people, channel)
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, user_id)
    contact = _claimed_contact(user, channel)
    if user is not None and user.verified_at(channel) is not None:
        raise ProblemError(409, "already_verified", "This contact is proved already.")
    await _count_request(people, contact, user_id=user_id, address=address, now=now)

    async def write(conn: Connection) -> bool:
        return await _put_code(people, conn, user_id, VERIFY, contact, language=language, now=now)

    if not await in_transaction(people.pool, write):
        raise _no_contact()
    await people.ports.on_outbox()


async def confirm_verification(
    people: People, user_id: int, channel: Channel, code: str, *, now: datetime
) -> User:
    """Proves the contact to which this code was sent; takes over the account that an import made for it.

    Raises `ProblemError`: 400 `wrong_code` (wrong, used, out of time, or the contact was changed since), 429 after five
    tries, 409 `contact_taken` where somebody else has proved the contact.
    """

    async def write(conn: Connection) -> ProofOutcome:
        return await _prove(people, conn, user_id, channel, code, now=now)

    try:
        outcome = await in_transaction(people.pool, write)
    except UniqueViolation:  # an import entered the e-mail for somebody at this very moment
        outcome = ProofOutcome.CONTACT_TAKEN
    if outcome is not ProofOutcome.PROVED:
        raise _refusal(outcome)
    await people.ports.on_contact_proved(user_id)
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, user_id)
    assert user is not None, "users are never deleted"
    return user


async def request_reset(
    people: People, contact: Contact, *, language: Language, address: str, now: datetime
) -> None:
    """Sends a code to who has *proved* this contact; does the same to the eye, after the same time, for any other.

    An unproved contact resets nothing: its true owner would else get at what a stranger keeps under it, or the reverse.
    She registers anew instead. Raises 409 `channel_unavailable` and 429 before anybody is looked for.
    """
    _require_channel(people, contact.channel)
    started_at = anyio.current_time()
    await _count_request(people, contact, user_id=None, address=address, now=now)

    async def write(conn: Connection) -> bool:
        user = await _holder(conn, contact)
        return user is not None and await _put_code(
            people, conn, user.id, RESET, contact, language=language, now=now
        )

    if await in_transaction(people.pool, write):
        await people.ports.on_outbox()
    await anyio.sleep(max(0.0, started_at + RESET_ANSWER_SECONDS - anyio.current_time()))


async def confirm_reset(
    people: People, contact: Contact, code: str, password: str, *, address: str, now: datetime
) -> None:
    """Sets a new password for who has proved this contact and got this code; ends all her sessions.

    Raises 400 `wrong_code` for a wrong code and for a contact that is nobody's alike, 429 after five tries of a contact.
    """
    tries = [(rules.RESET_TRY_OF_CONTACT, contact.key), (rules.RESET_TRY_OF_ADDRESS, address)]
    await people.auth.count(tries, now=now)
    # Hashed before anybody is looked for: the right and the wrong code take the same time.
    password_hash = await people.auth.passwords.hash(password)

    async def write(conn: Connection) -> bool:
        user = await _holder(conn, contact)
        if user is None or await _take_code(people, conn, user.id, RESET, contact, code, now=now) is not None:
            return False
        locked = await store.read_user(conn, user.id, lock=True)
        if locked is None or locked.contact(contact.channel) != contact.text or locked.erased_at is not None:
            return False
        await set_password(conn, user.id, password_hash, now=now)
        return True

    if not await in_transaction(people.pool, write):
        raise _refusal(ProofOutcome.WRONG_CODE)


async def _prove(
    people: People, conn: Connection, user_id: int, channel: Channel, code: str, *, now: datetime
) -> ProofOutcome:
    user = await store.read_user(conn, user_id)
    claimed = _claimed_contact(user, channel)
    await proof_store.lock_contact(conn, channel, claimed.key)
    refused = await _take_code(people, conn, user_id, VERIFY, claimed, code, now=now)
    if refused is not None:
        return refused
    assert user is not None, "who claims a contact is there"
    others = [other for other in await _holders(conn, claimed) if other.id != user_id]
    taken_over = rules.account_taken_over(user, channel, others)
    if others and taken_over is None:
        return ProofOutcome.CONTACT_TAKEN
    concerned = [user_id] if taken_over is None else [user_id, taken_over.id]
    if taken_over is not None:
        await merge_store.lock_bookings_of(conn, concerned)
    # Both as they are now, held: a merge can't be taken back.
    locked = await merge_store.lock_users(conn, concerned)
    if user_id not in locked or locked[user_id].contact(channel) != claimed.text:
        return ProofOutcome.WRONG_CODE  # she changed the contact at this very moment
    if taken_over is not None:
        held = [locked[id_] for id_ in concerned[1:] if id_ in locked]
        if rules.account_taken_over(locked[user_id], channel, held) is None:
            return (
                ProofOutcome.CONTACT_TAKEN
            )  # somebody set a password there, or merged it, at this very moment
        await merge_service.merge_accounts(
            conn, people.ports, from_id=taken_over.id, into_id=user_id, keep_code_of_from=True, now=now
        )
    await store.write_proof(conn, user_id, email=channel is Channel.EMAIL, now=now)
    if channel is Channel.EMAIL:
        await store.take_email_from_claimants(conn, claimed.text, but=user_id, now=now)
    return ProofOutcome.PROVED


async def _take_code(
    people: People,
    conn: Connection,
    user_id: int,
    purpose: str,
    contact: Contact,
    code: str,
    *,
    now: datetime,
) -> ProofOutcome | None:
    """Uses the code up, or counts a wrong try and returns why it is refused. Either is to be committed."""
    sent = await proof_store.live_code(
        conn, user_id=user_id, purpose=purpose, channel=contact.channel, now=now
    )
    if sent is None or sent.contact != contact.text:
        return ProofOutcome.WRONG_CODE
    if sent.attempts >= rules.CODE_TRIES_MAX:
        return ProofOutcome.TOO_MANY_TRIES
    if not rules.same_digest(_digest(people, user_id, purpose, contact, code), sent.code_hash):
        await proof_store.count_try(conn, sent.id)
        return ProofOutcome.WRONG_CODE
    await proof_store.use_code(conn, sent.id, now=now)
    return None


async def _put_code(
    people: People,
    conn: Connection,
    user_id: int,
    purpose: str,
    contact: Contact,
    *,
    language: Language,
    now: datetime,
) -> bool:
    """Writes a code and the message that carries it; False, and nothing, where the contact is hers no more.

    She is held: in an account that is erased, or loses the contact, at this moment, the contact would stand again.
    """
    user = await store.read_user(conn, user_id, lock=True)
    if user is None or user.contact(contact.channel) != contact.text:
        return False
    code = rules.new_proof_code()
    expires_at = now + rules.CODE_SPAN
    await proof_store.insert_code(
        conn,
        user_id=user_id,
        purpose=purpose,
        channel=contact.channel,
        contact=contact.text,
        code_hash=_digest(people, user_id, purpose, contact, code),
        now=now,
        expires_at=expires_at,
    )
    subject, body = rules.code_message(language, contact.channel, purpose, code)
    message = Message(contact.channel, contact.text, subject, body, expires_at, user_id)
    await outbox_store.put(conn, message, now=now)
    return True


async def _count_request(
    people: People, contact: Contact, *, user_id: int | None, address: str, now: datetime
) -> None:
    named = f"{contact.channel}|{contact.key}"
    limits = [
        (rules.REQUEST_OF_CONTACT, named),
        (rules.REQUEST_OF_CONTACT_A_DAY, named),
        (rules.REQUEST_OF_ADDRESS, address),
    ]
    if user_id is not None:
        limits += [
            (rules.REQUEST_OF_USER, f"{user_id}|{contact.channel}"),
            (rules.REQUEST_OF_USER_A_DAY, f"{user_id}|{contact.channel}"),
        ]
    await people.auth.count(limits, now=now)


async def _holders(conn: Connection, contact: Contact) -> list[User]:
    if contact.channel is Channel.PHONE:
        return await store.holders_of_phone(conn, contact.text)
    holder = await store.holder_of_email(conn, contact.text)
    return [] if holder is None else [holder]


async def _holder(conn: Connection, contact: Contact) -> User | None:
    """Who may set a password by this contact: its only holder, if she has an e-mail to sign in with.

    Who has no password yet was imported: by a phone alone her account is no more opened than it is taken over.
    """
    holders = await _holders(conn, contact)
    if len(holders) != 1 or holders[0].email is None or holders[0].contact(contact.channel) != contact.text:
        return None
    is_opened_by_phone = contact.channel is Channel.PHONE and not holders[0].has_password
    return None if is_opened_by_phone else holders[0]


def _claimed_contact(user: User | None, channel: Channel) -> Contact:
    text = user.contact(channel) if user is not None and user.erased_at is None else None
    if text is None:
        raise _no_contact()
    return Contact(channel, text)


def _no_contact() -> ProblemError:
    return ProblemError(409, "no_contact", "There is no such contact in your account. Add it first.")


def _digest(people: People, user_id: int, purpose: str, contact: Contact, code: str) -> bytes:
    return rules.proof_digest(
        people.proof_key,
        user_id=user_id,
        purpose=purpose,
        channel=contact.channel,
        contact=contact.text,
        code=code,
    )


def _require_channel(people: People, channel: Channel) -> None:
    if channel not in people.ports.open_channels:
        setting = "SMTP_URL" if channel is Channel.EMAIL else "SMS_URL"
        raise ProblemError(
            409,
            "channel_unavailable",
            f"No code can be sent on this channel: the salon has not set it up yet ({setting}).",
        )


def _refusal(outcome: ProofOutcome) -> ProblemError:
    if outcome is ProofOutcome.TOO_MANY_TRIES:
        return too_many_tries(rules.REQUEST_OF_CONTACT.span)
    if outcome is ProofOutcome.CONTACT_TAKEN:
        return ProblemError(
            409, outcome, "Somebody else has proved this contact. If both accounts are yours, ask the salon."
        )
    return ProblemError(400, "wrong_code", "The code is wrong or out of time. Ask for a new one.")
