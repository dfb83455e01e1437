"""Builders of snapshots, rows and showings for the tables of rules: a booking as the vendor shows it, with what a test names changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from zerkalo.bookings.model import Observed, Row, Snapshot, Source
from zerkalo.bookings.rules import Insert, decide

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
VISIT = datetime(2026, 12, 3, 12, 30, tzinfo=UTC)


def at(second: int) -> datetime:
    """A change time: that second of one minute."""
    return datetime(2026, 12, 1, 9, 0, tzinfo=UTC) + timedelta(seconds=second)


def snapshot(second: int | None = 5, **changes: Any) -> Snapshot:
    """A whole showing at that change time; `UNSET` for what it is not to tell."""
    fields = {
        "company_id": 7,
        "record_id": 4711,
        "version": None if second is None else at(second),
        "deleted": False,
        "attendance": 0,
        "service_name": "Стрижка",
        "price_kopecks": 180_000,
        "duration_minutes": 60,
        "starts_at": VISIT,
        "starts_local": datetime(2026, 12, 3, 15, 30),  # noqa: DTZ001  the salon's wall clock
        "phone": "+79990000001",
        "phone10": "9990000001",
        "email": "maria@salon.test",
        "client_id": None,
        "client_name": None,
        "has_client": True,
        "has_services": True,
        "staff_name": "Анна",
        "comment": "",
        "codes": (),
        "api_id": None,
        "raw": "{}",
    }
    return Snapshot(**fields | changes)


def row(second: int | None = 5, *, source: Source = Source.WEBHOOK, revision: int = 3, **changes: Any) -> Row:
    """The row that such a showing leaves where there was none, as it is read back."""
    decision = decide(None, snapshot(second, **changes), Observed(source=source), now=NOW)
    assert isinstance(decision, Insert), decision
    return replace(decision.row, id=1, revision=revision)
