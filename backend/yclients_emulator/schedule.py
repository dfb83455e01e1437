"""The journal: who works when, what is busy, what online booking may offer. Times are branch wall clock, naive."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from yclients_emulator.model import Company, Service, Staff
from yclients_emulator.vendor import Vendor

HORIZON_DAYS = 30  # how far ahead online booking looks


def working_window(company: Company, staff: Staff, day: date) -> tuple[datetime, datetime] | None:
    """Return when that specialist works that day, or None on a day off."""
    if day.weekday() in staff.days_off:
        return None
    midnight = datetime.combine(day, time())
    return midnight + timedelta(minutes=company.opens_minute), midnight + timedelta(
        minutes=company.closes_minute
    )


def is_busy(
    vendor: Vendor, staff_id: int, starts: datetime, ends: datetime, *, but: Iterable[int] = ()
) -> bool:
    """Return whether a record of that specialist overlaps [starts, ends); records in `but` do not count."""
    passed_over = set(but)
    for day in {(starts - timedelta(days=1)).date(), starts.date(), ends.date()}:
        for record in vendor.day_records(staff_id, day):
            if record.id not in passed_over and record.date < ends and starts < record.ends:
                return True
    return any(
        event.staff_id == staff_id
        and event.date < ends
        and starts < event.date + timedelta(seconds=event.length)
        for event in vendor.activities.values()
    )


def is_free(
    vendor: Vendor,
    company: Company,
    staff: Staff,
    starts: datetime,
    length: int,
    now: datetime,
    *,
    but: Iterable[int] = (),
) -> bool:
    """Return whether online booking may use `length` seconds there: in working hours, in the future, free."""
    window = working_window(company, staff, starts.date())
    ends = starts + timedelta(seconds=length)
    if window is None or starts < window[0] or ends > window[1] or starts <= company.local(now):
        return False
    return not is_busy(vendor, staff.id, starts, ends, but=but)


def free_times(
    vendor: Vendor, company: Company, staff: Staff, day: date, length: int, now: datetime
) -> list[datetime]:
    """The starts that online booking offers on that day, in order."""
    window = working_window(company, staff, day)
    if window is None:
        return []
    starts, found = window[0], list[datetime]()
    while starts < window[1]:
        if is_free(vendor, company, staff, starts, length, now):
            found.append(starts)
        starts += timedelta(minutes=company.slot_minutes)
    return found


def able_staff(vendor: Vendor, company_id: int, service_ids: Iterable[int], staff_id: int = 0) -> list[Staff]:
    """Return bookable specialists who do all these services; all of them for staff_id 0, else that one or none."""
    wanted = set(service_ids)
    return [
        staff
        for staff in vendor.company_staff(company_id)
        if staff.bookable and wanted <= set(staff.service_ids) and staff_id in (0, staff.id)
    ]


def seance_length(services: Iterable[Service], company: Company) -> int:
    """Return the total seconds of these services; one slot where none is chosen."""
    return sum(service.seance_length for service in services) or company.slot_minutes * 60


def next_days(company: Company, now: datetime, days: int = HORIZON_DAYS) -> Iterator[date]:
    """Today in the branch and the days after it."""
    today = company.local(now).date()
    for ahead in range(days):
        yield today + timedelta(days=ahead)
