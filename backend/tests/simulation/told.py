"""What people are told, and what cards show, once a world has healed."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.simulation.database import fetch
from tests.simulation.world import World
from zerkalo.mirror.balances.service import CLAIM_SPAN
from zerkalo.mirror.balances.store import COMPARE_SPAN
from zerkalo.notices.rules import SETTLE_SPAN

LOOKS_MAX = 20
TOLD_OF = frozenset({"status", "moved", "link"})
"""Kinds of a booking's history that a user is told of."""
_SHOWN = """
    select c.company_id, c.client_id, c.due_at,
        (select coalesce(sum(amount), 0) from bonus_entries e where e.user_id = c.user_id) as balance
    from card_balances c
    where c.error is null and c.user_id = (
        select min(b.user_id) from bookings b where b.company_id = c.company_id and b.client_id = c.client_id
        having min(b.user_id) = max(b.user_id))
    order by 1, 2
"""


def message_faults(
    world: World, messages: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]]
) -> list[str]:
    """Nobody is told the same of a booking twice in a row, by one way, whatever repeated, crashed or ran twice at once.

    But for a change that was undone and is then made again: where undoing it was read too late to be told, its user may
    have learned of it in the salon or from the page, and must hear of the second one.
    """
    faults: list[str] = []
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in messages:
        world.counted[f"told: {one['kind']}"] += 1
        way = (one["booking_id"], one["channel"])
        before = last.get(way)
        if (
            before is not None
            and one["channel"] is not None
            and _told(one) == _told(before)
            and not _was_otherwise(events, before, one)
        ):
            faults.append(
                f"message {one['id']} of booking {one['booking_id']} repeats the one before: {_told(one)}"
            )
        last[way] = one
    return faults


def _told(message: dict[str, Any]) -> tuple[Any, ...]:
    return (message["user_id"], message["recipient"], message["subject"], message["body"])


def _was_otherwise(events: Sequence[dict[str, Any]], before: dict[str, Any], again: dict[str, Any]) -> bool:
    """Whether the booking stood otherwise between the two messages, for so long that a look considered it."""
    changes = [
        event["at"]
        for event in events
        if event["booking_id"] == again["booking_id"]
        and event["kind"] in TOLD_OF
        and before["created_at"] - SETTLE_SPAN < event["at"] < again["created_at"]
    ]
    return any(back - away >= SETTLE_SPAN for away, back in pairwise(changes))


async def balance_faults(world: World) -> list[str]:
    """Every card whose visits are one user's shows the balance of their ledger, once the looks have come to their end."""
    task = next(one for one in world.processes[0].periodic_tasks() if one.name == "balances")
    due: list[dict[str, Any]] = []
    await asyncio.sleep(COMPARE_SPAN.total_seconds())
    for _ in range(LOOKS_MAX):
        await task.work()
        await asyncio.sleep(CLAIM_SPAN.total_seconds())  # of a process that was killed
        async with world.pool.connection() as conn:
            due = await fetch(conn, "select client_id from card_balances where due_at is not null")
        if not due:
            break
    async with world.pool.connection() as conn:
        cards = await fetch(conn, _SHOWN)
    field = world.plan.settings.yclients_balance_field
    faults = [f"the balance of card {one['client_id']} waits for ever" for one in due]
    for card in cards:
        world.counted["told: a balance on a card"] += 1
        client = world.emulator.vendor.client(card["client_id"])
        shown = None if client is None else client.custom_fields.get(field or "")
        if client is not None and shown != str(card["balance"]):
            faults.append(f"card {card['client_id']} shows {shown} points, the ledger has {card['balance']}")
    return faults
