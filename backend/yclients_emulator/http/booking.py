"""Online booking: calls that need the partner token only."""

from datetime import date, datetime, time, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from yclients_emulator import booking
from yclients_emulator.emulator import Emulator
from yclients_emulator.http.gate import enveloped, has_salon_token, json_body, json_response
from yclients_emulator.http.records import branch_record, query_int
from yclients_emulator.model import Company, Service, Staff, VendorError, not_found
from yclients_emulator.reading import digits_of, is_phone, read_date, read_int, read_text
from yclients_emulator.rendering.others import (
    render_book_service,
    render_book_staff,
    render_category,
    render_own_record,
    render_time,
)
from yclients_emulator.rendering.pictures import portrait
from yclients_emulator.schedule import able_staff, free_times, next_days, seance_length, working_window

CREATED = {"success": True, "meta": {"message": "Created"}}


# --- what can be booked


async def get_bookform(emulator: Emulator, request: Request) -> Response:
    """GET /bookform/{form_id}."""
    form_id = request.path_params["form_id"]
    company = next((one for one in emulator.vendor.companies.values() if one.form_id == form_id), None)
    if company is None:
        raise not_found()
    titles = (
        ("service", "Услуги"),
        ("master", "Сотрудник"),
        ("datetime", "Дата и время"),
        ("contact", "Контакты"),
    )
    steps = [
        {"step": step, "title": title, "num": number, "default": "-1", "hidden": 0}
        for number, (step, title) in enumerate(titles, start=1)
    ]
    form: dict[str, Any] = {
        "steps": steps,
        "style": {"show_header": True, "logo": ""},
        "group_id": 0,
        "company_id": company.id,
        "phone_confirmation": company.phone_confirmation,
        "lang": "ru-RU",
        "langs": [{"code": "ru-RU", "title": "Русский"}, {"code": "en-US", "title": "English"}],
        "comment_required": company.comment_required,
        "comment_input_name": "Комментарий",
        "booking_notify_text": "",
        "sms_enabled": True,
        "is_show_privacy_policy": True,
    }
    return enveloped(form)


async def book_services(emulator: Emulator, request: Request) -> Response:
    """GET /book_services/{company_id}."""
    company, staff_id, chosen = _asked(emulator, request)
    able = able_staff(emulator.vendor, company.id, [one.id for one in chosen], staff_id)
    offered = {service_id for staff in able for service_id in staff.service_ids}
    services = [one for one in emulator.vendor.company_services(company.id) if one.id in offered]
    categories = [
        render_category(one)
        for one in emulator.vendor.categories.values()
        if one.id in {service.category_id for service in services}
    ]
    shown = [render_book_service(one, with_length=staff_id > 0) for one in services]
    return enveloped({"events": [], "services": shown, "category": categories})


async def book_staff(emulator: Emulator, request: Request) -> Response:
    """GET /book_staff/{company_id}."""
    company, _, chosen = _asked(emulator, request)
    able = {one.id for one in able_staff(emulator.vendor, company.id, [one.id for one in chosen])}
    shown: list[dict[str, Any]] = []
    for staff in emulator.vendor.company_staff(company.id):
        if staff.bookable and staff.id not in able:
            continue
        first = _first_day(emulator, company, staff, chosen) if staff.bookable else None
        midnight = None if first is None else company.moment(datetime.combine(first, time()))
        url = str(request.base_url).rstrip("/")
        shown.append(render_book_staff(staff, midnight, pictures_url=url, quirks=emulator.settings.quirks))
    return enveloped(shown)


async def show_portrait(request: Request) -> Response:
    """GET /masters/sm/{staff_id}.png, beside the API: what a specialist looks like, to anybody."""
    picture = portrait(request.path_params["staff_id"])
    return Response(picture, media_type="image/png", headers={"Cache-Control": "max-age=86400"})


async def book_dates(emulator: Emulator, request: Request) -> Response:
    """GET /book_dates/{company_id}: days with a free time, and days on which somebody works."""
    company, staff_id, chosen = _asked(emulator, request)
    able = able_staff(emulator.vendor, company.id, [one.id for one in chosen], staff_id)
    length = seance_length(chosen, company)
    days = list(_asked_days(emulator, request, company))
    free = [day for day in days if any(_times(emulator, company, one, day, length) for one in able)]
    working = [day for day in days if any(working_window(company, one, day) for one in able)]
    return enveloped(
        {
            "booking_days": _by_month(free),
            "booking_dates": [day.isoformat() for day in free],
            "working_days": _by_month(working),
            "working_dates": [day.isoformat() for day in working],
        }
    )


async def book_times(emulator: Emulator, request: Request) -> Response:
    """GET /book_times/{company_id}/{staff_id}/{date}; staff 0 is anybody."""
    company, _, chosen = _asked(emulator, request)
    staff_id = request.path_params["staff_id"]
    day = read_date(request.path_params["date"])
    length = seance_length(chosen, company)
    able = able_staff(emulator.vendor, company.id, [one.id for one in chosen], staff_id)
    starts = sorted({one for staff in able for one in _times(emulator, company, staff, day, length)})
    form = emulator.settings.times_format
    if form == "rotate":
        emulator.turn += 1
        form = ("iso", "epoch")[emulator.turn % 2]
    return enveloped([render_time(company, one, length, form) for one in starts])


async def book_seances(emulator: Emulator, request: Request) -> Response:
    """GET /book_staff_seances/{company_id}/{staff_id}/: the nearest day with free times."""
    company, _, chosen = _asked(emulator, request)
    staff = emulator.vendor.staff.get(request.path_params["staff_id"])
    if staff is None or staff.company_id != company.id:
        raise not_found()
    length = seance_length(chosen, company)
    day = _first_day(emulator, company, staff, chosen)
    if day is None:
        return enveloped({"seance_date": "", "seances": []})
    times = _times(emulator, company, staff, day, length)
    seances = [render_time(company, one, length, "iso") for one in times]
    return enveloped({"seance_date": day.isoformat(), "seances": seances})


def _asked(emulator: Emulator, request: Request) -> tuple[Company, int, list[Service]]:
    company = emulator.vendor.company(request.path_params["company_id"])
    query = request.query_params
    ids = [
        read_int(one, "service_ids") for one in query.getlist("service_ids[]") + query.getlist("service_ids")
    ]
    services = [emulator.vendor.services.get(service_id) for service_id in ids]
    known = [one for one in services if one is not None and one.company_id == company.id]
    if len(known) != len(ids):
        raise VendorError(422, "Услуга недоступна", code=438)
    return company, max(0, query_int(request, "staff_id") or 0), known


def _times(emulator: Emulator, company: Company, staff: Staff, day: date, length: int) -> list[datetime]:
    return free_times(emulator.vendor, company, staff, day, length, emulator.now())


def _first_day(emulator: Emulator, company: Company, staff: Staff, chosen: list[Service]) -> date | None:
    length = seance_length(chosen, company)
    days = next_days(company, emulator.now())
    return next((day for day in days if _times(emulator, company, staff, day, length)), None)


def _asked_days(emulator: Emulator, request: Request, company: Company) -> list[date]:
    query = request.query_params
    if query.get("date"):
        return [read_date(query["date"])]
    days = list(next_days(company, emulator.now()))
    first = read_date(query["date_from"]) if query.get("date_from") else days[0]
    last = read_date(query["date_to"]) if query.get("date_to") else days[-1]
    reach = min((last - first).days + 1, 366)
    return [first + timedelta(days=ahead) for ahead in range(reach)]


def _by_month(days: list[date]) -> dict[str, list[str]] | list[Any]:
    months: dict[str, list[str]] = {}
    for day in days:
        months.setdefault(str(day.month), []).append(str(day.day))
    return months or []


# --- booking


async def book_code(emulator: Emulator, request: Request) -> Response:
    """POST /book_code/{company_id} → 201; the code is told by GET /_control/codes."""
    company = emulator.vendor.company(request.path_params["company_id"])
    booking.send_code(emulator.vendor, company, await json_body(request))
    return json_response(CREATED, 201)


async def book_check(emulator: Emulator, request: Request) -> Response:
    """POST /book_check/{company_id} → 201."""
    company = emulator.vendor.company(request.path_params["company_id"])
    booking.check_appointments(emulator.vendor, company, await json_body(request), emulator.now())
    return json_response(CREATED, 201)


async def book_record(emulator: Emulator, request: Request) -> Response:
    """POST /book_record/{company_id} → 201: one record an appointment."""
    company = emulator.vendor.company(request.path_params["company_id"])
    booked = booking.book(emulator.vendor, company, await json_body(request), emulator.now())
    shown = [
        {"id": number, "record_id": record.id, "record_hash": record.record_hash} for number, record in booked
    ]
    return enveloped(shown, 201)


async def move_booking(emulator: Emulator, request: Request) -> Response:
    """PUT /book_record/{company_id}/{record_id}: `datetime`, `comment`."""
    company = emulator.vendor.company(request.path_params["company_id"])
    record_id = request.path_params["record_id"]
    record = booking.move(emulator.vendor, company, record_id, await json_body(request), emulator.now())
    return enveloped(_own(emulator, record.id))


async def get_booking(emulator: Emulator, request: Request) -> Response:
    """GET /book_record/{company_id}/{record_id}/{record_hash}: a bare object, as in the sample."""
    record = branch_record(emulator, request)
    booking.own_record(emulator.vendor, record.id, request.path_params["record_hash"])
    return json_response(_own(emulator, record.id))


async def get_own_record(emulator: Emulator, request: Request) -> Response:
    """GET /user/records/{record_id}/{record_hash}."""
    record = _own_asked(emulator, request)
    return enveloped([_own(emulator, record)])


async def delete_own_record(emulator: Emulator, request: Request) -> Response:
    """DELETE /user/records/{record_id}/{record_hash} → 204, within the branch's rules."""
    record_id = _own_asked(emulator, request)
    booking.cancel(emulator.vendor, emulator.vendor.record(record_id), emulator.now())
    return Response(status_code=204)


async def authenticate_client(emulator: Emulator, request: Request) -> Response:
    """POST /user/auth: phone and SMS code for a client's own user token (the code as by /book_code)."""
    body = await json_body(request)
    phone, code = digits_of(body.get("phone") or ""), read_text(body, "code")
    if not code or code not in {sent for (_, to), sent in emulator.vendor.codes.items() if to == phone}:
        raise VendorError(422, "Неправильный код подтверждения", code=432)
    return enveloped({"user_token": f"client-{phone}"}, 201)


def _own_asked(emulator: Emulator, request: Request) -> int:
    if has_salon_token(emulator, request):  # an authorised user needs the id only, whatever hash comes along
        return emulator.vendor.record(request.path_params["record_id"]).id
    _, _, client_token = request.headers.get("authorization", "").partition("User client-")
    record_hash = request.path_params.get("record_hash")
    record_id = request.path_params["record_id"]
    return booking.own_record(emulator.vendor, record_id, record_hash, client_token.strip()).id


def _own(emulator: Emulator, record_id: int) -> dict[str, Any]:
    vendor = emulator.vendor
    record = vendor.record(record_id)
    staff = vendor.staff.get(record.staff_id)
    return render_own_record(
        record,
        vendor.company(record.company_id),
        staff,
        vendor.services,
        emulator.now(),
        tells_client_rules=emulator.settings.tells_client_rules,
    )


async def book_activity(emulator: Emulator, request: Request) -> Response:
    """POST /activity/{company_id}/{activity_id}/book: a place in a group event."""
    vendor, now = emulator.vendor, emulator.now()
    company = vendor.company(request.path_params["company_id"])
    activity = vendor.activities.get(request.path_params["activity_id"])
    if activity is None or activity.company_id != company.id:
        raise not_found()
    body = await json_body(request)
    phone = booking.check_phone(vendor, company, body)
    if not read_text(body, "fullname").strip():
        raise VendorError(422, "Не указано имя", code=435)
    places = max(1, read_int(body.get("clients_count") or 1, "clients_count"))
    taken = [
        one
        for one in vendor.records[company.id].values()
        if one.activity_id == activity.id and not one.deleted
    ]
    if sum(one.clients_count for one in taken) + places > activity.capacity:
        raise VendorError(422, "Выбранное время уже занято", code=433)
    name, email = read_text(body, "fullname"), read_text(body, "email")
    client = vendor.save_client(now, company.id, phone, name=name, email=email)
    record = vendor.create_record(
        now,
        company_id=company.id,
        staff_id=activity.staff_id,
        date=activity.date,
        seance_length=activity.length,
        lines=(vendor.line(activity.service_id),),
        client_id=client.id,
        activity_id=activity.id,
        clients_count=places,
        **booking.online_fields(company, body),
    )
    return enveloped({"id": record.id, "hash": record.record_hash})


async def validate_phone(emulator: Emulator, request: Request) -> Response:
    """GET /validation/validate_phone/{phone}."""
    return enveloped({"is_valid": is_phone(digits_of(request.path_params["phone"]))})
