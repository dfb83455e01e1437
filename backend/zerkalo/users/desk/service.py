"""Accounts that the staff create or correct at the desk."""

from collections.abc import Collection, Mapping
from datetime import datetime

from zerkalo.auth.audit.service import audit
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.desk import rules
from zerkalo.users.desk.model import Profile
from zerkalo.users.matching.store import rivals_of
from zerkalo.users.model import NewUser, User
from zerkalo.users.proving import store as proof_store
from zerkalo.users.rules import Notice
from zerkalo.users.service import EmailTaken, People, add_user, put_notices
from zerkalo.users.staff import store as staff_store


async def enter_user(
    people: People, *, email: str | None, phone: str | None, name: str, admin_id: int, now: datetime
) -> User:
    """Create a user with a new code; the contacts (canonical) count as proved, since the staff entered them.

    Earlier bookings made with them are linked at once. Writes an audit entry. Raises `ProblemError`: 409 `email_taken`,
    `phone_taken`.
    """
    new = NewUser(
        email=email,
        phone=phone,
        name=name,
        email_proved=email is not None,
        phone_proved=phone is not None,
    )

    async def write(conn: Connection) -> User:
        await _hold(conn, email, phone)
        await _check_is_free(conn, email, phone)
        user = await add_user(conn, new, now=now, new_code=people.ports.new_code)
        await audit(conn, admin_id, "user.add", f"user {user.id}", {"is_admin": False}, now)
        return user

    try:
        user = await in_transaction(people.pool, write)
    except EmailTaken:
        raise ProblemError(409, "email_taken", "Somebody has proved this e-mail already.") from None
    await people.look_for_bookings(user.id)
    return user


async def edit_user(
    people: People,
    user_id: int,
    *,
    email: str | None,
    phone: str | None,
    name: str,
    note: str,
    admin_id: int,
    language: Language,
    now: datetime,
    was: Mapping[str, str] | None = None,
) -> User:
    """Write what the staff know of a person; contacts canonical. Contacts proved before are notified of a change.

    `was`: of the fields that were edited in a form, what it had shown; the others stay as they are by now. None: all are
    written.

    A contact that the staff enter counts as proved only in an account that nobody signs in to. In any other it is a
    claim: otherwise a receptionist could enter an own phone and sign in by a code sent to it. An invitation ends with the
    contact that it may have been sent to. Members of the staff change their own name and contacts: an owner recognises by
    them who gets a role. Raises `ProblemError`: 404 `user_not_found`, 409 `email_taken`, `phone_taken`, `staff_contacts`,
    `email_needed` (whoever has a password signs in by it with the e-mail), `profile_changed` (an edited field is no longer
    what the form had shown).
    """
    wanted = Profile(email, phone, name, note)

    async def write(conn: Connection) -> User:
        await _hold(conn, email, phone)
        user = await store.read_user(conn, user_id, lock=True)
        if user is None or user.erased_at is not None:
            raise ProblemError(404, "user_not_found", "There is no such user.")
        new = wanted if was is None else rules.edited(rules.profile_of(user), wanted, was)
        if new is None:
            raise ProblemError(409, "profile_changed", "The user's data changed while the form was open.")
        changed = rules.changed(rules.profile_of(user), new)
        is_email_new, is_phone_new = "email" in changed, "phone" in changed
        await _check_edit(conn, user, new, changed)
        kept_email = new.email if is_email_new else user.email
        await store.write_profile(conn, user, email=kept_email, phone=new.phone, name=new.name, now=now)
        await store.write_note(conn, user_id, new.note, now=now)
        if is_email_new or is_phone_new:
            await store.want_rematch(conn, await rivals_of(conn, user_id), now=now)
            await put_notices(people, conn, user, Notice.CONTACT_CHANGED, language=language, now=now)
        if (is_email_new and user.email is not None) or (is_phone_new and user.phone is not None):
            # One may have been sent to the contact that was wrong.
            await staff_store.revoke_invitations_of(conn, user_id, now=now)
        if not user.is_in_use:
            for is_new, is_email, contact in (
                (is_email_new, True, new.email),
                (is_phone_new, False, new.phone),
            ):
                if is_new and contact is not None:
                    await store.write_proof(conn, user_id, email=is_email, now=now)
        details = {"changed": changed}
        await audit(conn, admin_id, "user.edit", f"user {user_id}", details, now)
        edited = await store.read_user(conn, user_id)
        assert edited is not None, "locked above"
        return edited

    user = await in_transaction(people.pool, write)
    await people.ports.on_outbox()
    await people.look_for_bookings(user_id)
    return user


async def _check_edit(conn: Connection, user: User, new: Profile, changed: Collection[str]) -> None:
    """Raise a 409 `ProblemError` where the staff may not change these fields of the user, or not so."""
    is_email_new, is_phone_new = "email" in changed, "phone" in changed
    if user.role is not None and (is_email_new or is_phone_new or "name" in changed):
        raise ProblemError(409, "staff_contacts", "Staff change their name and contacts themselves.")
    if new.email is None and is_email_new and user.has_password:
        raise ProblemError(409, "email_needed", "The user signs in with this e-mail and a password.")
    await _check_is_free(
        conn, new.email if is_email_new else None, new.phone if is_phone_new else None, but=user.id
    )


async def _hold(conn: Connection, email: str | None, phone: str | None) -> None:
    """Serialise on the contacts: of two who enter or prove one at once, the second sees the first one's account."""
    for channel, contact in ((Channel.EMAIL, email), (Channel.PHONE, phone)):
        if contact is not None:
            await proof_store.lock_contact(conn, channel, contact)


async def _check_is_free(
    conn: Connection, email: str | None, phone: str | None, *, but: int | None = None
) -> None:
    """Raise where another user has proved the contact: their proof would end without their knowledge."""
    holder = await proof_store.holder_of_email(conn, email) if email else None
    if holder is not None and holder.id != but:
        raise ProblemError(409, "email_taken", "Somebody has proved this e-mail already.")
    holders = await proof_store.holders_of_phone(conn, phone) if phone else []
    if any(one.id != but for one in holders):
        raise ProblemError(409, "phone_taken", "Somebody has proved this phone already.")
