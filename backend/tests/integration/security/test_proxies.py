"""Whose word on a caller's address is taken: a forged X-Forwarded-For must not dodge the limits by address."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.application import PASSWORD, Application, running_application
from zerkalo.main import server_options
from zerkalo.settings import Settings

pytestmark = pytest.mark.integration

ELSEWHERE = {"forwarded_allow_ips": "10.9.9.9"}
"""The proxy is another machine: who calls from this one is a caller like any other."""


@pytest.fixture
async def application(dsn: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with running_application(dsn, tmp_path) as running:
        yield running


async def register(port: int, number: int, forwarded: str) -> int:
    body = {"email": f"user{number}@mail.test", "password": PASSWORD}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.post("/api/v1/auth/register", json=body, headers={"X-Forwarded-For": forwarded})
    return answer.status_code


async def spend_all_but_one(application: Application, address: str) -> None:
    """The registrations of an hour, but for the last one."""
    people = application.runtime.people
    bound = people.auth.limits.registration_of_address
    for _ in range(bound.count_max - 1):
        await people.auth.count([(bound, address)], now=application.runtime.clock())


async def test_a_caller_that_is_no_proxy_can_not_choose_her_address(application: Application) -> None:
    await spend_all_but_one(application, "127.0.0.1")
    async with application.listening(**ELSEWHERE) as port:
        assert await register(port, 1, "203.0.113.1") == 201
        for number in range(2, 5):
            assert await register(port, number, f"203.0.113.{number}") == 429


async def test_behind_a_proxy_the_address_that_it_adds_counts_and_not_what_the_caller_wrote(
    application: Application,
) -> None:
    await spend_all_but_one(application, "198.51.100.7")
    async with application.listening() as port:
        assert await register(port, 1, "203.0.113.1, 198.51.100.7") == 201
        assert await register(port, 2, "203.0.113.2, 198.51.100.7") == 429
        assert await register(port, 3, "198.51.100.7, 198.51.100.8") == 201, "another caller"


def test_the_setting_says_who_is_a_proxy_and_this_machine_is_one_by_itself() -> None:
    assert server_options(Settings())["forwarded_allow_ips"] == "127.0.0.1"
    given = server_options(Settings(forwarded_allow_ips="10.0.0.5,172.16.0.0/12"))
    assert (given["proxy_headers"], given["forwarded_allow_ips"]) == (True, "10.0.0.5,172.16.0.0/12")
