"""What a salon offers for booking, from YCLIENTS: services, masters, days, times. Cached for some seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from zerkalo.auth.service import Auth
from zerkalo.booking_form.model import Asker, FormLimits, OfferedService, OfferedStaff, OfferedTime
from zerkalo.booking_form.offering.rules import offered_service, offered_staff, offered_time
from zerkalo.booking_form.rules import disabled_problem, vendor_problem
from zerkalo.companies import store as companies
from zerkalo.companies.model import Branch
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.single_flight import Keep, SingleFlight
from zerkalo.settings import Settings
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.errors import VendorError
from zerkalo.yclients.model import BookableService, BookableStaff, BookableTime

CATALOGUE_SECONDS = 60
"""Services and masters."""
DURATIONS_SECONDS = 600
DURATIONS_WAIT_SECONDS = 2.0
"""How long the services wait for their usual durations, which are optional."""
DATES_SECONDS = 20
TIMES_SECONDS = 5
SLOW_SECONDS = 0.7
"""A YCLIENTS that took longer is asked ahead, and a stale list of services and masters is shown while it is asked again."""
SLOW_TIMES_KEPT = 5
SLOW_TIMES_SECONDS_MAX = 20.0
"""Slow answers about free times are cached for this many times as long as they took."""
STALE_SECONDS_MAX = 600.0
COMPANY_SECONDS = 3600
DAYS_BACK_MAX = 2
DAYS_AHEAD_MAX = 732
ANYBODY = 0
ASKING_MAX = 50
"""Questions of a process under way at once; further ones are answered 503."""
BUSY_RETRY_SECONDS = 5

_FREE = frozenset({"dates", "times"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    """A question to YCLIENTS: the key and the time that its answer is cached by, and how to ask it."""

    key: tuple[Hashable, ...]
    keep: Keep
    ask: Callable[[], Awaitable[T]]
    stale_seconds: float = 0.0


def _keep_times(took_seconds: float) -> float:
    return max(float(TIMES_SECONDS), min(SLOW_TIMES_KEPT * took_seconds, SLOW_TIMES_SECONDS_MAX))


class Offers:
    """Reads what can be booked. Every method raises `ProblemError`: 404 or 422 for the company, 503 with Retry-After
    where YCLIENTS does not answer or the form is off, 409 `service_gone` where an id is not on offer any more, 429 where
    the asker, and 503 `busy` where all askers together send too many questions.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        client: YclientsClient,
        settings: Settings,
        auth: Auth,
        limits: FormLimits,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._client = client
        self._enabled = settings.yclients_enabled
        self._api_url = settings.yclients_api_url
        self.company_ids = settings.yclients_company_ids
        self._auth = auth
        self._limits = limits
        self._cache = SingleFlight(lambda: clock().timestamp())
        self._ahead: set[asyncio.Task[None]] = set()

    def company_of(self, company_id: int | None) -> int:
        """The company; the only one where None. Raises for an unknown one, and while the form is off."""
        if not self._enabled:
            raise disabled_problem()
        if company_id is None:
            if len(self.company_ids) != 1:
                raise ProblemError(422, "company_missing", "Say which branch: company_id.")
            return self.company_ids[0]
        if company_id not in self.company_ids:
            raise ProblemError(404, "company_unknown", "There is no such branch here.")
        return company_id

    async def branches(self) -> tuple[Branch, ...]:
        """The salon's branches, in the order of the settings; YCLIENTS is asked for a title or zone that is not synced yet.

        One that YCLIENTS does not give stays empty: a branch can be chosen without its title.
        """
        if not self._enabled:
            raise disabled_problem()
        async with self._pool.connection() as conn:
            known = await companies.branches(conn, self.company_ids)
        return tuple([branch if branch.title else await self._told(branch) for branch in known])

    async def zone_of(self, company_id: int) -> tzinfo | None:
        """The branch's zone; None where neither we nor YCLIENTS know it."""
        async with self._pool.connection() as conn:
            (branch,) = await companies.branches(conn, [company_id])
        if branch.timezone_name is None:
            branch = await self._told(branch)
        try:
            return ZoneInfo(branch.timezone_name) if branch.timezone_name else None
        except (KeyError, ValueError, OSError):
            return None

    async def services(
        self,
        asker: Asker,
        company_id: int | None = None,
        *,
        staff_id: int | None = None,
        service_ids: tuple[int, ...] = (),
    ) -> tuple[OfferedService, ...]:
        """The services that can be booked with this master and in addition to these services.

        YCLIENTS gives their durations only for a chosen master; otherwise the branch's catalogue may have them.
        """
        company = self.company_of(company_id)
        found, usual = await asyncio.gather(
            self._kept(asker, self._services(company, staff_id, service_ids)),
            self._usual_durations(asker, company, is_wanted=staff_id is None),
        )
        return tuple(offered_service(one, usual) for one in found)

    async def staff(
        self, asker: Asker, company_id: int | None = None, *, service_ids: tuple[int, ...] = ()
    ) -> tuple[OfferedStaff, ...]:
        """The masters who can be booked for these services."""
        company = self.company_of(company_id)
        found = await self._kept(asker, self._masters(company, service_ids))
        return tuple(offered_staff(one, self._api_url) for one in found if one.is_bookable)

    async def dates(
        self,
        asker: Asker,
        company_id: int | None = None,
        *,
        service_ids: tuple[int, ...] = (),
        staff_id: int = ANYBODY,
    ) -> tuple[date, ...]:
        """The days with a free time, sorted."""
        company = self.company_of(company_id)
        return await self._kept(asker, self._dates(company, staff_id, service_ids))

    async def times(
        self,
        asker: Asker,
        company_id: int | None = None,
        *,
        day: date,
        service_ids: tuple[int, ...] = (),
        staff_id: int = ANYBODY,
        fresh: bool = False,
    ) -> tuple[OfferedTime, ...]:
        """The free times of a day in the salon's zone; `fresh`: bypass the cache. Empty for a day far from now."""
        company = self.company_of(company_id)
        today = self._clock().date()
        if not today - timedelta(days=DAYS_BACK_MAX) <= day <= today + timedelta(days=DAYS_AHEAD_MAX):
            return ()
        if fresh:
            self.forget_times(company)
        zone = await self.zone_of(company)
        found = await self._kept(asker, self._times(company, staff_id, service_ids, day))
        return tuple(offered_time(one, day, zone) for one in found)

    async def ask_together(
        self,
        asker: Asker,
        company_id: int,
        *,
        service_ids: tuple[int, ...],
        staff_id: int | None = None,
        day: date | None = None,
    ) -> None:
        """Send at once the questions that follow one after another: services, masters, with a master the days, with a day
        its times. Does not wait for the answers.
        """
        company = self.company_of(company_id)
        questions: list[_Question[Any]] = [
            self._services(company, None, ()),
            self._masters(company, service_ids),
        ]
        if staff_id is not None:
            questions.append(self._dates(company, staff_id, service_ids))
            if day is not None:
                questions.append(self._times(company, staff_id, service_ids, day))
        for one in questions:
            if not self._cache.has(one.key, one.keep):
                await self._count(asker, str(company))
                self._cache.begin(one.key, one.ask)

    def ask_ahead(
        self,
        asker: Asker,
        company_id: int,
        *,
        service_ids: tuple[int, ...],
        staff_id: int = ANYBODY,
        day: date | None = None,
    ) -> None:
        """Where YCLIENTS is slow, ask ahead for the times of `day`, by default the first free one."""
        asked = (
            self._masters(company_id, service_ids)
            if day is None
            else self._dates(company_id, staff_id, service_ids)
        )
        if self._cache.took_seconds(asked.key) < SLOW_SECONDS:
            return
        task = asyncio.ensure_future(self._look_ahead(asker, company_id, service_ids, staff_id, day))
        self._ahead.add(task)
        task.add_done_callback(self._ahead.discard)

    async def _look_ahead(
        self, asker: Asker, company_id: int, service_ids: tuple[int, ...], staff_id: int, day: date | None
    ) -> None:
        try:
            if day is None:
                free = await self.dates(asker, company_id, service_ids=service_ids, staff_id=staff_id)
                day = free[0] if free else None
            if day is not None:
                await self.times(asker, company_id, day=day, service_ids=service_ids, staff_id=staff_id)
        except ProblemError:
            pass  # the request that needs it reports it

    def forget_times(self, company_id: int) -> None:
        """Drop cached free times: they have changed."""
        self._cache.forget(lambda key: key[0] == company_id and key[1] in _FREE)

    async def _usual_durations(self, asker: Asker, company: int, *, is_wanted: bool) -> Mapping[int, int]:
        """Seconds by service; empty where the catalogue does not come in time, for whatever reason: they are optional."""

        async def ask() -> Mapping[int, int]:
            try:
                return await self._client.usual_durations(company)
            except VendorError:
                return {}

        if not is_wanted:
            return {}
        try:
            async with asyncio.timeout(DURATIONS_WAIT_SECONDS):
                question = _Question((company, "durations"), DURATIONS_SECONDS, ask, STALE_SECONDS_MAX)
                return await self._kept(asker, question)
        except (TimeoutError, ProblemError):
            return {}

    async def _told(self, branch: Branch) -> Branch:
        company_id = branch.company_id
        try:
            company = await self._cache.get(
                (company_id, "company"),
                lambda: self._client.company(company_id, kind="interactive"),
                keep=COMPANY_SECONDS,
            )
        except VendorError:
            return branch
        return replace(branch, title=company.title, timezone_name=company.timezone_name)

    def _services(
        self, company: int, staff_id: int | None, service_ids: tuple[int, ...]
    ) -> _Question[tuple[BookableService, ...]]:
        service_ids = tuple(sorted(service_ids))  # one cached answer for any order of choosing
        return _Question(
            (company, "services", staff_id, service_ids),
            CATALOGUE_SECONDS,
            lambda: self._client.book_services(company, staff_id=staff_id, service_ids=service_ids),
            STALE_SECONDS_MAX,
        )

    def _masters(self, company: int, service_ids: tuple[int, ...]) -> _Question[tuple[BookableStaff, ...]]:
        service_ids = tuple(sorted(service_ids))
        return _Question(
            (company, "staff", service_ids),
            CATALOGUE_SECONDS,
            lambda: self._client.book_staff(company, service_ids=service_ids),
            STALE_SECONDS_MAX,
        )

    def _dates(
        self, company: int, staff_id: int, service_ids: tuple[int, ...]
    ) -> _Question[tuple[date, ...]]:
        service_ids = tuple(sorted(service_ids))
        return _Question(
            (company, "dates", staff_id, service_ids),
            DATES_SECONDS,
            lambda: self._client.book_dates(company, service_ids=service_ids, staff_id=staff_id or None),
        )

    def _times(
        self, company: int, staff_id: int, service_ids: tuple[int, ...], day: date
    ) -> _Question[tuple[BookableTime, ...]]:
        service_ids = tuple(sorted(service_ids))
        return _Question(
            (company, "times", day, staff_id, service_ids),
            _keep_times,
            lambda: self._client.book_times(company, staff_id, day, service_ids=service_ids),
        )

    async def _kept(self, asker: Asker, question: _Question[T]) -> T:
        """The answer to a question, cached or asked for now; only a question that is sent counts for the asker."""
        key, keep = question.key, question.keep
        if not self._cache.has(key, keep):
            await self._count(asker, str(key[0]))
        is_slow = self._cache.took_seconds(key) >= SLOW_SECONDS
        stale_seconds = question.stale_seconds if is_slow else 0.0
        try:
            return await self._cache.get(key, question.ask, keep=keep, stale_seconds=stale_seconds)
        except VendorError as error:
            raise vendor_problem(error) from None

    async def _count(self, asker: Asker, company: str) -> None:
        limits, now = self._limits, self._clock()
        own = [(limits.questions_of_address, asker.address)]
        everybodys = [(limits.questions_of_company, company)]
        if asker.user_id is None:
            everybodys.append((limits.questions_of_guests, company))
        else:
            own.append((limits.questions_of_user, str(asker.user_id)))
        await self._auth.count(own, now=now)
        try:
            if self._cache.asking_count >= ASKING_MAX:
                raise _busy()
            await self._auth.count(everybodys, now=now)
        except ProblemError:
            raise _busy() from None


def _busy() -> ProblemError:
    return ProblemError(
        503,
        "busy",
        "Many people are looking for times just now. Try again in a few seconds.",
        {"Retry-After": str(BUSY_RETRY_SECONDS)},
    )
