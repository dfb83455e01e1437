"""Runs: opened once a company, joined by further requests, carried out by the process with the lease.

A requested run is a row of `sync_runs` without an owner; any process may take it.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import Collection, Sequence

import psycopg
import psycopg_pool
import structlog

from zerkalo.auth.audit.service import audit
from zerkalo.companies import store as companies
from zerkalo.companies.model import Company
from zerkalo.db.transaction import transaction
from zerkalo.metrics.counts import REPAIRED, RUNS
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.runs.capacity.service import Capacity
from zerkalo.runs.changes.service import read_changes_if_wanted
from zerkalo.runs.lease.service import Lease
from zerkalo.runs.lists.rules import IncompleteRead
from zerkalo.runs.model import Run
from zerkalo.runs.reconciling.service import Reconciliation, Stopped
from zerkalo.runs.rules import RESUMES_MAX
from zerkalo.runs.store import LeaseLost
from zerkalo.telemetry.tracing import span
from zerkalo.yclients.errors import AccessDenied, VendorError

POLL_SECONDS = 0.25
"""How often a request that waits for a run reads it."""
TICK_COMPANIES_MAX = 1000
"""Companies that one tick, a minute, finds due: as many as five addresses can send one request each; the next finds more."""

log = structlog.get_logger(__name__)


class Runs:
    """The runs of this installation's companies. One a process; safe for concurrent use."""

    def __init__(self, context: SyncContext, refetcher: Refetcher) -> None:
        self._context = context
        self._refetcher = refetcher
        self._capacity = Capacity(context)
        # With a random part: a new process with the same number must not be taken for the old one.
        self._process = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    @property
    def company_ids(self) -> tuple[int, ...]:
        """The companies of the settings."""
        return self._context.company_ids

    async def open_or_join(self, company_id: int, *, full: bool = False, admin_id: int | None = None) -> Run:
        """Return the company's running run; where there is none, open one without an owner.

        `full`: a new run reads the whole history; a running one is joined as it is. `admin_id`: the member of the staff
        who asks for it; opening is written to their log. Rings no bell.
        """
        assert company_id in self.company_ids, "callers choose among the companies of the settings"
        while True:
            async with transaction(self._context.pool) as conn:
                await companies.know_companies(conn, self.company_ids, now=self._context.clock())
                opened = await runs.open_run(conn, company_id, full_history=full, now=self._context.clock())
                if admin_id is not None and opened is not None:
                    subject = f"company {company_id}"
                    await audit(conn, admin_id, "sync.begin", subject, {}, self._context.clock())
                run = opened or await runs.running_run(conn, company_id)
            if run is not None:  # None: the run ended between the two queries
                return run

    async def due(self) -> tuple[int, ...]:
        """Companies whose next run is due, longest due first; at most `TICK_COMPANIES_MAX`."""
        async with transaction(self._context.pool) as conn:
            await companies.know_companies(conn, self.company_ids, now=self._context.clock())
            known = await companies.companies(conn, self.company_ids)
        return self._due_among([self._believed(company) for company in known])

    async def owing_history(self, company_ids: Sequence[int]) -> frozenset[int]:
        """Those of the companies whose next run reads the whole history, because none has succeeded yet."""
        async with self._context.pool.connection() as conn:
            return await companies.owing_history(conn, company_ids)

    async def uncarried(self) -> list[int]:
        """Companies with a run without an owner: just opened, released, or its process was killed."""
        async with self._context.pool.connection() as conn:
            return await runs.uncarried_companies(
                conn, self.company_ids, limit=TICK_COMPANIES_MAX, lease_now=self._context.lease_now()
            )

    async def carry_if_wanted(self, company_id: int, *, stop: asyncio.Event | None = None) -> Run | None:
        """Carry out the company's run where one is due, was opened, or was left by another process; else None.

        The work of a job, which may come late or twice.
        """
        if company_id not in self.company_ids:
            return None  # a job from before the settings changed
        async with self._context.pool.connection() as conn:
            company = await companies.company(conn, company_id)
        # Counted as in `due`: the number of companies decides the offset in the first period.
        if company is not None and self._is_due(self._believed(company)):
            await self.open_or_join(company_id)
        return await self.carry(company_id, stop=stop)

    async def read_changes_if_wanted(self, company_id: int) -> bool:
        """Read the company's changes where unsigned calls have asked for so many records that this replaces them."""
        return await read_changes_if_wanted(self._context, self._refetcher, company_id)

    async def carry(self, company_id: int, *, stop: asyncio.Event | None = None) -> Run | None:
        """Take the company's run and carry it out; None where there is none without an owner.

        Returns the run afterwards: finished, failed with its reason, or still running where it was given up (lease lost,
        `stop` set). After a cancellation or crash another process continues it. Raises what the database raises when it
        is away.
        """
        owner = f"{self._process}:{uuid.uuid4().hex[:8]}"
        async with transaction(self._context.pool) as conn:
            run = await runs.claim_run(conn, company_id, owner, lease_now=self._context.lease_now())
            company = await companies.company(conn, company_id)
        if run is None or company is None:
            return None
        lease = Lease(self._context, run.id, owner)
        async with lease:
            with span("sync", company_id=company.id, run_id=run.id):
                await self._carry(run, self._believed(company), lease, stop)
        return await self.get(run.id)

    async def get(self, run_id: int) -> Run | None:
        """One run, or None."""
        async with self._context.pool.connection() as conn:
            return await runs.run_by_id(conn, run_id)

    async def latest(self, *, before_id: int | None, limit: int) -> list[Run]:
        """Runs of all companies, newest first; `before_id`: only older ones."""
        async with self._context.pool.connection() as conn:
            return await runs.latest_runs(conn, before_id=before_id, limit=limit)

    async def wait(self, run_ids: Collection[int], *, timeout_seconds: float) -> list[Run]:
        """Return these runs by id, as soon as all have ended, or as they are after `timeout_seconds`."""
        until = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            runs = [run for run in [await self.get(run_id) for run_id in sorted(run_ids)] if run]
            if not any(run.is_running for run in runs) or asyncio.get_running_loop().time() >= until:
                return runs
            await self._context.sleep(POLL_SECONDS)

    async def _carry(self, run: Run, company: Company, lease: Lease, stop: asyncio.Event | None) -> None:
        facts = {"company_id": company.id, "run_id": run.id}
        log.info("Синхронизация продолжена" if run.progress.resumed else "Синхронизация начата", **facts)
        if run.progress.resumed > RESUMES_MAX:
            await self._fail(run, lease, f"{RESUMES_MAX} processes in turn could not finish it")
            return
        try:
            await Reconciliation(
                self._context, self._refetcher, run, company, lease, self._capacity, stop
            ).carry()
        except AccessDenied as error:
            await self._fail(run, lease, str(error), refused=True)
        except (VendorError, IncompleteRead) as error:
            await self._fail(run, lease, str(error))
        except LeaseLost:
            log.warning("Синхронизация передана другому процессу", **facts)
        except Stopped:
            await lease.release()
            log.info("Синхронизация прервана: процесс завершается", **facts)
        except (asyncio.CancelledError, psycopg.OperationalError, psycopg_pool.PoolTimeout):
            await asyncio.shield(lease.release())
            raise
        except Exception as error:
            # A fault of ours: fail the run, or every process in turn would take it and crash.
            log.exception("Синхронизация не удалась", **facts)
            await self._fail(run, lease, f"internal error: {type(error).__name__}")
        else:
            ended = await self.get(run.id)
            counts = {} if ended is None else _counts_of(ended)
            log.info("Синхронизация завершена", **facts, **counts)
            RUNS.add("finished")
            if not run.full_history:
                for change in ("created", "updated", "cancelled"):
                    REPAIRED.add(change, by=counts.get(change, 0))

    async def _fail(self, run: Run, lease: Lease, error: str, *, refused: bool = False) -> None:
        log.warning("Синхронизация не удалась", company_id=run.company_id, run_id=run.id, reason=error)
        try:
            async with transaction(self._context.pool) as conn:
                await runs.fail_run(
                    conn, run, lease.owner, error=error, refused=refused, now=self._context.clock()
                )
            RUNS.add("failed")
        except LeaseLost:
            log.warning("Синхронизация передана другому процессу", company_id=run.company_id, run_id=run.id)

    def _believed(self, company: Company) -> Company:
        return rules.believed(company, self._context.clock())

    def _is_due(self, company: Company) -> bool:
        return rules.is_due(
            company,
            now=self._context.clock(),
            companies_count=len(self.company_ids),
            interval=self._context.interval,
        )

    def _due_among(self, companies: Sequence[Company]) -> tuple[int, ...]:
        return rules.due_companies(
            companies,
            now=self._context.clock(),
            companies_count=len(self.company_ids),
            interval=self._context.interval,
            limit=TICK_COMPANIES_MAX,
        )


def _counts_of(run: Run) -> dict[str, int]:
    names = ("fetched", "created", "updated", "unchanged", "stale", "cancelled", "failed")
    return {name: getattr(run.counts, name) for name in names}
