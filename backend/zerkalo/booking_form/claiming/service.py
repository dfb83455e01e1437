"""Linking a booking made in YCLIENTS's own form to a user, by the hash that only its success page shows."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from uuid import uuid4

import structlog

from zerkalo.auth.service import Auth
from zerkalo.booking_form.model import Asker, FormLimits
from zerkalo.booking_form.offering.service import Offers
from zerkalo.booking_form.rules import (
    CLAIM_UNPROVED,
    NOT_CLAIMABLE,
    problem_of,
    unclear_problem,
    vendor_problem,
)
from zerkalo.booking_form.service import MirrorNow
from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.form_bookings import store
from zerkalo.kit.clock import Clock
from zerkalo.users.store import want_rematch
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.errors import AccessDenied, NotFound, RequestRefused, VendorError
from zerkalo.yclients.model import UnreadableRecord

RETRY_SECONDS = 10
LOOKS_MAX = 5
LOOK_STEP_SECONDS = 0.2

Rematch = Callable[[Collection[tuple[int, int]]], Awaitable[None]]
"""Matches the bookings of these (company, record) again, from all evidence."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """Links bookings of the vendor's own form to users as our form does: by a row of `form_bookings`."""

    pool: Pool
    clock: Clock
    client: YclientsClient
    offers: Offers
    mirror_now: MirrorNow
    rematch: Rematch
    auth: Auth
    limits: FormLimits
    email_counts_alone: bool
    """The setting `MATCH_EMAIL_ALONE`."""

    async def claim(
        self, asker: Asker, company_id: int | None, record_id: int, record_hash: str
    ) -> ShownBooking:
        """Link the record with this hash to the signed-in user; return it as the user sees it then.

        A repeated claim succeeds without asking YCLIENTS. Raises `ProblemError`: 404 where YCLIENTS
        does not know the pair, 409 `not_claimable` where somebody with better evidence holds it, 429 after ten tries an hour, 503 with Retry-After.
        """
        user_id = asker.user_id
        assert user_id is not None, "guests have nothing to claim for"
        company = self.offers.company_of(company_id)
        async with self.pool.connection() as conn:
            is_granted = await store.has_claimed(conn, user_id, company, record_id, record_hash)
        if not is_granted:
            await self._count(asker, user_id)
            await self._prove(company, record_id, record_hash)
            await self._write(user_id, company, record_id, record_hash)
        return await self._shown(user_id, company, record_id)

    async def _count(self, asker: Asker, user_id: int) -> None:
        limits = (
            (self.limits.claims_of_user, str(user_id)),
            (self.limits.claims_of_address, asker.address),
        )
        await self.auth.count(limits, now=self.clock())

    async def _prove(self, company_id: int, record_id: int, record_hash: str) -> None:
        """Raise 404 unless YCLIENTS shows the record of this branch by the hash."""
        try:
            own = await self.client.user_record(company_id, record_id, record_hash)
        except (NotFound, RequestRefused, AccessDenied) as error:
            # The answer to a wrong hash is not documented: accept 404, and 401 or 403 for "not authorised".
            log.info("booking form: a claim was not proved", company_id=company_id, kind=type(error).__name__)
            raise problem_of(CLAIM_UNPROVED) from None
        except VendorError as error:
            raise vendor_problem(error) from None
        except UnreadableRecord:
            raise problem_of(CLAIM_UNPROVED) from None
        if own.company_id not in (None, company_id):
            raise problem_of(CLAIM_UNPROVED)

    async def _write(self, user_id: int, company_id: int, record_id: int, record_hash: str) -> None:
        now = self.clock()
        async with transaction(self.pool) as conn:
            is_written = await store.insert_claim(
                conn,
                api_id=uuid4().hex,
                user_id=user_id,
                company_id=company_id,
                record_id=record_id,
                record_hash=record_hash,
                now=now,
            )
            if is_written:
                # The record may stand in the mirror already. Where nobody can match it right after this, by a lock or a
                # crash, no change of YCLIENTS would bring it up again.
                await want_rematch(conn, [user_id], now=now)
        if not is_written:
            raise problem_of(NOT_CLAIMABLE)
        log.info("booking form: claimed", company_id=company_id, record_id=record_id)

    async def _shown(self, user_id: int, company_id: int, record_id: int) -> ShownBooking:
        booking = await self._read(company_id, record_id)
        if booking is None:
            await self.mirror_now(company_id, record_id)
        elif booking.user_id != user_id:
            await self.rematch([(company_id, record_id)])
        booking = await self._read(company_id, record_id)
        for _ in range(LOOKS_MAX):
            if booking is not None:
                break
            await asyncio.sleep(LOOK_STEP_SECONDS)  # the same request, sent twice, is writing it
            booking = await self._read(company_id, record_id)
        if booking is None:
            raise unclear_problem(RETRY_SECONDS)  # YCLIENTS will show it in a moment; the link is written
        async with self.pool.connection() as conn:
            own = await reading.read_own(
                conn, user_id, booking.id, email_counts_alone=self.email_counts_alone
            )
        if own is None:
            raise problem_of(NOT_CLAIMABLE)
        return own

    async def _read(self, company_id: int, record_id: int) -> ShownBooking | None:
        async with self.pool.connection() as conn:
            return await reading.read_of_record(conn, company_id, record_id)
