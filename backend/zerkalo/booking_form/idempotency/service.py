"""Idempotency: write, find or wait for the row of a request's key, so that it books once however often it is sent."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import psycopg

from zerkalo.auth.service import Auth
from zerkalo.booking_form.model import FormLimits, Order
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction, transaction
from zerkalo.form_bookings import store
from zerkalo.form_bookings.model import FormBooking, FormStatus
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError

WAIT_SECONDS_MAX = 25.0
"""How long a request waits for another one with the same key."""
WAIT_STEP_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Request:
    """What identifies a request to book, and whom it counts for."""

    key: str
    digest: bytes
    company_id: int
    user_id: int | None
    address: str
    starts_at: datetime | None
    """As wished, aware; None where that is no time."""


class _AlreadyThereError(Exception):
    """The same request has inserted its row meanwhile."""

    def __init__(self, found: FormBooking | None) -> None:
        super().__init__()
        self.found = found


class Requests:
    """Gives each request its booking. Safe for concurrent use, also by other processes."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        auth: Auth,
        limits: FormLimits,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._auth = auth
        self._limits = limits
        self._sleep = sleep

    async def take(self, asked: Request, order: Callable[[], Awaitable[Order]]) -> FormBooking:
        """The form booking of a request: pending and claimed by this process, or settled. Waits while another works on it.

        `order` is called before a new one is written, and raises where it can't be booked. Raises `ProblemError`: what
        `order` raises, 422 `idempotency_key_reused`, 409 `booking_in_progress`, 429.
        """
        waited = 0.0
        api_id: str | None = None
        while True:
            found, is_ready = await self._found(asked, api_id, has_waited=waited >= WAIT_SECONDS_MAX)
            if found is None:
                found, is_ready = await self._open(asked, await order())
            if found is not None and is_ready:
                return found
            # Wait for the row that was seen, by its id: once refused, a key of our own is free again.
            api_id = found.api_id if found else None
            if waited >= WAIT_SECONDS_MAX:
                raise ProblemError(
                    409,
                    "booking_in_progress",
                    "The same request is still under way. Send it again in a few seconds.",
                    {"Retry-After": "3"},
                )
            await self._sleep(WAIT_STEP_SECONDS)
            waited += WAIT_STEP_SECONDS

    async def _found(
        self, asked: Request, api_id: str | None, *, has_waited: bool
    ) -> tuple[FormBooking | None, bool]:
        """The existing form booking, and whether this request may continue with it."""
        async with self._claiming() as claimed, transaction(self._pool) as conn:
            if api_id is None:
                await store.free_auto_key(conn, asked.key, starts_at=asked.starts_at)
                found = await store.by_key(conn, asked.key)
            else:
                found = await store.by_api_id(conn, api_id)
            if found is None:
                return None, False
            if found.request_digest != asked.digest:
                raise ProblemError(
                    422, "idempotency_key_reused", "This Idempotency-Key was used for another request."
                )
            if found.status is not FormStatus.PENDING:
                return found, not found.is_claimed or has_waited
            mine = await store.claim(conn, found.api_id)
            if mine is not None:
                claimed.append(mine)
            return mine or found, mine is not None

    async def _open(self, asked: Request, order: Order) -> tuple[FormBooking | None, bool]:
        """Write a form booking claimed by this request, or find that of the same request, if it was faster.

        Counted in the same transaction: over a limit nothing is written.
        """
        now, limits = self._clock(), self._limits
        counted = (
            (limits.bookings_of_address, asked.address),
            (limits.bookings_of_phone, order.phone),
            (limits.bookings_of_company, str(asked.company_id)),
        )

        async def count_and_insert(conn: Connection) -> FormBooking:
            await self._auth.count_within(conn, counted, now=now)
            form = await store.insert_claimed(
                conn,
                api_id=uuid4().hex,
                user_id=asked.user_id,
                company_id=asked.company_id,
                key=asked.key,
                digest=asked.digest,
                comment=order.comment,
                now=now,
            )
            if form is None:  # rolls back what was counted
                raise _AlreadyThereError(await store.by_key(conn, asked.key))
            claimed.append(form)
            return form

        try:
            async with self._claiming() as claimed:
                return await in_transaction(self._pool, count_and_insert), True
        except _AlreadyThereError as error:
            return error.found, False

    @asynccontextmanager
    async def _claiming(self) -> AsyncGenerator[list[FormBooking]]:
        """Release what was `claimed` where the answer to its commit was lost: nobody works on it, but repetitions would be
        answered 409 for as long as the claim lasts.
        """
        claimed: list[FormBooking] = []
        try:
            yield claimed
        except psycopg.Error:
            with suppress(psycopg.Error):  # without the database the claim runs out
                async with self._pool.connection() as conn:
                    for form in claimed:
                        await store.release(conn, form)
            raise
