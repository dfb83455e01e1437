"""What clients of the API build on: calls from other origins, and a description that a generator can read."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
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
    names = [one["operationId"] for operations in schema["paths"].values() for one in operations.values()]

    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z_]+", name)] == []
    assert {"list_bookings", "get_booking", "book", "move_booking", "cancel_booking", "claim_booking"} <= {
        *names
    }


async def test_no_schema_is_named_by_where_it_stands_in_the_code(application: Application) -> None:
    """Two of one name are told apart by their modules: a generated type of that name says nothing."""
    schema = await described(application)
    assert [name for name in schema["components"]["schemas"] if "__" in name] == []


OPEN = {
    "paths//api/v1/auth/me/export/get/responses/200/content/application/json/schema": "rows as the tables have them",
    "paths//api/v1/yclients/webhook/post/requestBody/content/application/json/schema/properties/data": "YCLIENTS's",
    "paths//api/v1/yclients/webhook/{token}/post/requestBody/content/application/json/schema/properties/data": "YCLIENTS's",
}
"""Where any JSON may stand, and why."""
_SAYS = {"type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const"}


def untyped(node: Any, where: tuple[str, ...] = ()) -> Iterator[str]:
    """The places of a description at which a generated client would have `any`."""
    if isinstance(node, list):
        for one in node:
            yield from untyped(one, where)
    if not isinstance(node, dict):
        return
    is_schema = where[-1:] in (("schema",), ("items",), ("additionalProperties",)) or where[-2:-1] in (
        ("properties",),
        ("schemas",),
    )
    is_open = (
        node.get("type") == "object" and not node.get("properties") and not node.get("additionalProperties")
    )
    if (is_schema and not _SAYS & node.keys()) or is_open or node.get("additionalProperties") is True:
        yield "/".join(where)
    for name, child in node.items():
        yield from untyped(child, (*where, name))


async def test_no_type_that_is_known_is_left_open(application: Application) -> None:
    schema = await described(application)
    found = {place for place in untyped(schema) if not any(place.startswith(allowed) for allowed in OPEN)}
    assert found == set()


async def test_every_answer_with_a_body_says_its_form(application: Application) -> None:
    """But for 204s, and redirects there are none."""
    schema = await described(application)
    assert [
        f"{method} {path} {status}"
        for path, operations in schema["paths"].items()
        for method, one in operations.items()
        for status, answer in one["responses"].items()
        if status != "204" and not answer.get("content")
    ] == []


async def test_every_reference_leads_somewhere(application: Application) -> None:
    schema = await described(application)
    wanted = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(schema)))
    assert wanted <= schema["components"]["schemas"].keys()
    assert "Problem" in wanted


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
