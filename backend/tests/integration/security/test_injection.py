"""Texts that want to be more than text: in every field of a record, in every parameter, in headers and addresses."""

import asyncio
import csv
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar

from tests.integration.security.test_matrix import BROWSER, cookies_of, csrf_of, endpoints
from tests.support.application import COMPANY_ID, PASSWORD, SECRET, WEBHOOK, Application
from tests.support.emulator import sample
from tests.support.mirrors import MOSCOW
from tests.support.rows import add_booking

pytestmark = pytest.mark.integration

EVIL = "<xss-mark onload=alert(1)></textarea></title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
CRLF = "a\r\nSet-Cookie: evil=1\r\n\r\nBEGIN:VEVENT\nSUMMARY:forged\u2028\x1b[31m"
SQL = [
    *("'", "';--", "' or '1'='1", "\\", "%", "_", "1; drop table users", "$1", "%s", "%(now)s", "{}", "\x00"),
    *(
        "\ud7ff\ue000",
        "1e309",
        "-1",
        "9" * 40,
        "null",
        "[]",
        "true",
        "' union select password_hash from users--",
    ),
]


class Markup(HTMLParser):
    """The tags of a page and what their attributes say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def assert_harmless(html: str) -> None:
    """No tag, attribute or address that a text brought along, and no script but our own files."""
    for tag, attributes in Markup(html).tags:
        assert tag != "xss-mark"
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/"), attributes
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            address = (attributes.get(name) or "").strip()
            assert urlsplit(address).scheme in ("", "http", "https", "webcal", "tel", "mailto"), attributes
            assert not address.startswith("//"), attributes


def evil_event(record_id: int, text: str, **fields: Any) -> dict[str, Any]:
    """A believed record all of whose texts are evil."""
    event = sample("01")
    event["resource_id"] = event["data"]["id"] = record_id
    data = event["data"]
    data["services"] = [{"id": 1, "title": f"service {text}", "cost": 100, "amount": 1}]
    data["staff"] = {"id": 1, "name": f"staff {text}", "avatar": text, "specialization": text}
    data["client"] = {"id": record_id, "name": text, "surname": text, "phone": "+79990000009", "email": text}
    data["comment"] = f"Код клиента: EV1LC0DE {text}"
    data["date"] = "2030-06-03 12:00:00"
    data["last_change_date"] = "2026-01-01T12:00:00+0300"
    return {**event, **fields}


@asynccontextmanager
async def victim(application: Application, text: str) -> AsyncIterator[dict[str, Any]]:
    """A user whose every text is evil, with a visit whose every text is."""
    user_id = await application.new_user(
        email=f"evil{abs(hash(text))}@mail.test",
        name=text.replace("\x00", ""),
        unique_code="EV1LC0DE",
        is_admin=True,
    )
    record_id = 3_000_000 + user_id
    async with application.client() as client:
        answer = await client.post(f"{WEBHOOK}/{SECRET}", json=evil_event(record_id, text))
    assert answer.json()["status"] == "applied"
    try:
        yield {
            "user_id": user_id,
            "booking_id": answer.json()["booking_id"],
            "session": await application.session_of(user_id),
        }
    finally:
        await application.execute("update users set unique_code = null where id = %s", user_id)


@pytest.mark.parametrize("text", [EVIL, CRLF], ids=["markup", "line breaks"])
async def test_no_text_of_a_record_or_a_person_becomes_markup_on_any_page(
    application: Application, text: str
) -> None:
    shown = 0
    async with victim(application, text) as hers, application.client() as client:
        ids = {
            "booking_id": hers["booking_id"],
            "user_id": hers["user_id"],
            "channel": "email",
            "event_id": 1,
        }
        ids |= {"digest": "x", "name:path": "app.css", "run_id": 1, "token": "x", "id": hers["booking_id"]}
        headers = BROWSER | {"Cookie": cookies_of(hers["session"].refresh_token)}
        for endpoint in endpoints(application.app.router.routes):
            method, path = endpoint.split(" ")
            if method != "GET" or path.startswith(
                ("/api/", "/static", "/openapi", "/metrics", "/healthz", "/readyz")
            ):
                continue
            for name, value in ids.items():
                path = path.replace("{" + name + "}", str(value))
            answer = await client.get(path, headers=headers)
            assert answer.status_code < 500, (path, answer.text[:300])
            if answer.headers.get("content-type", "").startswith("text/html"):
                assert_harmless(answer.text)
                shown += "service &lt;xss" in answer.text or "service a" in answer.text
            assert "evil" not in answer.headers.get("set-cookie", "")

    assert shown >= 2, "the evil visit is on some pages"


async def test_json_answers_are_json_and_may_not_be_sniffed(application: Application) -> None:
    async with victim(application, EVIL) as hers, application.client(hers["session"].access_token) as client:
        for path in ("/api/v1/booking", f"/api/v1/booking/{hers['booking_id']}", "/api/v1/auth/me/export"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "xss-mark" in answer.text
            assert answer.headers["Content-Type"].startswith("application/json")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("text", [EVIL, CRLF], ids=["markup", "line breaks"])
async def test_no_text_of_a_record_becomes_a_line_of_the_calendar(
    application: Application, text: str
) -> None:
    async with victim(application, text) as hers, application.client(hers["session"].access_token) as client:
        url = (await client.post("/api/v1/booking/calendar")).json()["url"]
        feed = await client.get(url.removeprefix("https://salon.test"))

    events = Calendar.from_ical(feed.content).walk("VEVENT")
    assert len(events) == 1
    assert "SUMMARY:forged" not in feed.text.splitlines()
    assert "service" in str(events[0]["summary"])
    assert not [line for line in feed.text.split("\r\n") if "\n" in line or "\r" in line]


async def test_no_address_in_a_record_is_ever_fetched(application: Application) -> None:
    """SSRF: avatars, comments and whatever else may hold an address stay what they are."""
    asked: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1_000))
        writer.close()

    trap = await asyncio.start_server(take, "127.0.0.1", 0, family=socket.AF_INET)
    address = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/x.png"
    async with trap, victim(application, address) as hers:
        await application.runtime.sync.applier.apply([])
        async with application.client(hers["session"].access_token) as client:
            await client.patch("/api/v1/auth/me", json={"name": address})
            await client.get("/me", headers=BROWSER | {"Cookie": cookies_of(hers["session"].refresh_token)})
        await asyncio.sleep(0.3)

    assert asked == []


async def test_no_parameter_of_any_kind_reaches_sql_as_sql(application: Application) -> None:
    admin_id = await application.new_user(email="sql@mail.test", is_admin=True)
    async with await application.as_user(admin_id) as client:
        described = (await client.get("/openapi.json")).json()
        calls = 0
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if method != "get" or path in ("/metrics", "/api/v1/admin/drift"):
                    continue
                names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
                places = [*names, *(part[1:-1] for part in path.split("/") if part.startswith("{"))]
                for name in places:
                    for text in SQL:
                        address = path.replace("{" + name + "}", httpx_quoted(text))
                        params = {} if "{" + name + "}" in path else {name: text}
                        answer = await client.get(address, params=params)
                        assert answer.status_code < 500, (path, name, text, answer.text)
                        calls += 1

    assert calls > 300
    (count,) = await application.fetch("select count(*) from users")
    assert count["count"] > 0


def httpx_quoted(text: str) -> str:
    """For one part of a path."""
    from urllib.parse import quote

    return quote(text, safe="")


@pytest.mark.parametrize("text", ["%", "_", "\\", "%25"])
async def test_a_search_takes_its_text_literally(application: Application, text: str) -> None:
    admin_id = await application.new_user(email="searcher@mail.test", is_admin=True)
    async with await application.as_user(admin_id) as client:
        found = (await client.get("/api/v1/admin/users", params={"search": text})).json()["items"]

    assert all(text in f"{one['email']}{one['name']}{one['phone']}{one['unique_code']}" for one in found)
    await application.execute("delete from users where id = %s", admin_id)


@pytest.mark.parametrize("text", SQL)
async def test_no_text_in_a_body_reaches_sql_as_sql(application: Application, text: str) -> None:
    user_id = await application.new_user(email="body@mail.test")
    async with await application.as_user(user_id) as client:
        for method, path, body in (
            ("PATCH", "/api/v1/auth/me", {"name": text}),
            (
                "POST",
                "/api/v1/auth/register",
                {"email": text, "password": PASSWORD, "name": text, "phone": text},
            ),
            ("POST", "/api/v1/auth/refresh", {"refresh_token": text}),
            ("POST", "/api/v1/auth/verify/confirm", {"channel": "email", "code": text}),
            (
                "POST",
                "/api/v1/auth/password/reset/confirm",
                {"email": "a@mail.test", "code": text, "password": text * 8},
            ),
            (
                "POST",
                "/api/v1/booking",
                {"service_ids": [3001], "staff_id": 0, "datetime": text, "consent": True},
            ),
            ("POST", "/api/v1/booking/code", {"phone": text, "name": text}),
        ):
            answer = await client.request(method, path, json=body)
            assert answer.status_code < 500, (path, answer.text)
    await application.execute("delete from attempts")
    await application.execute("delete from users where id = %s", user_id)


@pytest.mark.parametrize(
    "field",
    [
        "is_admin",
        "id",
        "email_verified_at",
        "email_verified",
        "balance",
        "unique_code",
        "password_hash",
        "token_epoch",
    ],
)
async def test_nobody_gives_herself_what_is_not_hers_to_give(application: Application, field: str) -> None:
    """Mass assignment: keys that the form does not have are passed over."""
    name = f"mass-{field}@mail.test"
    body = {"email": name, "password": PASSWORD, field: True if field.startswith("is_") else 1}
    async with application.client(address=f"192.0.2.{len(field)}") as client:
        registered = await client.post("/api/v1/auth/register", json=body)
    assert registered.status_code == 201
    (row,) = await application.fetch("select * from users where email = %s", name)
    async with await application.as_user(row["id"]) as client:
        await client.patch("/api/v1/auth/me", json={"name": "x", field: body[field]})
    (after,) = await application.fetch("select * from users where email = %s", name)

    for column in ("id", "is_admin", "email_verified_at", "unique_code", "password_hash", "token_epoch"):
        assert row[column] == after[column]
    assert after["is_admin"] is False
    assert after["email_verified_at"] is None
    assert after["id"] != 1
    assert after["unique_code"] != "1"


@pytest.mark.parametrize(
    "target",
    [
        *(
            "//evil.test",
            "https://evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "javascript:alert(1)",
        ),
        *(
            "http:evil.test",
            "/%0d%0aSet-Cookie:x=1",
            "///evil.test",
            "evil.test",
            "/\r\nX: y",
            " //evil.test",
            "@evil.test",
        ),
    ],
)
async def test_signing_in_leads_nowhere_else(application: Application, target: str) -> None:
    await application.execute("delete from users where email = 'redirect@mail.test'")
    await application.new_user(email="redirect@mail.test")
    form = {
        "email": "redirect@mail.test",
        "password": PASSWORD,
        "next": target,
        "csrf": csrf_of(application, None),
    }
    headers = BROWSER | {"Cookie": cookies_of(None)}
    async with application.client() as client:
        shown = await client.get("/me/sign-in", params={"next": target}, headers=headers)
        answer = await client.post("/me/sign-in", data=form, headers=headers)

    assert_harmless(shown.text)
    assert answer.status_code == 303, answer.text
    location = answer.headers["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert urlsplit(location).netloc == ""
    assert "x=1" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "path", ["//evil.test/x", "//evil.test/%2e%2e", "/\\evil.test", "///evil.test", "//evil.test"]
)
async def test_no_page_links_to_another_host_because_the_address_looked_like_one(
    application: Application, path: str
) -> None:
    """The links for languages repeat the page's own address."""
    async with application.listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = f"GET {path} HTTP/1.1\r\nHost: salon.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        answer = (await asyncio.wait_for(reader.read(), 10)).decode()
        writer.close()

    head, _, html = answer.partition("\r\n\r\n")
    assert " 404 " in head.splitlines()[0]
    assert "location:" not in head.lower()
    assert_harmless(html)


async def test_no_answer_repeats_the_host_that_the_caller_says_we_are(application: Application) -> None:
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    user_id = await application.new_user(email="host@mail.test", is_admin=True)
    session = await application.session_of(user_id)
    asked = 0
    async with application.client() as client:
        for endpoint in endpoints(application.app.router.routes):
            method, path = endpoint.split(" ")
            if (
                "{" in path
                or (method, path) == ("POST", "/api/v1/yclients/sync-bookings")
                or method == "DELETE"
            ):
                continue
            own = (
                {"Authorization": f"Bearer {session.access_token}"}
                if path.startswith("/api/")
                else BROWSER | {"Cookie": cookies_of(session.refresh_token)}
            )
            for address in (path, f"{path}/"):
                answer = await client.request(method, address, headers=headers | own)
                assert "evil.test" not in answer.text
                assert "evil.test" not in str(answer.headers)
                asked += 1

    assert asked > 80


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/static/x/../../settings.py",
            "/static/x/..%2f..%2fsettings.py",
            "/static/x/%2e%2e/%2e%2e/settings.py",
        ),
        *(
            "/static/x//etc/passwd",
            "/static/x/....//app.css",
            "/static/x/app.css%00.png",
            "/static/../main.py",
            "/.env",
        ),
        *("/static/x/\\..\\..\\settings.py", "/static/%2e%2e/%2e%2e/%2e%2e/.env", "/.git/config"),
    ],
)
async def test_only_our_own_static_files_are_served(application: Application, path: str) -> None:
    async with application.listening() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()

    assert answer.split(b"\r\n")[0] in (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 400 Bad Request")


async def test_no_other_site_may_read_or_send(application: Application) -> None:
    """No CORS: neither a preflight nor an answer names an origin; forms of pages want our token."""
    origin = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    user_id = await application.new_user(email="cors@mail.test")
    session = await application.session_of(user_id)
    async with application.client(session.access_token) as client:
        for method, path in (
            ("OPTIONS", "/api/v1/booking"),
            ("GET", "/api/v1/auth/me"),
            ("OPTIONS", "/me/erase"),
        ):
            answer = await client.request(method, path, headers=origin)
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        forged = await client.post(
            "/me/erase",
            data={"sure": "1", "password": PASSWORD},
            headers=BROWSER | origin | {"Cookie": cookies_of(session.refresh_token)},
        )

    assert forged.status_code == 403
    assert await application.fetch("select 1 from users where id = %s and erased_at is null", user_id)


async def test_no_export_is_a_table_whose_cells_a_spreadsheet_would_run(application: Application) -> None:
    """CSV injection: what a person may take away is JSON."""
    formula = "=cmd|' /C calc'!A0"
    user_id = await application.new_user(email="formula@mail.test", name=formula)
    session = await application.session_of(user_id)
    async with application.client(session.access_token) as client:
        exports = [
            await client.get("/api/v1/auth/me/export"),
            await client.get("/me/export", headers=BROWSER | {"Cookie": cookies_of(session.refresh_token)}),
        ]

    for answer in exports:
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json()["account"]["name"] == formula


async def test_no_cell_of_a_table_is_one_that_a_spreadsheet_would_run(application: Application) -> None:
    """CSV injection: whoever books online writes the name, and the salon opens the file. A new kind of table fails here."""
    formula = "=cmd|' /C calc'!A0"
    owner_id = await application.new_user(email="tables@mail.test", name=formula, is_admin=True)
    session = await application.session_of(owner_id)
    now = application.runtime.clock()
    async with application.runtime.pool.connection() as conn:
        await add_booking(
            conn, company_id=COMPANY_ID, client_name=formula, staff_name=formula, service_name=formula,
            appointment_datetime=now, appointment_local=now.astimezone(MOSCOW).replace(tzinfo=None), status="COMPLETED",
        )  # fmt: skip
    tables = [
        one
        for one in endpoints(application.app.router.routes)
        if any(kind in one.lower() for kind in ("csv", "xls", "ods", "tsv"))
    ]
    assert sorted(tables) == ["GET /admin/bookings.csv", "GET /admin/bookings.xlsx", "GET /admin/reports.csv"]
    async with application.client() as client:
        for path in (one.removeprefix("GET ") for one in tables if one.endswith(".csv")):
            cookies = {"Cookie": cookies_of(session.refresh_token)}
            answer = await client.get(path, headers=BROWSER | cookies | {"Accept-Language": "ru"})

            cells = [cell for row in csv.reader(io.StringIO(answer.text), delimiter=";") for cell in row]
            assert f"'{formula}" in cells, path
            assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))], path


async def test_compressed_bodies_are_never_unpacked(application: Application) -> None:
    import gzip

    packed = gzip.compress(b'{"email": "a@mail.test", "password": "' + b"x" * 50_000_000 + b'"}')
    async with application.client() as client:
        for path in ("/api/v1/auth/register", f"{WEBHOOK}/{SECRET}"):
            answer = await client.post(
                path, content=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
            )
            assert answer.status_code in (400, 413, 415, 422)


async def test_every_post_of_a_page_wants_the_token_of_our_own_form(application: Application) -> None:
    user_id = await application.new_user(email="csrf@mail.test", is_admin=True)
    session = await application.session_of(user_id)
    headers = BROWSER | {"Cookie": cookies_of(session.refresh_token)}
    posts = [
        path
        for method, path in (one.split(" ") for one in endpoints(application.app.router.routes))
        if method == "POST" and not path.startswith("/api/")
    ]
    async with application.client() as client:
        for path in posts:
            address = path.replace("{channel}", "email")
            while "{" in address:
                address = address[: address.index("{")] + "1" + address[address.index("}") + 1 :]
            for token in ("", "x", csrf_of(application, None), csrf_of(application, "another session")):
                answer = await client.post(address, data={"csrf": token}, headers=headers)
                assert answer.status_code == 403, (path, token, answer.status_code)

    assert len(posts) >= 15
    assert COMPANY_ID
