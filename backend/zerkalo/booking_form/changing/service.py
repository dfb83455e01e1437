"""Moving and cancelling one's own booking in YCLIENTS, under the salon's rules, and updating the mirror."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from zerkalo.auth.service import Auth
from zerkalo.booking_form import rules
from zerkalo.booking_form.model import Asker, ClientRules, FormLimits, Need
from zerkalo.booking_form.offering.service import Offers
from zerkalo.booking_form.rules import problem_of, unclear_problem, vendor_problem
from zerkalo.booking_form.service import MirrorNow
from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Pool
from zerkalo.form_bookings import store
from zerkalo.form_bookings.model import Refusal
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.edits import MovedRecord, moved_record
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)
from zerkalo.yclients.model import UnreadableRecord

RETRY_SECONDS = 10
LOOKS_MAX = 5
LOOK_STEP_SECONDS = 0.2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes bookings. One made in our form is changed as the client, by its hash: YCLIENTS enforces the salon's rules.
    Any other one is changed as the salon, with both tokens: there we enforce the rules.
    """

    pool: Pool
    clock: Clock
    client: YclientsClient
    offers: Offers
    mirror_now: MirrorNow
    auth: Auth
    limits: FormLimits
    email_counts_alone: bool
    """The setting `MATCH_EMAIL_ALONE`."""

    async def move(self, asker: Asker, booking_id: int, to: datetime) -> ShownBooking:
        """Move one of the user's own bookings, or a guest's one, and return it as it is then. A naive time is the salon's.

        Raises `ProblemError`: 404 for another's, 409 `already_cancelled`, `already_past`, `slot_taken`,
        `changed_meanwhile`, 403 `not_allowed_by_salon`, 422 for the time, 429, 503.
        """
        booking, company_id, record_id = await self._changeable(asker, booking_id)
        zone = await self.offers.zone_of(company_id)
        starts_at = rules.time_to_book(to, zone, self.clock())
        if isinstance(starts_at, Refusal):
            raise problem_of(starts_at)
        if starts_at == booking.appointment_datetime:
            return booking
        await self._count(asker, company_id)
        try:
            await self._move(asker, company_id, record_id, starts_at)
        except VendorUnavailable as error:
            if not error.may_have_acted:
                raise vendor_problem(error) from None
            await self.mirror_now(company_id, record_id)
            if (await self._own(asker, booking_id)).appointment_datetime != starts_at:
                raise unclear_problem(RETRY_SECONDS) from None
        except NotFound:
            raise await self._unknown(asker, booking_id, company_id, record_id) from None
        except (VendorError, UnreadableRecord) as error:
            await self.mirror_now(company_id, record_id)
            raise _change_problem(error) from None
        finally:
            self.offers.forget_times(company_id)
        log.info("booking form: moved", company_id=company_id, record_id=record_id)
        await self.mirror_now(company_id, record_id)
        shown = await self._own(asker, booking_id)
        # Where YCLIENTS does not show it yet, the new time is still right: it has accepted it.
        return replace(
            shown,
            appointment_datetime=starts_at.astimezone(UTC),
            appointment_local=starts_at.replace(tzinfo=None, fold=0),
        )

    async def need_of(self, asker: Asker, booking_id: int) -> Need:
        """What must be free to move the user's booking: offer the days and times of this.

        From the record as it was seen last; asks YCLIENTS only where that is not enough. Raises as `move` does.
        """
        booking, company_id, record_id = await self._changeable(asker, booking_id)
        async with self.pool.connection() as conn:
            raw = await reading.read_raw_record(conn, booking_id)
        moved = moved_record(raw.encode(), booking.appointment_datetime) if raw else None
        if moved is None:
            await self._count(asker, company_id)
            try:
                moved, _ = await self._moved(company_id, record_id, booking.appointment_datetime)
            except NotFound:
                raise await self._unknown(asker, booking_id, company_id, record_id) from None
            except (VendorError, UnreadableRecord) as error:
                raise _change_problem(error) from None
        return Need(company_id, moved.service_ids, moved.staff_id)

    async def cancel(self, asker: Asker, booking_id: int) -> None:
        """Cancel one of the user's own bookings. Raises `ProblemError` as `move` does."""
        _, company_id, record_id = await self._changeable(asker, booking_id)
        await self._count(asker, company_id)
        is_deleted = False
        try:
            is_deleted = await self._cancel(company_id, record_id)
        except VendorUnavailable as error:
            if not error.may_have_acted:
                raise vendor_problem(error) from None
        except NotFound:
            raise await self._unknown(asker, booking_id, company_id, record_id) from None
        except (VendorError, UnreadableRecord) as error:
            await self.mirror_now(company_id, record_id)
            # What is deleted already, by an attempt whose answer was lost, may be refused too.
            if (await self._own(asker, booking_id)).status != "CANCELLED":
                raise _cancel_problem(error) from None
            return
        finally:
            self.offers.forget_times(company_id)
        await self.mirror_now(company_id, record_id, is_deleted=is_deleted)
        if not is_deleted:
            await self._check_cancelled(asker, booking_id)
        log.info("booking form: cancelled", company_id=company_id, record_id=record_id)

    async def _unknown(self, asker: Asker, booking_id: int, company_id: int, record_id: int) -> ProblemError:
        """Return the refusal where YCLIENTS does not know the record: it is cancelled. Raises 503 while it stands."""
        await self.mirror_now(company_id, record_id)
        await self._check_cancelled(asker, booking_id)
        return problem_of(rules.CANCELLED)

    async def _check_cancelled(self, asker: Asker, booking_id: int) -> None:
        """Raise 503 while the booking stands: our cancel may not have arrived, or YCLIENTS does not know the record,
        and says so of so many that a person must look why.
        """
        for _ in range(LOOKS_MAX):
            if (await self._own(asker, booking_id)).status == "CANCELLED":
                return
            await asyncio.sleep(LOOK_STEP_SECONDS)  # the same request, sent twice, is reading it
        raise unclear_problem(RETRY_SECONDS)

    async def _changeable(self, asker: Asker, booking_id: int) -> tuple[ShownBooking, int, int]:
        """The user's booking with its keys, where it may still be changed."""
        booking = await self._own(asker, booking_id)
        company_id, record_id = booking.company_id, booking.yclients_record_id
        if company_id not in self.offers.company_ids:
            raise problem_of(rules.NOT_ALLOWED)
        self.offers.company_of(company_id)  # raises while the form is off
        refusal = rules.closed(booking.status, booking.appointment_datetime, self.clock())
        if refusal is not None:
            raise problem_of(refusal)
        return booking, company_id, record_id

    async def _own(self, asker: Asker, booking_id: int) -> ShownBooking:
        async with self.pool.connection() as conn:
            if asker.user_id is not None:
                shown = await reading.read_own(
                    conn, asker.user_id, booking_id, email_counts_alone=self.email_counts_alone
                )
            else:
                assert asker.form_id is not None, "other guests have no bookings of their own"
                guests = await reading.read_of_guest(conn, asker.form_id)
                shown = guests if guests and guests.id == booking_id else None
        if shown is None:
            raise ProblemError(404, "not_found", "You have no such booking.")
        return shown

    async def _count(self, asker: Asker, company_id: int) -> None:
        """Count a change before sending any request for it: each costs up to six."""
        limits = (
            (self.limits.changes_of_user, asker.form_id or str(asker.user_id)),
            (self.limits.changes_of_address, asker.address),
            (self.limits.changes_of_company, str(company_id)),
        )
        await self.auth.count(limits, now=self.clock())

    async def _hash_of(self, company_id: int, record_id: int) -> str | None:
        async with self.pool.connection() as conn:
            return await store.record_hash(conn, company_id, record_id)

    async def _move(self, asker: Asker, company_id: int, record_id: int, starts_at: datetime) -> None:
        record_hash = await self._hash_of(company_id, record_id)
        if record_hash is None:
            await self._move_as_salon(asker, company_id, record_id, starts_at)
            return
        own = await self.client.user_record(company_id, record_id, record_hash)
        if own.may_move is False:
            raise problem_of(rules.NOT_ALLOWED)
        comment = own.record.comment if isinstance(own.record.comment, str) else None
        await self.client.move(company_id, record_id, starts_at=starts_at, comment=comment)

    async def _move_as_salon(
        self, asker: Asker, company_id: int, record_id: int, starts_at: datetime
    ) -> None:
        allowed = await self._rules_of(company_id)
        moved, visit_at = await self._moved(company_id, record_id, starts_at)
        if visit_at == starts_at:
            return  # an earlier try, whose answer was lost, has moved it
        in_time = rules.is_in_time(visit_at, allowed.move_seconds_before, self.clock())
        if allowed.may_move is False or not in_time:
            raise problem_of(rules.NOT_ALLOWED)
        # As the salon any hour of the night would be accepted: allow only times that are offered.
        offered = await self.offers.times(
            asker,
            company_id,
            day=starts_at.date(),
            service_ids=moved.service_ids,
            staff_id=moved.staff_id,
            fresh=True,
        )
        # The record is written back whole, so read it again just before: what the salon has noted in it
        # meanwhile is kept, and a visit that it has changed into another one is left alone.
        latest, latest_at = await self._moved(company_id, record_id, starts_at)
        if latest_at == starts_at:
            return  # the same request, sent twice, was faster
        if (latest.service_ids, latest.staff_id, latest_at) != (moved.service_ids, moved.staff_id, visit_at):
            log.info(
                "booking form: the salon changed the visit first", company_id=company_id, record_id=record_id
            )
            await self.mirror_now(company_id, record_id)
            raise problem_of(rules.CHANGED_MEANWHILE)
        if starts_at not in {time.starts_at for time in offered}:
            raise problem_of(rules.SLOT_TAKEN)
        await self.client.change_record(company_id, record_id, latest.body)

    async def _moved(
        self, company_id: int, record_id: int, starts_at: datetime
    ) -> tuple[MovedRecord, datetime]:
        """The record to write, and the visit's present time."""
        zone = await self.offers.zone_of(company_id)
        record = await self.client.record(company_id, record_id, kind="interactive", zone=zone)
        if record is None or record.deleted is True:
            raise NotFound("deleted meanwhile")
        moved = moved_record(record.raw, starts_at)
        if moved is None:
            raise problem_of(rules.NOT_ALLOWED)
        if isinstance(record.local_start, datetime) and zone is not None:
            return moved, record.local_start.replace(tzinfo=zone)
        if isinstance(record.instant, datetime):
            return moved, record.instant
        raise problem_of(rules.NOT_ALLOWED)

    async def _cancel(self, company_id: int, record_id: int) -> bool:
        """Have YCLIENTS delete the record, if it has not done so already; False where it does not know it."""
        record_hash = await self._hash_of(company_id, record_id)
        if record_hash is not None:
            own = await self.client.user_record(company_id, record_id, record_hash)
            if own.record.deleted is True:
                return True
            if own.may_delete is False:
                raise problem_of(rules.NOT_ALLOWED)
            return await self.client.delete_user_record(record_id, record_hash)
        allowed = await self._rules_of(company_id)
        zone = await self.offers.zone_of(company_id)
        record = await self.client.record(company_id, record_id, kind="interactive", zone=zone)
        if record is None or record.deleted is True:
            return record is not None
        start = (
            record.local_start.replace(tzinfo=zone)
            if isinstance(record.local_start, datetime) and zone
            else None
        )
        visit_at = start or (record.instant if isinstance(record.instant, datetime) else None)
        in_time = visit_at is not None and rules.is_in_time(
            visit_at, allowed.cancel_seconds_before, self.clock()
        )
        if allowed.may_cancel is False or not in_time:
            raise problem_of(rules.NOT_ALLOWED)
        return await self.client.delete_record(company_id, record_id)

    async def _rules_of(self, company_id: int) -> ClientRules:
        company = await self.client.company(company_id, kind="interactive")
        return ClientRules(
            may_move=company.may_move,
            may_cancel=company.may_delete,
            move_seconds_before=company.move_seconds_before,
            cancel_seconds_before=company.delete_seconds_before,
        )


def _change_problem(error: VendorError | UnreadableRecord) -> ProblemError:
    """The refusal of a declined move."""
    if isinstance(error, BookingRefused):
        return problem_of(rules.refusal_of(error.code, error.message))
    return _cancel_problem(error)


def _cancel_problem(error: VendorError | UnreadableRecord) -> ProblemError:
    """The refusal of a declined cancellation: 403 and 422 are the salon's rules, others a fault."""
    is_rule = isinstance(error, BookingRefused | RequestRefused) or (
        isinstance(error, AccessDenied) and error.status == 403
    )
    if is_rule:
        return problem_of(rules.NOT_ALLOWED)
    if isinstance(error, VendorError):
        return vendor_problem(error)
    log.error("booking form: unreadable record", record_id=error.record_id, reason=error.reason)
    return problem_of(rules.NOT_ALLOWED)
