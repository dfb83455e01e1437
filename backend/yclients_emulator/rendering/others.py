"""The vendor's JSON for everything but records: branches, staff, services, clients, booking, the client's own view."""

from datetime import datetime
from typing import Any

from yclients_emulator.model import (
    HOOK_SWITCHES,
    Category,
    Client,
    Company,
    HookSettings,
    Record,
    Service,
    Staff,
)
from yclients_emulator.rendering.records import compact_time, roubles, visit_time


def render_company(company: Company, now: datetime, *, tells_client_rules: bool = True) -> dict[str, Any]:
    """A branch, with its zone by name and as hours from UTC at `now`."""
    offset = now.astimezone(company.zone).utcoffset()
    hours = offset.total_seconds() / 3600 if offset is not None else 0
    return {
        "id": company.id,
        "title": company.title,
        "country_id": 1,
        "country": "Россия",
        "city_id": 2,
        "city": company.city,
        "phone": company.phone,
        "phones": [company.phone],
        "timezone": int(hours) if hours == int(hours) else hours,
        "timezone_name": company.zone_name,
        "address": company.address,
        "coordinate_lat": 0,
        "coordinate_lon": 0,
        **_client_rules(company, are_told=tells_client_rules),
        "site": "https://salon.example.com",
        "currency_short_title": "₽",
        "allow_change_record_delay_step": company.allow_change_record_delay_step,
        "allow_delete_record_delay_step": company.allow_delete_record_delay_step,
    }


def _client_rules(company: Company, *, are_told: bool) -> dict[str, bool]:
    names = ("allow_delete_record", "allow_change_record")
    return {name: getattr(company, name) for name in names} if are_told else {}


def render_company_staff(staff: Staff) -> dict[str, Any]:
    """Render a specialist in the branch's staff list."""
    return {
        "id": staff.id,
        "name": staff.name,
        "company_id": staff.company_id,
        "specialization": staff.specialization,
        "position": _position(staff),
        "bookable": staff.bookable,
        "hidden": 0,
        "fired": 0,
        "rating": staff.rating,
        "votes_count": staff.votes_count,
        "avatar": f"https://assets.example.com/masters/sm/{staff.id}.png",
        "avatar_big": f"https://assets.example.com/masters/origin/{staff.id}.png",
        "weight": 1,
        "services_links": [{"service_id": service_id} for service_id in staff.service_ids],
    }


def render_company_service(service: Service) -> dict[str, Any]:
    """A service in the branch's catalogue."""
    return {
        "id": service.id,
        "title": service.title,
        "category_id": service.category_id,
        "price_min": roubles(service.price_min),
        "price_max": roubles(service.price_max),
        "discount": 0,
        "comment": service.comment,
        "weight": service.weight,
        "active": 1,
        "duration": service.seance_length,
        "api_id": "",
    }


def render_hook_settings(settings: HookSettings, *, tells_url_settings: bool = False) -> dict[str, Any]:
    """Render a branch's webhook settings (body 22); `self_sending` can be set but is not returned.

    `tells_url_settings`: the newer shape, where the flags on top are those of the first address only.
    """
    first = settings.flags_of(settings.urls[0]) if settings.urls else {"active": settings.active}
    shown: dict[str, Any] = {"urls": list(settings.urls), **_flags(first)}
    if tells_url_settings:
        shown["url_settings"] = [{"url": url, **_flags(settings.flags_of(url))} for url in settings.urls]
    return shown


def _flags(told: dict[str, int]) -> dict[str, int]:
    return {name: told.get(name, 0) for name in ("active", *HOOK_SWITCHES)}


def render_client_event(client: Client, company: Company) -> dict[str, Any]:
    """A client in a webhook (body 15)."""
    return {
        "id": client.id,
        "name": client.name,
        "surname": client.surname,
        "patronymic": client.patronymic,
        "display_name": client.display_name,
        "phone": "+" + client.phone if client.phone else "",
        "email": client.email,
        "card": "",
        "birth_date": "",
        "comment": client.comment,
        "discount": 0,
        "visits": client.success_visits_count,
        "sex_id": 0,
        "sex": "Неизвестно",
        "sms_check": 0,
        "sms_bot": 0,
        "sms_not": 0,
        "spent": roubles(client.spent),
        "paid": roubles(client.spent),
        "balance": 0,
        "importance_id": 0,
        "importance": "Без класса важности",
        "categories": [],
        "last_change_date": compact_time(company, client.changed_at),
        "custom_fields": client.custom_fields,
    }


def render_finance_event(record: Record, client: Client | None, company: Company) -> dict[str, Any]:
    """The payment of a visit in a webhook (body 17)."""
    card: dict[str, Any] | list[Any] = []
    if client is not None:
        card = {name: getattr(client, name) for name in ("id", "name", "surname", "patronymic", "email")}
        card["phone"] = "+" + client.phone if client.phone else ""
    return {
        "id": record.id + 2_700_000,
        "document_id": record.id + 900_000,
        "date": compact_time(company, record.changed_at),
        "amount": roubles(record.total),
        "comment": "",
        "last_change_date": compact_time(company, record.changed_at),
        "record_id": record.id,
        "visit_id": record.visit_id,
        "sold_item_id": record.lines[0].service_id if record.lines else 0,
        "sold_item_type": "service",
        "expense": {"id": 5, "title": "Оказание услуг", "type": 1},
        "master": [],
        "supplier": [],
        "account": {"id": 90001, "title": "Основная касса", "is_cash": True, "is_default": True},
        "client": card,
        "record": {
            "id": record.id,
            "location_id": record.company_id,
            "staff_id": record.staff_id,
            "date": record.date.isoformat(sep=" ", timespec="seconds"),
            "visit_id": record.visit_id,
            "attendance_status": record.attendance,
            "paid_full": record.paid_full,
            "is_online": record.online,
            "prepaid": False,
            "clients_count": record.clients_count,
            "deleted": record.deleted,
        },
    }


def render_book_service(service: Service, *, with_length: bool) -> dict[str, Any]:
    """A service that can be booked online (body 60); `seance_length` is there only with a staff filter."""
    body: dict[str, Any] = {
        "id": service.id,
        "title": service.title,
        "category_id": service.category_id,
        "price_min": roubles(service.price_min),
        "price_max": roubles(service.price_max),
        "discount": 0,
        "comment": service.comment,
        "weight": service.weight,
        "active": 1,
        "sex": service.sex,
        "image": "",
        "prepaid": "forbidden",
    }
    return body | {"seance_length": service.seance_length} if with_length else body


def render_category(category: Category) -> dict[str, Any]:
    return {"id": category.id, "title": category.title, "sex": 0, "api_id": 0, "weight": category.weight}


def render_book_staff(
    staff: Staff, first_day: datetime | None, *, pictures_url: str, quirks: bool
) -> dict[str, Any]:
    """Render a specialist in online booking (body 61): numbers as strings, also the id of one who can't be booked."""
    body: dict[str, Any] = {
        "id": staff.id if staff.bookable or not quirks else str(staff.id),
        "name": staff.name,
        "bookable": staff.bookable,
        "specialization": staff.specialization,
        "position": _position(staff),
        "show_rating": "1" if staff.votes_count else "0",
        "rating": str(staff.rating),
        "votes_count": str(staff.votes_count),
        "avatar": f"{pictures_url}/masters/sm/{staff.id}.png",
        "comments_count": "0",
        "weight": "1",
        "information": f"<span>{staff.about}</span>" if staff.bookable else "",
    }
    if first_day is not None:
        body |= {"seance_date": int(first_day.timestamp()), "seances": list[Any]()}
    return body


def render_time(company: Company, starts: datetime, length: int, form: str) -> dict[str, Any]:
    """A free time (bodies 63 and 64): `datetime` with a compact offset, or seconds since 1970."""
    moment = company.moment(starts)
    return {
        "time": f"{starts.hour}:{starts.minute:02d}",
        "seance_length": length,
        "datetime": int(moment.timestamp()) if form == "epoch" else compact_time(company, moment),
    }


def render_own_record(
    record: Record,
    company: Company,
    staff: Staff | None,
    services: dict[int, Service],
    now: datetime,
    *,
    tells_client_rules: bool = True,
) -> dict[str, Any]:
    """A booking as its client sees it (body 72)."""
    own_company = render_company(company, now, tells_client_rules=tells_client_rules)
    del own_company["timezone_name"]
    return {
        "id": record.id,
        "services": [
            {
                "id": line.service_id,
                "title": line.title,
                "cost": roubles(line.total),
                "price_min": roubles(services[line.service_id].price_min),
                "price_max": roubles(services[line.service_id].price_max),
                "discount": line.discount,
                "amount": line.amount,
                "seance_length": services[line.service_id].seance_length,
            }
            for line in record.lines
        ],
        "company": own_company,
        "staff": _own_staff(staff),
        "clients_count": record.clients_count,
        "date": record.date.isoformat(sep=" ", timespec="seconds"),
        "datetime": visit_time(company, record.date, "compact"),
        "create_date": compact_time(company, record.created_at),
        "comment": record.comment,
        "deleted": record.deleted,
        "attendance": record.attendance,
        "length": record.seance_length,
        "notify_by_sms": record.sms_remain_hours,
        "notify_by_email": record.email_remain_hours,
        "master_requested": True,
        "online": record.online,
        "api_id": record.api_id,
        "last_change_date": compact_time(company, record.changed_at),
        "prepaid": False,
        "prepaid_confirmed": False,
        "activity_id": record.activity_id,
    }


def _position(staff: Staff) -> dict[str, Any] | list[Any]:
    return [] if staff.position is None else {"id": staff.position[0], "title": staff.position[1]}


def _own_staff(staff: Staff | None) -> dict[str, Any] | list[Any]:
    if staff is None:
        return []
    return {
        "id": staff.id,
        "name": staff.name,
        "specialization": staff.specialization,
        "position": _position(staff),
        "show_rating": 1,
        "rating": staff.rating,
        "votes_count": staff.votes_count,
        "avatar": f"https://assets.example.com/masters/sm/{staff.id}.png",
        "comments_count": 0,
    }
