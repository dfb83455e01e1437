"""The laws of the write path once more, through `Applier` and the real tables: fewer examples, the same histories."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.property.mirror.test_fold_laws import assert_mirrors
from tests.support.history import Player, Step, states, steps
from tests.support.mirrors import OUR_TIME, PureMirror, StoredMirror
from tests.support.vendor import COMPANY_ID, State
from zerkalo.db.pool import Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.service import Applier

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states() | states(clocks=True), steps(), st.booleans())
async def test_any_order_repetition_and_loss_followed_by_a_sync_ends_in_the_truth(
    pool: Pool, history: list[State], events: list[Step], deleted_is_404: bool
) -> None:
    stored = await _fresh(pool)
    player = Player(stored, history, deleted_is_404=deleted_is_404)
    await player.play(events)
    await player.finish()
    row = await stored.row()
    assert_mirrors(row, player.truth)

    await player.sync()
    assert await stored.row() == row, "a second sync writes nothing"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states(), steps())
async def test_the_tables_hold_what_the_rules_say(
    pool: Pool, history: list[State], events: list[Step]
) -> None:
    """The fast laws run on the rules alone; this is why they speak for the database, too."""
    stored, pure = await _fresh(pool), PureMirror()
    for mirror in (stored, pure):
        player = Player(mirror, history)
        await player.play(events)
        await player.finish()
    in_table, in_memory = await stored.row(), await pure.row()

    assert (in_table is None) == (in_memory is None)
    if in_table is not None and in_memory is not None:
        assert replace(in_table, id=1, observation=0) == replace(in_memory, id=1, observation=0)


async def _fresh(pool: Pool) -> StoredMirror:
    async with pool.connection() as conn:
        await conn.execute("delete from bookings")
        await conn.execute("delete from refetches")
        await conn.execute(
            "insert into companies (id, timezone_name) values (%s, 'Europe/Moscow') on conflict do nothing",
            [COMPANY_ID],
        )
    applier = Applier(
        pool,
        clock=lambda: OUR_TIME,
        order_clock=lambda: OUR_TIME,
        policy=LoyaltyPolicy(enabled=False, percent=Decimal(5)),
    )
    return StoredMirror(pool, applier)
