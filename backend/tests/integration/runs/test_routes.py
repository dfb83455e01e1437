"""The admins' side of the sync over ASGI: start and join, runs, drift, replay."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter

from tests.support.api import Api, ApiRuntime
from tests.support.emulator import sample
from tests.support.sync import COMPANY_ID, Salon, open_salon
from yclients_emulator import desk
from yclients_emulator.faults import Fault
from zerkalo.db.pool import Pool
from zerkalo.engine.service import Bells, open_bells
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.mirror.context import Limits
from zerkalo.runs import routes as run_routes
from zerkalo.settings import Settings
from zerkalo.webhook.replaying import routes as replay_routes

pytestmark = pytest.mark.integration

ON = Settings(yclients_enabled=True, yclients_company_ids=(COMPANY_ID,))


@dataclass
class Runtime(ApiRuntime):
    """With the parts of the sync."""

    salon: Any = None
    bells: Any = None

    @property
    def runs(self) -> Any:
        return self.salon.runs

    @property
    def sync(self) -> Any:
        return self.salon.context


def router_of(runtime: ApiRuntime) -> APIRouter:
    assert isinstance(runtime, Runtime)
    routers = APIRouter()
    routers.include_router(run_routes.router(runtime))
    routers.include_router(replay_routes.router(runtime))
    return routers


class CarryingBells:
    """Stands for a worker: whoever rings for a run has it carried."""

    def __init__(self, salon: Salon) -> None:
        self.salon = salon
        self.carrying: set[asyncio.Task[Any]] = set()

    async def sync(self, company_id: int) -> None:
        self.carrying.add(asyncio.create_task(self.salon.runs.carry(company_id)))


@asynccontextmanager
async def admins(
    salon: Salon, *, bells: CarryingBells | Bells | None = None, settings: Settings = ON
) -> AsyncIterator[httpx2.AsyncClient]:
    runtime = Runtime(
        salon.pool, settings, now=salon.clock(), salon=salon, bells=bells or CarryingBells(salon)
    )
    _, client = await Api(runtime, router_of).new_user(is_admin=True)
    async with client:
        yield client


async def test_sync_bookings_answers_with_the_finished_runs(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        answer = await admin.post("/yclients/sync-bookings")

        (run,) = answer.json()["runs"]
        assert answer.status_code == 200
        assert (run["status"], run["company_id"], run["error"]) == ("finished", COMPANY_ID, None)
        assert run["created"] == len(salon.truths())
        assert (await admin.get(f"/yclients/runs/{run['id']}")).json() == run


async def test_sync_bookings_says_what_failed(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        salon.emulator.faults.add(Fault(kind="forbidden", status=403, probability=1.0))

        answer = await admin.post("/yclients/sync-bookings")

        (run,) = answer.json()["runs"]
        assert answer.status_code == 200
        assert run["status"] == "failed"
        assert "403" in run["error"]


async def test_sync_bookings_that_takes_long_tells_where_to_look(pool: Pool):
    limits = Limits(wait_seconds_max=0.3)
    async with (
        open_salon(pool, limits=limits) as salon,
        open_bells(pool) as bells,
        admins(salon, bells=bells) as admin,
    ):
        first = await admin.post("/yclients/sync-bookings")
        second = await admin.post("/yclients/sync-bookings")

        (run,) = first.json()["runs"]
        assert first.status_code == second.status_code == 202
        assert run["status"] == "running"
        assert first.headers["Location"] == f"/api/v1/yclients/runs/{run['id']}"
        assert second.json()["runs"][0]["id"] == run["id"]
        assert len(await salon.fetch("select 1 from procrastinate_jobs")) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/yclients/sync-bookings"),
        ("GET", "/yclients/runs"),
        ("GET", "/yclients/runs/1"),
        ("GET", "/admin/drift"),
        ("POST", "/admin/events/1/replay"),
    ],
)
async def test_only_admins_may(pool: Pool, method: str, path: str):
    async with open_salon(pool) as salon:
        api = Api(Runtime(pool, ON, now=salon.clock(), salon=salon), router_of)
        _, anna = await api.new_user()

        async with anna, api.client() as nobody:
            assert (await anna.request(method, path)).status_code == 403
            assert (await nobody.request(method, path)).status_code == 401
        assert await salon.fetch("select 1 from sync_runs") == []


@pytest.mark.parametrize(("method", "path"), [("POST", "/yclients/sync-bookings"), ("GET", "/admin/drift")])
async def test_switched_off_they_answer_503(pool: Pool, method: str, path: str):
    async with open_salon(pool) as salon, admins(salon, settings=Settings()) as admin:
        answer = await admin.request(method, path)

        assert (answer.status_code, answer.json()["code"]) == (503, "yclients_disabled")


async def test_runs_are_listed_newest_first_page_by_page(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        salon.emulator.faults.add(Fault(kind="unauthorized", status=401, probability=1.0))
        ids = [(await salon.sync()).id for _ in range(5)]

        first = (await admin.get("/yclients/runs", params={"limit": 3})).json()
        rest = (await admin.get("/yclients/runs", params={"limit": 3, "cursor": first["next_cursor"]})).json()

        assert [run["id"] for run in first["items"] + rest["items"]] == ids[::-1]
        assert rest["next_cursor"] is None


async def test_run_that_is_not_there_is_a_404(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        for run_id in ("1", "0", "x", "9" * 30):
            assert (await admin.get(f"/yclients/runs/{run_id}")).status_code == 404


async def test_drift_shows_each_difference_and_none_after_a_sync(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.sync()
        assert (await admin.get("/admin/drift")).json() == {"items": [], "next_cursor": None}
        changed, missing, extra = sorted(salon.truths())[:3]
        await salon.execute(
            "update bookings set comment = 'typed here' where yclients_record_id = %s", changed
        )
        await salon.execute("delete from bookings where yclients_record_id = %s", missing)
        del salon.emulator.vendor.records[COMPANY_ID][extra]
        del salon.emulator.vendor._company_of[extra]
        salon.emulator.vendor.revisions[COMPANY_ID] += 1

        shown = (await admin.get("/admin/drift")).json()["items"]

        told = {one["record_id"]: one["what"] for one in shown}
        assert told == {changed: "comment", missing: "we do not have it", extra: "YCLIENTS does not know it"}


async def test_drift_that_takes_long_goes_on_where_it_ended(pool: Pool):
    limits = Limits(drift_seconds_max=0.0, slice_records_max=50)
    async with open_salon(pool, limits=limits) as salon, admins(salon) as admin:
        await salon.sync()
        await salon.execute("delete from bookings")
        found: list[int] = []
        pages, cursor = 0, None
        while pages == 0 or cursor:
            params = {"cursor": cursor} if cursor else {}
            page = (await admin.get("/admin/drift", params=params)).json()
            found += [one["record_id"] for one in page["items"]]
            pages, cursor = pages + 1, page["next_cursor"]

        alive = {id_ for id_, truth in salon.truths().items() if not truth["deleted"]}
        assert pages > 3
        assert len(found) == len(set(found))
        assert alive <= set(found)


async def test_drift_while_yclients_is_down_is_a_503(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        salon.emulator.faults.add(Fault(kind="status", status=500, probability=1.0))

        answer = await admin.get("/admin/drift")

        assert (answer.status_code, answer.json()["code"]) == (503, "yclients_unavailable")


class CatchingUp:
    """YCLIENTS; whoever asks for a single record finds that our row has caught up meanwhile."""

    def __init__(self, salon: Salon) -> None:
        self._salon = salon
        self._vendor = salon.context.vendor

    async def company(self, company_id: int) -> Any:
        return await self._vendor.company(company_id)

    async def list_page(self, *query: Any, **options: Any) -> Any:
        return await self._vendor.list_page(*query, **options)

    async def record(self, company_id: int, record_id: int, **options: Any) -> Any:
        comment = self._salon.truths()[record_id]["comment"]
        await self._salon.execute(
            "update bookings set comment = %s where yclients_record_id = %s", comment, record_id
        )
        return await self._vendor.record(company_id, record_id, **options)


async def test_record_that_changes_during_drift_is_no_difference(pool: Pool):
    async with open_salon(pool) as salon, admins(salon.with_context(vendor=CatchingUp(salon))) as admin:
        await salon.sync()
        await salon.execute(
            "update bookings set comment = 'old' where yclients_record_id = %s", min(salon.truths())
        )

        assert (await admin.get("/admin/drift")).json()["items"] == []


async def keep(salon: Salon, body: bytes, outcome: str = "quarantined") -> int:
    delivery = Delivery(body, salon.clock() - timedelta(hours=1), COMPANY_ID, "record", 1, "create")
    async with salon.pool.connection() as conn:
        await inbox.put(conn, [Finished(delivery, outcome, "could not be read then")], now=salon.clock())
    (row,) = await salon.fetch("select max(id) as id from deliveries")
    return row["id"]


async def test_quarantined_delivery_that_can_be_read_now_is_taken_in_once(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.runs.due()
        event = sample("01") | {"company_id": COMPANY_ID}
        delivery_id = await keep(salon, json.dumps(event).encode())

        first = (await admin.post(f"/admin/events/{delivery_id}/replay")).json()
        second = (await admin.post(f"/admin/events/{delivery_id}/replay")).json()

        (kept,) = await salon.fetch("select outcome, handled_at from deliveries")
        assert first["status"] == "applied"
        assert first["booking_id"] == (await salon.rows())[0]["id"]
        assert second["status"] == "queued", "what was decided on is only checked with YCLIENTS"
        assert kept["handled_at"] is not None
        audited = await salon.fetch("select admin_id is not null as by, action, subject from audit_entries")
        assert [(one["by"], one["action"], one["subject"]) for one in audited] == [
            (True, "event.replay", f"event {delivery_id}"),
            (True, "event.replay", f"event {delivery_id}"),
        ]


async def test_record_of_a_page_whose_id_could_not_be_read_is_replayed_by_the_id_in_its_data(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.runs.due()
        raw = json.dumps(sample("01")["data"] | {"company_id": COMPANY_ID}).encode()
        async with salon.pool.connection() as conn:
            await inbox.quarantine_record(
                conn,
                company_id=COMPANY_ID,
                record_id=None,
                raw=raw,
                reason="id: out of bounds",
                now=salon.clock(),
            )
        (kept,) = await salon.fetch("select id from deliveries")

        replayed = (await admin.post(f"/admin/events/{kept['id']}/replay")).json()

        assert (replayed["status"], replayed["booking_id"]) == ("applied", (await salon.rows())[0]["id"])


async def test_replay_of_what_yclients_took_back_meanwhile_does_not_last(pool: Pool):
    """Its deletion was told by nobody, and its visit lies before every window: no later sync would look for it."""
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.sync()
        event = sample("01") | {"company_id": COMPANY_ID, "resource_id": max(salon.truths()) + 1000}
        visit = {"date": "2019-03-01 12:00:00", "datetime": "2019-03-01T12:00:00+03:00"}
        event["data"] |= visit | {"id": event["resource_id"], "company_id": COMPANY_ID}
        delivery_id = await keep(salon, json.dumps(event).encode())

        replayed = (await admin.post(f"/admin/events/{delivery_id}/replay")).json()
        await salon.refetcher.drain(COMPANY_ID)

        row = await salon.row(event["resource_id"])
        assert (replayed["status"], row["id"]) == ("applied", replayed["booking_id"])
        assert (row["status"], row["cancel_reason"]) == ("CANCELLED", "deleted")


async def test_replay_of_a_bare_deletion_cancels_nothing_by_itself(pool: Pool):
    """It was taken back after it came in, and says nothing of its age."""
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.sync()
        record_id = next(id_ for id_, truth in salon.truths().items() if not truth["deleted"])
        before = await salon.row(record_id)
        bare = {"company_id": COMPANY_ID, "resource": "record", "resource_id": record_id, "status": "delete"}
        delivery_id = await keep(salon, json.dumps(bare).encode(), "applied")

        replayed = (await admin.post(f"/admin/events/{delivery_id}/replay")).json()

        assert replayed["status"] == "queued"
        assert await salon.row(record_id) == before
        assert await salon.refetcher.drain(COMPANY_ID) == 1
        assert await salon.row(record_id) == before


async def test_delivery_that_still_can_not_be_read_stays_in_quarantine(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        delivery_id = await keep(salon, b"{not json")

        answer = (await admin.post(f"/admin/events/{delivery_id}/replay")).json()

        (kept,) = await salon.fetch("select outcome, handled_at from deliveries")
        assert answer["status"] == "quarantined"
        assert kept == {"outcome": "quarantined", "handled_at": None}


async def test_replay_of_what_is_not_kept_is_a_404(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        assert (await admin.post("/admin/events/77/replay")).status_code == 404


async def test_deleted_record_shows_no_drift(pool: Pool):
    async with open_salon(pool) as salon, admins(salon) as admin:
        await salon.sync()
        desk.delete(salon.emulator, sorted(salon.truths())[5])
        salon.clock.pass_seconds(1800)
        await salon.sync()

        assert (await admin.get("/admin/drift")).json()["items"] == []
