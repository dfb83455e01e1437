"""The vendor's JSON, quirks included. Key sets follow the bodies in tests/fixtures/yclients (01, 15, 17, 30, 32, 72).

Money is rendered as whole roubles or a float; `date` without a zone, `datetime` with one; the same state is rendered
differently by webhook, list and single read, and the form rotates with the record's id.
"""

from datetime import datetime
from typing import Any, Literal

from yclients_emulator.model import Client, Company, Line, Record, Staff

View = Literal["hook", "list", "get"]
VIEW_TURN: dict[View, int] = {"hook": 0, "list": 1, "get": 2}


def roubles(kopecks: int, *, as_float: bool = False) -> int | float:
    """Roubles as the vendor prints them: an integer where they are whole, unless `as_float`."""
    return kopecks / 100 if as_float or kopecks % 100 else kopecks // 100


def compact_time(company: Company, moment: datetime) -> str:
    """`2026-11-28T12:05:41+0300`, in the branch's zone."""
    text = moment.astimezone(company.zone).isoformat(timespec="seconds")
    return text[:-3] + text[-2:]


def visit_time(company: Company, local: datetime, form: str = "colon") -> str:
    """The visit's `datetime` field; `form` is colon, compact or millis.

    A branch with `wrong_summer_offset` shows its winter offset all year, as seen on Altegio.
    """
    reference = local.replace(month=1, day=15) if company.wrong_summer_offset else local
    offset = reference.replace(tzinfo=company.zone).isoformat()[-6:]
    if form == "compact":
        offset = offset[:3] + offset[4:]
    return local.isoformat(timespec="milliseconds" if form == "millis" else "seconds") + offset


def phone_forms(digits: str) -> tuple[str | int, ...]:
    """Return the forms that the sources have for the same number."""
    if len(digits) != 11:
        return (digits,)
    ten = digits[1:]
    spaced = f"+7 {ten[:3]} {ten[3:6]}-{ten[6:8]}-{ten[8:]}"
    return ("+" + digits, int(digits), digits, spaced, "8" + ten)


def render_line(line: Line, *, covers: str, as_float: bool) -> dict[str, Any]:
    """Render a service of a record. `covers`: whether `cost` is for one unit or for all (unsettled in the sources)."""
    if line.manual is not None:
        cost = line.manual
    else:
        cost = line.discounted_unit if covers == "unit" else line.total
    return {
        "id": line.service_id,
        "title": line.title,
        "cost": roubles(cost, as_float=as_float),
        "cost_to_pay": roubles(cost, as_float=as_float),
        "manual_cost": roubles(cost, as_float=as_float),
        "cost_per_unit": roubles(line.unit, as_float=as_float),
        "discount": line.discount,
        "first_cost": roubles(line.unit, as_float=as_float),
        "amount": line.amount,
    }


def render_staff(staff: Staff) -> dict[str, Any]:
    """Render a specialist inside a record; one without a position has the empty list there."""
    picture = "https://assets.example.com/masters"
    position: dict[str, Any] | list[Any] = []
    if staff.position is not None:
        position = {"id": staff.position[0], "title": staff.position[1], "services_binding_type": 0}
    return {
        "id": staff.id,
        "api_id": None,
        "name": staff.name,
        "specialization": staff.specialization,
        "position": position,
        "avatar": f"{picture}/sm/{staff.id}.png",
        "avatar_big": f"{picture}/origin/{staff.id}.png",
        "rating": staff.rating,
        "votes_count": staff.votes_count,
    }


def render_client(client: Client, phone: str | int, view: View) -> dict[str, Any]:
    """A client inside a record."""
    card: dict[str, Any] = {
        "id": client.id,
        "name": client.name,
        "surname": client.surname,
        "patronymic": client.patronymic,
        "display_name": client.display_name,
        "phone": phone,
        "card": "",
        "email": client.email,
        "success_visits_count": client.success_visits_count,
        "fail_visits_count": client.fail_visits_count,
        "discount": 0,
        "custom_fields": client.custom_fields or [],
        "client_tags": [],
    }
    if view == "hook":
        return card | {"comment": client.comment, "sex": 0, "birthday": ""}
    return card | {"is_new": client.success_visits_count == 0}


def render_record(
    record: Record,
    company: Company,
    staff: Staff | None,
    client: Client | None,
    view: View,
    *,
    quirks: bool = True,
    cost_covers: str = "unit",
) -> dict[str, Any]:
    """Render a record for a webhook (`hook`), the list or the single read."""
    turn = record.id + VIEW_TURN[view] if quirks else 0
    hook = view == "hook"
    covers = ("unit", "total")[record.id % 2] if cost_covers == "rotate" else cost_covers
    as_float = quirks and turn % 7 == 3
    date = record.date.isoformat(sep=" ", timespec="seconds")
    body: dict[str, Any] = {
        "id": record.id,
        "company_id": record.company_id,
        "staff_id": record.staff_id,
        "clients_count": record.clients_count,
        "date": date,
        "comment": record.comment,
        "online": record.online,
        "visit_id": record.visit_id if hook or (quirks and turn % 3 == 0) else str(record.visit_id),
        "visit_attendance": record.visit_attendance,
        "attendance": record.attendance,
        "confirmed": record.confirmed,
        "seance_length": record.seance_length,
        "length": record.seance_length,
        "sms_before": 0,
        "sms_now": 0,
        "sms_now_text": "",
        "email_now": 0,
        "notified": 0,
        "master_request": 1,
        "api_id": record.api_id,
        "from_url": record.from_url,
        "review_requested": 0,
        "created_user_id": record.created_user_id,
        "deleted": record.deleted,
        "paid_full": int(record.paid_full),
        "prepaid": False,
        "prepaid_confirmed": False,
        "is_update_blocked": False,
        "activity_id": record.activity_id,
        "bookform_id": record.bookform_id,
        "record_from": record.record_from,
        "is_mobile": record.is_mobile,
        "services": [render_line(line, covers=covers, as_float=as_float) for line in record.lines],
        "staff": render_staff(staff) if staff is not None else [],
        "goods_transactions": [],
        "sms_remain_hours": record.sms_remain_hours,
        "email_remain_hours": record.email_remain_hours,
        "comer": None,
        "comer_person_info": None,
        "client": None,
        "datetime": visit_time(company, record.date, _time_form(view, turn) if quirks else "colon"),
        "create_date": compact_time(company, record.created_at),
        "last_change_date": compact_time(company, record.changed_at),
        "custom_fields": record.custom_fields or [],
        "custom_color": record.custom_color,
        "custom_font_color": "#ffffff" if record.custom_color else "",
        "record_labels": [_label(title) for title in record.labels],
        "documents": [_visit_document(record, date)],
        "short_link": f"https://short.example.com/c/aaaaa/{record.id}/",
    }
    _set_client(body, client, view, turn, quirks)
    if hook:
        return body | {"composite": []}
    del body["comer_person_info"]
    if quirks and view == "get" and record.id % 6 == 5:
        del body["online"]  # missing in the documented sample of the single read
    return body | {
        "payment_status": 0,
        "is_sale_bill_printed": False,
        "technical_break_duration": record.technical_break_duration,
        "resource_instance_ids": [],
        "acceptance_free": None,
        "consumables": [],
        "finance_transactions": [],
    }


def _time_form(view: View, turn: int) -> str:
    return "colon" if view == "hook" else ("colon", "millis", "compact", "colon")[turn % 4]


def _set_client(body: dict[str, Any], client: Client | None, view: View, turn: int, quirks: bool) -> None:
    if client is not None:
        forms = phone_forms(client.phone)
        body["client"] = render_client(client, forms[turn % len(forms) if quirks else 0], view)
    elif quirks and turn % 4 == 1:
        body["client"] = []
    elif quirks and turn % 4 == 2:
        del body["client"]
    elif quirks and turn % 4 == 3:
        body["client"] = {}


def _label(title: str) -> dict[str, str]:
    return {"id": "67001", "title": title, "color": "#009800", "icon": "unlock", "font_color": "#ffffff"}


def _visit_document(record: Record, date: str) -> dict[str, Any]:
    number = record.id + 900_000
    return {
        "id": number,
        "type_id": 7,
        "storage_id": 0,
        "user_id": 7001,
        "company_id": record.company_id,
        "number": number,
        "comment": "",
        "date_created": date,
        "category_id": 0,
        "visit_id": record.visit_id,
        "record_id": record.id,
        "type_title": "Визит",
        "is_sale_bill_printed": False,
    }
