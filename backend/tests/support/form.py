"""The booking form over a salon of the emulator: the app's own routes, called in process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
from msgspec import structs

from tests.support.api import SECRET_KEY, Api, ApiRuntime
from tests.support.rows import add_user
from tests.support.sync import COMPANY_ID, NO_BONUSES, Salon, open_salon
from yclients_emulator import EmulatorSettings
from yclients_emulator.faults import Fault
from zerkalo.auth.service import Auth
from zerkalo.booking_form import routes
from zerkalo.booking_form.form import BookingForm, booking_form_of
from zerkalo.booking_form.model import Asker, FormLimits
from zerkalo.bookings import routes as bookings
from zerkalo.db.pool import Pool
from zerkalo.mirror.context import Limits
from zerkalo.mirror.rematching.service import Rematcher
from zerkalo.settings import Settings

SERVICE = 3001
MASTER = 501
HOOK_URL = "http://zerkalo/api/v1/yclients/webhook?token=a-secret"
CODE = "ABC12345"
PHONE = "+79990000101"
ASKER = Asker("192.0.2.1")
"""A guest."""


@dataclass
class FormRuntime(ApiRuntime):
    """The parts that the form's routes need."""

    booking_form: BookingForm = field(kw_only=True)
    salon: Salon = field(kw_only=True)

    def clock(self) -> Any:
        return self.salon.clock()


@dataclass
class FormSalon:
    """A salon with our form before it."""

    salon: Salon
    form: BookingForm
    api: Api
    rung: list[int]

    @property
    def guest(self) -> httpx2.AsyncClient:
        """Somebody without an account."""
        return self.api.client()

    async def user(self, **columns: Any) -> tuple[int, httpx2.AsyncClient]:
        """A user with name, phone and code, signed in."""
        about = {"name": "Анна Примерова", "phone": PHONE, "unique_code": CODE} | columns
        async with self.salon.pool.connection() as conn:
            user_id = await add_user(conn, **about)
        self.api.runtime.now = self.salon.clock()
        return user_id, await self.api.as_user(user_id)

    async def free_time(self, number: int = 0) -> str:
        """A free time of the master, as the form offers it."""
        dates = await self.form.offers.dates(ASKER, service_ids=(SERVICE,), staff_id=MASTER)
        times = await self.form.offers.times(ASKER, day=dates[1], service_ids=(SERVICE,), staff_id=MASTER)
        return times[number].starts_at.isoformat()

    async def wish(self, **fields: Any) -> dict[str, Any]:
        """The body of a booking that is in order for a signed-in user."""
        about = {"service_ids": [SERVICE], "staff_id": MASTER, "consent": True} | fields
        return about if "datetime" in about else about | {"datetime": await self.free_time()}

    async def guest_wish(self, **fields: Any) -> dict[str, Any]:
        """The body of a booking that is in order for a guest."""
        return await self.wish(**({"name": "Мария Гостева", "phone": "+79990000202"} | fields))

    def rules(self, **fields: Any) -> None:
        """Change what the branch lets its clients do."""
        companies = self.salon.emulator.vendor.companies
        companies[COMPANY_ID] = structs.replace(companies[COMPANY_ID], **fields)

    def fail(self, kind: Any, path: str, *, after: bool = False, times: int = 1, **about: Any) -> None:
        """Have the next calls of a path go wrong; `after`: YCLIENTS does it and the answer is lost."""
        self.salon.emulator.faults.add(Fault(kind=kind, path=path, after=after, next=times, **about))

    def records(self) -> list[dict[str, Any]]:
        """What was booked online through us, as the emulator knows it."""
        return [one for one in self.salon.truths().values() if one["api_id"]]


@asynccontextmanager
async def open_form(
    pool: Pool,
    *,
    settings: EmulatorSettings | None = None,
    company_ids: tuple[int, ...] = (COMPANY_ID,),
    enabled: bool = True,
    limits: FormLimits | None = None,
    read_limits: Limits | None = None,
    wrap_mirror: Callable[[Any], Any] = lambda follow: follow,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[FormSalon]:
    """Yields the form over a demo salon, not synced yet. `wrap_mirror` may stand between the form and its mirror.

    `read_limits`: of reads, absent records among them.

    `sleep`: how the form waits while another request works on the same booking.
    """
    reading: dict[str, Any] = {} if read_limits is None else {"limits": read_limits}
    async with open_salon(pool, settings=settings, company_ids=company_ids, **reading) as salon:
        ours = Settings(yclients_enabled=enabled, yclients_company_ids=company_ids)
        rung: list[int] = []

        async def ring(company_id: int) -> None:
            rung.append(company_id)

        async def follow(company_id: int, record_id: int, *, is_deleted: bool = False) -> None:
            if not await salon.refetcher.read_now(company_id, record_id, is_deleted=is_deleted):
                await ring(company_id)

        form = booking_form_of(
            pool,
            salon.clock,
            salon.client,
            ours,
            auth=Auth(pool, SECRET_KEY),
            secret_key=SECRET_KEY,
            hook_url=HOOK_URL,
            mirror_now=wrap_mirror(follow),
            rematch=Rematcher(pool, clock=salon.clock, policy=NO_BONUSES).rematch_bookings,
            limits=limits,
            sleep=sleep,
        )
        runtime = FormRuntime(pool, ours, salon.clock(), booking_form=form, salon=salon)
        api = Api(runtime, routes.router, bookings.router, bookings.booking_router)  # pyright: ignore[reportArgumentType]  the form's own runtime
        yield FormSalon(salon, form, api, rung)


def wall_clock(offered: str) -> datetime:
    return datetime.fromisoformat(offered[:19])
