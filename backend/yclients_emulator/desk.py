"""Actions of the salon's staff, for the control API, the life loop and tests in process."""

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import structs

from yclients_emulator.bulk import BulkRange
from yclients_emulator.emulator import Emulator
from yclients_emulator.model import Client, Record, not_found
from yclients_emulator.reading import invalid
from yclients_emulator.schedule import able_staff, free_times, next_days, seance_length


def create(
    emulator: Emulator,
    *,
    company_id: int,
    staff_id: int | None = None,
    service_ids: tuple[int, ...] = (),
    date: datetime | None = None,
    phone: str = "",
    name: str = "",
    email: str = "",
    seance_seconds: int | None = None,
    **fields: Any,
) -> Record:
    """Create a record by hand, at the earliest free time and specialist where none are given; a busy time is not refused.

    `date` is branch wall clock, naive. No phone and no name make a record without a client; no services a block.
    Further `fields` are those of Record (comment, attendance, online, api_id, ...).
    """
    vendor, now = emulator.vendor, emulator.now()
    company = vendor.company(company_id)
    lines = tuple(vendor.line(service_id) for service_id in service_ids)
    length = seance_seconds or seance_length([vendor.services[one] for one in service_ids], company)
    if staff_id is None or date is None:
        staff_id, date = earliest(emulator, company_id, service_ids, staff_id, date, length)
    client_id = None
    if phone or name:
        client_id = vendor.save_client(now, company_id, phone, name=name, email=email).id
    return vendor.create_record(
        now,
        company_id=company_id,
        staff_id=staff_id,
        date=date,
        seance_length=length,
        lines=lines,
        client_id=client_id,
        **fields,
    )


def earliest(
    emulator: Emulator,
    company_id: int,
    service_ids: tuple[int, ...],
    staff_id: int | None,
    date: datetime | None,
    length: int,
) -> tuple[int, datetime]:
    """Return the specialist and start of the earliest free time, unless given; 422 when there is none."""
    company = emulator.vendor.company(company_id)
    able = able_staff(emulator.vendor, company_id, service_ids, staff_id or 0)
    if date is not None and able:
        return able[0].id, date
    for day in next_days(company, emulator.now()):
        for staff in able:
            times = free_times(emulator.vendor, company, staff, day, length, emulator.now())
            if times:
                return staff.id, times[0]
    raise invalid(datetime="Нет свободного времени")


def move(
    emulator: Emulator, record_id: int, date: datetime | None = None, staff_id: int | None = None
) -> Record:
    """Move a record to another time or specialist."""
    fields: dict[str, Any] = {} if date is None else {"date": date}
    if staff_id is not None:
        fields["staff_id"] = staff_id
    return emulator.vendor.change_record(emulator.now(), record_id, **fields)


def set_attendance(emulator: Emulator, record_id: int, attendance: int) -> Record:
    """Set 2 confirmed, 1 came (and paid), 0 waiting, -1 did not come."""
    paid = attendance == 1
    return emulator.vendor.change_record(emulator.now(), record_id, attendance=attendance, paid_full=paid)


def set_price(emulator: Emulator, record_id: int, kopecks: int) -> Record:
    """Set a price by hand on the first service; its amount becomes 1, so that the price is unambiguous."""
    record = emulator.vendor.record(record_id)
    if not record.lines:
        raise invalid(services="В записи нет услуг")
    first = structs.replace(record.lines[0], manual=kopecks, amount=1)
    return emulator.vendor.change_record(emulator.now(), record_id, lines=(first, *record.lines[1:]))


def set_client_phone(emulator: Emulator, record_id: int, phone: str) -> Client:
    """Correct the phone in the card of a record's client; the record itself keeps its change time by default."""
    client_id = emulator.vendor.record(record_id).client_id
    if client_id is None:
        raise not_found()
    touch = emulator.settings.client_edit_touches_records
    return emulator.vendor.change_client(emulator.now(), client_id, touch=touch, phone=phone)


def change(emulator: Emulator, record_id: int, **fields: Any) -> Record:
    """Set any fields of a record."""
    return emulator.vendor.change_record(emulator.now(), record_id, **fields)


def delete(emulator: Emulator, record_id: int) -> Record:
    return emulator.vendor.delete_record(emulator.now(), record_id)


def restore(emulator: Emulator, record_id: int) -> Record:
    return emulator.vendor.restore_record(emulator.now(), record_id)


def load_bulk(
    emulator: Emulator,
    company_id: int,
    count: int,
    *,
    days: int = 365,
    last_day: date | None = None,
    clients: int | None = None,
) -> BulkRange:
    """Add `count` past visits at once, ending `last_day` (yesterday); one range per branch, no webhooks."""
    vendor = emulator.vendor
    company = vendor.company(company_id)
    if company_id in vendor.bulks:
        raise invalid(company_id="Уже загружено")
    last = last_day or company.local(emulator.now()).date() - timedelta(days=1)
    clients_count = clients or max(1, count // 10)
    bulk = BulkRange(
        company=company,
        first_id=vendor.take_id("record", count),
        count=count,
        first_day=last - timedelta(days=days - 1),
        days=days,
        staff=tuple(one for one in vendor.company_staff(company_id) if one.bookable),
        services=tuple(vendor.company_services(company_id)),
        first_client_id=vendor.take_id("client", clients_count),
        clients_count=clients_count,
    )
    vendor.bulks[company_id] = bulk
    vendor.revisions[company_id] += 1
    return bulk


def truth(emulator: Emulator, record: Record) -> dict[str, Any]:
    """The facts of a record without any quirk; money in kopecks, moments in UTC."""
    vendor = emulator.vendor
    company = vendor.company(record.company_id)
    client = vendor.client(record.client_id)
    staff = vendor.staff.get(record.staff_id)
    return {
        "id": record.id,
        "company_id": record.company_id,
        "visit_id": record.visit_id,
        "record_hash": record.record_hash,
        "staff_id": record.staff_id,
        "staff_name": staff.name if staff is not None else None,
        "date": record.date.isoformat(sep=" "),
        "starts_at": company.moment(record.date).isoformat(),
        "seance_length": record.seance_length,
        "services": [
            {"id": line.service_id, "title": line.title, "amount": line.amount, "total_kopecks": line.total}
            for line in record.lines
        ],
        "total_kopecks": record.total,
        "client_id": record.client_id,
        "client_name": client.display_name if client is not None else None,
        "phone": client.phone if client is not None else None,
        "email": client.email if client is not None else None,
        "comment": record.comment,
        "attendance": record.attendance,
        "deleted": record.deleted,
        "online": record.online,
        "api_id": record.api_id,
        "created_at": record.created_at.isoformat(),
        "changed_at": record.changed_at.isoformat(),
        "is_block": not record.lines and record.client_id is None,
    }


def truths(emulator: Emulator, company_id: int | None = None) -> list[dict[str, Any]]:
    """Return the facts of every stored record, by id; unchanged bulk ones are left out."""
    records = [
        record
        for company, stored in emulator.vendor.records.items()
        if company_id in (None, company)
        for record in stored.values()
    ]
    return [truth(emulator, record) for record in sorted(records, key=lambda one: one.id)]
