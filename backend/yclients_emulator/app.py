"""The ASGI app: the vendor's API under /api/v1, the control API under /_control."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from yclients_emulator.emulator import Emulator
from yclients_emulator.hooks import HttpSender
from yclients_emulator.http import booking as online
from yclients_emulator.http import branch, records
from yclients_emulator.http.control import control_routes
from yclients_emulator.http.gate import PREFIX, Access, Handler, error_response, guarded
from yclients_emulator.model import not_found

LOG = logging.getLogger("yclients_emulator")

C = "{company_id:int}"
R = "{record_id:int}"

ROUTES: tuple[tuple[str, str, Handler, Access], ...] = (
    ("POST", "/auth", branch.authenticate, "partner"),
    ("GET", f"/records/{C}", records.list_records, "user"),
    ("POST", f"/records/{C}", records.create_record, "user"),
    ("GET", f"/record/{C}/{R}", records.get_record, "user"),
    ("PUT", f"/record/{C}/{R}", records.put_record, "user"),
    ("DELETE", f"/record/{C}/{R}", records.delete_record, "user"),
    ("PUT", f"/visits/{{visit_id:int}}/{R}", records.put_visit, "user"),
    ("GET", "/companies", branch.list_companies, "user"),
    ("GET", f"/company/{C}", branch.get_company, "user"),
    ("GET", f"/company/{C}/staff", branch.list_staff, "user"),
    ("GET", f"/company/{C}/staff/{{staff_id:int}}", branch.list_staff, "user"),
    ("GET", f"/staff/{C}", branch.list_staff, "user"),
    ("GET", f"/company/{C}/services", branch.list_services, "user"),
    ("GET", f"/company/{C}/services/{{service_id:int}}", branch.list_services, "user"),
    ("GET", f"/services/{C}", branch.list_services, "user"),
    ("GET", f"/client/{C}/{{client_id:int}}", branch.get_client, "user"),
    ("PUT", f"/client/{C}/{{client_id:int}}", branch.put_client, "user"),
    ("GET", f"/hooks_settings/{C}", branch.get_hooks, "user"),
    ("POST", f"/hooks_settings/{C}", branch.post_hooks, "user"),
    ("GET", "/bookform/{form_id:int}", online.get_bookform, "partner"),
    ("GET", f"/book_services/{C}", online.book_services, "partner"),
    ("GET", f"/book_staff/{C}", online.book_staff, "partner"),
    ("GET", f"/book_dates/{C}", online.book_dates, "partner"),
    ("GET", f"/book_times/{C}/{{staff_id:int}}/{{date}}", online.book_times, "partner"),
    ("GET", f"/book_staff_seances/{C}/{{staff_id:int}}", online.book_seances, "partner"),
    ("GET", f"/book_staff_seances/{C}/{{staff_id:int}}/", online.book_seances, "partner"),
    ("POST", f"/book_code/{C}", online.book_code, "partner"),
    ("POST", f"/book_check/{C}", online.book_check, "partner"),
    ("POST", f"/book_record/{C}", online.book_record, "partner"),
    ("PUT", f"/book_record/{C}/{R}", online.move_booking, "partner"),
    ("GET", f"/book_record/{C}/{R}/{{record_hash}}", online.get_booking, "partner"),
    ("GET", f"/user/records/{R}", online.get_own_record, "partner"),
    ("GET", f"/user/records/{R}/{{record_hash}}", online.get_own_record, "partner"),
    ("DELETE", f"/user/records/{R}", online.delete_own_record, "partner"),
    ("DELETE", f"/user/records/{R}/{{record_hash}}", online.delete_own_record, "partner"),
    ("POST", "/user/auth", online.authenticate_client, "partner"),
    ("POST", f"/activity/{C}/{{activity_id:int}}/book", online.book_activity, "partner"),
    ("GET", "/validation/validate_phone/{phone}", online.validate_phone, "partner"),
)


def build_app(emulator: Emulator) -> Starlette:
    """The ASGI app of this emulator; its lifespan delivers webhooks and runs `emulator.background`."""
    routes = [
        Route(PREFIX + path, guarded(emulator, handler, access), methods=[method])
        for method, path, handler, access in ROUTES
    ]
    everything_else = Route(
        PREFIX + "/{rest:path}",
        guarded(emulator, _unknown, "partner"),
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.ensure_future(run()) for run in (emulator.hooks.run, *emulator.background)]
        for task in tasks:
            task.add_done_callback(_report)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if isinstance(emulator.hooks.sender, HttpSender):
                await emulator.hooks.sender.close()

    async def nothing(request: Request, error: Exception) -> Response:
        return error_response(emulator, not_found())

    return Starlette(
        routes=[
            *routes,
            everything_else,
            Route("/masters/sm/{staff_id:int}.png", online.show_portrait),
            Mount("/_control", routes=control_routes(emulator)),
        ],
        lifespan=lifespan,
        exception_handlers={404: nothing},
    )


def _report(task: asyncio.Future[None]) -> None:
    # Otherwise a crashed delivery or life loop would look like a vendor without changes.
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("emulator: a background task has died", exc_info=error)


async def _unknown(emulator: Emulator, request: Request) -> Response:
    raise not_found()
