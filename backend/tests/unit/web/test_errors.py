"""Every error is a problem, and none tells what it should not."""

from typing import Annotated

import httpx2
import psycopg
import pytest
from fastapi import Body, FastAPI
from psycopg.errors import QueryCanceled
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field

from zerkalo.kit.problem import ProblemError
from zerkalo.web.errors import install_error_handlers


class Login(BaseModel):
    password: Annotated[str, Field(max_length=5)]


def failing_app() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    errors = {
        "problem": ProblemError(409, "taken", "Somebody has it.", {"Retry-After": "7"}),
        "operational": psycopg.OperationalError("connection to host 10.0.0.5 failed"),
        "interface": psycopg.InterfaceError("the connection is closed"),
        "pool": PoolTimeout("couldn't get a connection after 10 s"),
        "slow": QueryCanceled("canceling statement due to statement timeout"),
        "bug": RuntimeError("secret in a variable"),
    }

    @app.get("/fail/{kind}")
    async def fail(kind: str) -> None:
        raise errors[kind]

    @app.post("/login")
    async def login(body: Annotated[Login, Body()]) -> None:
        return None

    return app


@pytest.fixture
async def client() -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(failing_app(), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/fail/problem", 409, "taken"),
        ("GET", "/fail/operational", 503, "database_unavailable"),
        ("GET", "/fail/interface", 503, "database_unavailable"),
        ("GET", "/fail/pool", 503, "database_unavailable"),
        ("GET", "/fail/slow", 503, "database_unavailable"),
        ("GET", "/fail/bug", 500, "internal_error"),
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/login", 405, "method_not_allowed"),
        ("POST", "/login", 422, "invalid_request"),
    ],
)
async def test_every_error_is_a_problem_with_a_stable_code(
    client: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert {"type", "title", "detail"} <= body.keys()
    assert "secret" not in answer.text
    assert "10.0.0.5" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_database_that_is_away_says_when_to_come_again(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/fail/operational")

    assert int(answer.headers["retry-after"]) > 0


async def test_headers_of_a_problem_go_along(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/fail/problem")

    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"password": "hunter2!"}', 422),
        (b"{hunter2!", 422),
        (b'{"password": "\\ud800 hunter2!"}', 422),
        (b'{"hunter2!": 5}', 422),
        (b"\xff hunter2!", 400),
        (b"[" * 100_000, 400),
    ],
)
async def test_what_was_sent_is_not_repeated(client: httpx2.AsyncClient, body: bytes, status: int) -> None:
    answer = await client.post("/login", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
