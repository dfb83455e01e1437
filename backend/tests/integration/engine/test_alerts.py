"""The periodic tasks of Telegram as the registry has them: the salon's group hears of what is wrong, once, until it is over."""

from datetime import timedelta

import pytest

from tests.integration.engine.test_worker import Parts, parts_of, task_of
from tests.support.telegram import running_telegram
from zerkalo.db.pool import Pool
from zerkalo.engine.registry import WEBHOOK_SILENT, periodic_tasks
from zerkalo.settings import Settings

pytestmark = pytest.mark.integration

GROUP = -100123


async def look(parts: Parts) -> None:
    """What the worker does every ten minutes, and what the bell at its end brings about."""
    for name in ("alerts", "send_outbox"):
        await task_of(parts, name).work()


async def test_the_group_hears_of_a_silent_webhook_and_of_quarantine_once_until_they_are_over(
    pool: Pool,
) -> None:
    with running_telegram() as telegram:
        async with parts_of(pool) as parts:
            parts.settings = Settings(
                telegram_bot_token="bot-token", telegram_alert_chat=str(GROUP), telegram_api_url=telegram.url
            )
            await look(parts)
            assert telegram.sent == [], "a new salon has had no webhook yet: that is no silence"

            heard = parts.clock() - WEBHOOK_SILENT
            await parts.salon.execute(
                "insert into deliveries (received_at, resource, body, outcome, reason, finished_at)"
                f" values ('{heard - timedelta(minutes=1)}', 'record', 'x', 'quarantined', 'not JSON', '{heard}')"
            )
            await look(parts)
            await look(parts)
            ((chat, text),) = telegram.sent
            assert chat == GROUP
            assert "Сутки не было ни одного вебхука." in text
            assert "Не поняты" in text
            bell = await parts.salon.fetch(
                "select 1 from procrastinate_jobs where task_name like '%%send_outbox'"
            )
            assert bell, "the alert does not wait for the next look at the outbox"

            await parts.salon.execute(
                f"update deliveries set handled_at = '{heard}', received_at = '{parts.clock()}'"
            )
            await look(parts)
            assert len(telegram.sent) == 1
            await parts.salon.execute("update deliveries set handled_at = null")
            await look(parts)
            assert "Сутки" not in telegram.sent[1][1]


async def test_without_a_bot_nothing_is_asked_and_without_a_group_nobody_is_alerted(pool: Pool) -> None:
    async with parts_of(pool) as parts:
        for settings, names in (
            (Settings(), set[str]()),
            (Settings(telegram_bot_token="bot-token"), {"telegram"}),
            (
                Settings(telegram_bot_token="bot-token", telegram_alert_chat=str(GROUP)),
                {"telegram", "alerts"},
            ),
        ):
            parts.settings = settings
            assert {task.name for task in periodic_tasks(parts)} & {"telegram", "alerts"} == names
