"""The control API under /_control: what a test or the demo may do to the emulator. No tokens, no limits, no faults."""

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, structs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yclients_emulator import desk
from yclients_emulator.emulator import Emulator
from yclients_emulator.faults import Fault
from yclients_emulator.hooks import Delivery, HookModes
from yclients_emulator.http.gate import json_response
from yclients_emulator.model import VendorError
from yclients_emulator.reading import digits_of
from yclients_emulator.settings import EmulatorSettings

Act = Callable[[Emulator, Request, Any], Awaitable[object]]

ATTENDANCES = {"complete": 1, "confirm": 2, "wait": 0, "no-show": -1}
RECORD_ACTS = (
    *("move", "complete", "confirm", "wait", "no-show", "delete", "restore", "comment", "price", "phone"),
    *("services", "drop-client", "touch"),
)


class NewRecord(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /_control/records; what is left out is chosen: earliest free time, first able master."""

    company_id: int
    staff_id: int | None = None
    service_ids: tuple[int, ...] = ()
    date: datetime | None = None  # branch wall clock, naive
    phone: str = ""
    name: str = ""
    email: str = ""
    seance_seconds: int | None = None
    comment: str = ""
    attendance: int = 0
    online: bool = False
    api_id: str = ""


class RecordChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /_control/records/{id}/{act}; each act reads its own fields."""

    date: datetime | None = None
    staff_id: int | None = None
    comment: str = ""
    kopecks: int = 0
    phone: str = ""
    service_ids: tuple[int, ...] = ()


class BulkLoad(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /_control/bulk."""

    company_id: int
    count: int
    days: int = 365
    last_day: date | None = None
    clients: int | None = None


class HooksTarget(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /_control/hooks/urls; no company means all."""

    urls: tuple[str, ...]
    company_id: int | None = None


class Seconds(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of /_control/clock and /_control/fast-forward."""

    seconds: float


class BlackListing(Struct, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /_control/black-list."""

    company_id: int
    phone: str
    listed: bool = True


def control_routes(emulator: Emulator) -> list[Route]:
    """The routes, to be mounted under /_control."""

    def route(method: str, path: str, act: Act, body_type: Any = None) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                body = None
                if body_type is not None:
                    body = msgspec.json.decode(await request.body() or b"{}", type=body_type)
                return json_response(await act(emulator, request, body))
            except (msgspec.DecodeError, msgspec.ValidationError, re.error) as error:
                return json_response({"error": str(error)}, 400)
            except VendorError as error:
                return json_response({"error": error.message, "fields": error.fields}, error.status)

        return Route(path, endpoint, methods=[method])

    return [
        route("GET", "/settings", get_settings),
        route("PATCH", "/settings", patch_settings, dict[str, Any]),
        route("PATCH", "/companies/{company_id:int}", patch_company, dict[str, Any]),
        route("GET", "/faults", get_faults),
        route("POST", "/faults", add_fault, Fault),
        route("DELETE", "/faults", clear_faults),
        route("DELETE", "/faults/{fault_id:int}", remove_fault),
        route("GET", "/hooks/modes", get_modes),
        route("PUT", "/hooks/modes", put_modes, HookModes),
        route("POST", "/hooks/urls", set_urls, HooksTarget),
        route("POST", "/hooks/flush", flush),
        route("GET", "/hooks/deliveries", get_deliveries),
        route("GET", "/requests", get_requests),
        route("GET", "/codes", get_codes),
        route("POST", "/black-list", black_list, BlackListing),
        route("GET", "/clock", get_clock),
        route("PUT", "/clock", put_clock, Seconds),
        route("POST", "/fast-forward", fast_forward, Seconds),
        route("GET", "/truth", get_truth),
        route("GET", "/truth/{record_id:int}", get_one_truth),
        route("POST", "/records", new_record, NewRecord),
        route("POST", "/records/{record_id:int}/{act}", change_record, RecordChange),
        route("POST", "/bulk", load_bulk, BulkLoad),
        route("POST", "/heal", heal),
    ]


# --- behaviour


async def get_settings(emulator: Emulator, request: Request, body: None) -> object:
    return emulator.settings


async def patch_settings(emulator: Emulator, request: Request, body: dict[str, Any]) -> object:
    emulator.settings = msgspec.convert(structs.asdict(emulator.settings) | body, EmulatorSettings)
    return emulator.settings


async def patch_company(emulator: Emulator, request: Request, body: dict[str, Any]) -> object:
    company = emulator.vendor.company(request.path_params["company_id"])
    changed = msgspec.convert(structs.asdict(company) | body, type(company))
    return emulator.vendor.add_company(changed)


async def get_faults(emulator: Emulator, request: Request, body: None) -> object:
    return {str(number): fault for number, fault in emulator.faults.listed().items()}


async def add_fault(emulator: Emulator, request: Request, body: Fault) -> object:
    return {"id": emulator.faults.add(body)}


async def clear_faults(emulator: Emulator, request: Request, body: None) -> object:
    emulator.faults.clear()
    return {}


async def remove_fault(emulator: Emulator, request: Request, body: None) -> object:
    return {"removed": emulator.faults.remove(request.path_params["fault_id"])}


async def heal(emulator: Emulator, request: Request, body: None) -> object:
    """Ends every fault and every webhook mode, and sends what waits."""
    emulator.faults.clear()
    emulator.hooks.set_modes(HookModes(delay_seconds=emulator.hooks.modes.delay_seconds))
    return {"sent": await emulator.hooks.deliver_due(everything=True)}


# --- webhooks


async def get_modes(emulator: Emulator, request: Request, body: None) -> object:
    return emulator.hooks.modes


async def put_modes(emulator: Emulator, request: Request, body: HookModes) -> object:
    emulator.hooks.set_modes(body)
    return emulator.hooks.modes


async def set_urls(emulator: Emulator, request: Request, body: HooksTarget) -> object:
    companies = list(emulator.vendor.companies) if body.company_id is None else [body.company_id]
    for company_id in companies:
        emulator.set_hooks(emulator.vendor.company(company_id).id, body.urls)
    return {"companies": companies}


async def flush(emulator: Emulator, request: Request, body: None) -> object:
    return {"sent": await emulator.hooks.deliver_due(everything=True)}


async def get_deliveries(emulator: Emulator, request: Request, body: None) -> object:
    """Gone ones first, then waiting ones; `limit` newest (100)."""
    limit = int(request.query_params.get("limit") or 100)
    all_of_them = [*emulator.hooks.gone, *sorted(emulator.hooks.waiting, key=lambda one: one.due_at)]
    return {"items": [_shown(one) for one in all_of_them[-limit:]], "waiting": len(emulator.hooks.waiting)}


def _shown(delivery: Delivery) -> dict[str, Any]:
    return structs.asdict(delivery) | {"body": msgspec.Raw(delivery.body)}


async def get_requests(emulator: Emulator, request: Request, body: None) -> object:
    limit = int(request.query_params.get("limit") or 100)
    return {"items": list(emulator.requests)[-limit:], "refused": emulator.limiter.refused}


# --- codes, clock


async def get_codes(emulator: Emulator, request: Request, body: None) -> object:
    """SMS codes by branch and phone; second factors of /auth have branch 0 and their uuid for a phone."""
    items = [
        {"company_id": company_id, "phone": to, "code": code}
        for (company_id, to), code in emulator.vendor.codes.items()
    ]
    return {"items": items}


async def black_list(emulator: Emulator, request: Request, body: BlackListing) -> object:
    entry = (body.company_id, digits_of(body.phone))
    if body.listed:
        emulator.vendor.black_list.add(entry)
    else:
        emulator.vendor.black_list.discard(entry)
    return {"listed": body.listed}


async def get_clock(emulator: Emulator, request: Request, body: None) -> object:
    return {"now": emulator.now(), "time": emulator.time(), "seconds": emulator.skew.total_seconds()}


async def put_clock(emulator: Emulator, request: Request, body: Seconds) -> object:
    """Sets the vendor's own clock that far apart from the emulator's time."""
    emulator.skew = timedelta(seconds=body.seconds)
    return await get_clock(emulator, request, None)


async def fast_forward(emulator: Emulator, request: Request, body: Seconds) -> object:
    """Pushes the emulator's whole time ahead; deliveries that have fallen due are sent before the answer."""
    emulator.forwarded += timedelta(seconds=body.seconds)
    sent = await emulator.hooks.deliver_due()
    emulator.hooks.wake()
    return {"now": emulator.now(), "sent": sent}


# --- records


async def get_truth(emulator: Emulator, request: Request, body: None) -> object:
    company_id = request.query_params.get("company_id")
    return {"items": desk.truths(emulator, int(company_id) if company_id else None)}


async def get_one_truth(emulator: Emulator, request: Request, body: None) -> object:
    return desk.truth(emulator, emulator.vendor.record(request.path_params["record_id"]))


async def new_record(emulator: Emulator, request: Request, body: NewRecord) -> object:
    wanted: dict[str, Any] = structs.asdict(body)
    wanted["phone"] = digits_of(body.phone)
    return desk.truth(emulator, desk.create(emulator, **wanted))


async def change_record(emulator: Emulator, request: Request, body: RecordChange) -> object:
    record_id = request.path_params["record_id"]
    _act(emulator, request.path_params["act"], record_id, body)
    return desk.truth(emulator, emulator.vendor.record(record_id))


def _act(emulator: Emulator, act: str, one: int, body: RecordChange) -> None:
    match act:
        case "move":
            desk.move(emulator, one, body.date, body.staff_id)
        case "complete" | "confirm" | "wait" | "no-show":
            desk.set_attendance(emulator, one, ATTENDANCES[act])
        case "delete":
            desk.delete(emulator, one)
        case "restore":
            desk.restore(emulator, one)
        case "comment":
            desk.change(emulator, one, comment=body.comment)
        case "price":
            desk.set_price(emulator, one, body.kopecks)
        case "phone":
            desk.set_client_phone(emulator, one, digits_of(body.phone))
        case "services":
            lines = tuple(emulator.vendor.line(service_id) for service_id in body.service_ids)
            desk.change(emulator, one, lines=lines)
        case "drop-client":
            desk.change(emulator, one, client_id=None)
        case "touch":
            desk.change(emulator, one)
        case _:
            raise VendorError(404, "unknown act, there are: " + ", ".join(RECORD_ACTS))


async def load_bulk(emulator: Emulator, request: Request, body: BulkLoad) -> object:
    bulk = desk.load_bulk(
        emulator, body.company_id, body.count, days=body.days, last_day=body.last_day, clients=body.clients
    )
    return {"first_id": bulk.first_id, "count": bulk.count, "first_day": bulk.first_day, "days": bulk.days}
