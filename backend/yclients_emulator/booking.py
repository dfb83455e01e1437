"""Online booking: what may be booked, and booking, moving and cancelling it. Codes 431-438: fact sheet section 5."""

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from yclients_emulator.model import Company, Line, Record, Staff, VendorError, not_found
from yclients_emulator.reading import (
    digits_of,
    invalid,
    is_phone,
    read_int,
    read_list,
    read_moment,
    read_object,
    read_text,
)
from yclients_emulator.schedule import able_staff, is_free, seance_length
from yclients_emulator.vendor import Vendor


class Appointment(Struct, frozen=True, kw_only=True):
    """One parsed appointment of a booking request: who, what, when (branch wall clock), how long (seconds)."""

    id: int
    staff: Staff
    lines: tuple[Line, ...]
    date: datetime
    seance_length: int
    custom_fields: dict[str, Any] = {}

    @property
    def ends(self) -> datetime:
        return self.date + timedelta(seconds=self.seance_length)


def check_appointments(
    vendor: Vendor, company: Company, body: dict[str, Any], now: datetime
) -> list[Appointment]:
    """Return the appointments of `body`, each possible now; VendorError 433, 436, 437, 438 or 422 otherwise."""
    wishes = read_list(body.get("appointments"), "appointments")
    if not wishes:
        raise invalid(appointments="Поле обязательно")
    taken: list[Appointment] = []
    for wish in wishes:
        taken.append(_check_one(vendor, company, read_object(wish, "appointments"), now, taken))
    return taken


def _check_one(
    vendor: Vendor, company: Company, wish: dict[str, Any], now: datetime, taken: list[Appointment]
) -> Appointment:
    number = read_int(wish.get("id", 0), "id")
    service_ids = [read_int(one, "services") for one in read_list(wish.get("services"), "services")]
    services = [vendor.services.get(service_id) for service_id in service_ids]
    known = [service for service in services if service is not None and service.company_id == company.id]
    if not service_ids or len(known) != len(service_ids):
        raise VendorError(422, "Услуга недоступна", code=438, appointment_id=number)
    staff_id = read_int(wish.get("staff_id", 0), "staff_id")
    starts = company.local(read_moment(wish.get("datetime"), company, "datetime"))
    length = seance_length(known, company)
    able = able_staff(vendor, company.id, service_ids, max(staff_id, 0))
    if not able:
        if staff_id > 0:
            raise VendorError(422, "Услуга недоступна", code=438, appointment_id=number)
        raise VendorError(422, "Нет доступных сотрудников", code=436, appointment_id=number)

    ends = starts + timedelta(seconds=length)
    for staff in able:
        clash = any(one.staff.id == staff.id and one.date < ends and starts < one.ends for one in taken)
        if clash and staff_id > 0:
            raise VendorError(422, "Записи пересекаются между собой", code=437, appointment_id=number)
        if not clash and is_free(vendor, company, staff, starts, length, now):
            return Appointment(
                id=number,
                staff=staff,
                lines=tuple(vendor.line(service_id) for service_id in service_ids),
                date=starts,
                seance_length=length,
                custom_fields=read_object(wish.get("custom_fields") or {}, "custom_fields"),
            )
    if staff_id <= 0:
        raise VendorError(422, "Нет доступных сотрудников", code=436, appointment_id=number)
    raise VendorError(422, "Выбранное время уже занято", code=433, appointment_id=number)


def send_code(vendor: Vendor, company: Company, body: dict[str, Any]) -> str:
    """Make the SMS code for a phone and keep it until it is used; 431 for a bad phone."""
    phone = check_phone(vendor, company, body)
    code = f"{vendor.rng.randrange(10_000):04d}"
    vendor.codes[(company.id, phone)] = code
    return code


def check_phone(vendor: Vendor, company: Company, body: dict[str, Any]) -> str:
    """Return the digits of the request's phone; 431 when it is invalid, 403 with 434 when it is black-listed."""
    phone = digits_of(body.get("phone") or "")
    if not is_phone(phone):
        raise VendorError(422, "Неправильный номер телефона", code=431)
    if (company.id, phone) in vendor.black_list:
        raise VendorError(403, "Клиент в чёрном списке", code=434)
    return phone


def book(vendor: Vendor, company: Company, body: dict[str, Any], now: datetime) -> list[tuple[int, Record]]:
    """Book every appointment of a request or none; return (appointment id, record) in request order.

    Make or update the client card, then one record per appointment; those of one day share a visit.
    """
    phone = check_phone(vendor, company, body)
    fullname = read_text(body, "fullname").strip()
    if not fullname:
        raise VendorError(422, "Не указано имя", code=435)
    wishes = check_appointments(vendor, company, body, now)
    if company.phone_confirmation:
        _use_code(vendor, company, phone, read_text(body, "code"))
    client = vendor.save_client(
        now,
        company.id,
        phone,
        name=fullname,
        surname=read_text(body, "surname"),
        patronymic=read_text(body, "patronymic"),
        email=read_text(body, "email"),
        custom_fields=read_object(body.get("custom_fields") or {}, "custom_fields"),
    )
    visits: dict[date, int] = {}
    booked: list[tuple[int, Record]] = []
    for wish in wishes:
        day = wish.date.date()
        if day not in visits:
            visits[day] = vendor.take_id("visit")
        record = vendor.create_record(
            now,
            company_id=company.id,
            staff_id=wish.staff.id,
            date=wish.date,
            seance_length=wish.seance_length,
            lines=wish.lines,
            client_id=client.id,
            visit_id=visits[day],
            custom_fields=wish.custom_fields,
            **online_fields(company, body),
        )
        booked.append((wish.id, record))
    return booked


def online_fields(company: Company, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a booking request that apply to every record it makes."""
    return {
        "comment": read_text(body, "comment"),
        "online": True,
        "api_id": read_text(body, "api_id"),
        "bookform_id": read_int(body.get("bookform_id") or company.form_id, "bookform_id"),
        "record_from": read_text(body, "type"),
        "from_url": read_text(body, "referrer"),
        "is_mobile": read_int(body.get("isMobile") or 0, "isMobile"),
        "sms_remain_hours": read_int(body.get("notify_by_sms") or 0, "notify_by_sms"),
        "email_remain_hours": read_int(body.get("notify_by_email") or 0, "notify_by_email"),
    }


def _use_code(vendor: Vendor, company: Company, phone: str, code: str) -> None:
    if not code or vendor.codes.get((company.id, phone)) != code:
        raise VendorError(422, "Неправильный код подтверждения", code=432)
    del vendor.codes[(company.id, phone)]


def own_record(vendor: Vendor, record_id: int, record_hash: str | None, phone: str | None = None) -> Record:
    """Return a client's own record by its hash, or by the client's verified phone; 404 for anything else."""
    record = vendor.record(record_id)
    if record_hash is not None:
        if record_hash == record.record_hash:
            return record
        raise not_found()
    client = vendor.client(record.client_id)
    if client is None or not phone or client.phone != phone:
        raise not_found()
    return record


def move(vendor: Vendor, company: Company, record_id: int, body: dict[str, Any], now: datetime) -> Record:
    """Move an online booking to another free time of the same specialist, within the branch's rules."""
    record = vendor.record(record_id)
    if record.deleted or record.company_id != company.id:
        raise not_found()
    allowed = company.allow_change_record
    _check_rules(company, record, now, allowed=allowed, delay=company.allow_change_record_delay_step)
    starts = company.local(read_moment(body.get("datetime"), company, "datetime"))
    staff = vendor.staff[record.staff_id]
    if not is_free(vendor, company, staff, starts, record.seance_length, now, but=[record.id]):
        raise VendorError(422, "Выбранное время уже занято", code=433, appointment_id=record.id)
    fields: dict[str, Any] = {"date": starts}
    if "comment" in body:
        fields["comment"] = read_text(body, "comment")
    return vendor.change_record(now, record.id, **fields)


def cancel(vendor: Vendor, record: Record, now: datetime) -> Record:
    """Cancel a client's own booking, within the branch's rules."""
    company = vendor.company(record.company_id)
    allowed = company.allow_delete_record
    _check_rules(company, record, now, allowed=allowed, delay=company.allow_delete_record_delay_step)
    return vendor.delete_record(now, record.id)


def _check_rules(company: Company, record: Record, now: datetime, *, allowed: bool, delay: int) -> None:
    late = company.moment(record.date) - timedelta(seconds=delay) <= now
    if not allowed or late:
        raise VendorError(403, "Изменение записи запрещено настройками филиала")
