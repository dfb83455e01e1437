"""What was told of a record before it had a row to remember it: the codes in its comment.

A block in the journal and a call too thin to decide on make no row. The record may become a booking all the same, and
then it is hers whose code was seen, as if the row had been there first: order decides nothing.
"""

from collections.abc import Collection
from contextlib import suppress

from zerkalo.bookings.model import Snapshot
from zerkalo.db.pool import Connection
from zerkalo.inbox import store as inbox
from zerkalo.mirror.snapshots import snapshot_of
from zerkalo.yclients.payloads import NotEnvelope, NotJson, UnreadableRecord, parse_webhook

Key = tuple[int, int]
"""(company, record)."""


async def codes_overheard(conn: Connection, keys: Collection[Key]) -> list[tuple[Key, Snapshot]]:
    """The showings with codes among the signed deliveries of these records that the inbox keeps, oldest first."""
    found: list[tuple[Key, Snapshot]] = []
    for key, body in await inbox.signed_bodies(conn, keys):
        with suppress(NotJson, NotEnvelope, UnreadableRecord):  # in quarantine
            record = parse_webhook(body).record
            # Only a comment's codes are asked for, so that the salon's zone does not matter.
            snapshot = None if record is None else snapshot_of(record, None, complete=False)
            if snapshot is not None and snapshot.codes:
                found.append((key, snapshot))
    return found
