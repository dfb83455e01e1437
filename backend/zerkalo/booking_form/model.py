"""The values of the booking form, frozen. Money in kopecks, durations in minutes, instants aware with the salon's offset."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from zerkalo.auth.model import Limit

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FormLimits:
    """How often the form may be used, counted by all processes on one database together.

    Questions cost YCLIENTS's rate limit, bookings the salon's time, SMS its money and people's peace.
    """

    questions_of_address: Limit = Limit("form question address", 40, _MINUTE)
    """Questions that YCLIENTS was really asked: what is kept costs nothing."""
    questions_of_user: Limit = Limit("form question user", 40, _MINUTE)
    questions_of_guests: Limit = Limit("form question guests", 60, _MINUTE)
    """Of a company, by all who have not signed in: those who have keep a share of their own."""
    questions_of_company: Limit = Limit("form question company", 100, _MINUTE)
    changes_of_user: Limit = Limit("form change user", 10, timedelta(minutes=10))
    """Moves and cancels; one costs up to six requests."""
    changes_of_address: Limit = Limit("form change address", 30, timedelta(minutes=10))
    changes_of_company: Limit = Limit("form change company", 300, _HOUR)
    bookings_of_address: Limit = Limit("form booking address", 30, _HOUR)
    bookings_of_phone: Limit = Limit("form booking phone", 15, _HOUR)
    bookings_of_company: Limit = Limit("form booking company", 300, _HOUR)
    codes_of_phone: Limit = Limit("form code phone", 1, _MINUTE)
    codes_of_phone_a_day: Limit = Limit("form code phone a day", 8, _DAY)
    codes_of_address: Limit = Limit("form code address", 20, _HOUR)
    codes_of_company: Limit = Limit("form code company", 200, _HOUR)
    claims_of_user: Limit = Limit("form claim user", 10, _HOUR)
    claims_of_address: Limit = Limit("form claim address", 30, _HOUR)


def limits_of(requests_per_minute: int) -> FormLimits:
    """The usual limits, with questions bounded by what YCLIENTS allows us in all."""
    company = max(requests_per_minute // 2, 1)
    return FormLimits(
        questions_of_company=Limit("form question company", company, _MINUTE),
        questions_of_guests=Limit("form question guests", max(company * 3 // 5, 1), _MINUTE),
    )


@dataclass(frozen=True, slots=True)
class Asker:
    """Whom a request counts for."""

    address: str
    """Of the network, as `auth.dependencies.client_address` gives it."""
    user_id: int | None = None
    """None: a guest."""
    form_id: str | None = None
    """Of a guest who proves to have made one booking of our form: its `api_id`."""


@dataclass(frozen=True, slots=True)
class OfferedService:
    """A service that can be booked. The price is a range; 0 to 0 where the salon set none."""

    service_id: int
    title: str
    category: str
    price_min: int
    price_max: int
    duration: int | None
    """None where it is told only for a chosen master, and masters differ."""
    comment: str


@dataclass(frozen=True, slots=True)
class OfferedStaff:
    """A master who can be booked."""

    staff_id: int
    name: str
    specialization: str
    rating: float | None = None
    """Of 5; None where the salon does not show it, or nobody has voted."""
    votes: int = 0
    description: str = ""
    picture_url: str = ""
    """Of a portrait at YCLIENTS; "" where there is none."""


@dataclass(frozen=True, slots=True)
class OfferedTime:
    """A free time."""

    starts_at: datetime
    wall_time: str
    """As the salon's clock shows it, "15:30"."""
    duration: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, as it was typed. None: the account's own contact, where there is one."""

    service_ids: tuple[int, ...]
    staff_id: int
    """0 is anybody."""
    starts_at: datetime
    """Naive: the salon's wall clock."""
    consent: bool
    """To the processing of personal data; without it nothing is booked."""
    company_id: int | None = None
    """None: the only company there is."""
    comment: str = field(default="", repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    code: str = field(default="", repr=False)
    """From the SMS, where the salon wants phones confirmed."""


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in user, as far as the form needs to know."""

    id: int
    name: str
    phone: str | None
    email: str | None
    unique_code: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A wish found in order: what is sent to YCLIENTS."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int
    starts_at: datetime
    name: str = field(repr=False)
    phone: str = field(repr=False)
    """E.164."""
    email: str = field(repr=False)
    """"" where none was given."""
    comment: str = field(repr=False)
    """With the user's code in front, if there is one."""
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Need:
    """What must be free for a booking to be moved."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What a salon lets its clients do with their bookings, and until how long before the visit, in seconds."""

    may_move: bool | None
    """None: YCLIENTS does not say, so it is tried, and YCLIENTS decides."""
    may_cancel: bool | None
    move_seconds_before: int
    cancel_seconds_before: int


@dataclass(frozen=True, slots=True)
class HookPlan:
    """What adding our address to a branch's webhook settings would change; to be shown before it is done."""

    company_id: int
    adds_url: bool
    """False: it is there, only events are to be turned on."""
    other_urls: int
    turned_on: tuple[str, ...]
    """Events by YCLIENTS's names that others in the list are not told now, and are told afterwards."""
    seen: str
    """Names the settings that this was made from: it holds as long as they stay so."""


@dataclass(frozen=True, slots=True)
class HookState:
    """How a branch's webhook settings stand to us. Other integrations' addresses are counted, never shown."""

    company_id: int
    url: str
    """Ours, with the secret: for admins only."""
    is_listed: bool
    """Our address stands in the list."""
    is_active: bool
    """Webhooks are on, those about records among them."""
    other_urls: int

    @property
    def is_set_up(self) -> bool:
        """Whether YCLIENTS tells us of changes."""
        return self.is_listed and self.is_active
