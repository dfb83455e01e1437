"""Each counter is raised by the work that it counts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import get_args

import httpx2
import pytest

from tests.support.api import NOW, SECRET_KEY
from tests.support.people import RememberingSender
from tests.support.rows import add_user
from tests.support.salon import salon
from tests.support.scripted_yclients import ScriptedVendor, answer
from tests.support.sync import open_salon
from tests.support.vendor import State, event
from yclients_emulator import desk
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import Kind as EntryKind
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.metrics import counts
from zerkalo.metrics.model import Count, Histogram
from zerkalo.outbox import store as outbox
from zerkalo.outbox.model import Channel, Message
from zerkalo.outbox.service import send_due
from zerkalo.settings import Settings
from zerkalo.yclients.errors import VendorError
from zerkalo.yclients.limiter import Kind

pytestmark = pytest.mark.integration


@contextmanager
def raised(*counters: Count) -> Iterator[dict[tuple[str, ...], float]]:
    """Filled at the block's end: what was counted in it."""
    before = [dict(one.values) for one in counters]
    found: dict[tuple[str, ...], float] = {}
    yield found
    for one, then in zip(counters, before, strict=True):
        found |= {
            key: value - then.get(key, 0) for key, value in one.values.items() if value != then.get(key, 0)
        }


def _observed(histogram: Histogram) -> float:
    return histogram.buckets()[-1][1]


def test_labels_are_the_words_of_their_subjects() -> None:
    assert counts.LIMITER_SECONDS.labels["kind"] == set(get_args(Kind))
    assert counts.POINTS.labels["kind"] == set(EntryKind)
    assert counts.MESSAGES.labels["channel"] >= set(Channel)


@pytest.mark.parametrize(
    ("bad", "result"),
    [
        (answer(500), "unavailable"),
        (answer(429), "throttled"),
        (answer(403, b"{}"), "denied"),
        (answer(422, b"{}"), "refused"),
        (httpx2.ConnectError("refused"), "unavailable"),
        (answer(200, b"<html>"), "unavailable"),
    ],
)
async def test_every_attempt_at_yclients_counts_by_what_came_of_it(bad: httpx2.Response, result: str) -> None:
    vendor = ScriptedVendor(bad, answer(200, "31"))
    with raised(counts.REQUESTS) as found:
        async with vendor.client() as client:
            with suppress(VendorError):
                await client.records_page(100200, page=1)

    assert found[(result,)] == 1
    assert sum(found.values()) == len(vendor.requests)


async def test_points_count_by_kind_and_direction_and_once(pool: Pool) -> None:
    async with pool.connection() as conn:
        admin, user = await add_user(conn, is_admin=True), await add_user(conn)
    policy = LoyaltyPolicy(enabled=True, percent=Settings().loyalty_percent)

    with raised(counts.POINTS) as found:
        for _ in range(2):
            await by_hand.adjust(
                pool,
                user_id=user,
                points=70,
                reason="",
                idempotency_key="a",
                admin_id=admin,
                policy=policy,
                now=NOW,
            )
        await by_hand.redeem(
            pool,
            user_id=user,
            points=20,
            reason="",
            idempotency_key="b",
            admin_id=admin,
            policy=policy,
            now=NOW,
        )

    assert found == {("adjustment", "given"): 70, ("redemption", "taken"): 20}


async def test_messages_count_by_channel_and_end(pool: Pool) -> None:
    late = Message(Channel.PHONE, "+70000000001", "", "code", NOW - timedelta(minutes=1))
    mail = Message(Channel.EMAIL, "anna@example.com", "Code", "1", NOW + timedelta(minutes=9))
    async with pool.connection() as conn:
        for message in (late, mail):
            await outbox.put(conn, message, now=NOW - timedelta(minutes=5))

    with raised(counts.MESSAGES) as found, raised(counts.MESSAGES_EXPIRED) as expired:
        await send_due(pool, {Channel.EMAIL: RememberingSender()}, clock=lambda: NOW)

    assert (found, expired) == ({("email", "sent"): 1}, {(): 1})


async def test_log_ins_count_by_how_they_ended(pool: Pool) -> None:
    auth = Auth(pool, SECRET_KEY)
    with raised(counts.LOG_INS) as found:
        for _ in range(11):
            with suppress(ProblemError):
                await auth.log_in("nobody@example.com", "wrong password", address="127.0.0.1", now=NOW)

    assert found == {("wrong",): 10, ("limited",): 1}


async def test_how_old_a_change_is_counts_when_its_row_is_written_and_never_again(pool: Pool) -> None:
    before = _observed(counts.CALL_LAG_SECONDS)
    async with salon(pool) as server:
        assert await server.status(event(State(5))) == "applied"
        assert await server.status(event(State(5))) == "unchanged"

    assert _observed(counts.CALL_LAG_SECONDS) == before + 1


async def test_a_sync_counts_what_no_webhook_had_brought_but_not_the_first_history(pool: Pool) -> None:
    async with open_salon(pool) as mirror:
        with raised(counts.RUNS, counts.REPAIRED) as first:
            await mirror.sync()
        desk.create(mirror.emulator, company_id=100200, service_ids=(3001,), name="Анна")
        with raised(counts.RUNS, counts.REPAIRED) as second:
            await mirror.sync()

    assert first == {("finished",): 1}
    assert second == {("finished",): 1, ("created",): 1}
