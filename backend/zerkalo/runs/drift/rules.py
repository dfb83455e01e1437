"""How our rows and cards differ from YCLIENTS, and which differences a sync should have fixed. Pure."""

from collections.abc import Mapping
from datetime import date, tzinfo

from zerkalo.bookings.merging.rules import content_differences
from zerkalo.bookings.model import CancelReason, Row
from zerkalo.clients.model import Card
from zerkalo.mirror.snapshots import snapshot_of
from zerkalo.runs.drift.model import Difference
from zerkalo.yclients.model import Record, SalonClient

MISSING = "we do not have it"
UNKNOWN_THERE = "YCLIENTS does not know it"
WAITING = "YCLIENTS does not know it, nor many others: it waits for a person's word (`zerkalo sync --accept-absent`)"
BEFORE_THE_WINDOW = "before the window: `zerkalo sync --full` reads it"
OF_CLIENTS = frozenset({"phone", "client_name", "card", "card's name", "card's phone", "card's email"})
"""Fields that change without the record's change time; a sync notices them only on visits that it reads."""


def difference_of(
    company_id: int, record_id: int, what: str, row: Row | None, *, window_start: date
) -> Difference:
    """A difference, marked where only a full sync could have noticed it."""
    visit = row.appointment_local if row is not None else None
    is_owed = visit is None or visit.date() >= window_start or not OF_CLIENTS.issuperset(what.split(", "))
    named = what if is_owed else f"{what} ({BEFORE_THE_WINDOW})"
    return Difference(company_id, record_id, named, is_owed=is_owed)


def what_differs(
    record: Record | None, row: Row | None, cards: Mapping[int, Card], zone: tzinfo | None
) -> str:
    """The fields in which the row differs from the record; "" for none."""
    if record is None:
        is_gone = row is None or row.cancel_reason is CancelReason.DELETED
        return "" if is_gone else UNKNOWN_THERE
    snapshot = snapshot_of(record, zone, complete=True)
    if row is None:
        is_block = not snapshot.has_client and not snapshot.has_services
        return "" if is_block else MISSING
    return ", ".join((*content_differences(row, snapshot), *_card_differences(record, row, cards)))


def _card_differences(record: Record, row: Row, cards: Mapping[int, Card]) -> list[str]:
    """The fields in which our card of the record's client differs; empty values of YCLIENTS don't count."""
    client = record.client
    if (
        not isinstance(client, SalonClient)
        or not isinstance(client.client_id, int)
        or row.erased_at is not None
    ):
        return []
    card = cards.get(client.client_id)
    if card is None:
        return ["card"]
    if card.erased_at is not None:
        return []
    shown = {
        "name": (client.name, card.name),
        "phone": (client.phone, card.phone),
        "email": (client.email, card.email),
    }
    return [f"card's {name}" for name, (theirs, ours) in shown.items() if theirs and theirs != ours]
