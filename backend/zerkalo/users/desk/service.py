"""A person whom an admin enters at the desk."""

from datetime import datetime

from zerkalo.auth.audit import audit
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.users.model import NewUser, User
from zerkalo.users.service import EmailTaken, People, add_user


async def enter_user(
    people: People, *, email: str | None, phone: str | None, name: str, admin_id: int, now: datetime
) -> User:
    """Writes a user with a new code; her contacts (canonical) count as proved, since an admin entered them.

    Her earlier bookings become hers at once. Writes an audit entry. Raises `ProblemError`: 409 `email_taken`.
    """
    new = NewUser(
        email=email,
        phone=phone,
        name=name,
        email_proved=email is not None,
        phone_proved=phone is not None,
    )

    async def write(conn: Connection) -> User:
        user = await add_user(conn, new, now=now, new_code=people.ports.new_code)
        await audit(conn, admin_id, "user.add", f"user {user.id}", {"is_admin": False}, now)
        return user

    try:
        user = await in_transaction(people.pool, write)
    except EmailTaken:
        raise ProblemError(409, "email_taken", "Somebody has proved this e-mail already.") from None
    await people.look_for_bookings(user.id)
    return user
