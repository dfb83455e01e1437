"""What `/metrics` tells: each figure, names by Prometheus's rules, and every name that the dashboard and the alerts use."""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
import yaml
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from tests.support.api import NOW
from tests.support.project import ROOT
from zerkalo.checkup.gauges.store import COUNTED_MAX
from zerkalo.db.pool import Pool
from zerkalo.settings import Settings
from zerkalo.web import ops
from zerkalo.web.ops import Metrics

pytestmark = pytest.mark.integration

COMPANY_ID = 5
ALERTS = ROOT / "packaging" / "prometheus" / "zerkalo-alerts.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "zerkalo.json"
RUNBOOKS = {"en": ROOT / "docs" / "runbook.md", "ru": ROOT / "docs" / "runbook.ru.md"}
PROMETHEUS_S_OWN = {"up"}


@dataclass
class OpsRuntime:
    """What the routes ask for."""

    pool: Pool
    settings: Settings = field(
        default_factory=lambda: Settings(yclients_enabled=True, yclients_company_ids=(COMPANY_ID,))
    )
    started_at: datetime = NOW - timedelta(days=2)
    metrics: Metrics = field(init=False)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.metrics = Metrics({"main": self.pool})

    def clock(self) -> datetime:
        return NOW

    async def text(self) -> str:
        app = FastAPI()
        app.include_router(ops.router(self))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://salon.test") as client:
            return (await client.get("/metrics")).text

    async def execute(self, sql: str, *values: object) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(sql.encode(), values)


@pytest.fixture
async def runtime(pool: Pool) -> OpsRuntime:
    one = OpsRuntime(pool)
    await one.execute(
        "insert into companies (id, title, problem) values (%s, 'Salon', 'no right')", COMPANY_ID
    )
    differences = '[{"is_owed": true}, {"is_owed": false}, {"is_owed": true}, {"is_owed": true}]'
    at = NOW - timedelta(hours=1)
    await one.execute("insert into comparisons (at, differences) values (%s, %s)", at, differences)
    await one.execute("insert into facts values ('worker', '{}', %s)", NOW - timedelta(seconds=30))
    await one.execute(
        "insert into deliveries (received_at, body, outcome, finished_at) values (%s, '', 'quarantined', now())",
        NOW - timedelta(seconds=20),
    )
    return one


def _samples(text: str) -> dict[str, float]:
    return {
        "".join([sample.name, *(f"{{{value}}}" for value in sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_figures_of_the_tables_are_counted_by_hand(runtime: OpsRuntime) -> None:
    for record_id, status in ((1, "PENDING"), (2, "COMPLETED"), (3, "CANCELLED")):
        await runtime.execute(
            "insert into bookings (company_id, yclients_record_id, appointment_datetime, status)"
            " values (%s, %s, now(), %s)",
            COMPANY_ID,
            record_id,
            status,
        )
    for record_id, minutes in ((1, 5), (2, 50)):
        await runtime.execute(
            "insert into refetches (company_id, record_id, unsigned, reason, requested_at, next_attempt_at)"
            " values (%s, %s, false, 'test', %s, now())",
            COMPANY_ID,
            record_id,
            NOW - timedelta(minutes=minutes),
        )
    await runtime.execute(
        "insert into rate_limits (egress, next_slot_at, paused_until) values"
        " ('default', now() - interval '1 minute', clock_timestamp() + interval '1 hour'),"
        " ('default#others', now() - interval '1 minute', null), ('elsewhere', now() + interval '9 hours', null)"
    )

    await runtime.execute(
        "insert into task_failures values ('prune', 3, 'E', now()), ('tick', 2, 'E', now()),"
        " ('telegram', 9, 'E', now() - interval '2 days')"
    )

    told = _samples(await runtime.text())

    expected = {
        "zerkalo_database_up": 1,
        "zerkalo_tasks_failing": 1,
        "zerkalo_unmatched": 2,
        "zerkalo_ambiguous": 0,
        "zerkalo_quarantine": 1,
        "zerkalo_refetches_waiting": 2,
        "zerkalo_refetches_age_seconds": 3000,
        "zerkalo_companies_refused": 1,
        "zerkalo_drift_differences": 3,
        "zerkalo_drift_age_seconds": 3600,
        "zerkalo_worker_age_seconds": 30,
        "zerkalo_webhook_age_seconds": 20,
        "zerkalo_messages_waiting": 0,
        "zerkalo_yclients_slot_wait_seconds{people}": 0,
        "zerkalo_yclients_slot_wait_seconds{unsigned}": 0,
        "zerkalo_yclients_requests_per_minute_max": 200,
    }
    assert {name: told[name] for name in expected} == expected
    assert 3500 < told["zerkalo_yclients_slot_wait_seconds{all}"] <= 3600


async def test_a_scrape_reads_no_large_table_whole(runtime: OpsRuntime) -> None:
    await runtime.execute(
        "insert into bookings (company_id, yclients_record_id, appointment_datetime)"
        " select %s, n, now() from generate_series(1, %s) as n",
        COMPANY_ID,
        COUNTED_MAX + 500,
    )

    assert _samples(await runtime.text())["zerkalo_unmatched"] == COUNTED_MAX


async def test_what_was_just_read_is_told_again_without_asking(runtime: OpsRuntime) -> None:
    before = _samples(await runtime.text())
    await runtime.execute("delete from deliveries")

    assert _samples(await runtime.text())["zerkalo_quarantine"] == before["zerkalo_quarantine"] == 1


async def test_names_are_by_the_rules_of_prometheus(runtime: OpsRuntime) -> None:
    """What `promtool check metrics` says, as far as it says anything of names, types and texts."""
    for family in text_string_to_metric_families(await runtime.text()):
        assert re.fullmatch(r"zerkalo(_[a-z]+)*", family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert not re.search(r"_(counter|gauge|histogram|ms|milliseconds|minutes|hours)\b", family.name)
        labels = {label for sample in family.samples for label in sample.labels}
        assert labels <= {
            "outcome",
            "result",
            "change",
            "kind",
            "direction",
            "channel",
            "share",
            "pool",
            "state",
            "le",
            "version",
        }
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), family.name


def _names_in(expression: str) -> set[str]:
    without = re.sub(r"\"[^\"]*\"|\{\{|\}\}|\[[^\]]*\]|\bby \([^)]*\)", " ", expression)
    without = re.sub(r"\{[^}]*\}", " ", without)
    return set(re.findall(r"\bzerkalo_[a-z_]+\b|\bup\b", without))


def _expressions() -> Iterable[tuple[str, str]]:
    for rule in _rules():
        yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def _rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return group["rules"]


async def test_the_dashboard_and_the_alerts_name_only_what_is_told_and_the_dashboard_all_of_it(
    runtime: OpsRuntime,
) -> None:
    runtime.metrics.webhooks.count("applied", 0.004)
    families = list(text_string_to_metric_families(await runtime.text()))
    samples = {sample.name for family in families for sample in family.samples}

    used = [(name, _names_in(expression)) for name, expression in _expressions()]

    assert [(name, more) for name, names in used if (more := names - samples - PROMETHEUS_S_OWN)] == []
    assert [name for name, names in used if not names] == []
    shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for _, names in used for name in names}
    told = {"zerkalo_info" if family.name == "zerkalo" else family.name for family in families}
    assert told - shown == set()


async def test_labels_that_an_alert_asks_for_have_the_values_it_names(runtime: OpsRuntime) -> None:
    runtime.metrics.webhooks.count("wrong_token", 0.004)
    runtime.metrics.webhooks.count("database_unavailable", 0.004)
    runtime.metrics.webhooks.count("internal_error", 0.004)
    values = {
        (label, value)
        for family in text_string_to_metric_families(await runtime.text())
        for sample in family.samples
        for label, value in sample.labels.items()
    }
    asked = {
        (label, value)
        for _, expression in _expressions()
        for label, named in re.findall(r"(\w+)=~?\"([^\"]+)\"", expression)
        for value in named.split("|")
    }

    assert asked - values == {("job", "zerkalo")}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_alert_has_its_line_in_the_runbook(language: str) -> None:
    lines = re.findall(
        r"^\| `(Zerkalo\w+)` \| .{10,} \| .*`.+`.* \|$",
        RUNBOOKS[language].read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert lines == [rule["alert"] for rule in _rules()]
