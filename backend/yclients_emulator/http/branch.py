"""Calls on branches and what belongs to them: staff, services, clients, webhook settings; and the log-in."""

from typing import Any
from uuid import UUID

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from yclients_emulator.emulator import Emulator
from yclients_emulator.http.gate import enveloped, json_body
from yclients_emulator.http.records import need
from yclients_emulator.model import HOOK_SWITCHES, VendorError, not_found
from yclients_emulator.reading import invalid, read_int, read_list, read_object, read_text
from yclients_emulator.rendering.others import (
    render_client_event,
    render_company,
    render_company_service,
    render_company_staff,
    render_hook_settings,
)

HOOK_URLS_MAX = 10


# --- branches


async def list_companies(emulator: Emulator, request: Request) -> Response:
    """GET /companies?my=1."""
    companies = [render_company(one, emulator.now()) for one in emulator.vendor.companies.values()]
    return enveloped(companies, meta={"total_count": len(companies)})


async def get_company(emulator: Emulator, request: Request) -> Response:
    """GET /company/{company_id}."""
    company = emulator.vendor.company(request.path_params["company_id"])
    rules = emulator.settings.tells_client_rules
    return enveloped(render_company(company, emulator.now(), tells_client_rules=rules))


async def list_staff(emulator: Emulator, request: Request) -> Response:
    """GET /company/{company_id}/staff and /staff/{staff_id}; 0 or none asks for all."""
    company = emulator.vendor.company(request.path_params["company_id"])
    staff_id = request.path_params.get("staff_id", 0)
    staff = [one for one in emulator.vendor.company_staff(company.id) if staff_id in (0, one.id)]
    if not staff:
        raise not_found()
    shown = [render_company_staff(one) for one in staff]
    return enveloped(shown if staff_id == 0 else shown[0], meta={"total_count": len(shown)})


async def list_services(emulator: Emulator, request: Request) -> Response:
    """GET /company/{company_id}/services and /services/{service_id}."""
    company = emulator.vendor.company(request.path_params["company_id"])
    service_id = request.path_params.get("service_id", 0)
    services = [one for one in emulator.vendor.company_services(company.id) if service_id in (0, one.id)]
    if not services:
        raise not_found()
    shown = [render_company_service(one) for one in services]
    return enveloped(shown if service_id == 0 else shown[0], meta={"total_count": len(shown)})


async def get_client(emulator: Emulator, request: Request) -> Response:
    """GET /client/{company_id}/{client_id}."""
    company = emulator.vendor.company(request.path_params["company_id"])
    client = emulator.vendor.client(request.path_params["client_id"])
    if client is None or client.company_id != company.id:
        raise not_found()
    return enveloped(render_client_event(client, company))


async def put_client(emulator: Emulator, request: Request) -> Response:
    """PUT /client/{company_id}/{client_id}: what is left out is emptied, as in the vendor's own editor."""
    company = emulator.vendor.company(request.path_params["company_id"])
    client = emulator.vendor.client(request.path_params["client_id"])
    if client is None or client.company_id != company.id:
        raise not_found()
    body = await json_body(request)
    need(body, ("name", "phone"))
    written = structs.replace(
        client,
        **{name: read_text(body, name) for name in ("name", "surname", "patronymic", "email", "comment")},
        custom_fields=read_object(body.get("custom_fields") or {}, "custom_fields"),
        changed_at=emulator.now(),
    )
    emulator.vendor.clients[client.id] = written
    return enveloped(render_client_event(written, company))


# --- webhook settings


async def get_hooks(emulator: Emulator, request: Request) -> Response:
    """GET /hooks_settings/{company_id}."""
    company = emulator.vendor.company(request.path_params["company_id"])
    told = emulator.settings.tells_url_settings
    return enveloped(render_hook_settings(emulator.vendor.hook_settings(company.id), tells_url_settings=told))


async def post_hooks(emulator: Emulator, request: Request) -> Response:
    """POST /hooks_settings/{company_id} → 201: replaces the list of addresses that all integrations share."""
    company = emulator.vendor.company(request.path_params["company_id"])
    body = await json_body(request)
    need(body, ("urls", "active"))
    urls = tuple(str(url) for url in read_list(body["urls"], "urls"))
    if not 1 <= len(urls) <= HOOK_URLS_MAX or len(set(urls)) < len(urls) or "url_settings" in body:
        raise invalid(urls=f"Нужны от 1 до {HOOK_URLS_MAX} разных адресов")
    before = emulator.vendor.hook_settings(company.id, emulator.settings.self_sending)
    after = structs.replace(
        before,
        urls=urls,
        active=read_int(body["active"], "active"),
        switches=before.switches
        | {name: read_int(body[name], name) for name in HOOK_SWITCHES if name in body},
        self_sending=read_int(body.get("self_sending", before.self_sending), "self_sending"),
        by_url={},
    )
    emulator.vendor.hooks[company.id] = after
    return enveloped(render_hook_settings(after), 201)


# --- log-in


async def authenticate(emulator: Emulator, request: Request) -> Response:
    """POST /auth: 201 with the user token, or 200 asking for the second factor (bodies 20 and 21)."""
    settings = emulator.settings
    body = await json_body(request)
    if body.get("login") != settings.login or body.get("password") != settings.password:
        raise VendorError(401, "Не верный логин или пароль")
    if settings.two_factor and not _second_factor_ok(emulator, body.get("2fa")):
        return _ask_second_factor(emulator)
    user: dict[str, Any] = {
        "id": 7001,
        "user_token": settings.user_token,
        "name": "Админ Тестовый",
        "phone": "70000000199",
        "login": settings.login,
        "email": "admin@example.com",
        "avatar": "https://assets.example.com/general/0/01/1.png",
        "is_approved": True,
        "is_email_confirmed": True,
    }
    return enveloped(user, 201)


def _second_factor_ok(emulator: Emulator, second: object) -> bool:
    if not isinstance(second, dict):
        return False
    code = emulator.vendor.codes.get((0, str(second.get("uuid"))))
    return code is not None and code == str(second.get("secret"))


def _ask_second_factor(emulator: Emulator) -> Response:
    rng = emulator.vendor.rng
    number = str(UUID(int=rng.getrandbits(128), version=4))
    emulator.vendor.codes[(0, number)] = f"{rng.randrange(1_000_000):06d}"
    asked: dict[str, Any] = {
        "uuid": number,
        "flow": "login",
        "transport": {"type": "email", "recipient": "a***@example.com"},
        "refresh_ttl_sec": 60,
        "attempts_left": 3,
    }
    return enveloped(asked)
