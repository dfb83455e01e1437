"""Whole runs on a real database against the emulator: what a reconciliation promises."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.support.sync import COMPANY_ID, Salon, drift, open_salon
from yclients_emulator import EmulatorSettings, desk
from yclients_emulator.faults import Fault
from zerkalo.db.pool import Pool
from zerkalo.mirror.context import Limits
from zerkalo.runs import store as runs
from zerkalo.runs.drift.service import Drift

pytestmark = pytest.mark.integration

SERVICES = (3001,)


def book(salon: Salon, name: str = "Анна", **fields: Any) -> int:
    """A new booking in the emulator, whose webhook is lost; its record id."""
    return desk.create(salon.emulator, company_id=COMPANY_ID, service_ids=SERVICES, name=name, **fields).id


def wall(text: str) -> datetime:
    """A time on the salon's wall clock."""
    return datetime.fromisoformat(text)


def remove(salon: Salon, record_id: int) -> None:
    """Make YCLIENTS forget a record altogether, as if it had never been."""
    vendor = salon.emulator.vendor
    del vendor.records[COMPANY_ID][record_id]
    del vendor._company_of[record_id]
    vendor.revisions[COMPANY_ID] += 1


async def test_first_run_takes_the_whole_history_and_the_future(pool: Pool):
    async with open_salon(pool) as salon:
        long_ago = book(salon, date=wall("2019-03-01T12:00"))
        far_ahead = book(salon, date=wall("2031-03-01T12:00"))

        run = await salon.sync()

        truths = salon.truths()
        assert run.status == "finished", run.error
        assert run.full_history
        assert {row["yclients_record_id"] for row in await salon.rows()} == set(truths)
        assert {long_ago, far_ahead} <= set(truths)
        assert run.counts.created == len(truths)
        assert run.expected == run.counts.fetched
        assert await drift(salon) == []


async def test_drift_compares_cards_and_tells_those_apart_that_only_a_full_sync_owes(pool: Pool):
    async with open_salon(pool) as salon:
        now = salon.emulator.now().replace(tzinfo=None, microsecond=0)
        young = book(salon, phone="79990000001", date=now + timedelta(days=50))
        old = book(salon, phone="79990000002", date=now - timedelta(days=200))
        await salon.sync()
        assert await drift(salon) == []
        salon.clock.now += timedelta(days=40)  # a run also reads what has changed within the window
        for record_id, phone in ((young, "79990000003"), (old, "79990000004")):
            desk.set_client_phone(salon.emulator, record_id, phone)

        found = [one async for part in Drift(salon.context, COMPANY_ID).slices() for one in part.differences]
        await salon.sync(full=True)

        assert {one.record_id: one.is_owed for one in found} == {young: True, old: False}
        assert {one.what for one in found} == {
            "phone, card's phone", "phone, card's phone (before the window: `zerkalo sync --full` reads it)",
        }  # fmt: skip
        assert await drift(salon) == []


async def test_what_a_run_changes_names_the_run_in_the_history(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = book(salon)
        first = await salon.sync(full=True)
        desk.set_attendance(salon.emulator, record_id, 1)
        second = await salon.sync()

        events = await salon.fetch("""
            select e.kind, e.run_id from booking_events e join bookings b on b.id = e.booking_id
            where b.yclients_record_id = %s order by e.id""", record_id)  # fmt: skip

    assert [(one["kind"], one["run_id"]) for one in events] == [
        ("created", first.id), ("status", second.id), ("paid", second.id),
    ]  # fmt: skip


async def test_second_run_writes_nothing_and_reads_the_window_only(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        salon.emulator.requests.clear()
        before = await salon.fetch("select id, revision, updated_at, xmin from bookings order by id")
        salon.clock.pass_seconds(1800)

        second = await salon.sync()

        assert not second.full_history
        assert any("start_date=2026-11-02" in one.query for one in salon.emulator.requests)
        assert not any("start_date=2000" in one.query for one in salon.emulator.requests)
        assert (second.counts.created, second.counts.updated, second.counts.cancelled) == (0, 0, 0)
        assert second.counts.unchanged > 0
        assert await salon.fetch("select id, revision, updated_at, xmin from bookings order by id") == before


async def test_records_that_are_read_otherwise_than_before_are_all_looked_at_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """A new release may understand the same bytes better: its first sync leaves no row as the old one read it."""
    async with open_salon(pool) as salon:
        await salon.sync()
        await salon.execute(
            "update bookings set service_price = 1 where yclients_record_id = any(%s)",
            sorted(salon.truths())[:3],
        )
        first_drift = await drift(salon)
        monkeypatch.setattr("zerkalo.mirror.snapshots.MAPPING_VERSION", b"another")
        salon.clock.pass_seconds(1800)

        await salon.sync(full=True)
        await salon.refetcher.drain(COMPANY_ID)

        assert len(first_drift) == 3
        assert await drift(salon) == []


async def test_lost_webhook_is_repaired_by_the_next_run(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        salon.clock.pass_seconds(1800)
        new, old = book(salon), min(salon.truths())
        desk.set_attendance(salon.emulator, old, -1)

        run = await salon.sync()

        assert (await salon.row(new))["status"] == "PENDING"
        assert (await salon.row(old))["cancel_reason"] == "no_show"
        assert run.counts.created == 1
        assert await drift(salon) == []


async def test_change_of_a_visit_before_the_window_is_found_by_its_change_time(pool: Pool):
    async with open_salon(pool) as salon:
        long_ago = book(salon, date=wall("2019-03-01T12:00"))
        await salon.sync()
        salon.clock.pass_seconds(1800)
        desk.set_price(salon.emulator, long_ago, 123_400)

        await salon.sync()

        assert (await salon.row(long_ago))["service_price"] == 123_400


async def test_deletion_without_a_webhook_is_found(pool: Pool):
    async with open_salon(pool) as salon:
        gone = book(salon)
        await salon.sync()
        salon.clock.pass_seconds(1800)
        desk.delete(salon.emulator, gone)

        run = await salon.sync()

        row = await salon.row(gone)
        assert (row["status"], row["cancel_reason"], row["absent"]) == ("CANCELLED", "deleted", False)
        assert run.counts.cancelled == 1


async def test_what_a_complete_read_did_not_show_is_asked_for_and_cancelled_on_404(pool: Pool):
    async with open_salon(pool) as salon:
        gone = book(salon)
        await salon.sync()
        salon.clock.pass_seconds(1800)
        remove(salon, gone)

        run = await salon.sync()

        row = await salon.row(gone)
        assert (row["status"], row["cancel_reason"]) == ("CANCELLED", "deleted")
        assert run.counts.cancelled == 1
        assert salon.requests_to(f"/record/{COMPANY_ID}/{gone}") == 1
        assert await salon.fetch("select * from refetches") == []


async def test_cancelled_absent_booking_is_not_asked_for_again(pool: Pool):
    async with open_salon(pool) as salon:
        gone = book(salon)
        await salon.sync()
        remove(salon, gone)
        await salon.sync()

        await salon.sync()

        assert salon.requests_to(f"/record/{COMPANY_ID}/{gone}") == 1


async def test_booking_that_moved_out_of_its_slice_is_not_cancelled(pool: Pool):
    """Ours stands in the window, theirs was moved far before it: the list of the window does not show it."""
    async with open_salon(pool) as salon:
        moved = book(salon)
        await salon.sync()
        desk.move(salon.emulator, moved, date=wall("2020-05-05T15:00"))
        # The filter of changes misses it, as an unreliable one might.
        await salon.execute("update companies set changes_read_until = now() + interval '9 years'")

        await salon.sync()

        row = await salon.row(moved)
        assert row["status"] == "PENDING"
        assert row["appointment_datetime"] == datetime(2020, 5, 5, 12, 0, tzinfo=UTC)


async def test_failed_run_counts_nothing_as_absent_and_moves_no_watermark(pool: Pool):
    async with open_salon(pool) as salon:
        gone = book(salon)
        await salon.sync()
        (before,) = await salon.fetch("select * from companies")
        salon.clock.pass_seconds(1800)
        remove(salon, gone)
        # Page one of each list comes, the rest does not.
        salon.emulator.faults.add(
            Fault(kind="status", status=503, path="^/records/", skip=1, probability=1.0)
        )

        run = await salon.sync()

        (after,) = await salon.fetch("select * from companies")
        assert run.status == "failed"
        assert run.error
        assert (await salon.row(gone))["status"] == "PENDING"
        assert after["changes_read_until"] == before["changes_read_until"]
        assert after["last_complete_read_at"] == before["last_complete_read_at"]


async def test_failed_first_run_still_owes_the_whole_history(pool: Pool):
    async with open_salon(pool) as salon:
        salon.emulator.faults.add(Fault(kind="cut", path="^/records/", skip=2, probability=1.0))
        failed = await salon.sync()
        salon.emulator.faults.clear()

        run = await salon.sync()

        assert failed.status == "failed"
        assert (run.status, run.full_history) == ("finished", True)
        assert await drift(salon) == []


@pytest.mark.parametrize("kind", ["unauthorized", "forbidden", "licence"])
async def test_refusal_fails_the_run_with_its_reason_until_it_is_lifted(pool: Pool, kind: Any):
    async with open_salon(pool) as salon:
        status = {"unauthorized": 401, "forbidden": 403, "licence": 402}[kind]
        salon.emulator.faults.add(Fault(kind=kind, status=status, probability=1.0))

        refused = await salon.sync()
        (during,) = await salon.fetch("select problem, problem_since from companies")
        asked = len(salon.emulator.requests)
        salon.emulator.faults.clear()
        salon.clock.pass_seconds(1800)
        assert await salon.runs.due() == (COMPANY_ID,)
        allowed = await salon.sync()

        assert refused.status == "failed"
        assert str(status) in (refused.error or "")
        assert during["problem"] == refused.error
        assert asked == 1  # asking again at once would not help
        assert allowed.status == "finished"
        assert (await salon.fetch("select problem, problem_since from companies"))[0]["problem"] is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=429, next=3, retry_after=7),
        Fault(kind="status", status=500, skip=1, next=2),
        Fault(kind="timeout", next=1),
        Fault(kind="cut", next=2),
        Fault(kind="html", next=2),
        Fault(kind="success_false", next=2),
        Fault(kind="disconnect", next=2),
    ],
    ids=lambda fault: fault.kind,
)
async def test_passing_trouble_is_sat_out(pool: Pool, fault: Fault):
    async with open_salon(pool) as salon:
        salon.emulator.faults.add(fault)

        run = await salon.sync()

        assert run.status == "finished", run.error
        assert await drift(salon) == []


@pytest.mark.parametrize("order", ["id", "id_desc", "date", "changed"])
@pytest.mark.parametrize("page_size", [1, 7, 200])
async def test_pages_clamped_by_the_server_lose_nothing(pool: Pool, order: Any, page_size: int):
    settings = EmulatorSettings(rate_limit=False, list_order=order, page_size_max=page_size)
    async with open_salon(pool, settings=settings) as salon:
        run = await salon.sync()

        assert run.status == "finished", run.error
        assert {row["yclients_record_id"] for row in await salon.rows()} == set(salon.truths())


@pytest.mark.parametrize("order", ["date", "changed", "id_desc"])
async def test_lists_that_shift_while_they_are_read_lose_nothing(pool: Pool, order: Any):
    """Before every request the salon books, moves and deletes something, and no webhook comes."""
    settings = EmulatorSettings(rate_limit=False, list_order=order, page_size_max=10)
    async with open_salon(pool, settings=settings) as salon:
        await salon.sync()
        ids, asked = sorted(salon.truths()), 0

        def live(method: str, path: str) -> None:
            nonlocal asked
            if not path.startswith("/records/") or asked >= 60:
                return
            asked += 1
            salon.clock.pass_seconds(1)
            victim = ids[asked % len(ids)]
            if asked % 3 == 0:
                book(salon, name=f"Новая {asked}")
            elif asked % 3 == 1:
                desk.move(salon.emulator, victim, date=wall(f"2026-12-{1 + asked % 28:02}T12:00"))
            else:
                (desk.restore if salon.emulator.vendor.record(victim).deleted else desk.delete)(
                    salon.emulator, victim
                )

        salon.clock.pass_seconds(1800)
        salon.emulator.before_request.append(live)
        during = await salon.sync()
        salon.emulator.before_request.clear()

        assert during.status == "finished", during.error
        assert asked == 60
        await salon.sync()
        assert await drift(salon) == []


async def test_slices_are_halved_and_progress_is_kept(pool: Pool):
    async with open_salon(pool, limits=Limits(slice_records_max=10)) as salon:
        run = await salon.sync()

        truths = salon.truths()
        assert len(truths) > 40
        assert run.status == "finished", run.error
        assert run.progress.pending == ()
        assert {row["yclients_record_id"] for row in await salon.rows()} == set(truths)
        assert run.counts.created == len(truths)


async def test_given_up_run_is_carried_on_from_its_last_finished_slice(pool: Pool):
    async with open_salon(pool, limits=Limits(slice_records_max=10)) as salon:
        opened = await salon.runs.open_or_join(COMPANY_ID)
        seen = 0

        def stop_later(method: str, path: str) -> None:
            nonlocal seen
            seen += path.startswith("/records/")
            if seen == 8:
                raise ConnectionResetError("the process is killed here")

        salon.emulator.before_request.append(stop_later)
        with pytest.raises(ConnectionResetError):
            await _killed(salon)
        salon.emulator.before_request.clear()
        (left,) = await salon.fetch("select progress from sync_runs")

        run = await salon.with_context().runs.carry(COMPANY_ID)

        assert run is not None
        assert (run.id, run.status) == (opened.id, "finished"), run.error
        assert run.progress.resumed == 1
        assert left["progress"]["phase"] == "visits"
        assert await drift(salon) == []


async def _killed(salon: Salon) -> None:
    """Carry a run in a process that dies: no word of its ending reaches the database."""

    async def nothing(*_: object, **__: object) -> None:
        raise ConnectionResetError

    runs = salon.with_context().runs
    runs._fail = nothing
    try:
        await runs.carry(COMPANY_ID)
    finally:
        await salon.execute("update sync_runs set lease_until = now() - interval '1 second'")


async def test_one_run_a_company_on_however_many_machines(pool: Pool):
    async with open_salon(pool) as salon:
        other = salon.with_context()

        first = await salon.runs.open_or_join(COMPANY_ID)
        joined = await other.runs.open_or_join(COMPANY_ID)
        async with pool.connection() as conn:
            claimed = await runs.claim_run(conn, COMPANY_ID, "another machine")

        assert first.id == joined.id
        assert claimed is not None
        assert await salon.runs.carry(COMPANY_ID) is None
        assert len(await salon.fetch("select * from sync_runs")) == 1


async def test_process_whose_lease_was_taken_over_writes_nothing_more(pool: Pool):
    async with open_salon(pool) as salon:
        taken = False

        async def take_over() -> None:
            await salon.execute("update sync_runs set lease_owner = 'another machine'")

        class Overtaken:
            async def apply(self, observations: Any, **options: Any) -> Any:
                nonlocal taken
                if not taken:
                    taken = True
                    await take_over()
                return await salon.context.applier.apply(observations, **options)

        await salon.runs.open_or_join(COMPANY_ID)
        run = await salon.with_context(applier=Overtaken()).runs.carry(COMPANY_ID)

        assert run is not None
        assert run.status == "running"
        assert run.counts.fetched == 0
        assert (await salon.fetch("select history_read_at from companies"))[0]["history_read_at"] is None


async def test_clock_that_was_hours_ahead_once_holds_nothing_up(pool: Pool):
    """Not the next run, not a run that was under way then, and no change that came meanwhile."""
    async with open_salon(pool) as salon:
        await salon.sync()
        ahead = salon.with_context(lease_clock=salon.clock)
        salon.clock.pass_seconds(3 * 3600)
        await ahead.sync()
        await ahead.runs.open_or_join(COMPANY_ID)
        async with pool.connection() as conn:
            await runs.claim_run(conn, COMPANY_ID, "killed", lease_now=salon.clock())
        salon.clock.pass_seconds(-3 * 3600 + 60)
        left = ahead.with_context(seconds_per_request=1800.0)
        assert await left.runs.uncarried() == [COMPANY_ID]
        await left.runs.carry(COMPANY_ID)
        new = book(salon)
        salon.clock.pass_seconds(1801)

        assert await left.runs.due() == (COMPANY_ID,)
        run = await left.sync()

        assert run.status == "finished", run.error
        assert (await salon.row(new))["status"] == "PENDING"
        (company,) = await salon.fetch("select * from companies")
        times = ("last_run_started_at", "last_complete_read_at", "changes_read_until")
        assert all(company[name] <= salon.clock() for name in times)


async def test_unreadable_record_is_kept_once_counted_and_not_taken_for_absent(pool: Pool):
    async with open_salon(pool) as salon:
        broken = book(salon)
        await salon.sync()
        salon.clock.pass_seconds(60)
        spoil(salon, broken)

        first, second = await salon.sync(), await salon.sync()

        kept = await salon.fetch("select * from deliveries where outcome = 'quarantined'")
        assert (first.status, first.counts.failed) == ("finished", 1)
        assert (second.status, second.counts.failed) == ("finished", 1)
        assert [one["resource_id"] for one in kept] == [broken]
        assert (await salon.row(broken))["status"] == "PENDING"


def spoil(salon: Salon, record_id: int) -> None:
    """Make the vendor show one record with a date that nobody can read."""
    render = salon.emulator.record_bytes

    def spoilt(record: Any, view: Any) -> bytes:
        body = render(record, view)
        if record.id != record_id:
            return body
        return json.dumps({**json.loads(body), "date": "вчера", "datetime": "вчера"}).encode()

    salon.emulator.record_bytes = spoilt


async def test_long_run_reads_what_changed_once_a_period(pool: Pool):
    """The window of a big salon may take longer than a period; a lost webhook must not wait for its end."""
    async with open_salon(pool, limits=Limits(slice_records_max=5)) as salon:
        await salon.sync()
        asked: list[str] = []

        def slow(method: str, path: str) -> None:
            salon.clock.pass_seconds(300)
            asked.append(path)

        salon.emulator.before_request.append(slow)
        run = await salon.sync()

        changes = [one for one in salon.emulator.requests if "changed_after" in one.query][-len(asked) :]
        gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(changes)]
        assert run.status == "finished", run.error
        assert len(changes) > 3
        assert max(gaps) <= 2 * 1800


async def test_window_that_does_not_fit_is_left_to_once_a_day(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        await salon.sync()
        salon.clock.pass_seconds(1800)
        crowded = salon.with_context(seconds_per_request=1800.0)
        new = book(salon)

        incremental = await crowded.sync()
        salon.clock.pass_seconds(24 * 3600)
        whole = await crowded.sync()

        assert (incremental.progress.full_window, incremental.status) == (False, "finished")
        assert incremental.counts.created == 1
        assert incremental.counts.fetched < 10
        assert (await salon.row(new))["status"] == "PENDING"
        assert whole.progress.full_window


async def test_run_that_reads_only_changes_asks_nothing_else(pool: Pool):
    """Where the period is short, each request that a quiet salon can do without is a salon more."""
    async with open_salon(pool) as salon:
        await salon.sync()
        salon.clock.pass_seconds(1800)
        crowded = salon.with_context(seconds_per_request=1800.0)
        await crowded.sync()  # what the demo salon did within the overlap
        salon.clock.pass_seconds(1800)
        asked_before = len(salon.emulator.requests)

        quiet = await crowded.sync()
        asked_of_quiet = len(salon.emulator.requests) - asked_before
        salon.clock.pass_seconds(1800)
        new = book(salon)
        busy = await crowded.sync()

        assert (quiet.status, quiet.counts.fetched, asked_of_quiet) == ("finished", 0, 1)
        assert (busy.status, busy.counts.created) == ("finished", 1)
        assert len(salon.emulator.requests) - asked_before == 3  # a page, and the empty one behind it
        assert (await salon.row(new))["status"] == "PENDING"


async def test_changes_made_while_only_changes_are_read_come_with_the_next_run(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        salon.clock.pass_seconds(1800)
        crowded = salon.with_context(seconds_per_request=1800.0)
        late: list[int] = []

        def book_behind_the_read(method: str, path: str) -> None:
            if path.startswith("/records/") and not late:
                late.append(0)
                salon.clock.pass_seconds(1)
                late[0] = book(salon)

        salon.emulator.before_request.append(book_behind_the_read)
        await crowded.sync()
        salon.clock.pass_seconds(1800)
        await crowded.sync()

        assert (await salon.row(late[0]))["status"] == "PENDING"
