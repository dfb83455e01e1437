"""The ledger equals what was earned: a formula of its own over rows and settings."""

from decimal import Decimal
from typing import Any

from tests.simulation.world import World


def ledger_faults(
    world: World, rows: list[dict[str, Any]], users: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> list[str]:
    """Bookings whose entries are not what they earn, users whose balance is not what they earned and were given."""
    faults: list[str] = []
    sums: dict[tuple[int, int], int] = {}
    percents: dict[int, Decimal] = {}
    starts: dict[int, set[Any]] = {}
    for entry in entries:
        if entry["booking_id"] is None:
            continue
        key = (entry["booking_id"], entry["user_id"])
        sums[key] = sums.get(key, 0) + entry["amount"]
        if entry["kind"] == "accrual" and entry["percent"] is not None:
            percents.setdefault(entry["booking_id"], entry["percent"])
            starts.setdefault(entry["booking_id"], set()).add(entry["start_date"])
    settings = world.settings_now
    for row in rows:
        begins = {settings.loyalty_start_date} if settings.loyalty_enabled else set[Any]()
        begins |= starts.get(row["id"], set())
        visit_on = row["appointment_local"].date()
        earns = row["status"] == "COMPLETED" and any(one is None or visit_on >= one for one in begins)
        percent = percents.get(row["id"], settings.loyalty_percent)
        points = int(Decimal(row["service_price"]) / 100 * percent / 100) if earns and row["user_id"] else 0
        has = {user: amount for (id_, user), amount in sums.items() if id_ == row["id"] and amount}
        due = {row["user_id"]: points} if points else {}
        if has != due:
            faults.append(f"booking {row['id']} ({row['status']}) has points {has}, earned {due}")
    return faults + _balance_faults(world, rows, users, entries)


def _balance_faults(
    world: World, rows: list[dict[str, Any]], users: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> list[str]:
    """Of living accounts: earned by bookings, plus what was given and taken by hand, each key once."""
    faults: list[str] = []
    hand = [entry for entry in entries if entry["created_by"] is not None]
    keys = [entry["entry_key"] for entry in hand]
    if len(keys) != len(set(keys)):
        faults.append("a movement by hand was made twice")
    kept = {(entry["id"], entry["amount"]) for entry in hand}
    faults += [
        f"entry {entry_id} of {points} by hand was told to be done and is not there"
        for entry_id, points in sorted(world.people.answered_points - kept)
    ]
    asked = {(user_id, points) for user_id, points, _ in world.people.hand_points}
    faults += [
        f"entry {entry['id']} was never asked for"
        for entry in hand
        if entry["undoes"] is None
        and entry["reason"] == "by hand"
        and (entry["user_id"], entry["amount"]) not in asked
        and not entry["entry_key"].startswith("merge")
    ]
    return faults
