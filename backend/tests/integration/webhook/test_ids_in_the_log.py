"""A delivery's number stands in every line of the log that is about it, from the door to the row (LOG_FORMAT=json)."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.support.salon import Salon, salon
from tests.support.vendor import State, event
from zerkalo.db.pool import Pool
from zerkalo.logs import configure_logging
from zerkalo.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging(Settings(log_format="json"), stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(log: io.StringIO) -> dict[str, dict[str, Any]]:
    """What was logged, by its event."""
    return {line["event"]: line for line in map(json.loads, log.getvalue().splitlines())}


async def _numbers(server: Salon) -> list[int]:
    return [row["id"] for row in await server.rows("select id from deliveries order by id")]


async def test_what_the_batch_and_the_door_say_of_a_new_booking(pool: Pool, log: io.StringIO) -> None:
    async with salon(pool) as server:
        assert await server.status(event(State(5), attendance=77)) == "applied"
        (number,) = await _numbers(server)

    told = lines(log)
    assert told["unknown attendance"]["delivery_id"] == number
    assert told["Пользователь не найден"]["delivery_ids"] == [number]
    assert told["webhook"]["delivery_ids"] == [number]


async def test_what_can_not_be_read_is_named_by_its_number(pool: Pool, log: io.StringIO) -> None:
    async with salon(pool) as server:
        await server.post(b"not JSON")
        await server.status(event(State(5), services="nonsense"))
        first, second = await _numbers(server)

    told = lines(log)
    assert told["webhook refused: not json"]["delivery_ids"] == [first]
    assert told["webhook quarantined"]["delivery_id"] == second
    assert told["webhook"]["delivery_ids"] == [second]


async def test_every_delivery_has_a_number_of_its_own_in_the_order_of_a_batch(pool: Pool) -> None:
    async with salon(pool) as server:
        for minute in range(1, 6):
            await server.status(event(State(minute)))
        rows = await server.rows("select id, received_at from deliveries order by id")

    assert len({row["id"] for row in rows}) == 5
    assert [row["received_at"] for row in rows] == sorted(row["received_at"] for row in rows)
