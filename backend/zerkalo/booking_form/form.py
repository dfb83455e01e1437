"""The parts of the booking form, assembled for routes and pages."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2

from zerkalo.auth.service import Auth
from zerkalo.booking_form.changing.service import Changes
from zerkalo.booking_form.claiming.service import Claims, Rematch
from zerkalo.booking_form.hooks.service import Hooks
from zerkalo.booking_form.model import FormLimits, limits_of
from zerkalo.booking_form.offering.service import Offers
from zerkalo.booking_form.service import Booker, MirrorNow
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.settings import Settings
from zerkalo.yclients.client import YclientsClient

TEST_SECONDS_MAX = 15.0
"""As long as YCLIENTS itself waits for an answer (yclients-api.md, section 4)."""


@dataclass(frozen=True, slots=True)
class BookingForm:
    """One a process."""

    offers: Offers
    """What can be booked."""
    booker: Booker
    """Booking, and the salon's SMS codes."""
    changes: Changes
    """Moving and cancelling."""
    claims: Claims
    """Bookings made in YCLIENTS's own form."""
    hooks: Hooks
    """The webhook settings, for admins."""


def booking_form_of(
    pool: Pool,
    clock: Clock,
    client: YclientsClient,
    settings: Settings,
    *,
    auth: Auth,
    secret_key: str,
    hook_url: str,
    mirror_now: MirrorNow,
    rematch: Rematch,
    limits: FormLimits | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> BookingForm:
    """Assemble the form.

    `hook_url`: ours, with the secret; `mirror_now`, `rematch`: see `MirrorNow`, `Rematch`; `limits`: the usual ones.
    """
    limits = limits or limits_of(settings.yclients_requests_per_minute)
    alone = settings.match_email_alone
    offers = Offers(pool, clock, client, settings, auth, limits)
    return BookingForm(
        offers=offers,
        booker=Booker(
            pool,
            clock,
            client,
            offers,
            mirror_now,
            secret_key,
            auth,
            limits,
            sleep=sleep,
            email_counts_alone=alone,
        ),
        changes=Changes(pool, clock, client, offers, mirror_now, auth, limits, alone),
        claims=Claims(pool, clock, client, offers, mirror_now, rematch, auth, limits, alone),
        hooks=Hooks(client, offers, hook_url, post_event),
    )


async def post_event(url: str, body: bytes) -> int | None:
    """Post JSON as YCLIENTS does; the status, None where nobody answered."""
    try:
        async with httpx2.AsyncClient(timeout=TEST_SECONDS_MAX) as client:
            answer = await client.post(url, content=body, headers={"Content-Type": "application/json"})
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return None
    return answer.status_code
