"""Signing in and registering by a code."""

from datetime import datetime

from zerkalo.auth import store as auth_store
from zerkalo.auth.model import Tokens
from zerkalo.auth.rules import by_address
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.entering import rules
from zerkalo.users.entering.rules import Refused
from zerkalo.users.model import NewUser, ProofOutcome, User
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.codes import service as codes
from zerkalo.users.proving.model import Aim, Contact
from zerkalo.users.proving.rules import SIGN_IN_AGAIN_SPAN
from zerkalo.users.proving.service import write_proved
from zerkalo.users.proving.store import ProofCode
from zerkalo.users.service import People, add_user

_DETAILS = {
    Refused.NO_ACCOUNT: "The code is right. There is no account with this contact: make one with `new_account`.",
    Refused.ACCOUNT_EXISTS: (
        "The code is right. An account names this contact and this code does not open it: sign in by its password or"
        " its e-mail, or make one of your own with `new_account`."
    ),
}


async def request_code(
    people: People, contact: Contact, *, language: Language, address: str, now: datetime
) -> None:
    """Send a code to this contact, whether or not an account has it: the work and the time are the same.

    Raises 409 `channel_unavailable` where nothing can be sent there, 429.
    """
    codes.require_channel(people, contact.channel)
    codes.require_country(people, contact)

    async def write(conn: Connection) -> None:
        await people.auth.count_within(conn, codes.request_limits(people, contact, address), now=now)
        holders = await codes.holders(conn, contact)
        told_id = holders[0].id if holders else None
        await codes.put_code(
            people, conn, Aim(codes.ENTER, contact), language=language, now=now, told_id=told_id
        )

    await in_transaction(people.pool, write)
    await people.ports.on_outbox()


async def enter(
    people: People,
    contact: Contact,
    code: str,
    *,
    new_account: bool = False,
    name: str = "",
    language: Language,
    address: str,
    now: datetime,
) -> Tokens:
    """Open a session by the code, in the account that it opens; where it opens none and `new_account` is set, in a new one
    that has only this contact, proved, and `name`.

    Within a minute the code opens the same account again: the first answer may have been lost. Raises 400
    `wrong_code`, 409 `no_account` and `account_exists` (both only for a correct code, which stays valid), 429.
    """
    tries = await codes.count_tries(people, codes.ENTER, contact, address=address, now=now)

    async def write(conn: Connection) -> tuple[Tokens, int | None] | ProblemError:
        aim = Aim(codes.ENTER, contact)
        await proof_store.lock_contact(conn, contact.channel, contact.key)
        used = await codes.used_code(people, conn, aim, code, now=now)
        is_again = used is not None and _is_fresh(used, now)
        if not is_again:
            refused = await codes.check_code(people, conn, aim, code, address=None, now=now)
            if refused is not None:
                return codes.refusal(refused)
        await auth_store.release_attempts(conn, tries)
        holders, claimants = await codes.holders(conn, contact), await _claimants(conn, contact)
        found = rules.whom_it_opens(contact, holders, claimants)
        if isinstance(found, Refused):
            if is_again or not new_account:
                return ProblemError(409, found, _DETAILS[found])
            limit = people.auth.limits.registration_of_address
            await people.auth.count_within(conn, by_address(limit, address), now=now)
            user_id = await _new_account(people, conn, contact, name, language=language, now=now)
        else:
            user_id = found.id
        user = await store.read_user(conn, user_id, lock=True)
        if user is None or not _holds(user, contact):
            return codes.refusal(ProofOutcome.WRONG_CODE)  # erased or changed at the same moment
        await codes.end_code(people, conn, aim, now=now)
        await store.write_sign_in_by_code(conn, user.id, now=now)
        pair = await people.auth.new_session(conn, user.id, user.token_epoch, address=address, now=now)
        return pair, user.id if isinstance(found, Refused) else None

    outcome = await in_transaction(people.pool, write)
    if isinstance(outcome, ProblemError):
        raise outcome
    pair, new_id = outcome
    if new_id is not None:
        await people.ports.on_outbox()
        await people.look_for_bookings(new_id)
    return pair


def _is_fresh(used: ProofCode, now: datetime) -> bool:
    return used.used_at is not None and now - used.used_at <= SIGN_IN_AGAIN_SPAN


async def _claimants(conn: Connection, contact: Contact) -> list[User]:
    if contact.channel is Channel.EMAIL:
        return await proof_store.claimants_of_email(conn, contact.text)
    return await proof_store.holders_of_phone(conn, contact.text, proved=False)


async def _new_account(
    people: People, conn: Connection, contact: Contact, name: str, *, language: Language, now: datetime
) -> int:
    """Create an account with this contact alone, ending any other proof of it; return its id."""
    is_email = contact.channel is Channel.EMAIL
    new = NewUser(
        email=contact.text if is_email else None, phone=None if is_email else contact.text, name=name
    )
    user = await add_user(conn, new, now=now, new_code=people.ports.new_code)
    await write_proved(people, conn, user.id, contact, language=language, now=now)
    return user.id


def _holds(user: User, contact: Contact) -> bool:
    return user.contact(contact.channel) == contact.text and user.verified_at(contact.channel) is not None
