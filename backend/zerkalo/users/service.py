"""Accounts: registering, what an admin or an import enters, the profile, passwords."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from zerkalo.auth import store as auth_store
from zerkalo.auth.audit import audit
from zerkalo.auth.model import Session, TokenPair
from zerkalo.auth.passwords import hash_password
from zerkalo.auth.rules import REGISTRATION_OF_ADDRESS, derive_key
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message
from zerkalo.settings import Settings
from zerkalo.users import rules, store
from zerkalo.users.model import NewUser, User
from zerkalo.users.ports import Ports
from zerkalo.users.proving import store as proof_store

CODE_DRAWS_MAX = 20
"""Draws of a code that was taken each time. With 20^8 codes, a second draw is rare already."""


class EmailTaken(Exception):
    """Somebody has proved this e-mail already."""


class CodeTaken(Exception):
    """This code is somebody's, or was."""


@dataclass(frozen=True, slots=True)
class People:
    """What the use cases of people work with, one for a process."""

    pool: Pool
    auth: Auth
    ports: Ports
    proof_key: bytes


def people_of(pool: Pool, secret_key: str, ports: Ports) -> People:
    """People with this process's pool, keys and ports."""
    return People(pool, Auth(pool, secret_key), ports, derive_key(secret_key, "verification code"))


async def add_user(conn: Connection, new: NewUser, *, now: datetime, new_code: Callable[[], str]) -> User:
    """Writes a user and returns her; makes a code where `new` brings none.

    For registering, for admins and for the demo. Raises `EmailTaken` where `new.email_proved` and somebody has proved
    that e-mail, `CodeTaken` where the code that `new` brings is or was somebody's; then nothing is written.
    """
    for _ in range(CODE_DRAWS_MAX):
        code = new.unique_code or new_code()
        user_id = await store.insert_user(conn, replace(new, unique_code=code), now=now)
        if user_id is not None:
            user = await store.read_user(conn, user_id)
            assert user is not None, "written above"
            return user
        if new.email_proved and new.email and await store.holder_of_email(conn, new.email) is not None:
            raise EmailTaken
        if new.unique_code is not None:
            raise CodeTaken
    raise AssertionError("twenty codes in a row were taken")


async def register(
    people: People, *, email: str, password: str, phone: str | None, name: str, address: str, now: datetime
) -> User:
    """Opens an account for somebody who says that this e-mail and phone (canonical) are hers.

    Always does the same, whoever else claims or has proved them: they count only once she has proved them
    (docs/decisions/0007-claimed-addresses.md). Raises a 429 `ProblemError` after 20 in an hour from `address`.
    """
    await people.auth.count([(REGISTRATION_OF_ADDRESS, address)], now=now)
    password_hash = await people.auth.passwords.hash(password)
    new = NewUser(email=email, phone=phone, name=name, password_hash=password_hash)

    async def write(conn: Connection) -> User:
        return await add_user(conn, new, now=now, new_code=people.ports.new_code)

    user = await in_transaction(people.pool, write)
    await people.ports.on_contact_proved(user.id)
    return user


async def ensure_first_admin(
    pool: Pool, settings: Settings, *, now: datetime, new_code: Callable[[], str]
) -> int | None:
    """Sees to it that the admin whom ADMIN_EMAIL names is there; returns her id, None where the setting is unset.

    To be called at every start, by every process. Who proved that e-mail is made an admin, with ADMIN_PASSWORD if
    she has none; a password that she has stays. An unproved claim on the address counts for nothing.
    """
    if not settings.admin_email or not settings.admin_password:
        return None
    email, password = settings.admin_email.lower(), settings.admin_password

    async def ensure(conn: Connection) -> int:
        await proof_store.lock_contact(conn, Channel.EMAIL, email)
        user = await store.holder_of_email(conn, email, lock=True)
        if user is None:
            new = NewUser(
                email=email, password_hash=hash_password(password), is_admin=True, email_proved=True
            )
            user = await add_user(conn, new, now=now, new_code=new_code)
            await audit(conn, None, "user.first_admin", f"user {user.id}", {}, now)
            return user.id
        if not user.is_admin:
            await store.make_admin(conn, user.id, now=now)
            await audit(conn, None, "user.first_admin", f"user {user.id}", {}, now)
        if not user.has_password:
            await auth_store.write_password(conn, user.id, hash_password(password), now=now)
        return user.id

    return await in_transaction(pool, ensure)


async def change_profile(
    people: People,
    user_id: int,
    *,
    change: Callable[[User], tuple[str | None, str | None, str]],
    language: Language,
    now: datetime,
) -> User:
    """Writes (e-mail, phone, name) as `change` makes them of the present ones; a changed contact is unproved.

    The proved e-mail that was replaced is told, where mail can be sent: who holds a stolen session would else take
    the account over in silence. Contacts are canonical.
    """

    async def write(conn: Connection) -> tuple[User, bool]:
        user = await _locked(conn, user_id)
        email, phone, name = change(user)
        await store.write_profile(conn, user, email=email, phone=phone, name=name, now=now)
        if (email, phone) != (user.email, user.phone):
            await store.want_rematch_of_rivals(conn, user_id, now=now)
        told = (
            user.email is not None
            and email != user.email
            and user.email_verified_at is not None
            and Channel.EMAIL in people.ports.open_channels
        )
        if told and user.email is not None:
            subject, body = rules.email_changed_message(language)
            expires_at = now + rules.NOTICE_SPAN
            notice = Message(Channel.EMAIL, user.email, subject, body, expires_at, user.id)
            await outbox_store.put(conn, notice, now=now)
        changed = await store.read_user(conn, user_id)
        assert changed is not None, "locked above"
        return changed, told

    user, told = await in_transaction(people.pool, write)
    if told:
        await people.ports.on_outbox()
    return user


async def change_password(
    people: People, session: Session, *, old: str, new: str, now: datetime
) -> TokenPair:
    """Sets a new password for who knows the old one; ends every other session and returns a new one for this.

    Raises a 403 `ProblemError` where the old one is wrong, 429 after ten tries in 15 minutes.
    """
    user_id = session.user.id
    tries = await people.auth.count([(rules.PASSWORD_TRY_OF_USER, str(user_id))], now=now)
    async with people.pool.connection() as conn:
        held = await auth_store.credentials_of_user(conn, user_id)
    if not await people.auth.passwords.verify(old, held.password_hash if held else None):
        raise ProblemError(403, "wrong_password", "The old password is wrong.")
    password_hash = await people.auth.passwords.hash(new)

    async def write(conn: Connection) -> TokenPair | None:
        current = await auth_store.credentials_of_user(conn, user_id, lock=True)
        if held is None or current is None or current.password_hash != held.password_hash:
            return None
        await auth_store.release_attempts(conn, tries)
        epoch = await set_password(conn, user_id, password_hash, now=now)
        return await people.auth.new_session(conn, user_id, epoch, now=now)

    pair = await in_transaction(people.pool, write)
    if pair is None:
        raise ProblemError(403, "wrong_password", "The old password is wrong.")
    return pair


async def confirm_password(people: People, user_id: int, password: str, *, now: datetime) -> None:
    """Makes sure that it is she who asks for what can't be undone, not whoever found her browser open.

    Raises a 403 `ProblemError` where the password is wrong, 429 after ten tries in 15 minutes, counted together with
    those of changing the password.
    """
    tries = await people.auth.count([(rules.PASSWORD_TRY_OF_USER, str(user_id))], now=now)
    async with people.pool.connection() as conn:
        held = await auth_store.credentials_of_user(conn, user_id)
    if not await people.auth.passwords.verify(password, held.password_hash if held else None):
        raise ProblemError(403, "wrong_password", "The password is wrong.")
    await people.auth.release(tries)


async def set_password(conn: Connection, user_id: int, password_hash: str, *, now: datetime) -> int:
    """Sets a password, ends every session and every code under way; returns the new epoch."""
    epoch = await auth_store.write_password(conn, user_id, password_hash, now=now)
    await auth_store.end_sessions(conn, user_id, now=now)
    await proof_store.end_codes(conn, user_id, now=now, purpose="reset")
    return epoch


async def _locked(conn: Connection, user_id: int) -> User:
    user = await store.read_user(conn, user_id, lock=True)
    if user is None or user.erased_at is not None:
        raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return user
