"""What docs/recipes.md shows is run as it stands there."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.application import PASSWORD, Application, free_port, running_application, serving
from tests.support.project import ROOT
from zerkalo.main import server_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
ADMIN = "admin@salon.test"
CHAT, STRANGER = 77, 78


def _block(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return block


async def _booked(application: Application) -> None:
    """An admin, and a booking of today that has no user."""
    proved = datetime(2025, 1, 1, tzinfo=UTC)
    await application.new_user(email=ADMIN, email_verified_at=proved, is_admin=True)
    await application.execute(
        "insert into bookings (company_id, yclients_record_id, service_name, staff_name, status, appointment_datetime,"
        " appointment_local) values (100200, 501, 'Стрижка', 'Алиса', 'PENDING', now(), now() at time zone 'UTC')"
    )


class Telegram:
    """Telegram as the bot knows it: two people have written, and what it answers is kept."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        written = [(1, STRANGER), (2, CHAT)]
        self._updates = [
            {"update_id": number, "message": {"chat": {"id": chat}, "text": "/today"}}
            for number, chat in written
        ]
        self.app = Starlette(routes=[Route("/botTOKEN/{method}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> JSONResponse:
        if request.path_params["method"] == "sendMessage":
            self.sent.put_nowait(await request.json())
            return JSONResponse({"ok": True})
        offset = int(request.query_params["offset"])
        fresh = [update for update in self._updates if update["update_id"] >= offset]
        return JSONResponse({"ok": True, "result": fresh})


async def test_the_bot_tells_the_day_to_the_chats_that_are_named(dsn: str, tmp_path: Path) -> None:
    telegram, port = Telegram(), free_port()
    program = _block("python")
    assert len(program.splitlines()) <= 45
    async with (
        serving(server_of(telegram.app, "127.0.0.1", port)),
        running_application(dsn, tmp_path / "data") as application,
        application.listening() as own_port,
    ):
        await _booked(application)
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            env={
                "PATH": os.environ["PATH"],
                "TZ": "UTC",
                "TELEGRAM_API": f"http://127.0.0.1:{port}",
                "TELEGRAM_TOKEN": "TOKEN",
                "TELEGRAM_CHATS": str(CHAT),
                "ZERKALO_URL": f"http://127.0.0.1:{own_port}",
                "ZERKALO_EMAIL": ADMIN,
                "ZERKALO_PASSWORD": PASSWORD,
            },
        )
        try:
            said = await asyncio.wait_for(telegram.sent.get(), 60)
        finally:
            bot.kill()
            await bot.wait()

    assert said["chat_id"] == CHAT
    assert re.fullmatch(r"\d\d:\d\d Алиса: Стрижка", said["text"])


async def test_the_calls_of_the_n8n_workflow_give_the_bookings_without_a_user(
    dsn: str, tmp_path: Path
) -> None:
    workflow = json.loads(_block("json"))
    nodes = {node["name"]: node for node in workflow["nodes"]}
    after = {name: to["main"][0][0]["node"] for name, to in workflow["connections"].items()}
    assert [after["Start"], after["Sign in"], after["Bookings"]] == ["Sign in", "Bookings", "One item each"]
    async with (
        running_application(dsn, tmp_path / "data") as application,
        application.listening() as port,
        httpx2.AsyncClient() as client,
    ):
        await _booked(application)

        def here(node: str) -> str:
            return nodes[node]["parameters"]["url"].replace(
                "http://localhost:8000", f"http://127.0.0.1:{port}"
            )

        body = nodes["Sign in"]["parameters"]["jsonBody"].replace("admin@example.com", ADMIN)
        signed_in = await client.post(
            here("Sign in"),
            content=body.replace("admin-password", PASSWORD),
            headers={"Content-Type": "application/json"},
        )
        (header,) = nodes["Bookings"]["parameters"]["headerParameters"]["parameters"]
        value = (
            header["value"]
            .removeprefix("=")
            .replace("{{ $json.access_token }}", signed_in.json()["access_token"])
        )
        found = await client.get(here("Bookings"), headers={header["name"]: value})

    assert [
        one["yclients_record_id"]
        for one in found.json()[nodes["One item each"]["parameters"]["fieldToSplitOut"]]
    ] == [501]
