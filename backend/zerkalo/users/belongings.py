"""What a user has in the tables of other subjects: moved by a merge; deleted, or unlinked from the user, by an erasure.

Each table is changed by its own store. Add a new table that references a user here; a test dumps the whole database
after an erasure and searches it for the person.
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
    """Move what one account has to another, and end the first one's sessions and tokens."""
    await bookings.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await clients.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await matching.hand_on(conn, from_id=from_id, into_id=into_id)
    await form_bookings.hand_on(conn, from_id=from_id, into_id=into_id)
    await importing.hand_on(conn, from_id=from_id, into_id=into_id)
    await outbox.hand_on(conn, from_id=from_id, into_id=into_id)
    await _delete_owned(conn, from_id)


async def give_back(conn: Connection, merge: Merge, *, now: datetime) -> list[int]:
    """Move back what a merge moved and the other account still has; return the ids of the bookings concerned.

    Visits that came since by a card or a form booking which goes back go with it. The caller holds both accounts and their bookings.
    """
    from_id, into_id, before = merge.from_id, merge.into_id, merge.before
    cards = [(company_id, client_id) for company_id, client_id in before["cards"]]
    await clients.hand_on(conn, from_id=into_id, into_id=from_id, only=cards, now=now)
    await form_bookings.hand_on(conn, from_id=into_id, into_id=from_id, only=before["forms"])
    since = await bookings.ids_linked_by_what_is_of(conn, into_id, owner=from_id)
    moved = sorted({*merge.bookings, *since})
    await bookings.hand_on(conn, from_id=into_id, into_id=from_id, only=moved, now=now)
    await importing.hand_on(conn, from_id=into_id, into_id=from_id, only=before["origins"])
    await matching.restore(conn, before["candidates"], but_of=into_id)
    return moved


async def forget(conn: Connection, user_id: int) -> None:
    """Delete what belongs to the user alone, and unlink the user from rows that must stay. Leaves bookings and cards alone."""
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
