"""Single reads: ask YCLIENTS about one record after another, for `refetches`, for a run, or while somebody waits."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta, tzinfo
from functools import partial

import structlog

from zerkalo.absences import store as absences
from zerkalo.absences.model import Absence
from zerkalo.absences.rules import waits_for_a_person
from zerkalo.auth.audit.service import audit
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Source
from zerkalo.bookings.rules import CONTRADICTION
from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction, transaction
from zerkalo.inbox import store as inbox
from zerkalo.kit.backoff import Backoff
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.model import HELD, Observation, Outcome, OutcomeStatus
from zerkalo.refetches import store as refetch_store
from zerkalo.refetches.model import Refetch
from zerkalo.refetches.store import RETRY_SECONDS_MAX
from zerkalo.yclients.errors import VendorError, is_of_one_record
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import Record, UnreadableRecord

CLAIMED_AT_ONCE = 5
"""Questions claimed together: also unsigned ones, of which one is asked a second, are answered well within their claim."""
DRAIN_SECONDS_MAX = 30.0
"""After so long a job that asks leaves the rest to the next one, for other companies wait for its place."""
RETRY = Backoff(5.0, RETRY_SECONDS_MAX)
"""How long a question waits after a failure."""
HELD_PAUSE = timedelta(seconds=5)
"""After how long an absent booking that somebody holds is asked about again, the first time."""
CANCELLED_AT_ONCE = 200
"""Absent bookings cancelled in one transaction."""

CONFIRM_SECONDS = 3.0
"""After how long a record that was read with an older change time than ours is read once more."""
WAIT_SECONDS_MAX = 8.0
"""How long a person's request waits for the read; then the record is left to the worker."""
ABSENT = "YCLIENTS does not know it"
ASKED_AGAIN_LATER = (HELD, CONTRADICTION)
"""Reasons why an answer was not applied: the lock may be held for long, or the record still changes."""

log = structlog.get_logger(__name__)


class Refetcher:
    """Asks the questions in `refetches`, a company at a time; any number of processes may do so at once."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._pool = context.pool
        self._clock = context.clock

    async def waiting(self, ids: Collection[int]) -> list[int]:
        """Companies among `ids` with a question that is due and not being asked."""
        async with self._pool.connection() as conn:
            return await refetch_store.companies_with_due(
                conn, ids, now=self._clock(), lease_now=self._context.lease_now()
            )

    async def drain(self, company_id: int, *, stop: asyncio.Event | None = None) -> int:
        """Ask the questions that are due for the company, for `DRAIN_SECONDS_MAX` or until `stop` is set. Returns how many were answered.

        A question that YCLIENTS does not answer becomes due later and ends this call, for the next ones would not be
        answered either. Writes bookings through the one write path, `refetches` and `absences`.
        """
        answered, until = 0, self._context.monotonic() + DRAIN_SECONDS_MAX
        while (stop is None or not stop.is_set()) and self._context.monotonic() < until:
            async with transaction(self._pool) as conn:
                questions = await refetch_store.claim_due(
                    conn,
                    company_id,
                    now=self._clock(),
                    limit=CLAIMED_AT_ONCE,
                    lease_now=self._context.lease_now(),
                )
            if not questions:
                return answered
            try:
                answered += len(await self._ask_each(questions, partial(_end_if, stop)))
            except _Ended:
                return answered
            except VendorError as error:
                log.warning("refetch put off", company_id=company_id, reason=str(error))
                return answered
            await self.judge_absent(company_id, only=[question.record_id for question in questions])
        return answered

    async def ask(
        self,
        company_id: int,
        record_ids: Collection[int],
        *,
        reason: str,
        check: Callable[[], None],
        kind: Kind = "background",
        are_deleted: bool = False,
    ) -> list[Outcome]:
        """Ask about these records now, and apply the answers. Returns the outcomes of those that we asked.

        Records that another process is asking about are left to it; those that YCLIENTS does not know are left to
        `judge_absent`, unless they `are_deleted`: we have just had them deleted. Raises `VendorError`, or what `check`
        raises (called before each question); then the unanswered questions stay, to be asked later.
        """
        outcomes: list[Outcome] = []
        ids = sorted(set(record_ids))
        for at in range(0, len(ids), CLAIMED_AT_ONCE):
            some = ids[at : at + CLAIMED_AT_ONCE]
            async with transaction(self._pool) as conn:
                questions = await refetch_store.claim_new(
                    conn,
                    company_id,
                    some,
                    reason=reason,
                    unsigned=kind == "unsigned",
                    now=self._clock(),
                    lease_now=self._context.lease_now(),
                )
            outcomes += await self._ask_each(questions, check, kind, are_deleted=are_deleted)
        return outcomes

    async def judge_absent(self, company_id: int, *, only: Collection[int] | None = None) -> list[Outcome]:
        """Cancel the company's bookings that YCLIENTS does not know, unless they are so many that a person must decide.

        Returns the outcomes. Call it after a read, when every absent record has been asked about; or for `only` the
        records asked about singly, for a run may still be asking about the others. All of them count; while some are
        left to a person, so are all others.
        """
        async with transaction(self._pool) as conn:
            unknown = await absences.waiting(conn, company_id)
            found = [one for one in unknown if only is None or one.record_id in only]
            if not found:
                return []
            now = self._clock()
            absent = await absences.count_of_day(conn, company_id, now=now)
            since = now - timedelta(days=self._context.window_days)
            in_window = await absences.bookings_since(conn, company_id, since)
            limits = self._context.limits.absences
            if any(one.is_left for one in unknown) or waits_for_a_person(
                absent, in_window=in_window, limits=limits
            ):
                log.warning("absent records wait for a person", company_id=company_id, count=absent)
                left = [one.record_id for one in found if not one.is_accepted]
                await absences.leave_to_a_person(conn, company_id, left)
                found = [one for one in found if one.is_accepted]
        outcomes: list[Outcome] = []
        for at in range(0, len(found), CANCELLED_AT_ONCE):
            outcomes += await self._cancel_absent(company_id, found[at : at + CANCELLED_AT_ONCE])
        return outcomes

    async def accept_absent(
        self, company_id: int, *, shown: int | None = None, admin_id: int | None = None
    ) -> int:
        """Cancel the bookings that wait for a person's decision, which this is. Returns how many there were.

        `shown`: as in `absences.accept`; `admin_id`: the member of the staff who decides, for the audit log.
        """
        async with transaction(self._pool) as conn:
            accepted = await absences.accept(conn, company_id, shown=shown, now=self._clock())
            if admin_id is not None and accepted:
                subject, count = f"company {company_id}", {"count": len(accepted)}
                await audit(conn, admin_id, "booking.accept_absent", subject, count, self._clock())
        await self.judge_absent(company_id, only=set(accepted))
        return len(accepted)

    async def _cancel_absent(self, company_id: int, some: Sequence[Absence]) -> list[Outcome]:
        gone = [
            Observation(
                source=Source.REFETCH,
                company_id=company_id,
                record_id=one.record_id,
                gone=True,
                number=one.observation,
            )
            for one in some
        ]
        outcomes = await self._context.applier.apply(gone)
        now, done = self._clock(), list[int]()
        async with transaction(self._pool) as conn:
            for one, outcome in zip(some, outcomes, strict=True):
                if outcome.status is OutcomeStatus.QUEUED:
                    # It waits, with a person's word if there is one. Held for long, it is asked about less and less often.
                    pause = min(max(now - one.noted_at, HELD_PAUSE), timedelta(seconds=RETRY_SECONDS_MAX))
                    wish = Refetch(company_id, one.record_id, outcome.reason or HELD)
                    await refetch_store.ask(conn, [wish], now=now + pause)
                elif outcome.status is not OutcomeStatus.QUARANTINED:
                    done.append(one.record_id)
            await absences.applied(conn, company_id, done, now=now)
        return outcomes

    async def read_now(self, company_id: int, record_id: int, *, is_deleted: bool = False) -> bool:
        """Read the record and apply it while somebody waits; return whether that was done.

        `is_deleted`: we have just had it deleted, so a 404 is what we expect; any other counts with those of the day.
        Where it was not read, the record stays to be asked for. Never raises a `VendorError`.
        """
        async with transaction(self._pool) as conn:
            wish = Refetch(company_id, record_id, "changed through us")
            await refetch_store.ask(conn, [wish], now=self._clock())
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                outcomes = await self.ask(
                    company_id,
                    [record_id],
                    reason=wish.reason,
                    check=_go_on,
                    kind="interactive",
                    are_deleted=is_deleted,
                )
                is_absent = any(one.reason == ABSENT for one in outcomes)
                if is_absent:
                    await self.judge_absent(company_id, only=[record_id])
            return is_absent or any(one.status is not OutcomeStatus.QUEUED for one in outcomes)
        except (VendorError, TimeoutError) as error:
            log.warning(
                "record left to the worker",
                company_id=company_id,
                record_id=record_id,
                reason=str(error) or type(error).__name__,
            )
            return False

    async def _ask_each(
        self,
        questions: Sequence[Refetch],
        check: Callable[[], None],
        kind: Kind | None = None,
        *,
        are_deleted: bool = False,
    ) -> list[Outcome]:
        """Ask, apply and settle. A record older than the change time that we have is read once more some seconds later."""
        outcomes: dict[int, Outcome] = {}
        unsure: dict[int, Record] = {}
        left = list(questions)  # the first is being asked; those to read once more go to the end
        is_confirming = is_asked = False
        try:
            while left:
                question = left[0]
                first = unsure.get(question.record_id)
                if first is not None and not is_confirming:
                    await self._context.sleep(CONFIRM_SECONDS)
                    is_confirming = True
                is_asked = False
                check()
                is_asked = True
                record, outcome = await self._ask_or_refuse(
                    question, kind, first=first, is_deleted=are_deleted
                )
                outcomes[question.record_id] = outcome
                if outcome.reason == CONTRADICTION and first is None and record is not None:
                    unsure[question.record_id] = record
                    left.append(question)
                elif outcome.refused or outcome.reason in ASKED_AGAIN_LATER:
                    await self._give_back(
                        [question], failed=True, refused=outcome.reason if outcome.refused else None
                    )
                else:
                    await self._settle(question, is_absent=outcome.reason == ABSENT)
                left.pop(0)
        except Exception:
            # Whatever it was: put off, the question that fails does not stand before all others.
            await self._give_back(left[:1], failed=is_asked)
            await self._give_back(left[1:])
            raise
        except BaseException:
            # Cancelled: claimed questions would wait until their claim runs out.
            await asyncio.shield(self._give_back(left))
            raise
        return list(outcomes.values())

    async def _ask_or_refuse(
        self, question: Refetch, kind: Kind | None, *, first: Record | None, is_deleted: bool
    ) -> tuple[Record | None, Outcome]:
        """As `_ask_one`, but a refusal of this record only is an outcome: it ends nothing."""
        try:
            return await self._ask_one(question, kind, first=first, is_deleted=is_deleted)
        except VendorError as error:
            if not is_of_one_record(error):
                raise
            return None, Outcome(OutcomeStatus.QUEUED, reason=str(error), refused=True)

    async def _ask_one(
        self,
        question: Refetch,
        kind: Kind | None,
        *,
        first: Record | None,
        is_deleted: bool,
    ) -> tuple[Record | None, Outcome]:
        """Read one record and apply it. `first`: the record as it was read some seconds ago; `is_deleted`: as in `read_now`."""
        company_id, record_id = question.company_id, question.record_id
        kind = kind or ("unsigned" if question.unsigned else "background")
        zone = await self._zone(company_id, kind)
        # Taken before the request is sent, so that whatever is written meanwhile has a higher number.
        async with self._pool.connection() as conn:
            number = await bookings.next_observation(conn)
        try:
            record = await self._context.vendor.record(company_id, record_id, kind=kind, zone=zone)
        except UnreadableRecord as unreadable:
            return None, await self._quarantine(question, unreadable)
        # A token that lost its rights gets the same answer, so absent records are judged together.
        if record is None and not is_deleted and await self._note_absent(question, number):
            return None, Outcome(OutcomeStatus.QUEUED, reason=ABSENT)
        observation = Observation(
            source=Source.REFETCH,
            company_id=company_id,
            record_id=record_id,
            record=record,
            gone=record is None,
            number=number,
            confirmed=record is not None and first is not None and record.raw == first.raw,
        )
        (outcome,) = await self._context.applier.apply([observation])
        return record, outcome

    async def _zone(self, company_id: int, kind: Kind) -> tzinfo | None:
        """The salon's zone; asked of YCLIENTS before the first sync, since a record's own offset may be wrong in summer."""
        async with self._pool.connection() as conn:
            company = await companies.company(conn, company_id)
        if company is not None and company.timezone_name is not None:
            return zone_of(company.timezone_name)
        told = await self._context.vendor.company(company_id, kind=kind)
        zone = zone_of(told.timezone_name)
        async with transaction(self._pool) as conn:
            await companies.know_companies(conn, [company_id], now=self._clock())
            await companies.put_company(conn, company_id, told=told, zone=zone)
        return zone

    async def _settle(self, question: Refetch, *, is_absent: bool) -> None:
        async def settled(conn: Connection) -> None:
            if not is_absent:
                await absences.forget(conn, question.company_id, [question.record_id])
            await refetch_store.settle(conn, [question], now=self._clock())

        await in_transaction(self._pool, settled)

    async def _note_absent(self, question: Refetch, number: int) -> bool:
        """Note a live booking as unknown to YCLIENTS, to be judged with others like it; False: we have no such booking."""
        async with transaction(self._pool) as conn:
            return await absences.note(
                conn, question.company_id, question.record_id, observation=number, now=self._clock()
            )

    async def _quarantine(self, question: Refetch, unreadable: UnreadableRecord) -> Outcome:
        async with transaction(self._pool) as conn:
            await inbox.quarantine_record(
                conn,
                company_id=question.company_id,
                record_id=question.record_id,
                raw=unreadable.raw,
                reason=unreadable.reason,
                now=self._clock(),
            )
        return Outcome(OutcomeStatus.QUARANTINED, reason=unreadable.reason)

    async def _give_back(
        self, questions: Sequence[Refetch], *, failed: bool = False, refused: str | None = None
    ) -> None:
        if not questions:
            return
        at = self._clock() + self._pause(questions[0].attempts) if failed else None
        async with transaction(self._pool) as conn:
            await refetch_store.give_back(conn, questions, next_attempt_at=at, refused=refused)

    def _pause(self, attempts: int) -> timedelta:
        return timedelta(seconds=RETRY.seconds(attempts + 1, self._context.jitter()))


def _go_on() -> None:
    """The check of a caller who lets the asking run to its end."""


class _Ended(Exception):
    """The process is to stop."""


def _end_if(stop: asyncio.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise _Ended
