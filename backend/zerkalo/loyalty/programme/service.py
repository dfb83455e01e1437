"""The programme's start, the points of visits before it, and when a user's points expire."""

from dataclasses import replace
from datetime import date, datetime, tzinfo

import structlog

from zerkalo.db import facts
from zerkalo.db.pool import Connection
from zerkalo.loyalty import store
from zerkalo.loyalty.model import LoyaltyPolicy, Programme, Tier
from zerkalo.loyalty.rules import next_expiry
from zerkalo.settings import Settings

log = structlog.get_logger(__name__)

START_FACT = "loyalty_started"
"""The day on which the programme was first switched on."""
HISTORY_FACT = "loyalty_history"
"""The points given for visits before that day."""


def policy_of(settings: Settings) -> LoyaltyPolicy:
    """The programme as the settings describe it."""
    return LoyaltyPolicy(
        enabled=settings.loyalty_enabled,
        percent=settings.loyalty_percent,
        start_date=settings.loyalty_start_date,
        tiers=tuple(Tier(tier.from_roubles, tier.percent) for tier in settings.loyalty_tiers),
        expire_days=settings.loyalty_expire_days,
    )


async def since_switched_on(conn: Connection, policy: LoyaltyPolicy, now: datetime) -> LoyaltyPolicy:
    """Return the programme with a start date: the one of the settings, else the day on which it was first switched on.

    That day (in UTC) is stored in `facts` at the first start with the programme on, and stays the same when it is
    switched off and on. Visits before it earn only if the owner sets an earlier LOYALTY_START_DATE.
    """
    if not policy.enabled:
        return policy
    await facts.write_first_fact(conn, START_FACT, {"date": now.date().isoformat()}, now)
    if policy.start_date is not None:
        return policy
    first_day = await _first_day(conn)
    return replace(policy, start_date=first_day)


async def _first_day(conn: Connection) -> date | None:
    known = await facts.read_fact(conn, START_FACT)
    return date.fromisoformat(str(known["date"])) if known else None


async def programme_of(conn: Connection, policy: LoyaltyPolicy) -> Programme:
    """Return the programme for display: since when visits earn, and the points given for those before the first day."""
    if not policy.enabled:
        return Programme()
    starts_on = policy.start_date or await _first_day(conn)
    history = await facts.read_fact(conn, HISTORY_FACT)
    if not history:
        return Programme(policy.percent, starts_on)
    points, visits = int(str(history["points"])), int(str(history["visits"]))
    return Programme(policy.percent, starts_on, points, visits, date.fromisoformat(str(history["since"])))


async def keep_history(conn: Connection, policy: LoyaltyPolicy, now: datetime) -> None:
    """Store the total given for visits before the programme's first day, by any sweep."""
    first_day = await _first_day(conn)
    if first_day is None or policy.start_date is None or policy.start_date >= first_day:
        return
    points, visits = await store.read_given_before(conn, first_day)
    if visits:
        since = policy.start_date
        history = {"points": points, "visits": visits, "since": since.isoformat()}
        await facts.write_fact(conn, HISTORY_FACT, history, now)
        log.info("loyalty: earlier visits were given points", points=points, visits=visits, since=since)


async def next_burning(
    conn: Connection, user_id: int, policy: LoyaltyPolicy, zone: tzinfo
) -> tuple[int, date] | None:
    """Return how many of a user's points expire next, and on which day in `zone`; None: none do."""
    if policy.expire_days is None:
        return None
    movements = await store.read_movements(conn, [user_id])
    return next_expiry(movements.get(user_id, []), policy.expire_days, zone)
