"""What must hold when a world has healed, computed from the emulator's truth and not from the rules under test."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from tests.simulation.database import fetch
from tests.simulation.ledger import ledger_faults
from tests.simulation.links import link_faults
from tests.simulation.told import balance_faults, message_faults
from tests.simulation.world import World
from yclients_emulator import desk
from zerkalo.db.transaction import transaction
from zerkalo.mirror.batch import rematch_batch
from zerkalo.runs.drift.service import Drift
from zerkalo.runs.rules import window_start

SYNC_SECONDS_MAX = 3600
"""Of simulated time, for a run without trouble."""

ASKED_A_MINUTE_MAX = 30
"""So often no record is asked for unless asking makes us ask again. The busiest of 120 seeds asked ten times."""

STATUS = {0: "PENDING", 1: "COMPLETED", 2: "CONFIRMED", -1: "CANCELLED"}


async def judge(world: World) -> list[str]:
    """Every way in which the healed world is not as it must be; empty: it is."""
    faults = [f"raised: {error!r}" for error in world.failures]
    await accept_absent(world)
    faults += [f"in the window: {line}" for line in await drift_lines(world, whole=False)]
    await sync_all(world)
    await accept_absent(world)
    faults += [f"drift: {line}" for line in await drift_lines(world, whole=True)]
    async with world.pool.connection() as conn:
        rows = await fetch(conn, "select * from bookings order by company_id, yclients_record_id")
        users = await fetch(conn, "select * from users order by id")
        retired = await fetch(conn, "select * from retired_codes order by code")
        forms = await fetch(conn, "select * from form_bookings order by api_id")
        entries = await fetch(conn, "select * from bonus_entries order by id")
        deliveries = await fetch(conn, "select * from deliveries order by id")
        cards = await fetch(conn, "select * from clients order by company_id, client_id")
        events = await fetch(conn, "select * from booking_events order by id")
        messages = await fetch(conn, "select * from outbox where booking_id is not null order by id")
    faults += row_faults(world, rows)
    faults += erasure_faults(world, rows, users, deliveries)
    faults += card_faults(world, rows, cards)
    faults += link_faults(world, rows, users, retired, forms, cards, events)
    faults += ledger_faults(world, rows, users, entries)
    faults += inbox_faults(world, deliveries)
    faults += message_faults(world, messages, events)
    faults += asking_faults(world)
    faults += await balance_faults(world)
    faults += await second_look_faults(world)
    faults += await second_sync_faults(world)
    return faults


async def accept_absent(world: World) -> None:
    """A person's word on the many records that YCLIENTS does not know any more: what is hidden no longer shows itself."""
    for company_id in world.plan.zones:
        await world.processes[0].refetcher.accept_absent(company_id)
    await world.rest()


async def sync_all(world: World) -> None:
    """A whole read of every branch, and what it raises, to its end."""
    for company_id in world.plan.zones:
        while not await _whole_read(world, company_id):
            """A run of the window was under way; the next one is ours."""
    await world.rest()


async def _whole_read(world: World, company_id: int) -> bool:
    """See a run of the branch to its end, whoever carries it; whether it read the whole history."""
    runs = world.processes[0].runs
    opened = await runs.open_or_join(company_id, full=True)
    await runs.carry(company_id)
    (run,) = await runs.wait([opened.id], timeout_seconds=SYNC_SECONDS_MAX)
    if run.is_running or run.error is not None:
        raise AssertionError(f"a sync without trouble ended with {run}")
    return run.full_history


async def drift_lines(world: World, *, whole: bool) -> list[str]:
    """What the production's own `drift` says, of everything or of the window."""
    context = world.processes[0].context
    lines: list[str] = []
    for company_id in world.plan.zones:
        zone = world.emulator.vendor.company(company_id).zone
        start = window_start(world.clock(), zone, context.window_days)
        drift = Drift(context, company_id)
        async for part in drift.slices() if whole else drift.slices(start):
            lines += [str(one) for one in part.differences]
    return lines


def row_faults(world: World, rows: list[dict[str, Any]]) -> list[str]:
    """Exactly one row a record, saying what the record says."""
    faults: list[str] = []
    found = {(row["company_id"], row["yclients_record_id"]): row for row in rows}
    if len(found) != len(rows):
        faults.append("a record has two rows")
    truths = {(one["company_id"], one["id"]): one for one in desk.truths(world.emulator)}
    for key, truth in truths.items():
        row = found.pop(key, None)
        if row is not None:
            faults += [f"{key}: {what}" for what in _differences(world, row, truth)]
        elif not truth["is_block"]:
            faults.append(f"{key}: no row")
    for key, row in found.items():
        if key not in world.salon.purged:
            faults.append(f"{key}: YCLIENTS never had it")
        elif row["cancel_reason"] != "deleted":
            faults.append(f"{key}: purged, and the row says {row['status']}")
    return faults


def _differences(world: World, row: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    status = "CANCELLED" if truth["deleted"] else STATUS[truth["attendance"]]
    reason = "deleted" if truth["deleted"] else "no_show" if status == "CANCELLED" else None
    told = {
        "status": status,
        "cancel_reason": reason,
        "service_price": truth["total_kopecks"],
        "service_duration": -(-truth["seance_length"] // 60),
        "appointment_local": datetime.fromisoformat(truth["date"]),
        "service_name": _service_name(truth),
        "staff_name": truth["staff_name"],
        "vendor_changed_at": datetime.fromisoformat(truth["changed_at"]),
        "comment": "" if row["erased_at"] else truth["comment"],
    }
    if row["erased_at"] is None:
        told["phone"] = f"+{truth['phone']}" if truth["phone"] else None
    # Where a wrong offset and an hour that there is twice meet, nobody can say which of the two it was.
    if not _is_ambiguous(world, truth):
        told["appointment_datetime"] = datetime.fromisoformat(truth["starts_at"])
    found = [f"{name} is {row[name]!r}, not {value!r}" for name, value in told.items() if row[name] != value]
    if (row["cancelled_at"] is not None) != (status == "CANCELLED"):
        found.append(f"cancelled_at is {row['cancelled_at']}")
    if row["notes"].split("\n")[0] != f"YClients. ID: {truth['id']}":
        found.append("the notes don't begin with the record's id")
    if not row["notes"].endswith(told["comment"]):
        found.append("the notes don't end with the comment")
    return found


def _service_name(truth: dict[str, Any]) -> str:
    amounts = [(one["title"], one["amount"]) for one in truth["services"]]
    return ", ".join(title + (f" ×{amount}" if amount > 1 else "") for title, amount in amounts)


def _is_ambiguous(world: World, truth: dict[str, Any]) -> bool:
    zone = world.emulator.vendor.company(truth["company_id"]).zone
    local = datetime.fromisoformat(truth["date"]).replace(tzinfo=zone)
    both = local.utcoffset() != local.replace(fold=1).utcoffset()
    return both and world.plan.wrong_summer_offset


def card_faults(world: World, rows: list[dict[str, Any]], cards: list[dict[str, Any]]) -> list[str]:
    """After a whole read every card that a record shows says what YCLIENTS's says; what is empty there changes nothing."""
    shown = _shown_cards(world, rows)
    personal = ("name", "phone", "email", "first_email", "email_known_since", "user_id")
    faults = [
        f"erased card {card['client_id']} still has {name}"
        for card in cards
        for name in personal
        if card["erased_at"] is not None and card[name]
    ]
    for card in cards:
        key = (card["company_id"], card["client_id"])
        client = world.emulator.vendor.client(card["client_id"])
        if client is None or card["erased_at"] is not None or key not in shown:
            continue
        told = {"phone": client.phone and f"+{client.phone}", "email": client.email.lower()}
        faults += [
            f"card {key}: {name} is {card[name]!r}, not {value!r}"
            for name, value in told.items()
            if value and card[name] != value
        ]
    return faults


def _shown_cards(world: World, rows: list[dict[str, Any]]) -> set[tuple[int, int]]:
    """The cards that a record shows now whose booking may teach: of an erased one nothing is taken."""
    records = world.emulator.vendor.records
    return {
        (row["company_id"], record.client_id)
        for row in rows
        if row["erased_at"] is None
        and (record := records[row["company_id"]].get(row["yclients_record_id"])) is not None
        and record.client_id is not None
    }


def erasure_faults(
    world: World, rows: list[dict[str, Any]], users: list[dict[str, Any]], deliveries: list[dict[str, Any]]
) -> list[str]:
    """What was erased stays so, and names nobody, in the mirror and in the inbox."""
    faults: list[str] = []
    erased = {row["id"]: row for row in rows if row["erased_at"] is not None}
    # A row that only an unsigned call ever told of goes when YCLIENTS does not know it; `row_faults` wants all others.
    still_there = world.people.proofs.erased_bookings & {row["id"] for row in rows}
    faults += [f"booking {one} was erased and is not" for one in still_there - {*erased}]
    personal = ("user_id", "matched_by", "phone", "match_email", "match_phone10", "raw_record", "raw_digest")
    for row in erased.values():
        left = [name for name in personal if row[name] is not None]
        if left or row["comment"] or row["match_codes"] or "\n" in row["notes"]:
            faults.append(f"erased booking {row['id']} still has {left or 'a text'}")
    keys = {(row["company_id"], row["yclients_record_id"]) for row in erased.values()}
    for one in deliveries:
        if (one["company_id"], one["resource_id"]) in keys and b'"data"' in one["body"]:
            faults.append(f"delivery {one['id']} still has the body of an erased booking")
    for user in users:
        if user["erased_at"] and (user["email"] or user["phone"] or user["name"] or user["unique_code"]):
            faults.append(f"erased user {user['id']} still has a contact")
    return faults


def asking_faults(world: World) -> list[str]:
    """An answer that changes nothing leads to no question at once: YCLIENTS's rate is everybody's."""
    return [
        f"{path} was asked for {count} times in a minute"
        for (path, _), count in world.asked.most_common(3)
        if count > ASKED_A_MINUTE_MAX
    ]


def inbox_faults(world: World, deliveries: list[dict[str, Any]]) -> list[str]:
    """Every acknowledged delivery is kept with the outcome that was told; only what can't be read is in quarantine.

    Of an erased booking, and of what was ignored, the call is kept and its body is not.
    """
    kept = Counter((one["body"], one["outcome"]) for one in deliveries)
    stripped = Counter(
        (one["company_id"], one["resource_id"], one["outcome"])
        for one in deliveries
        if b'"erased"' in one["body"] or one["outcome"] == "ignored"
    )
    faults: list[str] = []
    for (body, told), count in (Counter(world.acknowledged) - kept).items():
        room = (*_named_by(body), told)
        if stripped[room] < count:
            faults.append(f"{count} deliveries answered {told} are not in the inbox: {body[:200]!r}")
        stripped[room] -= count
    for one in deliveries:
        emptied = b'"erased"' in one["body"]  # with the other bodies of a company, when somebody was erased
        unreadable = emptied or one["body"] in world.trouble.unreadable
        if one["outcome"] == "quarantined" and not unreadable and one["reason"] != "erased":
            faults.append(f"delivery {one['id']} is quarantined: {one['reason']}")
    return faults


def _named_by(body: bytes) -> tuple[Any, Any]:
    """The (company, record) that a body is about; (None, None) where it can't be read."""
    try:
        event = msgspec.json.decode(body)
        return event["company_id"], event["resource_id"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return None, None


async def second_sync_faults(world: World) -> list[str]:
    """Nothing changes when all is read once more, and when the inbox is played once more."""
    written = await _versions(world)
    await sync_all(world)
    faults = [
        f"a second sync wrote {table}: {sorted(rows ^ written[table])[:4]}"
        for table, rows in (await _versions(world)).items()
        if rows != written[table]
    ]
    before = await _revisions(world)
    async with world.pool.connection() as conn:
        ids = [row["id"] for row in await fetch(conn, "select id from deliveries order by id")]
    rng = world.random("replay")
    replay = world.processes[0].replay
    for delivery_id in rng.sample(ids, min(len(ids), 10)):
        await replay.one(delivery_id)
    await world.rest()
    return faults + _changed(before, await _revisions(world), "a replay", asked=True)


async def second_look_faults(world: World) -> list[str]:
    """Looking once more whose each booking is changes nothing: whatever changed who fits has made us look already."""
    before = await _revisions(world)
    sql = "select company_id, yclients_record_id from bookings order by 1, 2"
    async with world.pool.connection() as conn:
        keys = [(row["company_id"], row["yclients_record_id"]) for row in await fetch(conn, sql)]
    policy, alone = world.processes[0].policy, world.plan.settings.match_email_alone
    async with transaction(world.pool) as conn:
        await rematch_batch(conn, keys, policy=policy, now=world.clock(), email_counts_alone=alone)
    return _changed(before, await _revisions(world), "a second look")


async def _versions(world: World) -> dict[str, set[tuple[Any, ...]]]:
    """Which version of each row PostgreSQL holds: it changes with every write, whatever that writes."""
    async with world.pool.connection() as conn:
        return {
            table: {
                tuple(row.values())
                for row in await fetch(conn, f"select id, xmin::text, ctid::text from {table}")
            }
            for table in ("bookings", "bonus_entries", "users", "deliveries")
        }


async def _revisions(world: World) -> dict[int, tuple[Any, ...]]:
    sql = """
        select id, revision, status, cancel_reason, service_price, appointment_datetime, comment, user_id, matched_by,
            (select count(*) from bonus_entries e where e.booking_id = b.id) as entries
        from bookings b
    """
    async with world.pool.connection() as conn:
        return {row["id"]: tuple(row.values()) for row in await fetch(conn, sql)}


def _changed(
    before: dict[int, tuple[Any, ...]],
    after: dict[int, tuple[Any, ...]],
    what: str,
    *,
    asked: bool = False,
) -> list[str]:
    # Asked about, a deleted booking may turn out to be unknown there by now: noted, and so a revision, but no change.
    compared = slice(2, None) if asked else slice(None)
    return [
        f"{what} changed booking {id_}: {before.get(id_)} -> {after.get(id_)}"
        for id_ in sorted(before.keys() | after.keys())
        if (before.get(id_) or ())[compared] != (after.get(id_) or ())[compared]
    ]
