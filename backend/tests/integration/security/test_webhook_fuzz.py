"""Whatever is posted to the webhook is answered as documented, and nothing of a trusted call is lost. On PostgreSQL."""

import asyncio
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.application import SECRET, WEBHOOK, Application
from tests.support.emulator import FIXTURES
from tests.support.project import BACKEND
from tests.support.webhook_bodies import ANY_BODY, KNOWN
from zerkalo.mirror.model import OutcomeStatus
from zerkalo.webhook.model import LIMITS

pytestmark = pytest.mark.integration

OUTCOMES = {status.value for status in OutcomeStatus}
KEPT_WITH = {200, 400, 422}
GUIDED_RUNS = 20_000
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "400"))


def is_envelope(delivery: dict[str, Any]) -> bool:
    """Whether the event's names are all that is left of its body."""
    names = {
        "company_id": "company_id",
        "resource": "resource",
        "resource_id": "resource_id",
        "status": "event",
    }
    left = json.loads(delivery["body"])
    left.pop("erased", None)
    return left == {name: delivery[column] for name, column in names.items()}


async def taken(application: Application, body: bytes) -> tuple[int, dict]:
    """The answer; fails if it is not a documented one, or if the delivery is not kept as it came (an ignored one: its envelope)."""
    (before,) = await application.fetch("select coalesce(max(id), 0) as id from deliveries")
    async with application.client() as client:
        answer = await client.post(f"{WEBHOOK}?token={SECRET}", content=body)

    said = answer.json()
    assert answer.status_code in KEPT_WITH | {403, 413}, said
    kept = await application.fetch("select * from deliveries where id > %s", before["id"])
    if answer.status_code not in KEPT_WITH:
        assert kept == []
        return answer.status_code, said
    (delivery,) = kept
    assert is_envelope(delivery) if delivery["outcome"] == "ignored" else delivery["body"] == body
    if answer.status_code == 200:
        assert answer.headers["Content-Type"] == "application/json"
        assert said.keys() == {"status", "booking_id"}
        assert said["status"] == delivery["outcome"]
        assert said["status"] in OUTCOMES
    else:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert delivery["outcome"] == "quarantined"
    if delivery["outcome"] == "quarantined":
        assert delivery["reason"]
        assert "our own fault" not in delivery["reason"], "a value nobody thought of"
        assert "database refused" not in delivery["reason"], "a value that only PostgreSQL found wrong"
    return answer.status_code, said


@pytest.mark.timeout(300)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(body=ANY_BODY)
async def test_any_body_is_answered_and_none_is_lost(application: Application, body: bytes) -> None:
    await taken(application, body)


if find_spec("atheris") is not None:  # it is made for Linux on x86-64 only

    def test_guided_bytes_end_in_an_event_or_a_typed_error(tmp_path: Path) -> None:
        """Coverage leads atheris into the parser; longer by hand, see `fuzz.webhook_parser`."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.webhook_parser", f"-runs={GUIDED_RUNS}", "-seed=1"],
            cwd=tmp_path,  # where it leaves what it found
            env={**os.environ, "PYTHONPATH": str(BACKEND)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr[-3000:]
        assert f"Done {GUIDED_RUNS} runs" in done.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"\x00", 400, id="NUL"),
        pytest.param(b"\xff\xfe{}", 400, id="not UTF-8"),
        pytest.param(b"NaN", 400, id="NaN"),
        pytest.param(b"[" * 500_000, 400, id="deep"),
        pytest.param(b'{"a":' * 100_000, 400, id="deep objects"),
        pytest.param(b"9" * 500_000, 422, id="a huge number"),
        pytest.param(b"1e" + b"9" * 500_000, 422, id="a huge exponent"),
        pytest.param(b'"' + b"\\ud800" * 80_000 + b'"', 422, id="lone surrogates"),
        pytest.param(b"{}", 422, id="no envelope"),
        pytest.param(b" " * LIMITS.body_bytes, 400, id="a mebibyte of spaces"),
        pytest.param(b" " * (LIMITS.body_bytes + 1), 413, id="a byte more"),
        pytest.param(b'{"company_id":1,"resource":"record","status":"create"}', 403, id="another company"),
    ],
)
async def test_each_of_these_has_its_answer(application: Application, body: bytes, status: int) -> None:
    assert (await taken(application, body))[0] == status


async def test_a_flood_of_the_largest_bodies_is_answered_within_bounded_memory(
    application: Application,
) -> None:
    """200 MiB in 200 calls at once: taken or told to come again, never held all together."""
    known = KNOWN[0].rstrip()
    assert known.endswith(b"}")
    body = known[:-1] + b', "x": "' + b"y" * (LIMITS.body_bytes - len(known) - 20) + b'"}'
    process = psutil.Process()
    before, most = process.memory_info().rss, 0
    async with application.client() as client:
        calls = [asyncio.create_task(client.post(f"{WEBHOOK}/{SECRET}", content=body)) for _ in range(200)]
        while not all(one.done() for one in calls):
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.01)

    statuses = [one.result().status_code for one in calls]
    assert set(statuses) <= {200, 503}
    assert all(one.result().headers["Retry-After"] for one in calls if one.result().status_code == 503)
    (kept,) = await application.fetch("select count(*) from deliveries where length(body) = %s", len(body))
    assert kept["count"] >= statuses.count(200), "every one that was acknowledged is there"
    assert most - before < 600 * 1024 * 1024


async def test_every_known_body_is_taken(application: Application) -> None:
    for path in sorted(FIXTURES.glob("[01]*-*webhook-*.json")):
        status, said = await taken(application, path.read_bytes())
        assert status in (200, 403), path.name
        assert said.get("status") != "quarantined", path.name
