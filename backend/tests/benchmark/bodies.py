"""What the benchmark sends: the sample webhook with an id and a code of its own, as YCLIENTS writes it."""

import json
from pathlib import Path
from typing import Any

SAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "yclients" / "01-webhook-record-create.json").read_text()
)
COMPANY_ID: int = SAMPLE["company_id"]


FIRST_CLIENT_ID = 10**6
CHANGED_AT = "2025-06-01T12:00:00+0300"
"""Long ago by every clock: a change of the future is not applied at once, it is asked for."""
CHANGED_LATER_AT = "2025-06-01T13:00:00+0300"
USERS = 1_000
"""The salon's users whom records name: as many as the smallest database has that `support.million` fills for a measure."""


def record(record_id: int) -> dict[str, Any]:
    """The record; every second one names a user by code, the others by phone, the way a salon's do."""
    user = record_id % USERS + 1
    comment = f"Код клиента: A{user:07}" if record_id % 2 else "Позвонить за час"
    client = SAMPLE["data"]["client"] | {"id": FIRST_CLIENT_ID + user, "phone": f"+7900{user:07}"}
    return SAMPLE["data"] | {
        "id": record_id,
        "comment": comment,
        "client": client,
        "last_change_date": CHANGED_AT,
    }


def event(record_id: int) -> bytes:
    """The body of a webhook about that record."""
    return _json(SAMPLE | {"resource_id": record_id, "data": record(record_id)})


def changed_event(record_id: int) -> bytes:
    """The webhook that comes when the salon has written another comment and another price into that record."""
    told = record(record_id)
    services = [line | {"cost": line["cost"] + 100} for line in told["services"]]
    later = {
        "comment": f"{told['comment']}, у окна",
        "last_change_date": CHANGED_LATER_AT,
        "services": services,
    }
    return _json(SAMPLE | {"resource_id": record_id, "status": "update", "data": told | later})


def page(record_ids: range) -> bytes:
    """A page of the list of records."""
    records = [record(record_id) for record_id in record_ids]
    return _json({"success": True, "data": records, "meta": {"page": 1, "total_count": 10**6}})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
