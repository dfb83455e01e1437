"""What a user has in the tables of other subjects: handed on by a merge, deleted or stripped of the user by an erasure.

Each table is changed by its owner. A new table that names a user is to be added here; a test dumps the whole database
after an erasure and looks for the person in it.
"""

from datetime import datetime

from zerkalo.auth import store as auth
from zerkalo.bookings import store as bookings
from zerkalo.bookings.calendar import store as calendars
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection
from zerkalo.form_bookings import store as form_bookings
from zerkalo.matching import store as matching
from zerkalo.notices import store as notices
from zerkalo.outbox import store as outbox
from zerkalo.users.importing import store as importing
from zerkalo.users.merging.model import Merge
from zerkalo.users.proving import store as proving
from zerkalo.users.staff import store as staff


async def hand_on(conn: Connection, *, from_id: int, into_id: int, now: datetime) -> None:
    """Give what one account has to another one, and end the one's sessions and tokens."""
    await bookings.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await clients.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await matching.hand_on(conn, from_id=from_id, into_id=into_id)
    await form_bookings.hand_on(conn, from_id=from_id, into_id=into_id)
    await importing.hand_on(conn, from_id=from_id, into_id=into_id)
    await outbox.hand_on(conn, from_id=from_id, into_id=into_id)
    await _delete_owned(conn, from_id)


async def give_back(conn: Connection, merge: Merge, *, now: datetime) -> None:
    """Give back to the account that ended what the other took from it and still has. Hold both and their bookings."""
    from_id, into_id, before = merge.from_id, merge.into_id, merge.before
    await bookings.hand_on(conn, from_id=into_id, into_id=from_id, only=list(merge.bookings), now=now)
    cards = [(company_id, client_id) for company_id, client_id in before["cards"]]
    await clients.hand_on(conn, from_id=into_id, into_id=from_id, only=cards, now=now)
    await form_bookings.hand_on(conn, from_id=into_id, into_id=from_id, only=before["forms"])
    await importing.hand_on(conn, from_id=into_id, into_id=from_id, only=before["origins"])
    await matching.restore(conn, before["candidates"], but_of=into_id)


async def forget(conn: Connection, user_id: int) -> None:
    """Delete what is only the user's, and take the user out of what must stay. Bookings and cards are erased apart."""
    await _delete_owned(conn, user_id)
    await form_bookings.forget_user(conn, user_id)
    await importing.forget_user(conn, user_id)


async def _delete_owned(conn: Connection, user_id: int) -> None:
    await matching.forget_user(conn, user_id)
    await auth.forget_user(conn, user_id)
    await proving.forget_user(conn, user_id)
    await staff.forget_user(conn, user_id)
    await outbox.forget_user(conn, user_id)
    await notices.forget_user(conn, user_id)
    await calendars.revoke_calendar_token(conn, user_id)
