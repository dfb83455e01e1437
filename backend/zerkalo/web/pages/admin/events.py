"""`/admin/events…` and `/admin/quarantine`: deliveries to the webhook, those not understood, replaying them."""

from collections.abc import Sequence
from typing import get_args

from starlette.responses import Response

from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.db.transaction import transaction
from zerkalo.inbox import store
from zerkalo.inbox.desk import store as reading
from zerkalo.inbox.desk.model import Event
from zerkalo.inbox.model import OutcomeName
from zerkalo.kit.cursor import ById
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.model import OutcomeStatus
from zerkalo.web.pages.admin.masking import shown_body
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.webhook.replaying.service import Replay

pages = Pages()

EVENTS_PAGE = 30
REPLAYED_AT_ONCE = 200
"""Quarantined events that one click replays; `zerkalo replay --quarantined` replays any number."""
_EVENTS = ById("events page")
_ONE = "/admin/events/{event_id}"


@pages.get("/admin/events", Who.OWNER)
async def events(page: Page) -> Response:
    """Show deliveries to the webhook, newest first: all, those with one outcome, or of one record."""
    outcome, record_id = page.query.text("outcome", 20), page.query.number("record")
    outcome = outcome if outcome in get_args(OutcomeName) else ""
    async with page.runtime.pool.connection() as conn:
        found = await reading.read_deliveries(
            conn,
            record_id=record_id,
            outcome=outcome or None,
            before_id=_EVENTS.position(page.cursor),
            limit=EVENTS_PAGE + 1,
        )
    filters = f"outcome={outcome}" + (f"&record={record_id}" if record_id is not None else "")
    return render(
        page,
        "admin/events.html",
        **_shown(found, f"/admin/events?{filters}&"),
        outcome=outcome,
        outcomes=get_args(OutcomeName),
        record_id=record_id,
    )


@pages.get("/admin/quarantine", Who.OWNER)
async def quarantine(page: Page) -> Response:
    """Show the deliveries in quarantine."""
    before_id = _EVENTS.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await reading.read_quarantined(conn, before_id=before_id, limit=EVENTS_PAGE + 1)
    # Skip those that the previous click failed to replay: they would hold back the later ones for ever.
    after = page.query.number("after")
    replay_url = "/admin/quarantine/replay" + (f"?after={after}" if after else "")
    return render(page, "admin/quarantine.html", replay_url=replay_url, **_shown(found, "/admin/quarantine?"))


@pages.post("/admin/quarantine/replay", Who.OWNER)
async def replay_quarantine(page: Page) -> Response:
    """Replay what is in quarantine, at most `REPLAYED_AT_ONCE`; the next click continues after them."""
    # Each replay writes its own log entry.
    note_nothing()
    count = 0
    async for replayed in _replay_of(page).quarantined(after_id=page.query.number("after") or 0):
        count += 1
        if count >= REPLAYED_AT_ONCE:
            return page.redirect(
                f"/admin/quarantine?after={replayed.delivery_id}", flash="quarantine_goes_on"
            )
    return page.redirect("/admin/quarantine", flash="quarantine_replayed")


@pages.get(_ONE, Who.OWNER)
async def event(page: Page) -> Response:
    """Show one delivery with its body."""
    async with page.runtime.pool.connection() as conn:
        kept = await store.get(conn, page.id("event_id"))
    if kept is None:
        raise ProblemError(404, "not_found", "There is no such delivery, or it has been pruned.")
    return render(
        page,
        "admin/event.html",
        event=kept,
        delivery=kept.delivery,
        body=shown_body(kept.delivery.body),
        body_bytes=len(kept.delivery.body),
        is_waiting=kept.outcome == "quarantined" and kept.handled_at is None,
    )


@pages.post(f"{_ONE}/replay", Who.OWNER)
async def replay(page: Page) -> Response:
    """Replay one delivery."""
    event_id = page.id("event_id")
    replayed = await _replay_of(page).one(event_id)
    if replayed is None:
        raise ProblemError(404, "not_found", "There is no such delivery.")
    in_vain = replayed.outcome.status is OutcomeStatus.QUARANTINED
    return page.redirect(f"/admin/events/{event_id}", flash="replayed_in_vain" if in_vain else "replayed")


@pages.post(f"{_ONE}/set-aside", Who.OWNER)
async def set_aside(page: Page) -> Response:
    """Take a delivery out of the quarantine without applying it."""
    event_id, now = page.id("event_id"), page.now
    async with transaction(page.runtime.pool) as conn:
        if await store.set_aside(conn, event_id, now=now):
            await audit(conn, page.me.id, "event.set_aside", f"event {event_id}", {}, now)
        else:
            note_nothing()
    return page.redirect("/admin/quarantine", flash="set_aside")


def _replay_of(page: Page) -> Replay:
    context = page.runtime.sync
    company_ids = page.runtime.settings.yclients_company_ids
    return Replay(context.pool, context.clock, context.applier, company_ids, admin_id=page.me.id)


def _shown(found: Sequence[Event], address: str) -> dict[str, object]:
    """Return the deliveries of one page and the address of the next, None on the last. `address` ends with ? or &."""
    shown = _EVENTS.page(found, EVENTS_PAGE, lambda one: one.id)
    next_url = f"{address}cursor={shown.next_cursor}" if shown.next_cursor else None
    return {"events": shown.items, "next_url": next_url}
