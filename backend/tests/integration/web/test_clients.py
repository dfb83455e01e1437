"""What clients of the API build on: calls from other origins, and a description that a generator can read."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import Application, running_application

pytestmark = pytest.mark.integration

OURS = "https://app.salon.test"


@pytest.fixture
async def application(dsn: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with running_application(
        dsn, tmp_path, CORS_ORIGINS=f"{OURS}, https://www.salon.test:443/"
    ) as opened:
        yield opened


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }


@pytest.mark.parametrize("origin", [OURS, "https://www.salon.test"])
async def test_a_page_of_a_named_origin_may_call_the_api(application: Application, origin: str) -> None:
    async with application.client() as client:
        asked = await client.options("/api/v1/booking/1", headers=preflight(origin))
        answer = await client.get("/api/v1/booking", headers={"Origin": origin})

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    assert answer.status_code == 401, "an error can be read there as well"
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "origin" in answer.headers["vary"].lower()
    assert "access-control-allow-credentials" not in {*asked.headers, *answer.headers}


@pytest.mark.parametrize(
    "origin", ["https://evil.test", f"{OURS}.evil.test", "null", "http://app.salon.test"]
)
async def test_another_origin_may_not(application: Application, origin: str) -> None:
    async with application.client() as client:
        asked = await client.options("/api/v1/booking/1", headers=preflight(origin))
        answer = await client.get("/api/v1/booking", headers={"Origin": origin})

    assert asked.status_code == 400
    assert "access-control-allow-origin" not in {*asked.headers, *answer.headers}


async def test_the_pages_are_for_our_own_origin_alone(application: Application) -> None:
    async with application.client() as client:
        answer = await client.get("/", headers={"Origin": OURS})

    assert not [name for name in answer.headers if name.startswith("access-control")]


async def described(application: Application) -> dict[str, Any]:
    async with application.client() as client:
        return (await client.get("/openapi.json")).json()


async def test_every_operation_has_a_name_of_its_own_that_speaks(application: Application) -> None:
    schema = await described(application)
    names = [
        one["operationId"]
        for path, operations in schema["paths"].items()
        if path.startswith("/api/v1/") and "webhook" not in path
        for one in operations.values()
    ]

    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z_]+", name)] == []
    assert {"list_bookings", "get_booking", "book", "move_booking", "cancel_booking", "claim_booking"} <= {
        *names
    }


async def test_no_schema_is_named_by_where_it_stands_in_the_code(application: Application) -> None:
    """Two of one name are told apart by their modules: a generated type of that name says nothing."""
    schema = await described(application)
    assert [name for name in schema["components"]["schemas"] if "__" in name] == []


async def test_every_operation_has_a_tag(application: Application) -> None:
    schema = await described(application)
    assert [
        f"{method} {path}"
        for path, operations in schema["paths"].items()
        for method, one in operations.items()
        if not one.get("tags")
    ] == []


async def test_the_errors_of_fields_are_described(application: Application) -> None:
    schema = await described(application)
    wrong = schema["components"]["schemas"]["Problem"]["properties"]["errors"]
    assert set(wrong["items"]["properties"]) == {"field", "problem"}
    assert set(wrong["items"]["required"]) == {"field", "problem"}
