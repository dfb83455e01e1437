"""Laws of the write path, on the rules alone: whatever is lost, late, doubled or cut, a sync ends in the vendor's truth."""

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tests.support.history import Player, Step, states, steps
from tests.support.mirrors import PureMirror
from tests.support.vendor import PARTS, State, differences, webhook
from zerkalo.bookings.model import Row

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that never waits: a loop a million times over would cost more than the law."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the pure mirror never waits")


@given(states() | states(clocks=True), steps(), st.booleans())
def test_any_order_repetition_and_loss_followed_by_a_sync_ends_in_the_truth(
    history: list[State], events: list[Step], deleted_is_404: bool
) -> None:
    async def play() -> None:
        mirror = PureMirror()
        player = Player(mirror, history, deleted_is_404=deleted_is_404)
        await player.play(events)
        await player.finish()
        row = await mirror.row()
        assert_mirrors(row, player.truth)

        await player.sync()
        assert await mirror.row() == row, "a second sync writes nothing"

    run(play())


@given(states(), steps(), st.lists(st.integers(0, 5), max_size=4), st.booleans())
def test_late_repetitions_after_a_sync_change_no_field(
    history: list[State], events: list[Step], late: list[int], deleted_is_404: bool
) -> None:
    async def play() -> None:
        mirror = PureMirror()
        player = Player(mirror, history, deleted_is_404=deleted_is_404)
        await player.play(events)
        await player.finish()
        had_row = await mirror.row() is not None

        for pick in late:
            await mirror.apply([webhook(history[pick % len(history)])])
        await player.drain()

        if not had_row:
            # Nothing is kept of a block or of a record that was never there: a late booking of it lasts until the next sync.
            await player.sync()
        assert_mirrors(await mirror.row(), player.truth)

    run(play())


@given(states(purges=False), st.lists(st.frozensets(st.sampled_from(PARTS)), min_size=6, max_size=6))
def test_a_webhook_cut_anywhere_is_made_whole_by_the_question_it_raises(
    history: list[State], cuts: list[frozenset[str]]
) -> None:
    """No sync is needed, and until the answer comes nothing that was not told has become anything else.

    Of records that are not deleted: what one is like after its end is asked for no more.
    """
    alive = [replace(state, deleted=False) for state in history]

    async def play() -> None:
        mirror = PureMirror()
        player = Player(mirror, alive)
        for at, cut in zip(range(len(alive)), cuts, strict=False):
            player.at = at
            before = await mirror.row()
            await mirror.apply([webhook(player.truth, without=cut)])
            assert_untold_stays(before, await mirror.row(), cut)
            await player.drain()
            assert_mirrors(await mirror.row(), player.truth)

    run(play())


KEPT = {
    "date": ("appointment_datetime",),
    "services": ("service_name", "service_price"),
    "services.title": ("service_name",),
    "services.cost": ("service_price",),
    "client": ("phone", "match_email", "match_phone10"),
    "client.phone": ("phone", "match_phone10"),
    "client.email": ("match_email",),
    "staff": ("staff_name",),
    "staff.name": ("staff_name",),
    "comment": ("comment",),
    "seance_length": ("service_duration",),
}
"""Key that a webhook may lack -> columns that only it tells."""


def assert_untold_stays(before: Row | None, after: Row | None, cut: frozenset[str]) -> None:
    """An empty list or no object says what its keys would have: those columns are not looked at."""
    if before is None or after is None:
        return
    for name in (name for key in cut for name in KEPT.get(key, ())):
        was, now = getattr(before, name), getattr(after, name)
        assert now == was or not now, f"{name} was not told: {was!r} became {now!r}"


def assert_mirrors(row: Row | None, truth: State) -> None:
    """The row says what the record says. No row is right for a block and for a record that nobody shows any more."""
    if row is None:
        assert truth.is_block or truth.is_gone, "a booking was lost"
    else:
        assert differences(row, truth) == []
