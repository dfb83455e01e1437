"""From a change in YCLIENTS to the row in `GET /booking`: an emulator with webhooks at once, the server, a user who looks all the time."""

from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import median
from time import perf_counter

import uvloop

from tests.benchmark.bodies import COMPANY_ID, USERS
from tests.benchmark.load import TOKEN
from tests.benchmark.stage import SECRET_KEY, Stage, call, caller, emulator, server
from tests.benchmark.told import Told, percentile
from zerkalo.auth.service import Auth
from zerkalo.db.pool import open_pool

CHANGES = 100
USER_ID = USERS + 1_007
"""Of nobody's whom the other measures send records for: those would fill the first page of the user's bookings."""
PHONE = f"7900{USER_ID:07}"
VISIBLE_SECONDS_MAX = 10.0


def measure(_: Stage, dsn: str, told: Told) -> None:
    """Note how long it takes from asking the emulator for the change to seeing it."""
    told.title("From a booking in YCLIENTS to GET /booking, by webhook")
    with (
        server(dsn) as port,
        emulator(
            "--webhook-url", f"http://127.0.0.1:{port}/api/v1/yclients/webhook?token={TOKEN}",
            "--hook-delay-seconds", "0",
        ) as emulator_port,
        caller(port) as mirror,
        caller(emulator_port) as vendor,
    ):  # fmt: skip
        token = uvloop.run(_token(dsn))
        seconds = [_until_visible(vendor, mirror, token) for _ in range(CHANGES)]
    told.figure("p50", 1000 * median(seconds), "ms", "aim: 15 at most")
    told.figure("p99", 1000 * percentile(seconds, 0.99), "ms")


def _until_visible(vendor: HTTPConnection, mirror: HTTPConnection, token: str) -> float:
    began_at = perf_counter()
    made = call(vendor, "POST", "/_control/records", {"company_id": COMPANY_ID, "phone": PHONE})
    while made["id"] not in _shown(mirror, token):
        assert perf_counter() - began_at < VISIBLE_SECONDS_MAX, "the booking does not show up"
    return perf_counter() - began_at


def _shown(mirror: HTTPConnection, token: str) -> set[int]:
    found = call(mirror, "GET", "/api/v1/booking?limit=200", token=token)
    return {one["yclients_record_id"] for one in found["items"]}


async def _token(dsn: str) -> str:
    async with open_pool(dsn, name="bench") as pool, pool.connection() as conn, conn.transaction():
        return (
            await Auth(pool, SECRET_KEY).new_session(conn, USER_ID, 0, now=datetime.now(UTC))
        ).access_token
