"""`/admin/events…` and `/admin/quarantine`: what came to the webhook, what could not be understood, taking it in again."""

from typing import get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.auth.audit import audit
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.bookings.routes import path_id
from zerkalo.db.transaction import transaction
from zerkalo.inbox import reading, store
from zerkalo.inbox.reading import DeliverySummary
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, encode_cursor
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.model import OutcomeStatus
from zerkalo.web.admin_api import OutcomeName
from zerkalo.web.pages.admin.masking import shown_body
from zerkalo.web.pages.admin.rendering import before_id_of, render
from zerkalo.web.pages.site import Site
from zerkalo.webhook.replay import Replay

EVENTS_PAGE = 30
REPLAYED_AT_ONCE = 200
"""Quarantined events that one click takes in again; `zerkalo replay --quarantined` takes any number."""
_MODE = "events page"


def routes(site: Site) -> list[Route]:
    """`/admin/events`, `/admin/quarantine`, one event, replaying it and setting it aside."""
    runtime = site.runtime

    def replay_by(admin: AuthenticatedUser) -> Replay:
        context = runtime.sync
        return Replay(
            context.pool,
            context.clock,
            context.applier,
            runtime.settings.yclients_company_ids,
            admin_id=admin.id,
        )

    async def events(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        query = page.query()
        outcome = query.text("outcome", 20)
        outcome = outcome if outcome in get_args(OutcomeName) else ""
        record_id = query.number("record")
        cursor = query.text("cursor", CURSOR_CHARS_MAX)
        async with runtime.pool.connection() as conn:
            found = await reading.read_deliveries(
                conn,
                record_id=record_id,
                outcome=outcome or None,
                before_id=before_id_of(cursor, _MODE),
                limit=EVENTS_PAGE + 1,
            )
        filters = f"outcome={outcome}" + (f"&record={record_id}" if record_id is not None else "")
        return render(
            page,
            "admin/events.html",
            events=found[:EVENTS_PAGE],
            outcome=outcome,
            outcomes=get_args(OutcomeName),
            record_id=record_id,
            next_url=_next_url(found, f"/admin/events?{filters}&"),
        )

    async def quarantine(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        cursor = page.query().text("cursor", CURSOR_CHARS_MAX)
        async with runtime.pool.connection() as conn:
            found = await reading.read_quarantined(
                conn, before_id=before_id_of(cursor, _MODE), limit=EVENTS_PAGE + 1
            )
        return render(
            page,
            "admin/quarantine.html",
            events=found[:EVENTS_PAGE],
            next_url=_next_url(found, "/admin/quarantine?"),
        )

    async def replay_quarantine(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        await page.form()
        count = 0
        async for _ in replay_by(admin).quarantined():
            count += 1
            if count >= REPLAYED_AT_ONCE:
                return page.redirect("/admin/quarantine", flash="quarantine_goes_on")
        return page.redirect("/admin/quarantine", flash="quarantine_replayed")

    async def event(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        async with runtime.pool.connection() as conn:
            kept = await store.get(conn, path_id(request.path_params["event_id"]))
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

    async def replay(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        await page.form()
        event_id = path_id(request.path_params["event_id"])
        replayed = await replay_by(admin).one(event_id)
        if replayed is None:
            raise ProblemError(404, "not_found", "There is no such delivery.")
        in_vain = replayed.outcome.status is OutcomeStatus.QUARANTINED
        return page.redirect(f"/admin/events/{event_id}", flash="replayed_in_vain" if in_vain else "replayed")

    async def set_aside(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        await page.form()
        event_id = path_id(request.path_params["event_id"])
        now = runtime.clock()
        async with transaction(runtime.pool) as conn:
            if await store.set_aside(conn, event_id, now=now):
                await audit(conn, admin.id, "event.set_aside", f"event {event_id}", {}, now)
        return page.redirect("/admin/quarantine", flash="set_aside")

    one = "/admin/events/{event_id}"
    return [
        Route("/admin/events", events),
        Route("/admin/quarantine", quarantine),
        Route("/admin/quarantine/replay", replay_quarantine, methods=["POST"]),
        Route(one, event),
        Route(f"{one}/replay", replay, methods=["POST"]),
        Route(f"{one}/set-aside", set_aside, methods=["POST"]),
    ]


def _next_url(found: list[DeliverySummary], address: str) -> str | None:
    """The address of the following ones, after `address` with its ? or &; None: there are none."""
    if len(found) <= EVENTS_PAGE:
        return None
    return f"{address}cursor={encode_cursor(_MODE, found[EVENTS_PAGE - 1].id)}"
