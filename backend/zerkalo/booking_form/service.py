"""Booking through our own form: recorded before YCLIENTS is asked, searched for before it is asked again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Protocol

import structlog

from zerkalo.auth.rules import derive_key
from zerkalo.auth.service import Auth
from zerkalo.booking_form import rules
from zerkalo.booking_form.idempotency.service import Request, Requests
from zerkalo.booking_form.model import FormLimits, Order, Person, Wish
from zerkalo.booking_form.offering.service import Offers
from zerkalo.booking_form.rules import problem_of, unclear_problem, vendor_problem
from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.form_bookings import store
from zerkalo.form_bookings.model import FormBooking, FormStatus, Refusal
from zerkalo.kit.clock import Clock
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.users.store import read_user
from zerkalo.yclients.client import YclientsClient, appointment
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)
from zerkalo.yclients.model import Record

LOOK_SECONDS_MAX = 20.0
LOOK_AGAIN_AFTER = timedelta(minutes=1)
"""Most lost answers are asked for again sooner, and then YCLIENTS is not asked."""
LOOK_PAGES_MAX = 20
"""Pages of the visit's day: a salon has some hundred visits a day, 200 a page."""


class MirrorNow(Protocol):
    """Reads a record from YCLIENTS into the mirror at once. Never raises for an error of YCLIENTS: a record that could
    not be read is queued for a refetch.
    """

    async def __call__(self, company_id: int, record_id: int, *, is_deleted: bool = False) -> None:
        """`is_deleted`: we have just had it deleted, so YCLIENTS need not know it any more."""
        ...


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking that YCLIENTS has made."""

    company_id: int
    record_id: int
    booking: ShownBooking | None
    """As the mirror has it; None while YCLIENTS does not show it yet, once it is another client's, and where the caller may
    not be who booked it."""
    is_own: bool
    """Whether the mirror has linked it to the signed-in user, who may then see as much as of any booking of theirs."""
    starts_at: datetime
    """As it was asked for."""
    form_id: str
    """The `api_id` of the form booking."""


@dataclass(frozen=True, slots=True)
class _VisitDay:
    """The records of one day; satisfies the client's `RecordsFilter`."""

    start_date: date | None
    end_date: date | None
    changed_after: datetime | None = None


class Booker:
    """Makes bookings. One a process; safe for concurrent use, also by other processes."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        client: YclientsClient,
        offers: Offers,
        mirror_now: MirrorNow,
        secret_key: str,
        auth: Auth,
        limits: FormLimits,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        email_counts_alone: bool = True,
    ) -> None:
        """`email_counts_alone`: the setting `MATCH_EMAIL_ALONE`."""
        self._pool = pool
        self._clock = clock
        self._client = client
        self._offers = offers
        self._mirror_now = mirror_now
        self._digest_key = derive_key(secret_key, "booking request")
        self._auth = auth
        self._limits = limits
        self._email_counts_alone = email_counts_alone
        self._requests = Requests(pool, clock, auth, limits, sleep)

    async def book(
        self, wish: Wish, *, user_id: int | None, address: str, idempotency_key: str | None = None
    ) -> Booked:
        """Book in YCLIENTS and update the mirror; the same key and wish never book twice.

        `address`: the caller's, for limits. Without a key, the same wish is the same booking for `store.AUTO_SPAN`, while
        that is what was wished; a guest who repeats it is told no more than they said. Raises `ProblemError`: what is wrong
        with the wish (422), what the salon declines (403, 409, 422, repeated for the same key), 422
        `idempotency_key_reused`, 409 `booking_in_progress`, 429, and 503 with Retry-After: `yclients_unavailable` where
        certainly nothing was booked, `booking_unclear` where that is unknown.
        """
        company_id = self._offers.company_of(wish.company_id)
        zone = await self._offers.zone_of(company_id)
        starts_at = rules.salon_time(wish.starts_at, zone)
        digest = rules.request_digest(self._digest_key, wish, user_id)
        key = f"{store.AUTO}{digest.hex()}"
        if idempotency_key is not None:
            key = rules.scoped_key(idempotency_key, user_id)
        asked = Request(key, digest, company_id, user_id, address, starts_at)

        async def order() -> Order:
            return await self._order(user_id, company_id, wish, zone)

        form = await self._requests.take(asked, order)
        if idempotency_key is None and form.record_id is not None and await self._may_look(form):
            # A change of the salon's may not have reached us: where it was cancelled or moved there, the wish is a new one.
            await self._mirror_now(company_id, form.record_id)
            form = await self._requests.take(asked, order)
        is_repetition = form.status is not FormStatus.PENDING or form.asked_at is not None
        booked = await self._complete(form, wish, zone)
        if is_repetition and idempotency_key is None and user_id is None:
            # Not only the guest can repeat it, but whoever knows their name and phone and the time.
            return replace(booked, booking=None)
        return booked

    async def _may_look(self, form: FormBooking) -> bool:
        """Whether to read a settled booking again: after a minute, and then once a minute."""
        now = self._clock()
        if now - form.created_at < LOOK_AGAIN_AFTER:
            return False
        async with transaction(self._pool) as conn:
            return await self._auth.may_try(conn, [(self._limits.looks_of_booking, form.api_id)], now=now)

    async def _complete(self, form: FormBooking, wish: Wish, zone: tzinfo | None) -> Booked:
        if form.status is not FormStatus.PENDING:
            return await self._answer(form, wish.starts_at, zone)
        try:
            return await self._make(form, wish, zone)
        finally:
            await asyncio.shield(self._release(form))

    async def send_code(self, company_id: int | None, *, phone: str, name: str = "", address: str) -> None:
        """Have the salon send an SMS code to the phone. Raises 422 `phone_invalid`, 403 `blacklisted`, 429, 503."""
        company = self._offers.company_of(company_id)
        e164, _ = normalise_phone(phone)
        if e164 is None:
            raise problem_of(rules.refusal_of(431, ""))
        limits = self._limits
        counted = (
            (limits.codes_of_phone, e164),
            (limits.codes_of_phone_a_day, e164),
            (limits.codes_of_address, address),
            (limits.codes_of_company, str(company)),
        )
        await self._auth.count(counted, now=self._clock())
        try:
            await self._client.book_code(company, phone=e164, fullname=name)
        except VendorError as error:
            raise vendor_problem(error) from None

    async def _make(self, form: FormBooking, wish: Wish, zone: tzinfo | None) -> Booked:
        """Carry a claimed form booking to its end."""
        if form.asked_at is not None:
            starts_at = rules.salon_time(wish.starts_at, zone) or wish.starts_at
            record_id = await self._look(form, starts_at, zone)
            if record_id is not None:
                return await self._finish(form, record_id, None, starts_at)
            wait_seconds = rules.settle_seconds_left(form.asked_at, self._clock())
            if wait_seconds:
                raise unclear_problem(wait_seconds)
        try:
            order = await self._order(form.user_id, form.company_id, wish, zone)
        except ProblemError:
            await self._undo(form)
            raise
        return await self._ask(form, order, zone)

    async def _order(self, user_id: int | None, company_id: int, wish: Wish, zone: tzinfo | None) -> Order:
        person = await self._person(user_id)
        order = rules.order_of(wish, person, company_id=company_id, zone=zone, now=self._clock())
        if isinstance(order, Refusal):
            raise problem_of(order)
        return order

    async def _person(self, user_id: int | None) -> Person | None:
        if user_id is None:
            return None
        async with self._pool.connection() as conn:
            user = await read_user(conn, user_id)
        return None if user is None else Person(user.id, user.name, user.phone, user.email, user.unique_code)

    async def _ask(self, form: FormBooking, order: Order, zone: tzinfo | None) -> Booked:
        async with transaction(self._pool) as conn:
            is_mine = await store.mark_asked(conn, form, now=self._clock())
        if not is_mine:
            raise unclear_problem(1)
        try:
            booked = await self._client.book_record(form.company_id, _body_of(order, form.api_id))
        except VendorUnavailable as error:
            if error.may_have_acted:
                log.warning(
                    "booking form: no answer, looking for it", company_id=form.company_id, reason=error.reason
                )
                return await self._after_no_answer(form, order, zone)
            await self._undo(form)
            raise vendor_problem(error) from None
        except (BookingRefused, NotFound, RequestRefused) as error:
            return await self._after_refusal(form, order, zone, error)
        except AccessDenied as error:
            log.warning("booking form: YCLIENTS refuses us", company_id=form.company_id, reason=error.reason)
            await self._undo(form)
            raise vendor_problem(error) from None
        if not booked:
            return await self._after_no_answer(form, order, zone)
        return await self._finish(form, booked[0].record_id, booked[0].record_hash, order.starts_at)

    async def _after_no_answer(self, form: FormBooking, order: Order, zone: tzinfo | None) -> Booked:
        record_id = await self._look(form, order.starts_at, zone)
        if record_id is None:
            raise unclear_problem(rules.SETTLE_SECONDS)
        return await self._finish(form, record_id, None, order.starts_at)

    async def _after_refusal(
        self,
        form: FormBooking,
        order: Order,
        zone: tzinfo | None,
        error: BookingRefused | NotFound | RequestRefused,
    ) -> Booked:
        """Settle a declined booking, unless an earlier request, whose answer was lost, has booked the time."""
        self._offers.forget_times(form.company_id)
        if form.asked_at is not None and (record_id := await self._look(form, order.starts_at, zone)):
            return await self._finish(form, record_id, None, order.starts_at)
        problem = vendor_problem(error)
        refusal = Refusal(problem.status, problem.code, problem.detail)
        async with transaction(self._pool) as conn:
            is_refused = await store.write_refused(conn, form.api_id, refusal)
        if not is_refused:
            settled = await self._read(form.api_id)
            return await self._answer(settled, order.starts_at, zone)
        raise problem

    async def _look(self, form: FormBooking, starts_at: datetime, zone: tzinfo | None) -> int | None:
        """The record with our id, from the mirror or from a complete list of that day; None where there is none.

        Raises `booking_unclear` where the list can't be read.
        """
        if (known := (await self._read(form.api_id)).record_id) is not None:
            return known
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                return await self._find_record(form, starts_at, zone)
        except (VendorError, TimeoutError):
            raise unclear_problem(rules.SETTLE_SECONDS) from None

    async def _find_record(self, form: FormBooking, starts_at: datetime, zone: tzinfo | None) -> int | None:
        day = starts_at.date()
        for page in range(1, LOOK_PAGES_MAX + 1):
            found = await self._client.records_page(
                form.company_id, _VisitDay(day, day), page=page, kind="interactive", zone=zone
            )
            for item in found.items:
                carries = (
                    item.api_id == form.api_id
                    if isinstance(item, Record)
                    else form.api_id.encode() in item.raw
                )
                if carries and item.record_id is not None:
                    return item.record_id
            if found.raw_count == 0:
                return None
        raise VendorUnavailable("no end of the day's records", lasting=True)

    async def _finish(
        self, form: FormBooking, record_id: int, record_hash: str | None, starts_at: datetime
    ) -> Booked:
        async with transaction(self._pool) as conn:
            await store.write_booked(conn, form.api_id, record_id=record_id, record_hash=record_hash)
        self._offers.forget_times(form.company_id)
        log.info("booking form: booked", company_id=form.company_id, record_id=record_id)
        await self._mirror_now(form.company_id, record_id)
        return await self._shown(form, record_id, starts_at)

    async def _answer(self, form: FormBooking, starts_at: datetime, zone: tzinfo | None) -> Booked:
        """The answer of a settled booking again."""
        if form.refusal is not None or form.record_id is None:
            raise problem_of(form.refusal or rules.SLOT_TAKEN)
        asked_for = rules.salon_time(starts_at, zone) or starts_at
        return await self._shown(form, form.record_id, asked_for)

    async def _shown(self, form: FormBooking, record_id: int, starts_at: datetime) -> Booked:
        """The booking as the caller may see it now: a repetition may come after the salon has changed it."""
        async with self._pool.connection() as conn:
            found = await reading.read_of_record(conn, form.company_id, record_id)
            own = None
            if found is not None and form.user_id is not None and found.user_id == form.user_id:
                own = await reading.read_own(
                    conn, form.user_id, found.id, email_counts_alone=self._email_counts_alone
                )
            shown = own or await reading.read_of_receipt(conn, form.company_id, record_id)
        return Booked(form.company_id, record_id, shown, own is not None, starts_at, form.api_id)

    async def _read(self, api_id: str) -> FormBooking:
        async with self._pool.connection() as conn:
            form = await store.by_api_id(conn, api_id)
        assert form is not None, "rows that were asked for stay"
        return form

    async def _undo(self, form: FormBooking) -> None:
        """Release a booking whose request certainly did not reach YCLIENTS; an earlier one may still have booked."""
        if form.asked_at is None:
            async with transaction(self._pool) as conn:
                await store.mark_not_asked(conn, form.api_id)

    async def _release(self, form: FormBooking) -> None:
        async with self._pool.connection() as conn:
            await store.release(conn, form)


def _body_of(order: Order, api_id: str) -> dict[str, Any]:
    """The body of `book_record` (yclients-api.md, section 5). Reminders are left to the salon's own settings."""
    body: dict[str, Any] = {
        "phone": order.phone,
        "fullname": order.name,
        "email": order.email,
        "comment": order.comment,
        "api_id": api_id,
        "is_personal_data_processing_allowed": True,
        "is_newsletter_allowed": False,
        "appointments": [
            appointment(1, service_ids=order.service_ids, staff_id=order.staff_id, starts_at=order.starts_at)
        ],
    }
    return body | ({"code": order.code} if order.code else {})
