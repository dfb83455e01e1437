"""What staff did, to whom or what.

A use case notes what it did in its own transaction, by `audit`; one that does it in several, or elsewhere, before the
first, by `audit_first`: a line too many tells what somebody was about to do, one too few hides what they did. Whatever of
the staff's requests noted nothing is noted by the edge when it has succeeded (`noting`: the decorator of the pages, the
dependencies of the API): a net for whoever forgets, under which no handler of ours falls.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from zerkalo.auth.audit import store
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import transaction


@dataclass
class Request:
    """One request of the staff's that changes something, and whether what it did is noted."""

    admin_id: int
    action: str
    subject: str
    is_noted: bool = False


_request: ContextVar[Request | None] = ContextVar("request_of_staff", default=None)


async def audit(
    conn: Connection,
    admin_id: int | None,
    action: str,
    subject: str,
    details: Mapping[str, object],
    now: datetime,
) -> None:
    """Note that one of the staff did `action` ("user.merge") to `subject` ("user 5"). `admin_id` None: at the console.

    `details` hold ids, numbers and words of ours, what was there `before` and what `after`; never a contact or a text
    about a person: these lines outlive the person's account.
    """
    await store.insert_entry(conn, admin_id, action, subject, details, now)
    request = _request.get()
    if request is not None:
        request.is_noted = True


async def audit_first(
    pool: Pool,
    admin_id: int | None,
    action: str,
    subject: str,
    details: Mapping[str, object],
    now: datetime,
) -> None:
    """Note what one of the staff is about to do, before the first that it changes."""
    async with transaction(pool) as conn:
        await audit(conn, admin_id, action, subject, details, now)


def note_nothing() -> None:
    """Say that the request changed nothing: it asked for what is so already."""
    request = _request.get()
    if request is not None:
        request.is_noted = True


@asynccontextmanager
async def noting(
    pool: Pool, admin_id: int, action: str, subject: str, *, now: datetime
) -> AsyncGenerator[Request]:
    """Note the request at its end unless something noted what it did, or it raised, or it says so (`is_noted`)."""
    request = Request(admin_id, action, subject)
    token = _request.set(request)
    try:
        yield request
    finally:
        _request.reset(token)
    if not request.is_noted:
        await audit_first(pool, admin_id, action, subject, {}, now)
