"""The log of what staff did, and to which subject.

A use case writes its entry in its own transaction, by `audit`; one that needs several transactions, or changes something
outside the database, writes it before the first, by `audit_first`: an entry for an attempt is better than none for a
change. A request of the staff that wrote no entry gets one at the edge when it has succeeded (`noting`: the decorator of
the pages, the dependencies of the API). That is a safety net: all our handlers write their own.
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
    """A request of the staff that may change something, and whether it has an entry in the log."""

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
    """Write that `admin_id` did `action` ("user.merge") to `subject` ("user 5"). `admin_id` None: at the console.

    `details` hold ids, numbers and our own words, such as the values `before` and `after`; never a contact or a text
    about a person: entries outlive the person's account.
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
    """Write an entry, in a transaction of its own, for something that is about to be done."""
    async with transaction(pool) as conn:
        await audit(conn, admin_id, action, subject, details, now)


def note_nothing() -> None:
    """Mark the current request as needing no entry: it changed nothing."""
    request = _request.get()
    if request is not None:
        request.is_noted = True


@asynccontextmanager
async def noting(
    pool: Pool, admin_id: int, action: str, subject: str, *, now: datetime
) -> AsyncGenerator[Request]:
    """Write an entry for the request at its end, unless it raised, wrote one itself, or needs none."""
    request = Request(admin_id, action, subject)
    token = _request.set(request)
    try:
        yield request
    finally:
        _request.reset(token)
    if not request.is_noted:
        await audit_first(pool, admin_id, action, subject, {}, now)
