"""What must not be seen: in logs, in traces, in errors sent to Sentry, in answers, in figures, in what commands print."""

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx2
import psycopg
import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import (
    COMPANY_ID,
    PASSWORD,
    SECRET,
    SECRET_KEY,
    WEBHOOK,
    Application,
    running_application,
)
from tests.support.emulator import sample
from zerkalo.auth.rules import derive_key
from zerkalo.logs import configure_logging
from zerkalo.settings import SECRET_FIELDS, Settings
from zerkalo.telemetry.errors import start_sentry
from zerkalo.telemetry.tracing import start_tracing
from zerkalo.web.pages.book import guest

pytestmark = pytest.mark.integration

BACKEND = Path(__file__).parents[3]
CHANGED_AT, CHANGED_AGAIN_AT = "2025-12-01T12:00:00+0300", "2026-01-01T12:00:00+0300"
"""Both past by every clock: a change time ahead of now writes nothing, it is asked for."""
PHONE, EMAIL, COMMENT, NAME = "+79991234567", "her.own@mail.test", "Ранимый комментарий", "Имярек"
GUEST_TOKEN = guest.sign(derive_key(SECRET_KEY, "booking receipt"), "ab" * 16)


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@dataclass
class Watched:
    """The application, and everything that it has logged at the most talkative level."""

    application: Application
    log: io.StringIO
    spans: InMemorySpanExporter
    sentry: "Envelopes"
    must_not_appear: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        text = self.log.getvalue()
        assert len(text) > 1_000, "the log is listened to"
        for what, secret in self.must_not_appear.items():
            assert secret not in text, f"{what} is in the log"
            assert secret not in self.traces, f"{what} is in the traces"
            assert secret not in self.sentry.text, f"{what} went to Sentry"

    @property
    def traces(self) -> str:
        return "".join(span.to_json() for span in self.spans.get_finished_spans())


class Envelopes(Transport):
    """A Sentry that remembers what it is sent, byte for byte."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def capture_envelope(self, envelope: Envelope) -> None:
        self.text += envelope.serialize().decode()


@pytest.fixture(params=["text", "json"])
async def watched(request: pytest.FixtureRequest, dsn: str, tmp_path: Path) -> AsyncIterator[Watched]:
    stream = io.StringIO()
    configure_logging(Settings(log_level="DEBUG", log_format=request.param), stream)
    spans, sentry = InMemorySpanExporter(), Envelopes()
    stops = (
        start_tracing(SimpleSpanProcessor(spans), name="test"),
        start_sentry("https://key@sentry.test/1", transport=sentry),
    )
    async with running_application(
        dsn,
        tmp_path,
        with_worker=True,
        is_demo=False,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        SMTP_URL="smtp://user:smtp-password@127.0.0.1:9?from=salon@mail.test",
        SMS_URL="http://127.0.0.1:9/send?api_id=sms-gateway-key&to={phone}&msg={text}",
    ) as application:
        emulator = application.emulator.settings
        yield Watched(
            application,
            stream,
            spans,
            sentry,
            {
                "the webhook's secret": SECRET,
                "the signing key": SECRET_KEY,
                "the partner's token": emulator.partner_token,
                "the user's token": emulator.user_token,
                "the mail server's password": "smtp-password",
                "the gateway's key": "sms-gateway-key",
                "a password": PASSWORD,
                "a phone": PHONE.removeprefix("+7"),
                "an e-mail": EMAIL,
                "a comment": COMMENT,
                "a name": NAME,
            },
        )
    for stop in stops:
        stop()


async def test_no_log_line_holds_a_secret_or_a_person_whatever_happens(watched: Watched) -> None:
    application = watched.application
    event = sample("01")
    event["data"] |= {"comment": COMMENT, "client": {"phone": PHONE, "email": EMAIL, "name": NAME}}
    event["data"]["last_change_date"] = CHANGED_AT
    async with application.listening() as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=base, trust_env=False) as client:
            registered = {"email": EMAIL, "password": PASSWORD, "phone": PHONE, "name": NAME}
            assert (await client.post("/api/v1/auth/register", json=registered)).status_code == 201
            signed = (
                await client.post("/api/v1/auth/login", data={"username": EMAIL, "password": PASSWORD})
            ).json()
            watched.must_not_appear |= {
                "an access token": signed["access_token"],
                "its signature": signed["access_token"].split(".")[2],
                "a refresh token": signed["refresh_token"],
            }
            bearer = {"Authorization": f"Bearer {signed['access_token']}"}
            url = (await client.post("/api/v1/booking/calendar", headers=bearer)).json()["url"]
            watched.must_not_appear["a calendar's key"] = url.partition("token=")[2]
            for channel in ("email", "phone"):
                await client.post("/api/v1/auth/verify/request", json={"channel": channel}, headers=bearer)
            await client.get(url.removeprefix("https://salon.test"))
            watched.must_not_appear["a guest's link"] = GUEST_TOKEN
            await client.get(f"/book/visit/{GUEST_TOKEN}", headers={"Accept": "text/html"})
            await _call_the_webhook(client, event)
            await _break_things(application, client, event, bearer)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"BROKEN {WEBHOOK}/{SECRET}\r\nAuthorization: Bearer {signed['access_token']}\r\n\r\n".encode()
        )
        await reader.read(500)
        writer.close()
        await asyncio.sleep(1.5)  # the messages are tried, and refused
    watched.check()
    names = {span.name for span in watched.spans.get_finished_spans()}
    assert names >= {"webhook batch", "sync", "yclients request", "POST /auth/login"}
    assert '"description": "UndefinedTable"' in watched.traces
    assert "UndefinedTable" in watched.sentry.text


async def _call_the_webhook(client: httpx2.AsyncClient, event: dict) -> None:
    for path in (f"{WEBHOOK}/{SECRET}", f"{WEBHOOK}?token={SECRET}", f"{WEBHOOK}/{quote(SECRET[:-1])}x"):
        for body in (json.dumps(event).encode(), b"not JSON " + SECRET.encode(), b"{}"):
            await client.post(path, content=body)
    await client.get(f"{WEBHOOK}/{SECRET}")
    await client.put(f"{WEBHOOK}/{SECRET}/more?token={SECRET}")


async def _break_things(
    application: Application, client: httpx2.AsyncClient, event: dict, bearer: dict[str, str]
) -> None:
    """A table that is gone: errors of the database, tracebacks, jobs that fail."""
    for table in ("bookings", "users"):
        await application.execute(f"alter table {table} rename to {table}_gone")
        event["data"]["last_change_date"] = CHANGED_AGAIN_AT
        answers = [
            await client.post(f"{WEBHOOK}/{SECRET}", json=event),
            await client.post(f"{WEBHOOK}?token={SECRET}", json=event),
            await client.get("/api/v1/booking", headers=bearer),
            await client.get(f"/api/v1/booking/calendar.ics?token={SECRET}"),
            await client.get(f"/book/visit/{GUEST_TOKEN}"),
            await client.post("/api/v1/auth/login", data={"username": EMAIL, "password": PASSWORD}),
            await client.post(
                "/api/v1/auth/register", json={"email": EMAIL, "password": PASSWORD, "phone": PHONE}
            ),
        ]
        await application.execute(f"alter table {table}_gone rename to {table}")
        assert [answer.status_code for answer in answers if answer.status_code >= 500]
        for answer in answers:
            assert "Traceback" not in answer.text
            assert "bookings" not in answer.text
            assert "psycopg" not in answer.text


async def test_no_figure_page_or_error_holds_a_secret(application: Application) -> None:
    secrets = [SECRET, SECRET_KEY, application.settings.yclients_user_token or "", application.runtime.dsn]
    event = sample("01")
    event["data"] |= {"comment": COMMENT, "client": {"phone": PHONE, "email": EMAIL, "name": NAME}}
    async with application.client() as client:
        await _call_the_webhook(client, event)
        for path in (
            "/metrics",
            "/readyz",
            "/healthz",
            "/openapi.json",
            "/docs",
            "/",
            "/nowhere",
            "/me/sign-in",
        ):
            answer = await client.get(path, headers={"Accept": "text/html"})
            for secret in (*secrets, PHONE.removeprefix("+7"), EMAIL, COMMENT, NAME):
                assert secret not in answer.text, path


def test_settings_show_no_secret() -> None:
    values = {name: f"hidden-{name}-value" for name in SECRET_FIELDS}
    settings = Settings.model_construct(None, **values)

    for shown in (repr(settings), str(settings), f"{settings}"):
        for value in values.values():
            assert value not in shown
    named = [
        name
        for name in Settings.model_fields
        if any(word in name for word in ("token", "secret", "password", "key"))
    ]
    assert set(named) <= SECRET_FIELDS


@pytest.mark.slow
@pytest.mark.parametrize("form", ["--json", "--lang=en"])
async def test_check_shows_no_secret_but_the_webhook_address_and_steers_no_terminal(
    dsn: str, tmp_path: Path, form: str
) -> None:
    async with running_application(dsn, tmp_path) as application:
        event = sample("01")
        event["data"]["last_change_date"] = CHANGED_AT
        event["data"]["services"][0]["title"] = "\x1b[2J\x1b]0;owned\x07Стрижка\r\nforged line"
        async with application.client() as client:
            assert (await client.post(f"{WEBHOOK}/{SECRET}", json=event)).json()["status"] == "applied"
        secrets = {
            "YCLIENTS_PARTNER_TOKEN": "partner-token-not-to-show",
            "YCLIENTS_USER_TOKEN": "user-token-not-to-show",
            "SECRET_KEY": "signing-key-not-to-show",
            "ADMIN_PASSWORD": "admin-password-not-to-show",
            "SMTP_URL": "smtp://u:smtp-not-to-show@h:25",
            "SMS_URL": "http://h/?k=sms-not-to-show&p={phone}&t={text}",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from zerkalo.cli.main import main; main()", "check", form),
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(BACKEND),
                "DATABASE_URL": as_url(dsn),
                "ADMIN_EMAIL": "boss@example.com",
                "YCLIENTS_ENABLED": "True",
                "YCLIENTS_API_URL": application.emulator_url,
                "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
                "YCLIENTS_WEBHOOK_SECRET": SECRET,
                **secrets,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = (part.decode() for part in await asyncio.wait_for(process.communicate(), 60))

    assert process.returncode in (0, 1), err
    assert "not-to-show" not in out + err
    assert "boss@example.com" not in out + err
    assert SECRET not in out.replace(f"webhook?token={SECRET}", "").replace(f"webhook/{SECRET}", "")
    assert SECRET in out, "the address to paste holds it"
    assert "\x1b" not in out
    assert "\x07" not in out
    if form == "--json":
        json.loads(out)
    else:
        assert not [line for line in out.splitlines() if line.startswith("forged line")]


async def test_the_database_says_nothing_of_its_values_to_a_caller(application: Application) -> None:
    """A duplicate key's message would hold the key. By the password of the account itself it would be its owner who asks."""
    code = "TAKEN234"
    await application.new_user(email="dup@mail.test", unique_code=code)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await application.new_user(email="dup2@mail.test", unique_code=code)
    async with application.client() as client:
        answer = await client.post(
            "/api/v1/auth/register", json={"email": "dup@mail.test", "password": f"not {PASSWORD}"}
        )
    assert answer.status_code == 201
    assert code not in answer.text
