"""The vendor's objects as frozen values. Money is in kopecks, `date` is the branch's wall clock without a zone."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

HOOK_SWITCHES = (
    "salon",
    "service_category",
    "service",
    "good",
    "master",
    "client",
    "record",
    "goods_operations_sale",
    "goods_operations_receipt",
    "goods_operations_consumable",
    "goods_operations_stolen",
    "goods_operations_move",
    "finances_operation",
)


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name; ZoneInfoNotFoundError for an unknown one."""
    return ZoneInfo(name)


def whole_second(moment: datetime) -> datetime:
    """The vendor's change times have a resolution of one second."""
    return moment.astimezone(UTC).replace(microsecond=0)


class Company(Struct, frozen=True, kw_only=True):
    """A branch: where it is, when it works and what its online booking allows."""

    id: int
    title: str
    zone_name: str
    city: str = "Москва"
    address: str = "ул. Примерная, 1"
    phone: str = "+7 000 000-01-99"
    opens_minute: int = 10 * 60  # minutes after local midnight
    closes_minute: int = 21 * 60
    slot_minutes: int = 30
    form_id: int = 300400
    allow_delete_record: bool = True
    allow_change_record: bool = True
    allow_delete_record_delay_step: int = (
        0  # seconds before the visit; the unit is our guess, it is not documented
    )
    allow_change_record_delay_step: int = 0
    phone_confirmation: bool = False
    comment_required: bool = False
    wrong_summer_offset: bool = False  # `datetime` carries the winter offset in summer, as seen on Altegio

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.zone_name)

    def local(self, moment: datetime) -> datetime:
        """An aware moment as this branch's wall clock, naive."""
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def moment(self, local: datetime) -> datetime:
        """A wall-clock time of this branch as aware UTC (the first of two where the clock goes back)."""
        return local.replace(tzinfo=self.zone).astimezone(UTC)


class Category(Struct, frozen=True, kw_only=True):
    """A group of services."""

    id: int
    company_id: int
    title: str
    weight: int = 1


class Service(Struct, frozen=True, kw_only=True):
    """What a branch sells: a price range in kopecks and a length in seconds."""

    id: int
    company_id: int
    category_id: int
    title: str
    price_min: int
    price_max: int
    seance_length: int
    comment: str = ""
    sex: int = 0
    weight: int = 1


class Staff(Struct, frozen=True, kw_only=True):
    """A specialist."""

    id: int
    company_id: int
    name: str
    specialization: str = ""
    position: tuple[int, str] | None = None  # id and title; None renders as the empty list
    rating: float = 0
    votes_count: int = 0
    about: str = ""
    bookable: bool = True
    service_ids: tuple[int, ...] = ()
    days_off: tuple[int, ...] = ()  # weekdays, Monday is 0


class Client(Struct, frozen=True, kw_only=True):
    """A salon client's card in one branch. `phone` is digits with the country code, or empty."""

    id: int
    company_id: int
    name: str
    surname: str = ""
    patronymic: str = ""
    phone: str = ""
    email: str = ""
    comment: str = ""
    success_visits_count: int = 0
    fail_visits_count: int = 0
    spent: int = 0
    custom_fields: dict[str, Any] = {}
    changed_at: datetime

    @property
    def display_name(self) -> str:
        return " ".join(part for part in (self.surname, self.name) if part)


class Line(Struct, frozen=True, kw_only=True):
    """One service of a record. What it costs in all is `total`, however it is rendered."""

    service_id: int
    title: str
    unit: int  # kopecks for one, before the discount
    discount: int = 0  # percent
    amount: int = 1
    manual: int | None = None  # kopecks for the whole line, typed by hand

    @property
    def discounted_unit(self) -> int:
        return self.unit * (100 - self.discount) // 100

    @property
    def total(self) -> int:
        return self.discounted_unit * self.amount if self.manual is None else self.manual


class Record(Struct, frozen=True, kw_only=True):
    """An appointment, a block in the journal (no client and no lines), or a booking of a group event."""

    id: int
    company_id: int
    staff_id: int
    date: datetime  # branch wall clock, naive
    seance_length: int  # seconds
    lines: tuple[Line, ...]
    client_id: int | None
    visit_id: int
    record_hash: str
    created_at: datetime
    changed_at: datetime
    comment: str = ""
    attendance: int = 0
    visit_attendance: int = 0
    confirmed: int = 1
    deleted: bool = False
    paid_full: bool = False
    online: bool = False
    api_id: str = ""
    created_user_id: int = 0
    activity_id: int = 0
    clients_count: int = 1
    bookform_id: int = 0
    record_from: str = ""
    from_url: str = ""
    is_mobile: int = 0
    sms_remain_hours: int = 2
    email_remain_hours: int = 24
    technical_break_duration: int = 0
    custom_color: str = ""
    custom_fields: dict[str, Any] = {}
    labels: tuple[str, ...] = ()

    @property
    def ends(self) -> datetime:
        return self.date + timedelta(seconds=self.seance_length + self.technical_break_duration)

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)


class Activity(Struct, frozen=True, kw_only=True):
    """A group event: one specialist, many participants."""

    id: int
    company_id: int
    staff_id: int
    service_id: int
    date: datetime
    length: int
    capacity: int


class HookSettings(Struct, frozen=True, kw_only=True):
    """One branch's webhook settings; the list of addresses is shared by all integrations."""

    urls: tuple[str, ...] = ()
    active: int = 0
    switches: dict[str, int] = {}
    self_sending: int = 1
    by_url: dict[str, dict[str, int]] = {}
    """Flags per address, with `active`, as set by hand in the vendor's settings; a POST removes them."""

    def flags_of(self, url: str) -> dict[str, int]:
        """Return the flags of an address, with `active`."""
        return self.by_url.get(url, {"active": self.active} | self.switches)

    def urls_told(self, resource: str) -> tuple[str, ...]:
        """Return the addresses that get events of a resource; all, where it has no switch."""
        flags = {url: self.flags_of(url) for url in self.urls}
        is_told = {
            url: one.get("active") and (resource not in HOOK_SWITCHES or one.get(resource))
            for url, one in flags.items()
        }
        return tuple(url for url in self.urls if is_told[url])


class Event(Struct, frozen=True, kw_only=True):
    """A change that a webhook may report; `subject` is the object right after it."""

    company_id: int
    resource: str
    resource_id: int
    status: str
    subject: Record | Client
    by_user: bool = False  # done through the API by the user who owns the webhooks


class VendorError(Exception):
    """An answer other than success, in the vendor's terms; `errors.py` gives it one of the three shapes."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: int | None = None,
        appointment_id: int | None = None,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.appointment_id = appointment_id
        self.fields = fields


def not_found() -> VendorError:
    """The vendor's 404."""
    return VendorError(404, "Не найдено")
