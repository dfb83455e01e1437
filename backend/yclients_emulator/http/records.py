"""Calls on records and visits, which need both tokens."""

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from yclients_emulator.emulator import Emulator
from yclients_emulator.http.gate import enveloped, json_body, json_response
from yclients_emulator.listing import ListFilter
from yclients_emulator.model import Company, Line, Record, VendorError, not_found
from yclients_emulator.reading import (
    bad_request,
    digits_of,
    invalid,
    read_date,
    read_int,
    read_kopecks,
    read_list,
    read_moment,
    read_object,
    read_text,
)
from yclients_emulator.schedule import is_busy

PUT_NEEDS = ("staff_id", "services", "client", "datetime", "seance_length", "attendance")


# --- records


async def list_records(emulator: Emulator, request: Request) -> Response:
    """GET /records/{company_id}: a page of the filtered list; `count` is clamped without a word."""
    company = emulator.vendor.company(request.path_params["company_id"])
    settings = emulator.settings
    page = max(1, query_int(request, "page") or 1)
    count = min(max(1, query_int(request, "count") or settings.page_size_default), settings.page_size_max)
    listing = emulator.listing(company, list_filter(request, company))
    shown = listing.page((page - 1) * count, count)
    records = [record for record in shown if record.id not in emulator.hidden] if emulator.hidden else shown
    body = b",".join([emulator.record_bytes(record, "list") for record in records])
    meta = b'],"meta":{"page":%d,"total_count":%d}}' % (page, listing.total)
    return json_response(b'{"success":true,"data":[' + body + meta)


def list_filter(request: Request, company: Company) -> ListFilter:
    """The filters of the query string; 400 for one that cannot be read."""
    query = request.query_params
    return ListFilter(
        staff_id=query_int(request, "staff_id"),
        client_id=query_int(request, "client_id"),
        created_user_id=query_int(request, "created_user_id"),
        start_date=_day(query.get("start_date")),
        end_date=_day(query.get("end_date")),
        c_start_date=_day(query.get("c_start_date")),
        c_end_date=_day(query.get("c_end_date")),
        changed_after=_bound(query.get("changed_after"), company, end_of_day=False),
        changed_before=_bound(query.get("changed_before"), company, end_of_day=True),
        with_deleted=query.get("with_deleted", "0").lower() in ("1", "true"),
    )


def _day(value: str | None) -> date | None:
    return read_date(value) if value else None


def _bound(value: str | None, company: Company, *, end_of_day: bool) -> datetime | None:
    # A naive value is branch local: not documented, the fact sheet infers it.
    if not value:
        return None
    try:
        moment = read_moment(value, company, "changed")
    except VendorError:
        raise bad_request() from None
    return moment + timedelta(days=1, seconds=-1) if end_of_day and len(value) == 10 else moment


def query_int(request: Request, name: str) -> int | None:
    """An integer of the query string, None when absent or empty; 400 when it is none."""
    value = request.query_params.get(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise bad_request() from None


async def get_record(emulator: Emulator, request: Request) -> Response:
    """GET /record/{company_id}/{record_id}."""
    record = branch_record(emulator, request)
    if record.deleted and emulator.settings.deleted_get == "404":
        raise not_found()
    body = emulator.record_bytes(record, "get")
    return json_response(b'{"success":true,"data":' + body + b',"meta":[]}')


def branch_record(emulator: Emulator, request: Request) -> Record:
    """The record of the path; 404 when it is not of that branch."""
    company = emulator.vendor.company(request.path_params["company_id"])
    record = emulator.vendor.record(request.path_params["record_id"])
    if record.company_id != company.id or record.id in emulator.hidden:
        raise not_found()
    return record


async def create_record(emulator: Emulator, request: Request) -> Response:
    """POST /records/{company_id}: an administrator's booking, or a block without client and services."""
    company = emulator.vendor.company(request.path_params["company_id"])
    body = await json_body(request)
    need(body, ("staff_id", "services", "datetime", "seance_length"))
    fields = _record_fields(emulator, company, body)
    _check_room(emulator, fields, body)
    record = emulator.vendor.create_record(
        emulator.now(), company_id=company.id, created_user_id=7001, by_user=True, **fields
    )
    return enveloped([emulator.record_body(record, "get")], 201)


async def put_record(emulator: Emulator, request: Request) -> Response:
    """PUT /record/{company_id}/{record_id}."""
    record = branch_record(emulator, request)
    if record.deleted:
        raise not_found()
    body = await json_body(request)
    if emulator.settings.put_needs_all:
        need(body, PUT_NEEDS)
    fields = _record_fields(emulator, emulator.vendor.company(record.company_id), body, record)
    moved = any(fields[name] != getattr(record, name) for name in ("staff_id", "date", "seance_length"))
    if moved:
        _check_room(emulator, fields, body, but=record.id)
    record = emulator.vendor.change_record(emulator.now(), record.id, by_user=True, **fields)
    return enveloped(emulator.record_body(record, "get"), emulator.settings.put_status)


async def delete_record(emulator: Emulator, request: Request) -> Response:
    """DELETE /record/{company_id}/{record_id} → 204."""
    record = branch_record(emulator, request)
    emulator.vendor.delete_record(emulator.now(), record.id, by_user=True)
    return Response(status_code=204)


async def put_visit(emulator: Emulator, request: Request) -> Response:
    """PUT /visits/{visit_id}/{record_id}: `attendance` and `comment`."""
    body = await json_body(request)
    need(body, ("attendance", "comment"))
    record = emulator.vendor.change_visit(
        emulator.now(),
        request.path_params["visit_id"],
        request.path_params["record_id"],
        attendance=_attendance(body["attendance"]),
        comment=read_text(body, "comment"),
    )
    return enveloped(emulator.record_body(record, "get"))


def need(body: dict[str, Any], names: tuple[str, ...]) -> None:
    """422 naming each of these keys that the body lacks."""
    missing = {name: "Поле обязательно" for name in names if name not in body}
    if missing:
        raise invalid(**missing)


def _attendance(value: object) -> int:
    attendance = read_int(value, "attendance")
    if attendance not in (-1, 0, 1, 2):
        raise invalid(attendance="Недопустимое значение")
    return attendance


def _record_fields(
    emulator: Emulator, company: Company, body: dict[str, Any], before: Record | None = None
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if before is not None:
        fields = {name: getattr(before, name) for name in ("staff_id", "date", "seance_length", "client_id")}
    else:
        fields["client_id"] = None
    if "staff_id" in body:
        fields["staff_id"] = read_int(body["staff_id"], "staff_id")
        staff = emulator.vendor.staff.get(fields["staff_id"])
        if staff is None or staff.company_id != company.id:
            raise invalid(staff_id="Недопустимое значение")
    if "datetime" in body:
        fields["date"] = company.local(read_moment(body["datetime"], company, "datetime"))
    if "services" in body:
        fields["lines"] = _lines(emulator, read_list(body["services"], "services"))
    for name in ("seance_length", "sms_remain_hours", "email_remain_hours", "technical_break_duration"):
        if body.get(name) is not None:
            fields[name] = read_int(body[name], name)
    if "attendance" in body:
        fields["attendance"] = fields["visit_attendance"] = _attendance(body["attendance"])
    for name in ("comment", "api_id", "custom_color"):
        if name in body:
            fields[name] = read_text(body, name)
    if "custom_fields" in body:
        fields["custom_fields"] = read_object(body["custom_fields"], "custom_fields")
    client = read_object(body.get("client") or {}, "client")
    if digits_of(client.get("phone") or ""):
        texts = {name: read_text(client, name) for name in ("name", "surname", "patronymic", "email")}
        phone = digits_of(client["phone"])
        fields["client_id"] = emulator.vendor.save_client(
            emulator.now(), company.id, phone, by_user=True, **texts
        ).id
    return fields


def _lines(emulator: Emulator, services: list[Any]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for one in services:
        service = read_object(one, "services")
        line = emulator.vendor.line(
            read_int(service.get("id"), "services"),
            unit=read_kopecks(service["first_cost"], "services") if "first_cost" in service else None,
            discount=read_int(service.get("discount", 0), "services"),
            amount=max(1, read_int(service.get("amount", 1), "services")),
        )
        cost = read_kopecks(service["cost"], "services") if "cost" in service else line.discounted_unit
        lines.append(line if cost == line.discounted_unit else structs.replace(line, manual=cost))
    return tuple(lines)


def _check_room(emulator: Emulator, fields: dict[str, Any], body: dict[str, Any], but: int = 0) -> None:
    ends = fields["date"] + timedelta(seconds=fields["seance_length"])
    busy = is_busy(emulator.vendor, fields["staff_id"], fields["date"], ends, but=[but])
    if busy and not body.get("save_if_busy"):
        raise invalid(datetime="Выбранное время уже занято")
