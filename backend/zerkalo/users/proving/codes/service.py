"""Codes that are sent: made, written, compared and used up; what one may be asked for."""

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
from zerkalo.users.proving.model import Contact
from zerkalo.users.proving.store import ProofCode
from zerkalo.users.service import People

VERIFY = "verify"
RESET = "reset"
LINK_PATHS = {VERIFY: "/me/verify/email", RESET: "/me/reset"}
"""The pages that a mailed link opens; its token stands in for the code."""


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


def request_limits(people: People, contact: Contact, address: str) -> list[tuple[Limit, str]]:
    """What a code that is asked for is counted in; the installation's SMS stand last."""
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
        # Numbers of two countries may end alike: they are two people's.
        found = await store.holders_of_phone(conn, contact.key)
        return [holder for holder in found if holder.phone == contact.text]
    holder = await store.holder_of_email(conn, contact.text)
    return [] if holder is None else [holder]


async def put_code(
    people: People,
    conn: Connection,
    user_id: int,
    purpose: str,
    contact: Contact,
    *,
    language: Language,
    now: datetime,
) -> None:
    """Write a code and the message that carries it; nothing where the contact is the user's no more.

    The user is held: in an account that is erased, or loses the contact, at this moment, the contact would stand again.
    """
    user = await store.read_user(conn, user_id, lock=True)
    if user is None or user.contact(contact.channel) != contact.text:
        return
    code = rules.new_proof_code()
    expires_at = now + rules.CODE_SPAN
    code_id = await proof_store.insert_code(
        conn,
        user_id=user_id,
        purpose=purpose,
        channel=contact.channel,
        contact=contact.text,
        code_hash=_digest(people, user_id, purpose, contact, code),
        now=now,
        expires_at=expires_at,
    )
    link = None
    if contact.channel is Channel.EMAIL and people.public_url:
        token = rules.link_token(people.proof_key, code_id=code_id, contact=contact.text)
        link = f"{people.public_url}{LINK_PATHS[purpose]}?code={token}"
    subject, body = rules.code_message(language, contact.channel, purpose, code, link)
    message = Message(contact.channel, contact.text, subject, body, expires_at, user_id)
    await outbox_store.put(conn, message, now=now)


async def take_code(
    people: People,
    conn: Connection,
    user_id: int,
    purpose: str,
    contact: Contact,
    code: str,
    *,
    address: str | None,
    now: datetime,
) -> ProofOutcome | None:
    """Use the code up, or count a wrong try and return why it is refused. Either is to be committed."""
    refused = await check_code(people, conn, user_id, purpose, contact, code, address=address, now=now)
    if refused is None:
        await proof_store.end_codes(conn, user_id, now=now, purpose=purpose, channel=contact.channel)
    return refused


async def check_code(
    people: People,
    conn: Connection,
    user_id: int,
    purpose: str,
    contact: Contact,
    code: str,
    *,
    address: str | None,
    now: datetime,
) -> ProofOutcome | None:
    """None where this is the live code or its link's token; else why not, counted. `address` None: counted already."""
    sent = await proof_store.live_code(
        conn, user_id=user_id, purpose=purpose, channel=contact.channel, now=now
    )
    if sent is None or sent.contact != contact.text:
        return ProofOutcome.WRONG_CODE
    if len(code) >= rules.LINK_CHARS_MIN:
        is_link = is_code(people, user_id, purpose, contact, code, sent)
        return None if is_link else ProofOutcome.WRONG_CODE
    if sent.attempts >= rules.CODE_TRIES_IN_ALL_MAX:
        return ProofOutcome.TOO_MANY_TRIES
    if address is not None:
        limits = by_address(rules.CODE_TRY_OF_ADDRESS, address, f"code|{sent.id}")
        if not await people.auth.may_try(conn, limits, now=now):
            return ProofOutcome.TOO_MANY_TRIES
    if not is_code(people, user_id, purpose, contact, code, sent):
        await proof_store.count_try(conn, sent.id)
        return ProofOutcome.WRONG_CODE
    return None


def is_code(people: People, user_id: int, purpose: str, contact: Contact, code: str, sent: ProofCode) -> bool:
    """Whether this is what was sent: the code, however it is grouped, or the token of the mail's link."""
    if len(code) >= rules.LINK_CHARS_MIN:
        token = rules.link_token(people.proof_key, code_id=sent.id, contact=contact.text)
        return rules.same_digest(token.encode(), code.encode(errors="replace"))
    typed = rules.typed_code(code)
    return rules.same_digest(_digest(people, user_id, purpose, contact, typed), sent.code_hash)


def refusal(outcome: ProofOutcome) -> ProblemError:
    """What is answered where a code did not prove anything."""
    if outcome is ProofOutcome.TOO_MANY_TRIES:
        return too_many_tries(rules.REQUEST_OF_CONTACT.span)
    return ProblemError(400, "wrong_code", "The code is wrong or out of time. Ask for a new one.")


def _digest(people: People, user_id: int, purpose: str, contact: Contact, code: str) -> bytes:
    return rules.proof_digest(
        people.proof_key,
        user_id=user_id,
        purpose=purpose,
        channel=contact.channel,
        contact=contact.text,
        code=code,
    )
