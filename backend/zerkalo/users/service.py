"""Accounts: registering, the first admin, the profile, and notices to the owner."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio
import psycopg
import structlog

from zerkalo.auth import store as auth_store
from zerkalo.auth.audit.service import audit
from zerkalo.auth.model import (
    Credentials,
    Role,
)
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.auth.rules import by_address, derive_key
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.phone import country_of
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message
from zerkalo.settings import Settings
from zerkalo.users import store
from zerkalo.users.matching.store import rivals_of
from zerkalo.users.model import NewUser, User
from zerkalo.users.ports import Ports
from zerkalo.users.proving import store as proof_store
from zerkalo.users.proving.model import SmsBounds
from zerkalo.users.rules import NOTICE_SPAN, Notice, notice_message

LOOK_SECONDS_MAX = 5.0
"""How long an answer waits for the search for earlier bookings."""
CLAIMANTS_MAX = 2
"""As many as `auth.store.claimants_of_email` returns: the oldest and the newest."""
REGISTER_ROUNDS_MAX = 3
CODE_DRAWS_MAX = 20
"""Draws of a new code until one is free. With 20^8 codes even a second draw is rare."""

_log = structlog.get_logger("zerkalo.users")


class EmailTaken(Exception):
    """Somebody has proved this e-mail already."""


class CodeTaken(Exception):
    """This code is, or was, a user's."""


@dataclass(frozen=True, slots=True)
class People:
    """What the use cases of users work with; one a process."""

    pool: Pool
    auth: Auth
    ports: Ports
    proof_key: bytes
    sms: SmsBounds = field(default_factory=SmsBounds)
    public_url: str = ""
    """Where our pages are reached, for the links in mails; "" leaves them out."""
    email_counts_alone: bool = True
    """The setting `MATCH_EMAIL_ALONE`."""

    async def look_for_bookings(self, user_id: int) -> None:
        """Match the user's earlier bookings, if it takes only a moment; otherwise a job does it.

        Never raises for it, since the caller has committed already: `users.rematch_wanted_at` stays.
        """
        try:
            with anyio.move_on_after(LOOK_SECONDS_MAX) as scope:
                await self.ports.on_contact_proved(user_id)
            if not scope.cancelled_caught:
                return
        except (psycopg.Error, ProblemError) as error:
            _log.warning("earlier bookings are matched later", user_id=user_id, kind=type(error).__name__)
            return
        _log.warning("earlier bookings are matched later", user_id=user_id, kind="too slow")


def people_of(
    auth: Auth,
    secret_key: str,
    ports: Ports,
    *,
    sms: SmsBounds | None = None,
    public_url: str = "",
    email_counts_alone: bool = True,
) -> People:
    """People with this process's keys and ports."""
    proof_key = derive_key(secret_key, "verification code")
    return People(auth.pool, auth, ports, proof_key, sms or SmsBounds(), public_url, email_counts_alone)


async def add_user(conn: Connection, new: NewUser, *, now: datetime, new_code: Callable[[], str]) -> User:
    """Create a user and return it; draw a code where `new` has none.

    For registering, for admins and for the demo. Raises `EmailTaken` where `new.email_proved` and somebody has proved
    that e-mail, `CodeTaken` where the code of `new` is or was a user's; then nothing is written.
    """
    for _ in range(CODE_DRAWS_MAX):
        code = new.unique_code or new_code()
        user_id = await store.insert_user(conn, replace(new, unique_code=code), now=now)
        if user_id is not None:
            user = await store.read_user(conn, user_id)
            assert user is not None, "written above"
            return user
        if new.email_proved and new.email and await proof_store.holder_of_email(conn, new.email) is not None:
            raise EmailTaken
        if new.unique_code is not None:
            raise CodeTaken
    raise AssertionError("twenty codes in a row were taken")


async def register(
    people: People, *, email: str, password: str, phone: str | None, name: str, address: str, now: datetime
) -> User:
    """Create an account that claims this e-mail and phone (canonical).

    Behaves the same whoever else claims or has proved them: they count only once they are proved
    (docs/decisions/0007-claimed-addresses.md). With the password of an account that claims the e-mail it returns that
    account: the first answer may have been lost. So a registration also counts as a try to sign in.
    Raises a 429 `ProblemError` after 20 in an hour from `address`.
    """
    limits = people.auth.limits
    await people.auth.count(by_address(limits.registration_of_address, address), now=now)
    tries = await people.auth.count_log_in(
        email, address=address, now=now, limit=limits.registration_of_account
    )
    password_hash = await people.auth.passwords.hash(password, address=address)
    new = NewUser(email=email, phone=phone, name=name, password_hash=password_hash)
    user, is_new = await _registered(people, email, password, new, address=address, now=now)
    if not is_new:
        await people.auth.release(tries)
    await people.look_for_bookings(user.id)
    return user


async def _registered(
    people: People, email: str, password: str, new: NewUser, *, address: str, now: datetime
) -> tuple[User, bool]:
    """(claimant whose password this is, False), else (new account, True); of two calls at once one makes it."""
    seen: tuple[Credentials, ...] = ()
    for _ in range(REGISTER_ROUNDS_MAX):
        async with people.pool.connection() as conn:
            claimants = await auth_store.claimants_of_email(conn, email)
        unseen = [claimant for claimant in claimants if claimant not in seen]
        known = await people.auth.find_password(unseen, password, CLAIMANTS_MAX, address=address)
        seen += tuple(unseen)

        async def write(
            conn: Connection, known: Credentials | None = known, seen: tuple[Credentials, ...] = seen
        ) -> tuple[User, bool] | None:
            await proof_store.lock_contact(conn, Channel.EMAIL, email)
            claimants = await auth_store.claimants_of_email(conn, email)
            if known is not None and known in claimants:
                user = await store.read_user(conn, known.user_id)
                assert user is not None, "who has credentials is there"
                return user, False
            if any(claimant not in seen for claimant in claimants):
                return None  # the same call came twice at the same moment
            return await add_user(conn, new, now=now, new_code=people.ports.new_code), True

        found = await in_transaction(people.pool, write)
        if found is not None:
            return found
    raise ProblemError(503, "busy", "Too many register this e-mail at once.", {"Retry-After": "5"})


async def ensure_first_admin(
    pool: Pool, settings: Settings, *, now: datetime, new_code: Callable[[], str]
) -> int | None:
    """Make sure that ADMIN_EMAIL names an owner; return the id, None where the setting is unset.

    Called at every start, by every process. The user who has proved that e-mail becomes an owner, with ADMIN_PASSWORD if
    they have no password. An unproved claim on the address does not count.
    """
    if not settings.admin_email or not settings.admin_password:
        return None
    email, password = settings.admin_email.lower(), settings.admin_password

    async def ensure(conn: Connection) -> int:
        await proof_store.lock_contact(conn, Channel.EMAIL, email)
        user = await proof_store.holder_of_email(conn, email, lock=True)
        if user is None:
            new = NewUser(
                email=email, password_hash=hash_password(password), role=Role.OWNER, email_proved=True
            )
            user = await add_user(conn, new, now=now, new_code=new_code)
            await audit(conn, None, "user.first_admin", f"user {user.id}", {}, now)
            return user.id
        if not user.is_admin:
            await store.write_role(conn, user.id, Role.OWNER, now=now)
            await audit(conn, None, "user.first_admin", f"user {user.id}", {}, now)
        if not user.has_password:
            await store.write_password(conn, user.id, hash_password(password), now=now)
        return user.id

    return await in_transaction(pool, ensure)


async def change_profile(
    people: People,
    user_id: int,
    *,
    change: Callable[[User], tuple[str | None, str | None, str]],
    is_confirmed: bool,
    language: Language,
    now: datetime,
) -> User:
    """Write the (e-mail, phone, name) that `change` returns for the user; a changed contact is unproved.

    A contact changes only where `is_confirmed`: the caller has just checked the password or a fresh code. The contacts
    proved before are notified: otherwise the holder of a stolen session could take over the account unseen.
    Contacts are canonical. Raises a `ProblemError`: 403 `password_required`, `code_required`, 422 `contact_missing`.
    """

    async def write(conn: Connection) -> User:
        user = await _locked(conn, user_id)
        email, phone, name = change(user)
        is_changed = (email, phone) != (user.email, user.phone)
        if email is None and phone is None:
            raise ProblemError(422, "contact_missing", "An account needs an e-mail or a phone.")
        if is_changed and not is_confirmed:
            raise not_confirmed(user)
        await store.write_profile(conn, user, email=email, phone=phone, name=name, now=now)
        if is_changed:
            await store.want_rematch(conn, await rivals_of(conn, user_id), now=now)
            await put_notices(people, conn, user, Notice.CONTACT_CHANGED, language=language, now=now)
        changed = await store.read_user(conn, user_id)
        assert changed is not None, "locked above"
        return changed

    user = await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    return user


def not_confirmed(user: User) -> ProblemError:
    """The refusal to change a contact or delete the account without a confirmation."""
    if user.has_password:
        return ProblemError(403, "password_required", "This takes your password, as `password`.")
    return ProblemError(403, "code_required", "This takes a fresh code sent to your contact, as `code`.")


async def put_notices(
    people: People,
    conn: Connection,
    user: User,
    notice: Notice,
    *,
    but: Channel | None = None,
    language: Language = "ru",
    now: datetime,
) -> None:
    """Put a notice into the outbox for every contact that `user`, as given, has proved, on the open channels.

    `but`: a channel to leave out. An SMS beyond the installation's limits is left out too.
    """
    subject, text = notice_message(language, notice)
    for channel in Channel:
        contact = user.contact(channel)
        if contact is None or user.verified_at(channel) is None or channel is but:
            continue
        if not await may_send(people, conn, channel, contact, now):
            continue
        message = Message(channel, contact, subject, text, now + NOTICE_SPAN, user.id)
        await outbox_store.put(conn, message, now=now)


async def may_send(people: People, conn: Connection, channel: Channel, contact: str, now: datetime) -> bool:
    """Whether a message to this contact can be sent; counts an SMS in the installation's limits."""
    if channel not in people.ports.open_channels:
        return False
    if channel is Channel.EMAIL:
        return True
    if country_of(contact) not in people.sms.countries:
        return False
    try:
        await people.auth.count_within(conn, people.sms.limits, now=now)
    except ProblemError:
        return False
    return True


async def _locked(conn: Connection, user_id: int) -> User:
    user = await store.read_user(conn, user_id, lock=True)
    if user is None or user.erased_at is not None:
        raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return user
