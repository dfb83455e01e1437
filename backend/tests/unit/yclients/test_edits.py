"""Writing a record back at another time: all of it, and nothing that a client could not have."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.support.emulator import sample
from zerkalo.yclients.edits import moved_record

TO = datetime(2026, 12, 3, 17, 0, tzinfo=timezone(timedelta(hours=3)))


def moved(**changes: Any) -> Any:
    record = sample("32")["data"] | changes
    return moved_record(json.dumps({k: v for k, v in record.items() if v is not ...}).encode(), TO)


def test_everything_goes_along() -> None:
    record = sample("32")["data"]

    found = moved()

    body = found.body
    assert body["datetime"] == "2026-12-03T17:00:00+03:00"
    assert (body["save_if_busy"], body["send_sms"]) == (False, False)
    for name in ("staff_id", "comment", "attendance", "seance_length"):
        assert body[name] == record[name]
    assert set(sample("33")) <= set(body) | {"client"}
    assert found.staff_id == record["staff_id"]
    assert found.service_ids == tuple(one["id"] for one in record["services"])


@pytest.mark.parametrize("phone", [70000000101, "+7 000 000-01-01"])
def test_the_client_goes_along_with_her_phone_in_digits(phone: Any) -> None:
    client = {"id": 1, "name": "Клиент", "phone": phone, "email": ""}

    assert moved(client=client).body["client"] == {"name": "Клиент", "phone": "70000000101", "email": ""}


@pytest.mark.parametrize("client", [None, [], {}, ..., {"name": "Клиент", "phone": ""}])
def test_a_client_without_a_phone_stays_as_she_is(client: Any) -> None:
    assert "client" not in moved(client=client).body


@pytest.mark.parametrize(
    "changes",
    [
        {"activity_id": 5},
        {"services": []},
        {"staff_id": None},
        {"services": [{"title": "no id"}]},
        {"services": ...},
    ],
)
def test_what_can_not_be_moved_so_is_told(changes: dict[str, Any]) -> None:
    assert moved(**changes) is None


def test_phps_empty_lists_become_objects() -> None:
    assert moved(custom_fields=[]).body["custom_fields"] == {}
    assert moved(custom_fields={"a": 1}).body["custom_fields"] == {"a": 1}
    assert moved(record_labels=[{"id": 3, "title": "x"}]).body["record_labels"] == ["3"]
