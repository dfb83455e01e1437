"""What `users` needs of the subjects beside it, which it must not import; the composition root supplies it."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from zerkalo.db.pool import Connection
from zerkalo.outbox.model import Channel
from zerkalo.users.erasing.model import Erasure

Settle = Callable[[Connection, Iterable[int], datetime], Awaitable[object]]
"""`loyalty.service.settler_of(policy)(conn, booking_ids, now)`: corrects the ledger of bookings after they were given to
another user or unmatched, in the transaction that holds their rows."""


async def _look_later(_user_id: int) -> None:
    """The default of a hook: the periodic task does the work."""


def _write_nowhere(_erasures: Sequence[Erasure]) -> None:
    """The default of the journal: the periodic task writes what is missing."""


async def _ring_nobody() -> None:
    """The default of a bell: the periodic task does the work."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Supplied by the composition root to everything that works on accounts: routes, pages, commands, periodic tasks."""

    new_code: Callable[[], str]
    """`codes.rules.new_code`."""
    move_ledger: Callable[[Connection, int, int, datetime], Awaitable[object]]
    """`loyalty.service.move_ledger(conn, from_user, into_user, now)`: called in a merge, before the one account ends."""
    return_ledger: Callable[[Connection, int, int, datetime], Awaitable[object]]
    """`loyalty.service.return_ledger(conn, from_user, into_user, now)`: undoes that, once the bookings have gone back."""
    settle_bookings: Settle
    """Called in an erasure, and where bookings were linked to an account at the moment it ended."""
    end_calendar: Callable[[Connection, int], Awaitable[object]]
    """`bookings.calendar.store.revoke_calendar_token(conn, user_id)`: a new password ends the calendar's address too."""
    write_erasures: Callable[[Sequence[Erasure]], None] = _write_nowhere
    """Called after an erasure is committed: writes its ids into the journal beside the data."""
    open_channels: Collection[Channel] = field(default_factory=frozenset[Channel])
    """Where a code can be sent: the keys of `outbox.gateways.service.senders_of(...)`."""
    on_contact_proved: Callable[[int], Awaitable[None]] = _look_later
    """Called after the commit in which this user proved a contact, registered, or took over another account:
    earlier bookings may match now. A lost call loses nothing: `users.rematch_wanted_at` stays until it is done."""
    on_outbox: Callable[[], Awaitable[None]] = _ring_nobody
    """Called after the commit that wrote a message; a lost call only delays the message until the periodic task."""
