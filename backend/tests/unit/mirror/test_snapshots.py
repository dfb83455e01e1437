"""YCLIENTS's record -> our snapshot and row: contract, section 4, a line each."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from zerkalo.bookings.model import Snapshot
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.snapshots import snapshot_of
from zerkalo.yclients.payloads import parse_record

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
WHOLE = {
    "id": 4711,
    "company_id": 7,
    "date": "2026-12-03 15:30:00",
    "datetime": "2026-12-03T15:30:00+03:00",
    "last_change_date": "2026-12-01T12:00:05+0300",
    "seance_length": 3600,
    "services": [{"title": "Стрижка", "cost": 1800, "amount": 1}],
    "client": {"name": "Мария", "phone": "+79990000001", "email": " Maria@Salon.test "},
    "staff": {"name": "Анна"},
    "attendance": 0,
    "deleted": False,
    "comment": "",
}


def shown(
    zone: ZoneInfo | None = MOSCOW, *, complete: bool = False, drop: tuple[str, ...] = (), **changes: Any
) -> Snapshot:
    record = {key: value for key, value in (WHOLE | changes).items() if key not in drop}
    return snapshot_of(parse_record(json.dumps(record).encode()), zone, complete=complete)


def service(title: str = "Стрижка", **fields: Any) -> dict[str, Any]:
    return {"title": title, "cost": 1800} | fields


def test_a_whole_record() -> None:
    snapshot = shown()

    assert snapshot.version == datetime(2026, 12, 1, 9, 0, 5, tzinfo=UTC)
    assert snapshot.starts_at == datetime(2026, 12, 3, 12, 30, tzinfo=UTC)
    assert snapshot.starts_local == datetime(2026, 12, 3, 15, 30)  # noqa: DTZ001  the salon's wall clock
    assert (snapshot.service_name, snapshot.price_kopecks, snapshot.duration_minutes) == (
        "Стрижка",
        180_000,
        60,
    )
    assert (snapshot.phone, snapshot.phone10, snapshot.email) == (
        "+79990000001",
        "9990000001",
        "maria@salon.test",
    )
    assert snapshot.staff_name == "Анна"


@pytest.mark.parametrize(
    ("services", "name"),
    [
        ([], ""),
        ([service("Стрижка")], "Стрижка"),
        ([service("Стрижка"), service("Укладка")], "Стрижка, Укладка"),
        ([service("Стрижка", amount=2)], "Стрижка ×2"),
        ([service("Стрижка", amount="3"), service("Укладка", amount=1)], "Стрижка ×3, Укладка"),
        ([service("Стрижка", amount=0)], "Стрижка"),
        ([service("Стрижка", amount=None)], "Стрижка"),
    ],
)
def test_service_name(services: list[dict[str, Any]], name: str) -> None:
    assert shown(services=services).service_name == name


@pytest.mark.parametrize(
    ("services", "kopecks"),
    [
        ([service(cost=1800)], 180_000),
        ([service(cost="1800.50")], 180_050),
        ([service(cost=0.1), service(cost=0.2)], 30),
        ([service(cost=99.995)], 10_000),
        ([service(cost=0.004), service(cost=0.004)], 1),
        ([service(cost=None)], 0),
        # `cost` shown to cover one unit
        ([service(cost=900, cost_per_unit=1000, discount=10, amount=2)], 180_000),
        # `cost` shown to cover all
        ([service(cost=1800, cost_per_unit=1000, discount=10, amount=2)], 180_000),
        # neither
        ([service(cost=1500, cost_per_unit=1000, discount=10, amount=2)], 150_000),
        ([service(cost=900, amount=2)], 90_000),
        ([], 0),
    ],
)
def test_service_price(services: list[dict[str, Any]], kopecks: int) -> None:
    assert shown(services=services).price_kopecks == kopecks


@pytest.mark.parametrize(
    ("fields", "minutes"),
    [
        ({"seance_length": 3600}, 60),
        ({"seance_length": 3601}, 61),
        ({"seance_length": 59}, 1),
        ({"seance_length": 0}, 0),
        ({"seance_length": None, "length": 1800}, 30),
        ({"seance_length": 3600, "length": 1800}, 60),
    ],
)
def test_service_duration(fields: dict[str, Any], minutes: int) -> None:
    assert shown(**fields).duration_minutes == minutes


@pytest.mark.parametrize(
    ("zone", "date", "told", "utc"),
    [
        (MOSCOW, "2026-12-03 15:30:00", None, (2026, 12, 3, 12, 30)),
        (BERLIN, "2026-12-03 15:30:00", None, (2026, 12, 3, 14, 30)),
        (BERLIN, "2026-07-03 15:30:00", None, (2026, 7, 3, 13, 30)),
        # `date` in the zone comes before an offset, which was seen wrong in summer
        (BERLIN, "2026-07-03 15:30:00", "2026-07-03T15:30:00+01:00", (2026, 7, 3, 13, 30)),
        # the hour that an autumn night has twice: the vendor's own instant chooses, else the first
        (BERLIN, "2026-10-25 02:30:00", "2026-10-25T02:30:00+02:00", (2026, 10, 25, 0, 30)),
        (BERLIN, "2026-10-25 02:30:00", "2026-10-25T02:30:00+01:00", (2026, 10, 25, 1, 30)),
        (BERLIN, "2026-10-25 02:30:00", None, (2026, 10, 25, 0, 30)),
        # the hour that a spring night lacks: as if the clock had not been put forward yet
        (BERLIN, "2026-03-29 02:30:00", None, (2026, 3, 29, 1, 30)),
        # no zone: the offset counts
        (None, "2026-12-03 15:30:00", "2026-12-03T15:30:00+05:00", (2026, 12, 3, 10, 30)),
        # nor does an offset that is not the salon's touch its wall clock
        (None, "2026-12-03 15:30:00", "2026-12-03T13:30:00+03:00", (2026, 12, 3, 10, 30)),
    ],
)
def test_the_visit_is_the_wall_clock_in_the_salons_zone(
    zone: ZoneInfo | None, date: str, told: str | None, utc: tuple[int, int, int, int, int]
) -> None:
    snapshot = shown(zone, date=date, datetime=told)

    assert snapshot.starts_at == datetime(*utc, tzinfo=UTC)
    assert str(snapshot.starts_local) == date


@pytest.mark.parametrize(
    ("zone", "fields"),
    [
        (None, {"datetime": None}),
        (None, {"datetime": "2026-12-03T15:30:00"}),
        (MOSCOW, {"date": None, "datetime": None}),
    ],
)
def test_a_visit_whose_instant_cannot_be_told_is_not_guessed(
    zone: ZoneInfo | None, fields: dict[str, Any]
) -> None:
    assert shown(zone, **fields).starts_at is UNSET


def test_instant_without_a_date_is_shown_in_the_salons_zone() -> None:
    snapshot = shown(BERLIN, date=None, datetime="2026-12-03T15:30:00+03:00")

    assert snapshot.starts_at == datetime(2026, 12, 3, 12, 30, tzinfo=UTC)
    assert str(snapshot.starts_local) == "2026-12-03 13:30:00"


@pytest.mark.parametrize(
    "name", [None, "", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "\x00", "x" * 5000]
)
def test_a_zone_that_is_none_is_not_known(name: str | None) -> None:
    assert zone_of(name) is None


@pytest.mark.parametrize(
    ("field", "key", "empty"),
    [
        ("deleted", "deleted", False),
        ("attendance", "attendance", 0),
        ("service_name", "services", ""),
        ("price_kopecks", "services", 0),
        ("has_services", "services", False),
        ("duration_minutes", "seance_length", 0),
        ("has_client", "client", False),
        ("phone", "client", None),
        ("email", "client", None),
        ("staff_name", "staff", None),
        ("comment", "comment", ""),
    ],
)
def test_a_missing_key_is_not_told_by_a_webhook_and_empty_in_an_api_read(
    field: str, key: str, empty: object
) -> None:
    assert getattr(shown(drop=(key,)), field) is UNSET
    assert getattr(shown(drop=(key,), complete=True), field) == empty


@pytest.mark.parametrize(
    ("field", "cut", "empty"),
    [
        ("phone", {"client": {"id": 5, "email": "maria@salon.test"}}, None),
        ("phone10", {"client": {"id": 5, "email": "maria@salon.test"}}, None),
        ("email", {"client": {"id": 5, "phone": "+79990000001"}}, None),
        ("staff_name", {"staff": {"id": 5}}, None),
        ("service_name", {"services": [service(), {"cost": 5, "amount": 2}]}, "Стрижка,  ×2"),
        ("price_kopecks", {"services": [service(), {"title": "Укладка"}]}, 180_000),
    ],
)
def test_a_key_missing_in_an_object_is_not_told_by_a_webhook_and_empty_in_an_api_read(
    field: str, cut: dict[str, Any], empty: object
) -> None:
    assert getattr(shown(**cut), field) is UNSET
    assert getattr(shown(**cut, complete=True), field) == empty


@pytest.mark.parametrize("key", ["deleted", "attendance"])
def test_null_counts_as_missing_for_the_status(key: str) -> None:
    told: dict[str, Any] = {key: None}
    assert getattr(shown(**told), key) is UNSET


def test_visit_attendance_stands_in_for_attendance() -> None:
    assert shown(attendance=None, visit_attendance=1).attendance == 1
    assert shown(attendance=0, visit_attendance=1).attendance == 0


@pytest.mark.parametrize("client", [None, [], {}])
def test_no_client_in_any_shape(client: object) -> None:
    snapshot = shown(client=client)

    assert (snapshot.has_client, snapshot.phone, snapshot.email) == (False, None, None)


def test_one_state_by_webhook_and_by_api_is_one_snapshot() -> None:
    odd = {"services": {"0": service(amount="1", cost="1800.00")}, "last_change_date": "2026-12-01T09:00:05Z", "attendance": "0", "deleted": 0,
           "client": {"name": "Мария", "phone": 79990000001, "email": "maria@salon.test"}}  # fmt: skip

    assert replace(shown(**odd), raw=b"") == replace(shown(complete=True), raw=b"")


ASIDE = ("paid", "prepaid", "online", "created_by")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (
            {"paid_full": 1, "prepaid_confirmed": False, "online": True, "created_user_id": 0},
            (True, False, True, 0),
        ),
        (
            {"paid_full": 0, "prepaid_confirmed": 1, "online": "0", "created_user_id": "7001"},
            (False, True, False, 7001),
        ),
        ({"prepaid": True}, (UNSET, UNSET, UNSET, UNSET)),
        (dict.fromkeys(("paid_full", "prepaid_confirmed", "online", "created_user_id")), (UNSET,) * 4),
        ({"paid_full": 7, "prepaid_confirmed": [], "online": {}, "created_user_id": "nobody"}, (UNSET,) * 4),
    ],
)
def test_who_paid_and_who_booked_is_told_or_not_and_spoils_no_record(
    told: dict[str, Any], found: tuple[object, ...]
) -> None:
    for complete in (False, True):
        snapshot = shown(complete=complete, **told)
        assert tuple(getattr(snapshot, name) for name in ASIDE) == found, "a key that lacks is never a no"
