"""Schemathesis over the whole OpenAPI of the running application; longer by hand: `python -m tests.fuzz.api`."""

from pathlib import Path

import pytest

from tests.fuzz.api import PHASES, fuzz
from tests.support.application import running_application

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TRIES = 25
"""Of each operation in each phase, and so many lives in the stateful one; not so many seconds, which a busy machine has not."""
CALLS_MIN = 1000
"""Fewer would mean that the tool found nothing to call."""


@pytest.mark.timeout(600)
async def test_every_answer_is_as_the_openapi_says_and_none_is_a_fault_of_ours(
    dsn: str, tmp_path: Path
) -> None:
    async with running_application(dsn, tmp_path, with_worker=True) as application:
        fuzzed = await fuzz(application, bound=("--max-examples", str(TRIES)), seed=1, folder=tmp_path)

    assert fuzzed.exit_code == 0, fuzzed.output
    assert {name: fuzzed.phases.get(name) for name in PHASES} == dict.fromkeys(PHASES, "success")
    assert fuzzed.cases >= CALLS_MIN, fuzzed.output
    assert not [status for status in fuzzed.statuses if status in (500, 501, 502, 504)]


async def test_every_operation_tells_its_errors_as_problems(dsn: str, tmp_path: Path) -> None:
    async with running_application(dsn, tmp_path) as application, application.client() as client:
        described = (await client.get("/openapi.json")).json()

    operations = {
        f"{method} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    for name, operation in operations.items():
        if "/api/v1" not in name:
            continue
        errors = {status: one for status, one in operation["responses"].items() if status >= "400"}
        assert {"422", "503"} <= set(errors), name
        assert all("application/problem+json" in one["content"] for one in errors.values()), name
    assert "HTTPValidationError" not in str(described)


async def test_a_method_that_is_none_is_told_those_that_are(dsn: str, tmp_path: Path) -> None:
    async with running_application(dsn, tmp_path) as application, application.client() as client:
        answer = await client.put("/api/v1/auth/me")

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE"}
