"""Who may do what: every endpoint × nobody, a user, another user, each role of the staff. A new endpoint without a row
fails here.

The user has a booking and a delivery of their own; the others ask for these, by their ids. Pages are asked for as a browser
does, with the cookie of a session, and posted to with the token that our own forms carry: what is left to refuse is the
person.
"""

import hmac
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from tests.support.application import COMPANY_ID, PASSWORD, SECRET, Application
from tests.support.emulator import FIXTURES
from yclients_emulator import desk
from zerkalo.auth.rules import derive_key
from zerkalo.checkup.service import webhook_url
from zerkalo.web.pages.routing import Endpoint
from zerkalo.webhook.routes import PATHS as WEBHOOK_PATHS

pytestmark = pytest.mark.integration

CALLERS = ("nobody", "user", "other", "read_only", "receptionist", "owner")
STAFF = CALLERS[3:]
BROWSER = {"Accept": "text/html"}
SEED = "seed"
_numbers = count(1)
_WEBHOOK_BODY = (FIXTURES / "01-webhook-record-create.json").read_bytes()


@dataclass(frozen=True)
class Row:
    """An endpoint: what is sent, and the status that each of the callers is answered."""

    endpoint: str
    statuses: tuple[int, ...]
    sent: dict[str, Any]


def row(endpoint: str, *statuses: int, **sent: Any) -> Row:
    """`{ids}` in path and body are filled in. A single status holds for all callers; four are those of nobody, the
    user, another user and an owner: there the other roles are any other user.
    """
    if len(statuses) == 1:
        statuses *= len(CALLERS)
    elif len(statuses) == 4:
        nobody, user, other, owner = statuses
        statuses = (nobody, user, other, other, other, owner)
    assert len(statuses) == len(CALLERS)
    return Row(endpoint, statuses, sent)


def page(endpoint: str, *statuses: int, **form: str) -> Row:
    """A page, posted to with these fields."""
    return row(endpoint, *statuses, **({"data": form} if endpoint.startswith("POST") else {}))


KEY = {"Idempotency-Key": "{unique}"}
OPEN, SIGNED_IN, ADMINS = (200,), (401, 200, 200, 200), (401, 403, 403, 200)
READERS, RECEPTION = (401, 403, 403, 200, 200, 200), (401, 403, 403, 403, 200, 200)
TO_SIGN_IN = 303
DESK, DESK_DONE = (TO_SIGN_IN, 403, 403, 200), (TO_SIGN_IN, 403, 403, 303)
DESK_READERS = (TO_SIGN_IN, 403, 403, 200, 200, 200)
DESK_RECEPTION, DESK_RECEPTION_DONE = (
    (TO_SIGN_IN, 403, 403, 403, 200, 200),
    (TO_SIGN_IN, 403, 403, 403, 303, 303),
)

ROWS = [
    row("GET /openapi.json", *OPEN),
    row("GET /docs", *OPEN),
    row("GET /healthz", *OPEN),
    row("GET /readyz", *OPEN),
    row("GET /metrics", *OPEN),
    # the webhook believes its token alone, whoever is signed in
    row("POST /api/v1/yclients/webhook", 401, content=_WEBHOOK_BODY),
    row("POST /api/v1/yclients/webhook/{token}", 200, content=_WEBHOOK_BODY),
    row("POST /api/v1/auth/register", 201, json={"email": "{unique}@mail.test", "password": PASSWORD}),
    row("POST /api/v1/auth/login", 401, data={"username": "{unique}@mail.test", "password": "wrong"}),
    row("POST /api/v1/auth/refresh", 401, json={"refresh_token": "made up"}),
    row("POST /api/v1/auth/logout", 204),
    row("GET /api/v1/auth/me", *SIGNED_IN),
    row("PATCH /api/v1/auth/me", *SIGNED_IN, json={"name": "New"}),
    row("DELETE /api/v1/auth/me", 401, 204, 204, 204, json={"password": PASSWORD}),
    row("GET /api/v1/auth/me/export", *SIGNED_IN),
    row(
        "POST /api/v1/auth/password",
        *SIGNED_IN,
        json={"old_password": PASSWORD, "new_password": "another password"},
    ),
    row("POST /api/v1/auth/password/reset/request", 202, json={"email": "{unique}@mail.test"}),
    row(
        "POST /api/v1/auth/password/reset/confirm",
        400,
        json={"email": "{unique}@mail.test", "code": "000000", "password": "another password"},
    ),
    row("POST /api/v1/auth/code/request", 202, json={"email": "{unique}@mail.test"}),
    row("POST /api/v1/auth/code/confirm", 400, json={"email": "{unique}@mail.test", "code": "000000"}),
    row("POST /api/v1/auth/verify/request", 401, 202, 202, 202, json={"channel": "email"}),
    row("POST /api/v1/auth/verify/confirm", 401, 400, 400, 400, json={"channel": "email", "code": "000000"}),
    row(
        "POST /api/v1/yclients/sync-bookings", 401, 403, 403, 202
    ),  # no worker here: it starts and is not done
    row("GET /api/v1/yclients/runs", *ADMINS),
    row("GET /api/v1/yclients/runs/{run_id}", *ADMINS),
    row("GET /api/v1/admin/drift", *ADMINS),
    row("POST /api/v1/admin/events/{event_id}/replay", *ADMINS),
    row("GET /api/v1/booking", *SIGNED_IN),
    row("GET /api/v1/booking/calendar.ics", 404),  # its address is its key, and this one has none
    row("POST /api/v1/booking/calendar", *SIGNED_IN),
    row("DELETE /api/v1/booking/calendar", 401, 204, 204, 204),
    row("GET /api/v1/booking/companies", *OPEN),
    row("GET /api/v1/booking/services", *OPEN),
    row("GET /api/v1/booking/staff", *OPEN),
    row("GET /api/v1/booking/dates", *OPEN),
    row("GET /api/v1/booking/times", *OPEN, params={"date": "2030-01-15"}),
    row("POST /api/v1/booking", 422, json={"service_ids": [], "staff_id": 0, "consent": True}),
    row("POST /api/v1/booking/claim", 401, 404, 404, 404, json={"record_id": 1, "record_hash": "made-up"}),
    row("POST /api/v1/booking/code", 422, json={"phone": "none"}),
    row("GET /api/v1/booking/{booking_id}", 401, 200, 404, 404),
    row("PATCH /api/v1/booking/{booking_id}", 401, 200, 404, 404, json={"datetime": "{free_time}"}),
    row("DELETE /api/v1/booking/{booking_id}", 401, 204, 404, 404),
    row("GET /api/v1/loyalty", *SIGNED_IN),
    row(
        "POST /api/v1/admin/loyalty/redeem",
        *ADMINS,
        json={"user_id": "{user_id}", "points": 1, "reason": "tea"},
        headers=KEY,
    ),
    row(
        "POST /api/v1/admin/loyalty/adjust",
        *ADMINS,
        json={"user_id": "{user_id}", "points": 5, "reason": "gift"},
        headers=KEY,
    ),
    row("GET /api/v1/admin/bookings", *READERS),
    row("GET /api/v1/admin/reports", *ADMINS),
    row("GET /api/v1/admin/bookings/{booking_id}", *READERS),
    row("GET /api/v1/admin/bookings/{booking_id}/history", *READERS),
    row("GET /api/v1/admin/bookings/unmatched", *READERS),
    row("POST /api/v1/admin/bookings/{booking_id}/link", *RECEPTION, json={"user_id": "{other_id}"}),
    row("POST /api/v1/admin/bookings/{booking_id}/unlink", *RECEPTION),
    row("GET /api/v1/admin/clients/unmatched", *READERS),
    row(
        "POST /api/v1/admin/clients/{company_id}/{client_id}/link", *RECEPTION, json={"user_id": "{other_id}"}
    ),
    row("POST /api/v1/admin/clients/{company_id}/{client_id}/unlink", *RECEPTION),
    row("GET /api/v1/admin/events", *ADMINS),
    row("GET /api/v1/admin/events/{event_id}", *ADMINS),
    row("GET /api/v1/admin/quarantine", *ADMINS),
    row("GET /api/v1/admin/stats", *ADMINS),
    row("GET /api/v1/admin/users", *ADMINS),
    row("POST /api/v1/admin/users/{user_id}/merge", *ADMINS, json={"into": "{other_id}"}),
    # pages
    page("GET /static/{digest}/{name:path}", 200),
    page("GET /", 200),
    page("GET /privacy", 200),
    page("GET /manifest.webmanifest", 200),
    page("GET /book", 200),
    page("POST /book", 200),  # with nothing chosen it is the first step again
    page("GET /book/choose", 303),  # reloaded: back to the beginning
    page("GET /book/code", 303),
    page("POST /book/choose", 200),
    page(
        "POST /book/widget/claim",
        TO_SIGN_IN,
        404,
        404,
        404,
        company_id="100200",
        record_id="1",
        record_hash="made-up",
    ),
    page("POST /book/code", 422, phone="none"),
    page("GET /book/done/{token}", 404),  # signed; this one is not
    page("GET /book/done/{token}/visit.ics", 404),
    page("GET /book/visit/{token}", 404),  # signed; this one is not
    page("GET /book/visit/{token}/cancel", 404),
    page("POST /book/visit/{token}/cancel", 404),
    page("GET /book/visit/{token}/move", 404),
    page("POST /book/visit/{token}/move", 404, time="2030-01-15T12:00:00+03:00", sure="1"),
    page("GET /book/widget", 200),
    page("GET /me/sign-in", 200, 303, 303, 303),
    page("POST /me/sign-in", 401, email="{unique}@mail.test", password="wrong"),
    page("GET /me/code", 303),  # without a mailed link's code: to the beginning
    page("POST /me/code", 200, contact="{unique}@mail.test"),
    page("GET /me/code/confirm", 303),
    page("POST /me/code/confirm", 400, contact="{unique}@mail.test", code="000000"),
    page("GET /me/sign-up", 200, 303, 303, 303),
    page("POST /me/sign-up", 422, email="no e-mail"),
    page("POST /me/sign-out", 303),
    page("GET /me/reset", 200),
    page("POST /me/reset", 200, contact="{unique}@mail.test"),
    page(
        "POST /me/reset/confirm",
        400,
        contact="{unique}@mail.test",
        code="000000",
        password="another password",
    ),
    page("GET /me", TO_SIGN_IN, 200, 200, 200),
    page("GET /me/code.svg", TO_SIGN_IN, 200, 200, 200),
    page("GET /me/points", TO_SIGN_IN, 200, 200, 200),
    page("GET /me/visits", TO_SIGN_IN, 200, 200, 200),
    page("GET /me/visits/{booking_id}", TO_SIGN_IN, 200, 404, 404),
    page("GET /me/visits/{booking_id}/cancel", TO_SIGN_IN, 200, 404, 404),
    page("POST /me/visits/{booking_id}/cancel", TO_SIGN_IN, 303, 404, 404),
    page("GET /me/visits/{booking_id}/move", TO_SIGN_IN, 200, 404, 404),
    page("POST /me/visits/{booking_id}/move", TO_SIGN_IN, 303, 404, 404, time="{free_time}", sure="1"),
    page("GET /me/profile", TO_SIGN_IN, 200, 200, 200),
    page(
        "POST /me/profile",
        TO_SIGN_IN,
        303,
        303,
        303,
        email="{unique}@mail.test",
        name="New",
        password=PASSWORD,
    ),
    page("POST /me/profile/code", TO_SIGN_IN, 303, 303, 303),
    page("POST /me/profile/password", TO_SIGN_IN, 403, 403, 403, old_password="wrong", new_password=PASSWORD),
    page("POST /me/verify/{channel}/send", TO_SIGN_IN, 303, 303, 303),
    page("GET /me/verify/{channel}", TO_SIGN_IN, 200, 200, 200),
    page("POST /me/verify/{channel}", TO_SIGN_IN, 400, 400, 400, code="000000"),
    page("POST /me/calendar", TO_SIGN_IN, 200, 200, 200),
    page("POST /me/calendar/revoke", TO_SIGN_IN, 303, 303, 303),
    page("GET /me/notices", TO_SIGN_IN, 200, 200, 200),
    page("POST /me/notices", TO_SIGN_IN, 303, 303, 303, by_email="1"),
    page("POST /me/notices/telegram", TO_SIGN_IN, 404, 404, 404),
    page("POST /me/notices/telegram/end", TO_SIGN_IN, 303, 303, 303),
    page("GET /me/export", TO_SIGN_IN, 200, 200, 200),
    page("GET /me/erase", TO_SIGN_IN, 200, 200, 200),
    page("POST /me/erase", TO_SIGN_IN, 403, 403, 403, sure="1", password="wrong"),
    # the salon's desk
    page("GET /admin", TO_SIGN_IN, 403, 403, 303, 303, 200),
    page("GET /admin/state", *DESK),
    page("POST /admin/sync", *DESK_DONE),
    page("POST /admin/codes", *DESK_DONE),
    page("GET /admin/runs", *DESK),
    page("GET /admin/drift", *DESK),
    page("POST /admin/drift", *DESK_DONE),
    page("POST /admin/accept-absent", *DESK_DONE),
    page("GET /admin/bookings", *DESK_READERS),
    page("GET /admin/bookings.csv", *DESK),
    page("GET /admin/reports", *DESK),
    page("GET /admin/reports.csv", *DESK),
    page("GET /admin/bookings.xlsx", *DESK),
    page("GET /admin/unmatched", *DESK_READERS),
    page("GET /admin/bookings/{booking_id}", *DESK_READERS),
    page("POST /admin/clients/{company_id}/{client_id}/link", *DESK_RECEPTION_DONE, user_id="{other_id}"),
    page("POST /admin/clients/{company_id}/{client_id}/unlink", *DESK_RECEPTION_DONE),
    page("POST /admin/bookings/{booking_id}/link", *DESK_RECEPTION_DONE, user_id="{other_id}"),
    page("POST /admin/bookings/{booking_id}/unlink", *DESK_RECEPTION_DONE),
    page("GET /admin/events", *DESK),
    page("GET /admin/quarantine", *DESK),
    page("POST /admin/quarantine/replay", *DESK_DONE),
    page("GET /admin/events/{event_id}", *DESK),
    page("POST /admin/events/{event_id}/replay", *DESK_DONE),
    page("POST /admin/events/{event_id}/set-aside", *DESK_DONE),
    page("GET /admin/users", *DESK_READERS),
    page("GET /admin/users/new", *DESK_RECEPTION),
    page("POST /admin/users/new", *DESK_RECEPTION_DONE, email="{unique}@mail.test"),
    page("GET /admin/users/{user_id}", *DESK_READERS),
    page("POST /admin/users/{user_id}/points", *DESK_DONE, points="5", reason="gift", key="{unique}"),
    page("POST /admin/users/{user_id}/invite", TO_SIGN_IN, 403, 403, 403, 409, 409),  # they have a password
    page("GET /admin/users/{user_id}/edit", *DESK_RECEPTION),
    page("POST /admin/users/{user_id}/edit", *DESK_RECEPTION_DONE, email="{unique}@mail.test", name="New"),
    page("GET /admin/users/{user_id}/merge", *DESK),
    page("POST /admin/users/{user_id}/merge", *DESK_DONE, into="{other_id}"),
    page("POST /admin/users/{user_id}/unmerge", TO_SIGN_IN, 403, 403, 404, merge_id="0"),
    page("GET /admin/clients/unseen", *DESK_READERS),
    page("GET /admin/clients/{company_id}/{client_id}", *DESK_READERS),
    page("POST /admin/clients/{company_id}/{client_id}/note", *DESK_RECEPTION_DONE, note="New"),
    page("GET /admin/till", *DESK_RECEPTION),
    page(  # without a visit of today only an owner spends
        "POST /admin/till/redeem",
        TO_SIGN_IN,
        403,
        403,
        403,
        409,
        303,
        user_id="{user_id}",
        points="1",
        key="{unique}",
    ),
    page("POST /admin/till/undo", TO_SIGN_IN, 403, 403, 403, 404, 404, entry="999999999"),
    page("GET /admin/staff", *DESK),
    page("POST /admin/staff/role", *DESK_DONE, user_id="{other_id}", role="read_only", password=PASSWORD),
    page("POST /admin/staff/invite", *DESK, role="receptionist", password=PASSWORD),
    page("POST /admin/staff/revoke", *DESK_DONE, invitation_id="1"),
    page("GET /admin/log", *DESK),
    page("GET /join", 404),
    page("POST /join/staff", TO_SIGN_IN, 404, 404, 404, code="made up"),
    page("POST /join/account", 404, code="made up", password=PASSWORD),
    page("GET /admin/setup", *DESK),
    page("POST /admin/setup/install", *DESK_DONE, company_id="100200"),
    page("POST /admin/setup/test", *DESK_DONE, company_id="100200"),
]
TABLE = {one.endpoint: one for one in ROWS}
CHANGES_NOTHING = {
    "POST /api/v1/admin/clients/{company_id}/{client_id}/unlink",
    "POST /admin/clients/{company_id}/{client_id}/unlink",
    "POST /admin/staff/revoke",
    "POST /admin/accept-absent",
    "POST /admin/codes",
    "POST /admin/sync",
    "POST /admin/quarantine/replay",
    "POST /admin/setup/install",
}
"""What these rows ask for is so already: there is nothing to note."""


def endpoints(routes: Any) -> Iterator[str]:
    """Every method and path, through routers inside routers."""
    for route in routes:
        if hasattr(route, "effective_candidates"):  # a router that FastAPI has included
            yield from endpoints(route.effective_candidates())
            yield from endpoints(route.effective_low_priority_routes())
        else:
            methods = getattr(route, "methods", None)
            assert methods, f"{route} answers no method: a mount or a websocket needs a test of its own"
            yield from (f"{method} {route.path}" for method in sorted(methods - {"HEAD"}))


async def test_every_endpoint_has_a_row_and_every_row_an_endpoint(application: Application) -> None:
    assert len(TABLE) == len(ROWS)
    found = [*endpoints(application.app.router.routes), *(f"POST {path}" for path in WEBHOOK_PATHS)]
    assert sorted(found) == sorted(set(found))
    assert set(found) == set(TABLE)


async def test_every_page_was_declared_by_the_decorator(application: Application) -> None:
    """What is neither the API's nor an operator's nor a static file is a page, and `routing` checks role and form."""
    plain = [route for route in application.app.router.routes if type(route) is Route]
    pages = [
        route
        for route in plain
        if not route.path.startswith(
            ("/api/", "/static/", "/openapi.json", "/healthz", "/readyz", "/metrics")
        )
    ]
    assert len(pages) > 60
    for route in pages:
        assert isinstance(getattr(route.endpoint, "__self__", None), Endpoint), route.path


@dataclass
class World:
    """Fresh people for one call: the user has a visit to come, a past one that earned points, a claimed e-mail."""

    ids: dict[str, Any]
    people: dict[str, int]


async def new_world(application: Application, one: Row) -> World:
    """People, and of the owner's things what this row asks for."""
    people: dict[str, int] = {}
    for number, who in zip(_numbers, CALLERS[1:], strict=False):
        people[who] = await application.new_user(
            email=f"{who}{number}@mail.test", role=who if who in STAFF else None, unique_code=f"{number:08d}"
        )
    number = next(_numbers)
    ids: dict[str, Any] = {
        "user_id": people["user"],
        "other_id": people["other"],
        "token": SECRET,
        "channel": "email",
        "unique": f"matrix{number}",
        "digest": "any",
        "name": "app.css",
    }
    if "{booking_id}" in one.endpoint:
        ids |= await new_booking(application, people["user"], f"+7999{number:07d}")
    if "{client_id}" in one.endpoint:
        ids |= {"company_id": COMPANY_ID, "client_id": number}
        await application.execute(
            "insert into clients (company_id, client_id) values (%s, %s)", COMPANY_ID, number
        )
    if "{event_id}" in one.endpoint:
        (event,) = await application.fetch(
            "insert into deliveries (received_at, body, outcome, finished_at)"
            " values (now(), 'not JSON', 'quarantined', now()) returning id"
        )
        ids["event_id"] = event["id"]
    if "{run_id}" in one.endpoint:
        (run,) = await application.fetch(
            "insert into sync_runs (company_id, status, full_history, started_at)"
            " values (%s, 'finished', false, now()) returning id",
            COMPANY_ID,
        )
        ids["run_id"] = run["id"]
    if "/admin/setup/" in one.endpoint:  # a test is sent only where YCLIENTS has our address
        application.emulator.set_hooks(COMPANY_ID, [webhook_url(application.settings)], record=1)
    if "redeem" in one.endpoint:
        await application.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, 100, 'adjustment', %s, now(), now())",
            people["user"],
            f"matrix {number}",
        )
    return World(ids, people)


async def new_booking(application: Application, user_id: int, phone: str) -> dict[str, Any]:
    """A visit of hers to come, in YCLIENTS too, and a time to which it could be moved."""
    emulator = application.emulator
    record = desk.create(emulator, company_id=COMPANY_ID, service_ids=(3001,), phone=phone, name="Анна")
    length = record.seance_length
    _, free = desk.earliest(emulator, COMPANY_ID, (3001,), record.staff_id, None, length)
    await application.mirror(record.id)
    (booking,) = await application.fetch(
        "update bookings set user_id = %s, matched_by = 'manual' where yclients_record_id = %s returning id",
        user_id,
        record.id,
    )
    return {"booking_id": booking["id"], "free_time": f"{free.isoformat()}+03:00"}


def filled(value: Any, ids: dict[str, Any]) -> Any:
    """The value with `{names}` replaced; one that is nothing but a name keeps the id's own type."""
    if isinstance(value, dict):
        return {key: filled(one, ids) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{(\w+)\}", value)
    return ids[whole[1]] if whole else re.sub(r"\{(\w+)(?::path)?\}", lambda name: str(ids[name[1]]), value)


async def call(application: Application, one: Row, world: World, caller: str) -> httpx2.Response:
    method, path = one.endpoint.split(" ")
    sent = filled(one.sent, world.ids)
    headers = dict(sent.pop("headers", {}))
    user_id = world.people.get(caller)
    pair = await application.session_of(user_id) if user_id else None
    if path.startswith(("/api/", "/docs", "/redoc", "/openapi", "/healthz", "/readyz", "/metrics")):
        headers |= {"Authorization": f"Bearer {pair.access_token}"} if pair else {}
    else:
        headers |= BROWSER | {"Cookie": cookies_of(pair.refresh_token if pair else None)}
        if method == "POST":
            sent["data"] = sent["data"] | {"csrf": csrf_of(application, pair.refresh_token if pair else None)}
    async with application.client(address=f"198.51.100.{world.people['user'] % 250}") as client:
        return await client.request(method, filled(path, world.ids), headers=headers, **sent)


def cookies_of(session: str | None) -> str:
    held = {"__Host-zerkalo_form": SEED, **({"__Host-zerkalo_session": session} if session else {})}
    return "; ".join(f"{name}={value}" for name, value in held.items())


def csrf_of(application: Application, session: str | None) -> str:
    key = derive_key(application.runtime.secret_key, "page forms")
    return hmac.digest(key, f"{SEED}|{session or ''}".encode(), "sha256").hex()


@pytest.fixture(autouse=True)
async def fresh_start(application: Application) -> AsyncIterator[None]:
    """What is counted of one call must not be the next one's refusal."""
    yield
    await application.execute("delete from attempts")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("endpoint", list(TABLE))
async def test_each_caller_gets_what_the_table_says(
    application: Application, endpoint: str, caller: str
) -> None:
    one = TABLE[endpoint]
    world = await new_world(application, one)

    answer = await call(application, one, world, caller)

    assert answer.status_code == one.statuses[CALLERS.index(caller)], answer.text[:500]
    if answer.status_code == TO_SIGN_IN and caller == "nobody" and one.statuses[0] != one.statuses[1]:
        assert answer.headers["Location"].startswith("/me/sign-in")
    if answer.status_code >= 400 and "/api/" in endpoint:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["code"]
    if (
        caller in STAFF
        and endpoint.startswith("POST")
        and endpoint not in CHANGES_NOTHING
        and "/admin/" in endpoint
        and answer.status_code < 400
    ):
        assert await _noted(application, world.people[caller]), "what staff do is noted"
    if caller in STAFF:
        by_the_edge = [one for one in await _noted(application, world.people[caller]) if "." not in one]
        assert by_the_edge == [], "noted by the net after the commit: a crash between would lose the line"
    if not endpoint.startswith("GET /static"):
        assert "no-store" in answer.headers["Cache-Control"] or "no-cache" in answer.headers["Cache-Control"]


async def _noted(application: Application, user_id: int) -> list[str]:
    """The actions that the staff's log has of somebody; what a use case notes has a dot in its name."""
    rows = await application.fetch("select action from audit_entries where admin_id = %s", user_id)
    return [row["action"] for row in rows]


async def test_the_table_has_every_caller_for_every_endpoint() -> None:
    """Its size, for the record: endpoints × callers."""
    assert len(ROWS) * len(CALLERS) >= 700
