"""Codes that are sent: created, stored, compared and used up; and the limits on asking for one."""

from datetime import datetime

from zerkalo.auth.model import Limit
from zerkalo.auth.rules import by_address
from zerkalo.auth.service import too_many_tries
from zerkalo.db.pool import Connection
from zerkalo.kit.language import Language
from zerkalo.kit.phone import country_of
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message
from zerkalo.users import store
from zerkalo.users.model import ProofOutcome, User
from zerkalo.users.proving import rules
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.model import Aim, Contact
from zerkalo.users.proving.store import ProofCode
from zerkalo.users.service import People

VERIFY = "verify"
RESET = "reset"
ENTER = "enter"
LINK_PATHS = {VERIFY: "/me/verify/email", RESET: "/me/reset", ENTER: "/me/code"}
"""The pages that a mailed link opens; its token replaces the code."""


def require_channel(people: People, channel: Channel) -> None:
    """Raise 409 `channel_unavailable` where nothing can be sent on this channel."""
    if channel not in people.ports.open_channels:
        setting = "SMTP_URL" if channel is Channel.EMAIL else "SMS_URL"
        raise ProblemError(
            409,
            "channel_unavailable",
            f"No code can be sent on this channel: the salon has not set it up yet ({setting}).",
        )


def require_country(people: People, contact: Contact) -> None:
    """Raise 409 `channel_unavailable` where the phone is of a country to which no SMS are sent."""
    if contact.channel is Channel.PHONE and country_of(contact.text) not in people.sms.countries:
        raise ProblemError(
            409, "channel_unavailable", "No code is sent to numbers of this country (SMS_COUNTRIES)."
        )


def is_reachable(people: People, contact: Contact) -> bool:
    """Whether a code can be sent to this contact."""
    if contact.channel not in people.ports.open_channels:
        return False
    return contact.channel is Channel.EMAIL or country_of(contact.text) in people.sms.countries


def request_limits(people: People, contact: Contact, address: str) -> list[tuple[Limit, str]]:
    """The limits that a request for a code counts in; those of the installation's SMS come last."""
    named = f"{contact.channel}|{contact.key}"
    return [
        (rules.REQUEST_OF_CONTACT, named),
        (rules.REQUEST_OF_CONTACT_A_DAY, named),
        *by_address(rules.REQUEST_OF_ADDRESS, address),
        *(people.sms.limits if contact.channel is Channel.PHONE else []),
    ]


async def holders(conn: Connection, contact: Contact) -> list[User]:
    """Who has proved this contact, by id."""
    if contact.channel is Channel.PHONE:
        # Numbers of two countries may end alike and belong to two people.
        found = await proof_store.holders_of_phone(conn, contact.key)
        return [holder for holder in found if holder.phone == contact.text]
    holder = await proof_store.holder_of_email(conn, contact.text)
    return [] if holder is None else [holder]


async def put_code(
    people: People,
    conn: Connection,
    aim: Aim,
    *,
    language: Language,
    now: datetime,
    told_id: int | None = None,
) -> None:
    """Store a code and the message that carries it; do nothing where the contact is no longer the user's.

    Locks the user: otherwise an account that is erased, or loses the contact, at this moment would keep the contact in a
    message. `told_id`: the user who has the contact, for a code of no user; an erasure of theirs deletes the message.
    """
    contact = aim.contact
    if aim.user_id is not None:
        user = await store.read_user(conn, aim.user_id, lock=True)
        if user is None or user.contact(contact.channel) != contact.text:
            return
    code = rules.new_proof_code()
    expires_at = now + rules.CODE_SPAN
    code_id = await proof_store.insert_code(
        conn,
        aim,
        kept=_kept(people, aim),
        code_hash=rules.proof_digest(people.proof_key, aim, code),
        now=now,
        expires_at=expires_at,
    )
    link = None
    if contact.channel is Channel.EMAIL and people.public_url:
        token = rules.link_token(people.proof_key, code_id=code_id, contact=contact.text)
        link = f"{people.public_url}{LINK_PATHS[aim.purpose]}?code={token}"
    subject, body = rules.code_message(language, contact.channel, aim.purpose, code, link)
    message = Message(contact.channel, contact.text, subject, body, expires_at, aim.user_id or told_id)
    await outbox_store.put(conn, message, now=now)


async def take_code(
    people: People, conn: Connection, aim: Aim, code: str, *, address: str | None, now: datetime
) -> ProofOutcome | None:
    """Use up the code, or count a wrong try and return why it is refused. Commit in both cases."""
    refused = await check_code(people, conn, aim, code, address=address, now=now)
    if refused is None:
        await end_code(people, conn, aim, now=now)
    return refused


async def end_code(people: People, conn: Connection, aim: Aim, *, now: datetime) -> None:
    """Use up a code that was checked."""
    await proof_store.end_code(conn, aim, kept=_kept(people, aim), now=now)


async def check_code(
    people: People, conn: Connection, aim: Aim, code: str, *, address: str | None, now: datetime
) -> ProofOutcome | None:
    """None for the live code or its link's token; else the refusal, counted as a try. `address` None: counted already."""
    kept = _kept(people, aim)
    sent = await proof_store.live_code(conn, aim, kept=kept, now=now)
    if sent is None or sent.contact != kept:
        return ProofOutcome.WRONG_CODE
    if len(code) >= rules.LINK_CHARS_MIN:
        return None if is_code(people, aim, code, sent) else ProofOutcome.WRONG_CODE
    if sent.attempts >= rules.CODE_TRIES_IN_ALL_MAX:
        return ProofOutcome.TOO_MANY_TRIES
    if address is not None:
        limits = by_address(rules.CODE_TRY_OF_ADDRESS, address, f"code|{sent.id}")
        if not await people.auth.may_try(conn, limits, now=now):
            return ProofOutcome.TOO_MANY_TRIES
    if not is_code(people, aim, code, sent):
        await proof_store.count_try(conn, sent.id)
        return ProofOutcome.WRONG_CODE
    return None


async def used_code(
    people: People, conn: Connection, aim: Aim, code: str, *, now: datetime
) -> ProofCode | None:
    """The last used or ended code, where it is this one and not expired: the first answer was lost.

    A wrong try is counted as with a live code; otherwise the last code could be guessed without limit.
    """
    kept = _kept(people, aim)
    used = await proof_store.used_code(conn, aim, kept=kept, now=now)
    if used is None or used.contact != kept:
        return None
    is_typed = len(code) < rules.LINK_CHARS_MIN
    if is_typed and used.attempts >= rules.CODE_TRIES_IN_ALL_MAX:
        return None
    if is_code(people, aim, code, used):
        return used
    if is_typed:
        await proof_store.count_try(conn, used.id)
    return None


def is_code(people: People, aim: Aim, code: str, sent: ProofCode) -> bool:
    """Whether this is the code that was sent, however it is grouped, or the token of the mail's link."""
    if len(code) >= rules.LINK_CHARS_MIN:
        token = rules.link_token(people.proof_key, code_id=sent.id, contact=aim.contact.text)
        return rules.same_digest(token.encode(), code.encode(errors="replace"))
    digest = rules.proof_digest(people.proof_key, aim, rules.typed_code(code))
    return rules.same_digest(digest, sent.code_hash)


async def count_tries(
    people: People, purpose: str, contact: Contact, *, address: str, now: datetime
) -> list[int]:
    """Count a try of a code for a contact, which no user may have; return the ids to release if it succeeds.

    Raises 429 after five tries of a contact from one address, or fifty of any.
    """
    tries = [
        *by_address(rules.CODE_TRY_OF_ADDRESS, address, f"{purpose}|{contact.channel}|{contact.key}"),
        *by_address(rules.NAMED_TRY_OF_ADDRESS, address),
    ]
    return await people.auth.count(tries, now=now)


def refusal(outcome: ProofOutcome) -> ProblemError:
    """The answer to a code that proved nothing."""
    if outcome is ProofOutcome.TOO_MANY_TRIES:
        return too_many_tries(rules.REQUEST_OF_CONTACT.span)
    if outcome is ProofOutcome.ACCOUNT_EXISTS:
        return ProblemError(
            409,
            "account_exists",
            "The code is right, and another account has proved this contact: sign in to that one, or say what is to be"
            " done with it by `resolve`.",
        )
    return ProblemError(400, "wrong_code", "The code is wrong or out of time. Ask for a new one.")


def _kept(people: People, aim: Aim) -> str:
    return rules.kept_contact(people.proof_key, aim)
